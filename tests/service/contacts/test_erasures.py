"""M20: a person is erased from every table, answer, operation, file, stream and dead letter of contacts; others stay whole."""

import time
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from chassis import errors
from chassis.events import dead_letters
from chassis.events.nats import dead_stream_of, stream_of
from chassis.events.reading import read
from chassis.testing.events import eventually
from chassis.testing.installation import Person
from crm.contacts.v1 import (
    contact_pb2,
    merge_pb2,
    note_pb2,
    party_pb2,
    request_pb2,
)  # fmt: skip
from crm.contacts.v1 import privacy_pb2 as pb
from crm.contacts.v1.duplicates_service_pb2_grpc import DuplicatesServiceStub
from crm.contacts.v1.notes_service_pb2_grpc import NotesServiceStub
from crm.contacts.v1.privacy_service_pb2_grpc import PrivacyServiceStub
from services.contacts import certificates
from services.contacts.store import privacy
from tests.service.contacts.world import Refused, World

pytestmark = pytest.mark.large

Contact = contact_pb2.Contact
Erasure = pb.Erasure
SURNAME, PHONE, EMAIL = "Chrzaszczewska", "+48601998877", "hanna.ch@example.com"
SPELLINGS = (SURNAME, SURNAME.lower(), "601998877", "601 998 877", EMAIL)


def hanna(**more: Any) -> Contact:
    return Contact(
        given_name="Hanna", family_name=SURNAME, phones=[party_pb2.Phone(number=PHONE)],
        emails=[party_pb2.Email(address=EMAIL)], **more,
    )  # fmt: skip


async def created(world: World, contact: Contact) -> Contact:
    request = contact_pb2.CreateContactRequest(
        contact=contact, request_id=f"new-{time.monotonic_ns()}"
    )
    return await world.admin.CreateContact(request)


def privacy_of(world: World, person: Person | None = None) -> Any:
    return (person or world.tenant.admin).stub(PrivacyServiceStub)


async def erase(world: World, contact: Contact, **more: Any) -> Erasure:
    """Erases, and returns the certificate as soon as contacts has confirmed."""
    asked = pb.EraseContactRequest(
        id=contact.id, reason="asked by letter", confirmation=contact.display_name, **more
    )
    erasure = await privacy_of(world).EraseContact(asked)
    return await confirmed(world, erasure.id)


async def confirmed(world: World, id: str) -> Erasure:
    last: list[Erasure] = []

    async def is_confirmed() -> bool:
        last[:] = [await privacy_of(world).GetErasure(pb.GetErasureRequest(id=id))]
        # Another test's identity, in the same worker, may confirm as well.
        return any(each.service == "contacts" for each in last[0].confirmations)

    await eventually(is_confirmed, "contacts has confirmed", 60)
    return last[0]


async def everything_said(world: World) -> str:
    """All texts of all tables of contacts that belong to the tenant, and all its messages in all streams."""
    said = []
    tables = await world.running.rows(
        "contacts",
        "SELECT DISTINCT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'tenant_id'"
        " AND table_name IN (SELECT tablename FROM pg_tables WHERE schemaname = 'public')",
    )
    for table in tables:
        name = table["table_name"]
        rows = await world.running.rows(
            "contacts", f"SELECT * FROM {name} WHERE tenant_id = $1", world.tenant.id
        )
        for row in rows:
            said += [f"{name}: {_text(value)}" for value in row.values()]
    nats = world.running.process.nats
    for service in ("contacts", "identity", "gateway"):
        await nats.ensure_streams([service])
        for stream, subject in (
            (stream_of(service), f"crm.{world.tenant.id}.>"),
            (dead_stream_of(service), f"crm-dead.{service}.{world.tenant.id}.>"),
        ):
            async for message in read(nats, stream, subjects=[subject]):
                said.append(f"{stream}: {message.headers} {message.data.decode()}")
    return "\n".join(said)


def _text(value: Any) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


async def left_of(world: World, *texts: str) -> list[str]:
    return [
        line[:300]
        for line in (await everything_said(world)).splitlines()
        if any(t in line for t in texts)
    ]


@pytest_asyncio.fixture
async def person(world: World) -> AsyncIterator[Contact]:
    """Somebody about whom everything that contacts can keep is kept."""
    notes = world.tenant.admin.stub(NotesServiceStub)
    form = await world.form()
    made = await created(world, hanna(position="first"))
    made.position = "second"
    made = await world.admin.UpdateContact(
        contact_pb2.UpdateContactRequest(
            contact=made, update_mask={"paths": ["position"]}, request_id="upd"
        )
    )
    await world.submit(form, name=f"Hanna {SURNAME}", phone="601 998 877", text="I want windows")
    note = note_pb2.Note(contact_id=made.id, text=f"{SURNAME} likes tea")
    await notes.CreateNote(note_pb2.CreateNoteRequest(note=note))
    yield made


async def test_every_table_has_a_place_in_the_plan() -> None:
    assert privacy.unplaced() == []


