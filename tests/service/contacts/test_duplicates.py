"""Twins: found after every change, listed, dismissed, looked for everywhere, merged and unmerged all at once."""

import asyncio
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis import errors
from chassis.testing.events import eventually
from chassis.waits import first_of
from crm.contacts.v1 import contact_pb2, merge_pb2, operation_pb2
from crm.contacts.v1 import duplicate_pb2 as pb
from tests.service.contacts.merging import Merging
from tests.service.contacts.world import Refused, World

NAME, PHONE, EMAIL = pb.DUPLICATE_REASON_NAME, pb.DUPLICATE_REASON_PHONE, pb.DUPLICATE_REASON_EMAIL
JAN: dict[str, Any] = {
    "given_name": "Jan",
    "family_name": "Kowalski",
    "phones": [{"number": "+48601234567"}],
}


@pytest.fixture
def merging(world: World) -> Merging:
    return Merging(world)


async def listed(merging: Merging, **request: Any) -> list[pb.Duplicate]:
    return list((await merging.stub.ListDuplicates(pb.ListDuplicatesRequest(**request))).duplicates)


async def pairs(merging: Merging, count: int, **request: Any) -> list[pb.Duplicate]:
    """The pairs once there are as many and nothing waits to be compared."""

    async def there() -> bool:
        return len(await listed(merging, **request)) == count

    await eventually(there, f"{count} pairs")
    return await listed(merging, **request)


async def compared(merging: Merging) -> None:
    """Waits until every contact has been looked at: its keys and its pairs are written together."""
    waiting = (
        "SELECT FROM contacts c WHERE tenant_id = $1 AND NOT EXISTS"
        " (SELECT FROM match_keys k WHERE k.tenant_id = c.tenant_id AND k.record_id = c.id)"
    )

    async def there() -> bool:
        return not await merging.world.running.rows("contacts", waiting, merging.world.tenant.id)

    await eventually(there, "every contact's keys")


async def finished(merging: Merging, operation: Any) -> Any:
    id = operation.name.rpartition("/")[2]
    async with asyncio.timeout(60):
        while not (
            found := await merging.world.admin.GetOperation(
                operation_pb2.GetOperationRequest(id=id)
            )
        ).done:
            await first_of(asyncio.Event(), timeout_s=0.05)
    assert not found.error.code, found.error
    return found


async def test_a_creation_succeeds_and_its_twin_is_told(merging: Merging) -> None:
    first = await merging.contact(**JAN)
    second = await merging.contact(
        given_name="Kowalski", family_name="Jan", phones=[{"number": "601 234 567"}]
    )
    (pair,) = await pairs(merging, 1)
    assert (pair.contact.id, pair.other_contact.id, pair.state) == (
        first.id,
        second.id,
        pb.Duplicate.STATE_OPEN,
    )
    assert (pair.score, list(pair.reasons)) == (85, [PHONE, NAME])
    (event,) = await merging.world.running.events(merging.world.tenant, "ContactDuplicateSuspected")
    assert (event["duplicateId"], event["contactId"], event["otherContactId"]) == (
        pair.id,
        first.id,
        second.id,
    )


async def test_fuzzy_twins_are_found_by_name_company_and_address(merging: Merging) -> None:
    firm = await merging.company(name="Okna Sp. z o.o.")
    address = {"lines": ["Długa 5"], "city": "Gdańsk", "postal_code": "80-001"}
    await merging.contact(
        given_name="Małgorzata", family_name="Wiśniewska", company_id=firm.id, addresses=[address]
    )
    await merging.contact(
        given_name="Malgorzata", family_name="Wisniewsak", company_id=firm.id, addresses=[address]
    )
    await merging.contact(given_name="Adam", family_name="Lis", addresses=[address])
    (pair,) = await pairs(merging, 1)
    assert set(pair.reasons) == {NAME, pb.DUPLICATE_REASON_COMPANY, pb.DUPLICATE_REASON_ADDRESS}
    assert 60 <= pair.score <= 80


