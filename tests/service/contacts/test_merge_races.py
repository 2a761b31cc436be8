"""What cannot be merged, and merges that race."""

import asyncio
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis import errors
from crm.contacts.v1 import contact_pb2, merge_pb2
from tests.service.contacts.merging import Merging
from tests.service.contacts.world import Refused, World

Merge = merge_pb2.MergeContactsRequest


@pytest.fixture
def merging(world: World) -> Merging:
    return Merging(world)


async def test_the_right_to_merge_must_cover_every_record(merging: Merging) -> None:
    grants = [
        {"object": "contact", "action": "read", "scope": "all"},
        {"object": "contact", "action": "merge", "scope": "own"},
    ]
    seller = await merging.world.tenant.person(grants)
    a = await merging.contact(given_name="A", owner_id=seller.id)
    b = await merging.contact(given_name="B")
    async with Refused(merging.world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await merging.stub_of(seller).MergeContacts(Merge(id=a.id, merged_ids=[b.id]))
    unseen = await merging.world.tenant.person([{**grant, "scope": "own"} for grant in grants])
    async with Refused(merging.world, errors.NotFound, "NOT_FOUND"):
        await merging.stub_of(unseen).MergeContacts(Merge(id=a.id, merged_ids=[b.id]))


async def test_what_cannot_be_merged_is_refused(merging: Merging) -> None:
    world = merging.world
    a, b = await merging.contact(given_name="A"), await merging.contact(given_name="B")
    async with Refused(world, errors.FailedPrecondition, "MERGE_OF_ONE", "merged_ids"):
        await merging.merge(a, a)
    async with Refused(world, errors.InvalidArgument, "MERGE_CHOICE_UNKNOWN", "choices[shoe]"):
        await merging.merge(a, b, choices={"shoe": a.id})
    async with Refused(world, errors.InvalidArgument, "MERGE_CHOICE_UNKNOWN", "choices[position]"):
        await merging.merge(a, b, choices={"position": world.tenant.id})
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await merging.merge(a, contact_pb2.Contact(id=world.tenant.id))
    async with Refused(world, errors.Aborted, errors.Aborted.reason):
        await merging.merge(a, b, etag="77")
    with pytest.raises(errors.InvalidArgument):
        await merging.merge(a, *[b] * 21)


async def test_a_list_that_would_be_too_long_is_refused_until_somebody_chooses(
    merging: Merging,
) -> None:
    numbers = [{"number": f"+4860123{n:04}"} for n in range(24)]
    a = await merging.contact(given_name="A", phones=numbers[:12])
    b = await merging.contact(given_name="B", phones=numbers[12:])
    async with Refused(
        merging.world, errors.FailedPrecondition, "MERGE_TOO_LARGE", "choices[phones]"
    ):
        await merging.merge(a, b)
    assert len((await merging.merge(a, b, choices={"phones": b.id})).contact.phones) == 12


async def test_merging_again_what_is_one_already_is_refused(merging: Merging) -> None:
    a, b = await merging.contact(given_name="A"), await merging.contact(given_name="B")
    await merging.merge(a, b)
    async with Refused(merging.world, errors.FailedPrecondition, "MERGE_OF_ONE"):
        await merging.merge(b, a)


# -- races ---------------------------------------------------------------------------------------------


async def settled(calls: list[Any]) -> tuple[list[Any], list[Any]]:
    """(answers, refusals) of calls at once."""
    done = await asyncio.gather(*calls, return_exceptions=True)
    refused = [each for each in done if isinstance(each, errors.CrmError)]
    assert all(
        isinstance(each, errors.CrmError) or not isinstance(each, Exception) for each in done
    ), done
    return [each for each in done if not isinstance(each, Exception)], refused


@pytest.mark.large
async def test_merges_in_opposite_directions_at_once_make_no_cycle(merging: Merging) -> None:
    for _ in range(8):
        a, b = await merging.contact(given_name="A"), await merging.contact(given_name="B")
        answers, refused = await settled(
            [merging.merge(a, b), merging.merge(b, a), merging.merge(a, b), merging.merge(b, a)]
        )
        assert len(answers) == 1
        assert {refusal.reason for refusal in refused} == {"MERGE_OF_ONE"}
        found = {(await merging.world.contact(id)).id for id in (a.id, b.id)}
        assert found == {answers[0].survivor_id}


async def test_a_ring_of_merges_at_once_ends_in_one_record(merging: Merging) -> None:
    people = [
        await merging.contact(given_name=f"P{n}", phones=[{"number": f"+4860123450{n}"}])
        for n in range(6)
    ]
    ring = zip(people, [*people[1:], people[0]], strict=True)
    answers, refused = await settled([merging.merge(survivor, merged) for survivor, merged in ring])
    assert (len(answers), len(refused)) == (5, 1)
    found = [await merging.world.contact(person.id) for person in people]
    assert len({each.id for each in found}) == 1
    assert len(found[0].phones) == 6


async def test_a_merge_and_changes_of_its_records_at_once_lose_nothing(merging: Merging) -> None:
    world = merging.world
    a, b = await merging.contact(given_name="A"), await merging.contact(given_name="B")

    async def renamed(id: str, **values: Any) -> Any:
        return await world.admin.UpdateContact(
            contact_pb2.UpdateContactRequest(
                contact=contact_pb2.Contact(id=id, **values),
                update_mask=FieldMask(paths=list(values)),
            )
        )

    _, refused = await settled(
        [
            renamed(b.id, position="Boss"),
            merging.merge(a, b),
            renamed(a.id, salutation="Pan"),
            renamed(b.id, language="pl"),
        ]
    )
    assert refused == []
    one = await world.contact(a.id)
    assert (one.salutation, one.position, one.language) == ("Pan", "Boss", "pl")


async def test_the_same_request_id_merges_once(merging: Merging) -> None:
    a, b = await merging.contact(given_name="A"), await merging.contact(given_name="B")
    first = await merging.merge(a, b, request_id="once")
    assert (await merging.merge(a, b, request_id="once")).id == first.id
    assert await merging.world.count("merges") == 1