async def test_nothing_is_left_in_tables_streams_and_answers(world: World, person: Contact) -> None:
    assert len(await left_of(world, *SPELLINGS)) > 10

    erasure = await erase(world, person)

    assert await left_of(world, *SPELLINGS) == []
    with pytest.raises(errors.NotFound):
        await world.contact(person.id)
    with pytest.raises(errors.NotFound):
        await world.admin.ListContactHistory(contact_pb2.ListContactHistoryRequest(id=person.id))
    ours, *others = sorted(erasure.confirmations, key=lambda each: each.service)
    assert (erasure.contact_id, erasure.reason) == (person.id, "asked by letter")
    answering = [*erasure.missing_services, *(each.service for each in others)]
    assert sorted(["contacts", *answering]) == certificates.who_answers()
    places = {place.name: place.count for place in ours.places}
    assert (
        places["contacts"],
        places["contacts_history"],
        places["requests"],
        places["notes"],
    ) == (1, 2, 1, 1)
    assert places["stream:CONTACTS"] >= 4
    assert list(ours.remains) == []


async def test_requests_stay_without_who_asked(world: World, person: Contact) -> None:
    listed = await world.admin.ListRequests(request_pb2.ListRequestsRequest())
    (before,) = listed.requests

    await erase(world, person)

    after = await world.request(before.id)
    assert (after.name, after.phone, after.text, after.raw, after.contact_id) == (
        "",
        "",
        "",
        "",
        "",
    )
    assert after.fields == {}
    for name in ("id", "state", "channel", "form_id", "source_id", "create_time", "owner_id"):
        assert getattr(after, name) == getattr(before, name), name
    history = await world.admin.ListRequestHistory(
        request_pb2.ListRequestHistoryRequest(id=before.id)
    )
    assert [(revision.version, revision.cause.kind) for revision in history.revisions] == [
        (2, "erasure")
    ]


async def test_others_keep_what_they_share_and_lose_the_reference(
    world: World, person: Contact
) -> None:
    wife = await created(world, Contact(given_name="Ewa", phones=[party_pb2.Phone(number=PHONE)]))
    friend = Contact(
        given_name="Olek", relations=[party_pb2.Relation(contact_id=person.id, kind="friend")]
    )
    friend = await created(world, friend)

    preview = await privacy_of(world).PreviewErasure(pb.PreviewErasureRequest(id=person.id))
    await erase(world, person)

    assert [(each.object, each.id, each.value) for each in preview.also_found] == [
        ("contact", wife.id, "phone")
    ]
    assert preview.confirmation == f"Hanna {SURNAME}"
    assert {place.name: place.count for place in preview.places}["notes"] == 1
    assert list(preview.services) == certificates.who_answers()
    assert (await world.contact(wife.id)).phones[0].number == PHONE
    assert list((await world.contact(friend.id)).relations) == []


async def test_who_was_merged_into_the_person_goes_too(world: World, person: Contact) -> None:
    twin = await created(
        world, Contact(family_name=SURNAME, emails=[party_pb2.Email(address=f"old.{EMAIL}")])
    )
    merges = world.tenant.admin.stub(DuplicatesServiceStub)
    await merges.MergeContacts(merge_pb2.MergeContactsRequest(id=person.id, merged_ids=[twin.id]))

    erasure = await erase(world, twin_of(person, twin))

    assert (erasure.contact_id, list(erasure.merged_ids)) == (person.id, [twin.id])
    assert await left_of(world, *SPELLINGS) == []
    for id in (person.id, twin.id):
        with pytest.raises(errors.NotFound):
            await world.contact(id)


def twin_of(person: Contact, twin: Contact) -> Contact:
    """The merged one's id with the survivor's name: the old id still leads to the person."""
    return Contact(id=twin.id, display_name=person.display_name)


async def test_somebody_who_was_one_with_the_person_for_a_while_keeps_the_rest(
    world: World, person: Contact
) -> None:
    other = await created(world, Contact(given_name="Zofia", family_name="Inna", position="baker"))
    merges = world.tenant.admin.stub(DuplicatesServiceStub)
    merge = await merges.MergeContacts(
        merge_pb2.MergeContactsRequest(id=other.id, merged_ids=[person.id])
    )
    await merges.UndoMerge(merge_pb2.UndoMergeRequest(id=merge.id))

    await erase(world, person)

    assert await left_of(world, *SPELLINGS) == []
    kept = await world.contact(other.id)
    assert (kept.display_name, kept.position, len(kept.phones)) == ("Zofia Inna", "baker", 0)


async def test_a_failed_event_among_the_dead_letters_goes(world: World, person: Contact) -> None:
    nats = world.running.process.nats
    body = orjson.dumps({"contact": {"id": person.id, "familyName": SURNAME}})
    subject = f"crm-dead.contacts.{world.tenant.id}.contacts-timeline"
    await nats.js.publish(
        subject,
        body,
        headers={"ce-subject": person.id, "ce-type": "crm.contacts.v1.ContactUpdated"},
    )

    await erase(world, person)

    found = [letter async for letter in dead_letters.find(nats, "contacts") if letter.body == body]
    assert found == []


