"""One record made several again."""

import asyncio
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis import errors
from crm.contacts.v1 import (
    consent_pb2,
    consent_purpose_pb2,
    consents_service_pb2_grpc,
    contact_pb2,
    merge_pb2,
    note_pb2,
    notes_service_pb2_grpc,
    request_pb2,
)
from tests.service.contacts.merging import Merging
from tests.service.contacts.world import Refused, World

Kept = merge_pb2.Kept


@pytest.fixture
def merging(world: World) -> Merging:
    return Merging(world)


async def change(merging: Merging, id: str, **values: Any) -> contact_pb2.Contact:
    return await merging.world.admin.UpdateContact(
        contact_pb2.UpdateContactRequest(
            contact=contact_pb2.Contact(id=id, **values), update_mask=FieldMask(paths=list(values))
        )
    )


def kept(answer: merge_pb2.UndoMergeResponse) -> list[tuple[str, str, str, int]]:
    return [(each.object, each.id, each.field, each.reason) for each in answer.kept]


async def test_originals_come_back_with_ids_fields_and_history(merging: Merging) -> None:
    world = merging.world
    a = await merging.contact(given_name="A", phones=[{"number": "+48601234567"}])
    b = await merging.contact(
        given_name="B", position="Boss", external_ids=[{"system": "shop", "id": "1"}]
    )
    before = await merging.state()
    merge = await merging.merge(a, b)
    answer = await merging.undo(merge)
    assert await merging.state() == before
    assert (kept(answer), answer.merge.state) == ([], merge_pb2.Merge.STATE_UNDONE)
    assert (await world.contact(b.id)).position == "Boss"
    revisions = (
        await world.admin.ListContactHistory(contact_pb2.ListContactHistoryRequest(id=b.id))
    ).revisions
    assert [(r.action, r.cause.kind) for r in revisions] == [
        ("undeleted", "undo"),
        ("deleted", "merge"),
        ("created", "rpc"),
    ]
    (event,) = await world.running.events(world.tenant, "ContactUnmerged")
    assert (event["contactId"], event["restoredIds"], event["change"]["cause"]) == (
        a.id,
        [b.id],
        {"kind": "undo", "id": merge.id},
    )
    got = await merging.stub.GetMerge(merge_pb2.GetMergeRequest(id=merge.id))
    assert got.state == merge_pb2.Merge.STATE_UNDONE


async def test_a_chain_is_undone_from_its_beginning(merging: Merging) -> None:
    a = await merging.contact(given_name="A")
    b = await merging.contact(given_name="B", position="Boss", phones=[{"number": "+48601234567"}])
    c = await merging.contact(given_name="C", position="Chief", phones=[{"number": "+48601234567"}])
    before = await merging.state()
    first, second = await merging.merge(a, b), await merging.merge(a, c)
    assert (await merging.world.contact(a.id)).position == "Boss"

    answer = await merging.undo(first)
    one = answer.merge.contact
    assert (one.position, [phone.number for phone in one.phones]) == (
        "Chief",
        ["+48601234567"],
    )  # as if only C had come
    assert (await merging.world.contact(b.id)).id == b.id
    assert (await merging.world.contact(c.id)).id == a.id
    await merging.undo(second)
    assert await merging.state() == before


@pytest.mark.large
async def test_a_link_in_the_middle_of_a_chain_takes_its_part_back_from_the_end(
    merging: Merging,
) -> None:
    a = await merging.contact(given_name="A", phones=[{"number": "+48601234561"}])
    b = await merging.contact(given_name="B", phones=[{"number": "+48601234562"}])
    c = await merging.contact(given_name="C", phones=[{"number": "+48601234563"}])
    request = await merging.world.admin.CreateRequest(
        request_pb2.CreateRequestRequest(request=request_pb2.Request(text="x", contact_id=a.id))
    )
    before = await merging.state()
    first, second = await merging.merge(b, a), await merging.merge(c, b)
    assert len((await merging.world.contact(c.id)).phones) == 3
    await merging.undo(first)
    assert [phone.number for phone in (await merging.world.contact(c.id)).phones] == [
        "+48601234563",
        "+48601234562",
    ]
    assert (await merging.world.contact(a.id)).id == a.id
    assert (await merging.world.request(request.id)).contact_id == a.id
    await merging.undo(second)
    assert await merging.state() == before