async def test_companies_are_alike_without_their_legal_form(merging: Merging) -> None:
    first = await merging.company(name="Okna Sp. z o.o.", domains=["okna.pl"])
    second = await merging.company(name="OKNA SA", domains=["okna.pl"])
    (pair,) = await pairs(merging, 1, object="company")
    assert (pair.company.id, pair.other_company.id) == (first.id, second.id)
    assert list(pair.reasons) == [NAME, pb.DUPLICATE_REASON_DOMAIN]
    assert await listed(merging, object="contact") == []


@pytest.mark.large
async def test_a_key_that_very_many_share_is_passed_over(merging: Merging) -> None:
    switchboard, most = JAN["phones"], 50
    for number in range(most + 1):
        letters = chr(97 + number // 26) + chr(97 + number % 26)
        await merging.contact(
            given_name=letters * 3, family_name=letters[::-1] * 4, phones=switchboard
        )
    await merging.contact(given_name="Ewa", family_name="Lis", phones=switchboard)
    await merging.contact(given_name="Ewa", family_name="Lis", phones=switchboard)
    await compared(merging)
    assert "Lis" in {
        pair.contact.family_name for pair in await listed(merging, min_score=80)
    }  # they meet by name
    done = await finished(
        merging, await merging.stub.ScanDuplicates(pb.ScanDuplicatesRequest(object="contact"))
    )
    result = pb.ScanDuplicatesResult()
    done.response.Unpack(result)
    assert (result.record_count, result.compared_count) == (
        most + 3,
        2,
    )  # the two, and abab with baba


async def test_a_pair_that_is_alike_no_more_is_forgotten(merging: Merging) -> None:
    await merging.contact(**JAN)
    other = await merging.contact(**JAN)
    await pairs(merging, 1)
    await merging.world.admin.UpdateContact(
        contact_pb2.UpdateContactRequest(
            contact=contact_pb2.Contact(
                id=other.id,
                given_name="Ewa",
                family_name="Lis",
                phones=[{"number": "+48601234599"}],
            ),  # type: ignore[list-item]
            update_mask=FieldMask(paths=["given_name", "family_name", "phones"]),
        )
    )
    await pairs(merging, 0)


async def test_a_dismissal_is_remembered_until_a_new_exact_key_agrees(merging: Merging) -> None:
    await merging.contact(**JAN, emails=[{"address": "jan@example.com"}])
    other = await merging.contact(**JAN)
    (pair,) = await pairs(merging, 1)
    dismissed = await merging.stub.DismissDuplicate(pb.DismissDuplicateRequest(id=pair.id))
    assert dismissed.state == pb.Duplicate.STATE_DISMISSED
    operation = await merging.stub.ScanDuplicates(pb.ScanDuplicatesRequest())
    await finished(merging, operation)
    assert await listed(merging) == []
    assert [each.id for each in await listed(merging, state=pb.Duplicate.STATE_DISMISSED)] == [
        pair.id
    ]
    await merging.world.admin.UpdateContact(
        contact_pb2.UpdateContactRequest(
            contact=contact_pb2.Contact(id=other.id, emails=[{"address": "jan@example.com"}]),  # type: ignore[list-item]
            update_mask=FieldMask(paths=["emails"]),
        )
    )
    (again,) = await pairs(merging, 1)
    assert (again.id, again.score) == (pair.id, 100)


async def test_a_dismissal_can_be_taken_back(merging: Merging) -> None:
    for _ in range(2):
        await merging.contact(**JAN)
    (pair,) = await pairs(merging, 1)
    await merging.stub.DismissDuplicate(pb.DismissDuplicateRequest(id=pair.id))
    assert (
        await merging.stub.ReopenDuplicate(pb.ReopenDuplicateRequest(id=pair.id))
    ).state == pb.Duplicate.STATE_OPEN
    async with Refused(merging.world, errors.NotFound, "NOT_FOUND"):
        await merging.stub.DismissDuplicate(pb.DismissDuplicateRequest(id=merging.world.tenant.id))


async def test_pairs_are_listed_by_score_to_readers_of_both(merging: Merging) -> None:
    seller = await merging.world.tenant.person(
        [
            {"object": "contact", "action": "read", "scope": "own"},
            {"object": "duplicate", "action": "*", "scope": "all"},
        ]
    )
    for emails in ([], [{"address": "jan@example.com"}], [{"address": "jan@example.com"}]):
        await merging.contact(**JAN, emails=emails, owner_id=seller.id if emails else "")
    found = await pairs(merging, 3)
    assert [pair.score for pair in found] == [100, 85, 85]
    assert len(await listed(merging, min_score=90)) == 1
    page = await merging.stub.ListDuplicates(pb.ListDuplicatesRequest(page_size=2))
    rest = await listed(merging, page_size=2, page_token=page.next_page_token)
    assert [pair.id for pair in (*page.duplicates, *rest)] == [pair.id for pair in found]
    stub = merging.stub_of(seller)
    assert [
        pair.score for pair in (await stub.ListDuplicates(pb.ListDuplicatesRequest())).duplicates
    ] == [100]
    async with Refused(merging.world, errors.NotFound, "NOT_FOUND"):
        await stub.DismissDuplicate(pb.DismissDuplicateRequest(id=found[1].id))


async def test_reasons_over_hidden_fields_are_left_out(merging: Merging) -> None:
    everything = [{"object": "*", "action": "*", "scope": "all"}]
    blind = merging.stub_of(
        await merging.world.tenant.person(everything, hidden=["contact.phones"])
    )
    for _ in range(2):
        await merging.contact(**JAN)
    await pairs(merging, 1)
    (pair,) = (await blind.ListDuplicates(pb.ListDuplicatesRequest())).duplicates
    assert (list(pair.reasons), list(pair.contact.phones)) == ([NAME], [])
    with pytest.raises(errors.PermissionDenied) as refused:
        await blind.FindContactDuplicates(pb.FindContactDuplicatesRequest(phone="601234567"))
    assert refused.value.reason == "FIELD_HIDDEN"


async def test_while_typing_the_likely_ones_are_told_and_of_others_only_whom_to_ask(
    merging: Merging,
) -> None:
    own = [{"object": "contact", "action": "*", "scope": "own"}]
    seller, colleague = (
        await merging.world.tenant.person(own),
        await merging.world.tenant.person(own),
    )
    mine = await merging.contact(**JAN, owner_id=seller.id)
    await merging.contact(given_name="Ewa", phones=JAN["phones"], owner_id=colleague.id)
    stub = merging.stub_of(seller)
    answer = await stub.FindContactDuplicates(
        pb.FindContactDuplicatesRequest(phone="601 234 567", name="Jan Kowalski")
    )
    assert [(f.contact.id, f.score, list(f.reasons)) for f in answer.found] == [
        (mine.id, 85, [PHONE, NAME])
    ]
    assert [(o.owner_id, list(o.reasons)) for o in answer.others] == [(colleague.id, [PHONE])]
    assert not answer.others[0].owner_name or "Ewa" not in answer.others[0].owner_name
    nothing = await stub.FindContactDuplicates(pb.FindContactDuplicatesRequest(phone="60"))
    assert (len(nothing.found), len(nothing.others)) == (0, 0)
    with pytest.raises(errors.InvalidArgument):
        await stub.FindContactDuplicates(pb.FindContactDuplicatesRequest())


async def test_while_typing_a_name_is_found_in_any_order_and_a_company_by_its_tax_number(
    merging: Merging,
) -> None:
    jan = await merging.contact(**JAN)
    firm = await merging.company(
        name="Okna", tax_numbers=[{"country": "PL", "number": "5260001246"}]
    )
    await compared(merging)
    by_name = await merging.stub.FindContactDuplicates(
        pb.FindContactDuplicatesRequest(name="kowalski jan")
    )
    assert [found.contact.id for found in by_name.found] == [jan.id]
    by_tax = await merging.stub.FindCompanyDuplicates(
        pb.FindCompanyDuplicatesRequest(tax_number="526-000-12-46")
    )
    assert [(f.company.id, list(f.reasons)) for f in by_tax.found] == [
        (firm.id, [pb.DUPLICATE_REASON_TAX_NUMBER])
    ]


async def test_the_pair_of_a_request_waits_with_the_others(merging: Merging) -> None:
    await merging.contact(given_name="Jan", phones=JAN["phones"])
    await merging.contact(given_name="Ewa", emails=[{"address": "ewa@example.com"}])
    await merging.world.submitted(
        await merging.world.form(), phone="601234567", email="ewa@example.com"
    )
    (pair,) = await pairs(merging, 1)
    assert (pair.score, list(pair.reasons)) == (50, [pb.DUPLICATE_REASON_REQUEST])


async def test_a_scan_finds_what_was_there_before(merging: Merging) -> None:
    for _ in range(2):
        await merging.contact(**JAN)
    await pairs(merging, 1)
    for table in ("duplicates", "match_keys"):
        await merging.world.running.rows(
            "contacts", f"DELETE FROM {table} WHERE tenant_id = $1", merging.world.tenant.id
        )
    done = await finished(
        merging, await merging.stub.ScanDuplicates(pb.ScanDuplicatesRequest(object="contact"))
    )
    result = pb.ScanDuplicatesResult()
    done.response.Unpack(result)
    assert (result.record_count, result.compared_count, result.pair_count) == (2, 1, 1)
    assert len(await listed(merging)) == 1


async def test_all_exact_twins_are_merged_at_once_and_unmerged_as_one(merging: Merging) -> None:
    for number in range(6):
        for _ in range(3 if number == 0 else 2):
            phone = {"number": f"+4860123456{number}"}
            await merging.contact(given_name=f"Jan{number}", family_name="Kowalski", phones=[phone])
    await merging.contact(given_name="Ewa", family_name="Lis")
    await merging.contact(given_name="Ewa", family_name="Lis")  # alike, but nothing exact in common
    await compared(merging)
    before = await merging.state()
    done = await finished(
        merging,
        await merging.stub.MergeAllDuplicates(
            pb.MergeAllDuplicatesRequest(object="contact", min_score=80)
        ),
    )
    result = pb.MergeAllDuplicatesResult()
    done.response.Unpack(result)
    assert (result.merge_count, result.merged_count, result.skipped_count) == (6, 7, 0)
    batch_id = done.name.rpartition("/")[2]
    merges = (await merging.stub.ListMerges(merge_pb2.ListMergesRequest(batch_id=batch_id))).merges
    assert sorted(len(merge.merged_ids) for merge in merges) == [1, 1, 1, 1, 1, 2]
    assert {merge.actor.user_id for merge in merges} == {merging.world.tenant.admin.id}
    events = await merging.world.running.events(merging.world.tenant, "ContactMerged", count=6)
    assert {event["change"]["cause"]["id"] for event in events} == {batch_id}

    undone = await finished(
        merging, await merging.stub.UndoMerges(merge_pb2.UndoMergesRequest(batch_id=batch_id))
    )
    left = merge_pb2.UndoMergesResult()
    undone.response.Unpack(left)
    assert (left.undone_count, left.kept_count) == (6, 0)
    assert await merging.state() == before


async def test_merging_all_needs_the_right_to_merge_everything(merging: Merging) -> None:
    person = await merging.world.tenant.person(
        [
            {"object": "duplicate", "action": "*", "scope": "all"},
            {"object": "contact", "action": "*", "scope": "own"},
        ]
    )
    async with Refused(merging.world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await merging.stub_of(person).MergeAllDuplicates(
            pb.MergeAllDuplicatesRequest(object="contact", min_score=80)
        )
    async with Refused(merging.world, errors.InvalidArgument, "INVALID_FIELDS"):
        await merging.stub.MergeAllDuplicates(
            pb.MergeAllDuplicatesRequest(object="contact", min_score=59)
        )
    async with Refused(merging.world, errors.NotFound, "NOT_FOUND"):
        await merging.stub.UndoMerges(merge_pb2.UndoMergesRequest(batch_id=merging.world.tenant.id))