async def test_a_visit_of_the_person_goes_and_one_of_others_stays(world: World) -> None:
    form = await world.form()
    await world.submit(
        form, request={"visitor_id": "visitor-of-hanna"}, name=f"Hanna {SURNAME}", phone=PHONE
    )
    (request,) = (await world.admin.ListRequests(request_pb2.ListRequestsRequest())).requests
    nats = world.running.process.nats
    await nats.ensure_streams(["gateway"])
    for visitor in ("visitor-of-hanna", "visitor-of-nobody"):
        body = orjson.dumps({"change": {}, "visitorId": visitor, "url": "https://shop.example/x"})
        await nats.js.publish(
            f"crm.{world.tenant.id}.gateway.PageViewed", body, headers={"ce-subject": "visit"}
        )

    await erase(world, await world.contact(request.contact_id))

    assert await left_of(world, "visitor-of-hanna", SURNAME) == []
    assert len(await left_of(world, "visitor-of-nobody")) == 1


# -- refusals --------------------------------------------------------------------------------------------


async def test_another_name_confirms_nothing(world: World, person: Contact) -> None:
    async with Refused(world, errors.InvalidArgument, "ERASURE_NOT_CONFIRMED", "confirmation"):
        await privacy_of(world).EraseContact(
            pb.EraseContactRequest(id=person.id, reason="r", confirmation="Hanna")
        )


async def test_a_reason_is_needed(world: World, person: Contact) -> None:
    async with Refused(world, errors.InvalidArgument, "INVALID_FIELDS", "reason"):
        await privacy_of(world).EraseContact(
            pb.EraseContactRequest(id=person.id, confirmation=person.display_name)
        )


async def test_an_old_etag_erases_nothing(world: World, person: Contact) -> None:
    async with Refused(world, errors.Aborted, "CHANGED_MEANWHILE"):
        await privacy_of(world).EraseContact(
            pb.EraseContactRequest(
                id=person.id, reason="r", confirmation=person.display_name, etag="1"
            )
        )


async def test_who_may_only_delete_may_not_erase(world: World, person: Contact) -> None:
    clerk = await world.tenant.person(
        [
            {"object": "contact", "action": action, "scope": "all"}
            for action in ("read", "delete", "update")
        ]
    )
    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await privacy_of(world, clerk).EraseContact(
            pb.EraseContactRequest(id=person.id, reason="r", confirmation=person.display_name)
        )


async def test_a_second_erasure_of_the_person_is_refused(world: World, person: Contact) -> None:
    ask = pb.EraseContactRequest(
        id=person.id, reason="r", confirmation=person.display_name, request_id="k"
    )
    first = await privacy_of(world).EraseContact(ask)
    again = await privacy_of(world).EraseContact(ask)
    assert again.id == first.id  # the same key repeats the same answer

    ask.request_id = "another"
    with pytest.raises((refused_class(), errors.NotFound)):
        await privacy_of(world).EraseContact(ask)
    await confirmed(world, first.id)
    listed = await privacy_of(world).ListErasures(pb.ListErasuresRequest())
    assert [each.id for each in listed.erasures] == [first.id]


def refused_class() -> type[errors.CrmError]:
    """While it runs it is under way, afterwards nobody is there."""
    return errors.FailedPrecondition


async def test_whether_somebody_was_erased_can_be_asked_by_phone(
    world: World, person: Contact
) -> None:
    erasure = await erase(world, person)
    asked = privacy_of(world)

    by_phone = await asked.ListErasures(pb.ListErasuresRequest(phone="601 998 877"))
    by_email = await asked.ListErasures(pb.ListErasuresRequest(email=EMAIL.upper()))
    by_other = await asked.ListErasures(pb.ListErasuresRequest(phone="601 998 878"))

    assert [[each.id for each in found.erasures] for found in (by_phone, by_email, by_other)] == [
        [erasure.id], [erasure.id], [],
    ]  # fmt: skip


async def test_the_same_person_may_come_again(world: World, person: Contact) -> None:
    await erase(world, person)

    again = await created(world, hanna())

    assert again.id != person.id
    assert (await world.contact(again.id)).family_name == SURNAME


async def test_a_file_that_nobody_names_goes_and_one_of_somebody_else_stays(
    world: World, person: Contact
) -> None:
    blobs = world.running.process.runtimes["contacts"].blobs

    async def content() -> AsyncIterator[bytes]:
        yield f"Name;Phone\n{SURNAME};601 998 877\n".encode()

    async def stored() -> str:
        blob = await blobs.put(
            world.tenant.id,
            content(),
            type="text/csv",
            name="x.csv",
            owner_id=world.tenant.admin.id,
            max_bytes=999,
        )
        return blob.id

    lying, attached = await stored(), await stored()
    other = await created(world, Contact(given_name="Olek"))
    note = note_pb2.Note(contact_id=other.id, text="see the list", file_ids=[attached])
    await world.tenant.admin.stub(NotesServiceStub).CreateNote(
        note_pb2.CreateNoteRequest(note=note)
    )

    await erase(world, person)

    with pytest.raises(errors.NotFound):
        await blobs.get(world.tenant.id, lying)
    assert (await blobs.get(world.tenant.id, attached)).id == attached