async def test_what_was_added_since_stays_and_is_listed(merging: Merging) -> None:
    world = merging.world
    a = await merging.contact(given_name="A")
    b = await merging.contact(given_name="B", position="Boss", phones=[{"number": "+48601234567"}])
    merge = await merging.merge(a, b)
    phones = [{"number": "+48601234567"}, {"number": "+48601234568"}]
    await change(merging, a.id, phones=phones, position="Chief", salutation="Pan")
    request = await world.admin.CreateRequest(
        request_pb2.CreateRequestRequest(request=request_pb2.Request(text="new", contact_id=a.id))
    )
    answer = await merging.undo(merge)
    one = answer.merge.contact
    assert ([phone.number for phone in one.phones], one.position, one.salutation) == (
        ["+48601234568"],
        "Chief",
        "Pan",
    )
    assert sorted(kept(answer)) == sorted(
        [
            ("contact", a.id, "phones", Kept.REASON_ADDED_SINCE),
            ("contact", a.id, "position", Kept.REASON_CHANGED_SINCE),
            ("contact", a.id, "salutation", Kept.REASON_ADDED_SINCE),
            ("request", request.id, "", Kept.REASON_ADDED_SINCE),
        ]
    )
    assert (await world.request(request.id)).contact_id == a.id
    assert (await world.contact(b.id)).position == "Boss"


@pytest.mark.large
async def test_what_was_moved_goes_back_unless_it_was_changed_since(merging: Merging) -> None:
    world = merging.world
    a, b, c = [await merging.contact(given_name=name) for name in "ABC"]
    moved, changed = [
        await world.admin.CreateRequest(
            request_pb2.CreateRequestRequest(request=request_pb2.Request(text="x", contact_id=b.id))
        )
        for _ in range(2)
    ]
    merge = await merging.merge(a, b)
    await world.admin.UpdateRequest(
        request_pb2.UpdateRequestRequest(
            request=request_pb2.Request(id=changed.id, contact_id=c.id),
            update_mask=FieldMask(paths=["contact_id"]),
        )
    )
    answer = await merging.undo(merge)
    assert (await world.request(moved.id)).contact_id == b.id
    assert (await world.request(changed.id)).contact_id == c.id
    assert kept(answer) == [("request", changed.id, "contact_id", Kept.REASON_CHANGED_SINCE)]


async def test_an_external_id_that_another_took_since_stays_there(merging: Merging) -> None:
    a = await merging.contact(given_name="A")
    b = await merging.contact(given_name="B", external_ids=[{"system": "shop", "id": "1"}])
    merge = await merging.merge(a, b)
    await change(merging, a.id, external_ids=[])
    await merging.contact(given_name="C", external_ids=[{"system": "shop", "id": "1"}])
    answer = await merging.undo(merge)
    assert ("contact", b.id, "external_ids", Kept.REASON_TAKEN) in kept(answer)
    assert list((await merging.world.contact(b.id)).external_ids) == []


async def test_notes_go_along_with_their_readers_and_come_back(merging: Merging) -> None:
    grants = [{"object": o, "action": "*", "scope": "own"} for o in ("contact", "note")]
    one, other = (
        await merging.world.tenant.person(grants),
        await merging.world.tenant.person(grants),
    )
    notes = one.stub(notes_service_pb2_grpc.NotesServiceStub)
    a = await merging.contact(given_name="A", owner_id=one.id)
    b = await merging.contact(given_name="B", owner_id=other.id)
    note = await other.stub(notes_service_pb2_grpc.NotesServiceStub).CreateNote(
        note_pb2.CreateNoteRequest(note=note_pb2.Note(text="hello", contact_id=b.id))
    )
    before = await merging.state()
    merge = await merging.merge(a, b)
    seen = await notes.GetNote(note_pb2.GetNoteRequest(id=note.id))
    assert (seen.contact_id, seen.owner_id) == (a.id, one.id)
    late = await notes.CreateNote(
        note_pb2.CreateNoteRequest(note=note_pb2.Note(text="late", contact_id=b.id))
    )
    assert late.contact_id == a.id
    answer = await merging.undo(merge)
    assert kept(answer) == [("note", late.id, "", Kept.REASON_ADDED_SINCE)]
    state = await merging.state()
    del state[f"notes/{late.id}"]
    assert state == before


