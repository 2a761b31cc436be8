"""Notes and agreements: where they stand, who reads and changes them, and the day of the next contact."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.date_pb2 import Date

from chassis import errors
from chassis.testing.installation import Person
from chassis.waits import first_of
from crm.contacts.v1 import agreement_pb2, company_pb2, contact_pb2, note_pb2, timeline_pb2
from crm.contacts.v1.agreement_pb2 import Agreement
from crm.contacts.v1.notes_service_pb2_grpc import NotesServiceStub
from tests.service.contacts.world import Refused, World

WRITES = ("create", "update", "delete", "settle")


def desk(person: Person) -> Any:
    return person.stub(NotesServiceStub)


def seller_grants(scope: str = "own") -> list[dict[str, str]]:
    """As the built-in role has them."""
    read = [
        {"object": o, "action": "read", "scope": scope} for o in ("contact", "note", "agreement")
    ]
    write = [
        {"object": o, "action": a, "scope": "all"} for o in ("note", "agreement") for a in WRITES
    ]
    return [*read, {"object": "contact", "action": "update", "scope": scope}, *write]


async def write(who: Any, text: str = "Prefers mornings", **on: Any) -> note_pb2.Note:
    return await who.CreateNote(note_pb2.CreateNoteRequest(note=note_pb2.Note(text=text, **on)))


async def agree(
    who: Any, subject: str = "Visit", day: tuple[int, int, int] = (2030, 5, 1), **values: Any
) -> Agreement:
    date = Date(year=day[0], month=day[1], day=day[2])
    made = Agreement(subject=subject, date=date, **values)
    return await who.CreateAgreement(agreement_pb2.CreateAgreementRequest(agreement=made))


async def texts(who: Any, filter: str = "") -> list[str]:
    listed = await who.ListNotes(note_pb2.ListNotesRequest(filter=filter, order_by="create_time"))
    return [note.text for note in listed.notes]


async def until(found: Any, wanted: Any) -> None:
    async with asyncio.timeout(20):
        while await found() != wanted:
            await first_of(asyncio.Event(), timeout_s=0.02)


# -- notes -------------------------------------------------------------------------------------------------------------------


async def test_a_note_stands_on_a_contact_a_company_or_a_request(world: World) -> None:
    contact = await world.contact(given_name="Ana")
    company = await world.admin.CreateCompany(
        company_pb2.CreateCompanyRequest(company=company_pb2.Company(name="Okna"))
    )
    form = await world.form()
    inquiry = await world.submitted(form, name="Jan", phone="601 234 567")
    admin = desk(world.tenant.admin)

    made = await write(admin, "on Ana", contact_id=contact.id, pinned=True)
    await write(admin, "on Okna", company_id=company.id)
    await write(admin, "on the request", request_id=inquiry.id)

    assert (made.author_id, made.pinned) == (world.tenant.admin.id, True)
    assert await texts(admin, f'contact_id = "{contact.id}" AND pinned = true') == ["on Ana"]
    assert await texts(admin, f'company_id = "{company.id}"') == ["on Okna"]
    assert await texts(admin, f'request_id = "{inquiry.id}"') == ["on the request"]


async def test_a_note_is_found_by_its_words_edited_deleted_and_brought_back(world: World) -> None:
    contact = await world.contact(given_name="Ana")
    admin = desk(world.tenant.admin)
    note = await write(admin, "Likes Ćmielów porcelain", contact_id=contact.id)

    found = await admin.ListNotes(note_pb2.ListNotesRequest(q="cmielow"))
    await admin.UpdateNote(
        note_pb2.UpdateNoteRequest(
            note=note_pb2.Note(id=note.id, text="Likes porcelain", pinned=True),
            update_mask=FieldMask(paths=["text", "pinned"]),
        )
    )
    await admin.DeleteNote(note_pb2.DeleteNoteRequest(id=note.id))
    gone = await texts(admin)
    back = await admin.UndeleteNote(note_pb2.UndeleteNoteRequest(id=note.id))
    history = await admin.ListNoteHistory(note_pb2.ListNoteHistoryRequest(id=note.id))

    assert [each.id for each in found.notes] == [note.id]
    assert (gone, back.text) == ([], "Likes porcelain")
    assert [r.action for r in history.revisions] == ["undeleted", "deleted", "updated", "created"]


async def test_a_note_holds_twenty_thousand_characters_and_no_more(world: World) -> None:
    contact = await world.contact(given_name="Ana")
    admin = desk(world.tenant.admin)
    note = await write(admin, "ż" * 20_000, contact_id=contact.id)
    assert len(note.text) == 20_000
    async with Refused(world, errors.InvalidArgument, "INVALID_FIELDS", "note.text"):
        await write(admin, "ż" * 20_001, contact_id=contact.id)
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "text"):
        await write(admin, " \n ", contact_id=contact.id)


async def test_a_note_without_a_readable_subject_is_refused(world: World) -> None:
    contact = await world.contact(given_name="Ana")
    admin, stranger = desk(world.tenant.admin), await world.tenant.person(seller_grants())
    async with Refused(world, errors.InvalidArgument, "SUBJECT_MISSING", "contact_id"):
        await write(admin)
    for on in ({"contact_id": "019a0000-0000-7000-8000-000000000000"}, {"contact_id": contact.id}):
        async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "contact_id"):
            await write(desk(stranger), **on)


async def test_a_note_stays_where_it_was_written(world: World) -> None:
    ana, jan = await world.contact(given_name="Ana"), await world.contact(given_name="Jan")
    admin = desk(world.tenant.admin)
    note = await write(admin, contact_id=ana.id)
    async with Refused(world, errors.InvalidArgument, "SUBJECT_FIXED", "contact_id"):
        await admin.UpdateNote(
            note_pb2.UpdateNoteRequest(
                note=note_pb2.Note(id=note.id, contact_id=jan.id),
                update_mask=FieldMask(paths=["contact_id"]),
            )
        )


async def test_notes_are_read_by_who_may_read_the_contact_now(world: World) -> None:
    ewa = await world.tenant.person(seller_grants())
    jan = await world.tenant.person(seller_grants())
    contact = await world.contact(given_name="Ana", owner_id=ewa.id)
    note = await write(desk(ewa), contact_id=contact.id)
    with pytest.raises(errors.NotFound):
        await desk(jan).GetNote(note_pb2.GetNoteRequest(id=note.id))
    assert (await texts(desk(ewa)), await texts(desk(jan))) == (["Prefers mornings"], [])

    await world.admin.UpdateContact(
        contact_pb2.UpdateContactRequest(
            contact=contact_pb2.Contact(id=contact.id, owner_id=jan.id),
            update_mask=FieldMask(paths=["owner_id"]),
        )
    )

    await until(lambda: texts(desk(jan)), ["Prefers mornings"])
    assert await texts(desk(ewa)) == []
    with pytest.raises(errors.NotFound):
        await desk(ewa).GetNote(note_pb2.GetNoteRequest(id=note.id))


async def test_a_follower_may_write_and_change_his_own_note_but_not_anothers(world: World) -> None:
    ewa = await world.tenant.person(seller_grants())
    jan = await world.tenant.person(seller_grants())
    contact = await world.contact(given_name="Ana", owner_id=ewa.id, follower_ids=[jan.id])
    hers = await write(desk(ewa), "hers", contact_id=contact.id)
    his = await write(desk(jan), "his", contact_id=contact.id)

    async def change(who: Person, id: str) -> note_pb2.Note:
        return await desk(who).UpdateNote(
            note_pb2.UpdateNoteRequest(
                note=note_pb2.Note(id=id, pinned=True), update_mask=FieldMask(paths=["pinned"])
            )
        )

    assert (await change(jan, his.id)).pinned
    async with Refused(world, errors.PermissionDenied, "NOT_YOURS"):
        await change(jan, hers.id)
    async with Refused(world, errors.PermissionDenied, "NOT_YOURS"):
        await desk(jan).DeleteNote(note_pb2.DeleteNoteRequest(id=hers.id))
    assert (await change(ewa, his.id)).author_id == jan.id


async def test_hidden_text_is_not_found_by_its_words(world: World) -> None:
    contact = await world.contact(given_name="Ana")
    await write(desk(world.tenant.admin), "porcelain", contact_id=contact.id)
    everything = [{"object": "*", "action": "*", "scope": "all"}]
    clerk = desk(await world.tenant.person(everything, hidden=["note.text"]))

    listed = await clerk.ListNotes(note_pb2.ListNotesRequest())
    found = await clerk.ListNotes(note_pb2.ListNotesRequest(q="porcelain"))

    assert [each.text for each in listed.notes] == [""]
    assert list(found.notes) == []


async def upload(world: World, person: Person) -> str:
    async def content() -> AsyncIterator[bytes]:
        yield b"a photo"

    blob = await world.running.process.runtimes["contacts"].blobs.put(
        world.tenant.id, content(), type="image/png", name="a.png", owner_id=person.id, max_bytes=99
    )
    return blob.id


async def test_a_note_holds_files_that_its_writer_uploaded(world: World) -> None:
    jan = await world.tenant.person([{"object": "*", "action": "*", "scope": "all"}])
    mine, his = await upload(world, world.tenant.admin), await upload(world, jan)
    contact = await world.contact(given_name="Ana")
    note = await write(desk(world.tenant.admin), contact_id=contact.id, file_ids=[mine])
    assert list(note.file_ids) == [mine]
    unknown = "019a0000-0000-7000-8000-000000000000"
    for files in ([mine, his], [mine, unknown]):
        async with Refused(world, errors.InvalidArgument, "INVALID_ARGUMENT", "file_ids"):
            await write(desk(world.tenant.admin), contact_id=contact.id, file_ids=files)

    changed = await desk(jan).UpdateNote(
        note_pb2.UpdateNoteRequest(
            note=note_pb2.Note(id=note.id, file_ids=[mine, his]),
            update_mask=FieldMask(paths=["file_ids"]),
        )
    )

    assert list(changed.file_ids) == [mine, his]


# -- agreements --------------------------------------------------------------------------------------------------------------


async def test_an_agreement_is_made_found_by_its_day_and_kept(world: World) -> None:
    contact = await world.contact(given_name="Ana")
    admin = desk(world.tenant.admin)
    late = await agree(admin, "Send the offer", (2030, 5, 1), contact_id=contact.id)
    await agree(admin, "Call", (2030, 7, 1), contact_id=contact.id)
    due = agreement_pb2.ListAgreementsRequest(filter='state = OPEN AND date <= "2030-06-01"')

    before = await admin.ListAgreements(due)
    kept = await admin.KeepAgreement(
        agreement_pb2.KeepAgreementRequest(id=late.id, outcome=" Sent. ")
    )
    after = await admin.ListAgreements(due)

    assert (late.assignee_id, late.state) == (world.tenant.admin.id, Agreement.STATE_OPEN)
    assert [each.subject for each in before.agreements] == ["Send the offer"]
    assert (kept.state, kept.outcome, list(after.agreements)) == (Agreement.STATE_KEPT, "Sent.", [])
    told = await world.running.events(world.tenant, "AgreementMade", count=2)
    assert [event["agreement"]["subject"] for event in told] == ["Send the offer", "Call"]
    (fact,) = await world.running.events(world.tenant, "AgreementKept")
    assert fact["agreement"]["outcome"] == "Sent."


async def test_an_agreement_is_settled_once_and_can_be_opened_again(world: World) -> None:
    contact = await world.contact(given_name="Ana")
    admin = desk(world.tenant.admin)
    made = await agree(admin, contact_id=contact.id)
    broken = await admin.BreakAgreement(
        agreement_pb2.BreakAgreementRequest(id=made.id, outcome="Nobody was at home")
    )
    assert broken.HasField("settle_time")
    async with Refused(world, errors.FailedPrecondition, "AGREEMENT_WRONG_STATE"):
        await admin.KeepAgreement(agreement_pb2.KeepAgreementRequest(id=made.id))
    opened = await admin.ReopenAgreement(agreement_pb2.ReopenAgreementRequest(id=made.id))
    assert (opened.state, opened.outcome) == (Agreement.STATE_OPEN, "")
    assert not opened.HasField("settle_time")
    async with Refused(world, errors.FailedPrecondition, "AGREEMENT_WRONG_STATE"):
        await admin.ReopenAgreement(agreement_pb2.ReopenAgreementRequest(id=made.id))
    cancelled = await admin.CancelAgreement(agreement_pb2.CancelAgreementRequest(id=made.id))
    assert cancelled.state == Agreement.STATE_CANCELLED


async def test_whoever_sees_to_an_agreement_reads_and_settles_it(world: World) -> None:
    ewa = await world.tenant.person(seller_grants())
    jan = await world.tenant.person(seller_grants())
    stranger = await world.tenant.person(seller_grants())
    contact = await world.contact(given_name="Ana", owner_id=ewa.id)
    made = await agree(desk(ewa), contact_id=contact.id, assignee_id=jan.id)

    listed = await desk(jan).ListAgreements(agreement_pb2.ListAgreementsRequest())
    moved = await desk(jan).UpdateAgreement(
        agreement_pb2.UpdateAgreementRequest(
            agreement=Agreement(id=made.id, date=Date(year=2030, month=6, day=1)),
            update_mask=FieldMask(paths=["date"]),
        )
    )
    kept = await desk(jan).KeepAgreement(agreement_pb2.KeepAgreementRequest(id=made.id))

    assert [each.id for each in listed.agreements] == [made.id]
    assert (moved.date.month, kept.state) == (6, Agreement.STATE_KEPT)
    assert (kept.owner_id, list(kept.follower_ids)) == (ewa.id, [jan.id])
    with pytest.raises(errors.NotFound):
        await desk(stranger).GetAgreement(agreement_pb2.GetAgreementRequest(id=made.id))


async def test_an_impossible_agreement_is_refused(world: World) -> None:
    contact = await world.contact(given_name="Ana")
    admin = desk(world.tenant.admin)
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "subject", "date"):
        await agree(admin, "  ", (2030, 2, 30), contact_id=contact.id)
    async with Refused(world, errors.FailedPrecondition, "ASSIGNEE_NOT_ACTIVE", "assignee_id"):
        await agree(
            admin, contact_id=contact.id, assignee_id="019a0000-0000-7000-8000-000000000000"
        )
    async with Refused(world, errors.InvalidArgument, "SUBJECT_MISSING", "contact_id"):
        await agree(admin)


async def test_notes_and_agreements_appear_on_the_timeline_for_who_may_read_them(
    world: World,
) -> None:
    ewa = await world.tenant.person(seller_grants())
    contact = await world.contact(given_name="Ana", owner_id=ewa.id)
    reads_contacts = await world.tenant.person(
        [{"object": "contact", "action": "read", "scope": "all"}]
    )
    await write(desk(ewa), "a note", contact_id=contact.id)
    await agree(desk(ewa), "a visit", contact_id=contact.id)

    async def told(person: Person) -> list[str]:
        request = timeline_pb2.ListContactTimelineRequest(
            id=contact.id, kinds=["note", "agreement"]
        )
        entries = (await world.stub(person).ListContactTimeline(request)).entries
        return sorted(entry.headline for entry in entries)

    await until(lambda: told(ewa), ["a note", "a visit"])
    assert await told(reads_contacts) == []


# -- the day of the next contact ---------------------------------------------------------------------------------------------


async def test_contacts_and_companies_are_listed_by_their_next_contact_date(world: World) -> None:
    for name, day in (("late", 20), ("soon", 10)):
        await world.contact(given_name=name, next_contact_date=Date(year=2030, month=5, day=day))
    await world.contact(given_name="never")
    company = company_pb2.Company(name="Okna", next_contact_date=Date(year=2030, month=5, day=15))
    await world.admin.CreateCompany(company_pb2.CreateCompanyRequest(company=company))

    listed = await world.admin.ListContacts(
        contact_pb2.ListContactsRequest(order_by="next_contact_date", page_size=2)
    )
    rest = await world.admin.ListContacts(
        contact_pb2.ListContactsRequest(
            order_by="next_contact_date", page_size=2, page_token=listed.next_page_token
        )
    )
    due = await world.admin.ListContacts(
        contact_pb2.ListContactsRequest(filter='next_contact_date >= "2030-05-12"')
    )
    companies = await world.admin.ListCompanies(
        company_pb2.ListCompaniesRequest(filter='next_contact_date = "2030-05-15"')
    )

    assert [c.given_name for c in (*listed.contacts, *rest.contacts)] == ["soon", "late", "never"]
    assert [c.given_name for c in due.contacts] == ["late"]
    assert [c.name for c in companies.companies] == ["Okna"]
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "next_contact_date"):
        await world.contact(given_name="A", next_contact_date=Date(year=2030, month=2, day=30))