async def test_consents_are_read_together_and_withdrawal_wins(merging: Merging) -> None:
    stub = merging.world.tenant.admin.stub(consents_service_pb2_grpc.ConsentsServiceStub)
    purpose = consent_purpose_pb2.ConsentPurpose(key="news", name="News")
    await stub.CreateConsentPurpose(
        consent_purpose_pb2.CreateConsentPurposeRequest(consent_purpose=purpose)
    )
    a, b = await merging.contact(given_name="A"), await merging.contact(given_name="B")

    async def say(id: str, *, withdrawn: bool) -> None:
        row = consent_pb2.Consent(
            purpose="news", channel=consent_pb2.CONSENT_CHANNEL_EMAIL, withdrawn=withdrawn
        )
        await stub.RecordConsent(consent_pb2.RecordConsentRequest(contact_id=id, consent=row))

    async def given(id: str) -> list[bool]:
        answer = await stub.BatchGetConsentStates(
            consent_pb2.BatchGetConsentStatesRequest(contact_ids=[id])
        )
        return [state.given for each in answer.contacts for state in each.states]

    await say(b.id, withdrawn=True)
    await say(a.id, withdrawn=False)
    assert (await given(a.id), await given(b.id)) == ([True], [False])
    merge = await merging.merge(a, b)
    assert await given(a.id) == [False]
    rows = (await stub.ListConsents(consent_pb2.ListConsentsRequest(contact_id=b.id))).consents
    assert [row.withdrawn for row in rows] == [False, True]
    await merging.undo(merge)
    assert (await given(a.id), await given(b.id)) == ([True], [False])


async def test_a_merge_is_undone_once(merging: Merging) -> None:
    a, b = await merging.contact(given_name="A"), await merging.contact(given_name="B")
    merge = await merging.merge(a, b)
    done = await asyncio.gather(*(merging.undo(merge) for _ in range(4)), return_exceptions=True)
    assert len([each for each in done if not isinstance(each, Exception)]) == 1
    assert {each.reason for each in done if isinstance(each, errors.CrmError)} == {"MERGE_UNDONE"}
    async with Refused(merging.world, errors.FailedPrecondition, "MERGE_UNDONE"):
        await merging.undo(merge)
    async with Refused(merging.world, errors.NotFound, "NOT_FOUND"):
        await merging.stub.UndoMerge(merge_pb2.UndoMergeRequest(id=a.id))


async def test_undoing_needs_the_right_to_merge_all_of_them(merging: Merging) -> None:
    a, b = await merging.contact(given_name="A"), await merging.contact(given_name="B")
    merge = await merging.merge(a, b)
    grants = [
        {"object": "contact", "action": "read", "scope": "all"}, {"object": "merge", "action": "*", "scope": "all"},
        {"object": "contact", "action": "merge", "scope": "own"},
    ]  # fmt: skip
    person = await merging.world.tenant.person(grants)
    async with Refused(merging.world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await merging.stub_of(person).UndoMerge(merge_pb2.UndoMergeRequest(id=merge.id))


async def test_merges_are_listed_to_who_may_read_the_survivor(merging: Merging) -> None:
    grants = [
        {"object": "contact", "action": "read", "scope": "own"}, {"object": "merge", "action": "read", "scope": "all"},
    ]  # fmt: skip
    seller = await merging.world.tenant.person(grants)
    a, c = (
        await merging.contact(given_name="A", owner_id=seller.id),
        await merging.contact(given_name="C"),
    )
    b, d = await merging.contact(given_name="B"), await merging.contact(given_name="D")
    first, second = await merging.merge(a, b), await merging.merge(c, d)

    async def listed(stub: Any, **request: Any) -> list[str]:
        return [
            m.id for m in (await stub.ListMerges(merge_pb2.ListMergesRequest(**request))).merges
        ]

    assert await listed(merging.stub) == [second.id, first.id]
    assert await listed(merging.stub, party_id=b.id) == [first.id]
    assert await listed(merging.stub_of(seller)) == [first.id]
    page = await merging.stub.ListMerges(merge_pb2.ListMergesRequest(page_size=1))
    assert await listed(merging.stub, page_size=1, page_token=page.next_page_token) == [first.id]
    async with Refused(merging.world, errors.NotFound, "NOT_FOUND"):
        await merging.stub_of(seller).GetMerge(merge_pb2.GetMergeRequest(id=second.id))


async def test_the_survivor_may_be_deleted_before_the_undo(merging: Merging) -> None:
    a, b = (
        await merging.contact(given_name="A"),
        await merging.contact(given_name="B", position="Boss"),
    )
    merge = await merging.merge(a, b)
    await merging.world.admin.DeleteContact(contact_pb2.DeleteContactRequest(id=a.id))
    with pytest.raises(errors.NotFound):
        await merging.world.contact(b.id)
    await merging.undo(merge)
    assert (await merging.world.contact(b.id)).position == "Boss"
    with pytest.raises(errors.NotFound):
        await merging.world.contact(a.id)
