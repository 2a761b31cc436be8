"""Merges at their limits: too many references, an erased record; and the locks that a merge takes."""

import asyncio
from typing import Any

import pytest

from chassis import errors
from chassis.call import Cause
from chassis.testing.events import eventually
from chassis.tx import Tx
from crm.contacts.v1 import duplicate_pb2 as pb
from crm.contacts.v1 import merge_pb2, operation_pb2
from services.contacts import merging as contacts_merging
from services.contacts.merging import Group
from services.contacts.store.referring import MOST_REFERRING
from tests.service.contacts.merging import Merging
from tests.service.contacts.world import Refused, World

_REFERRING = """
INSERT INTO agreements (tenant_id, id, version, create_time, update_time, doc, json, follower_ids, contact_id, state, date)
SELECT $1, gen_random_uuid(), 1, now(), now(), '', '{}', '{}', $2, 1, now() FROM generate_series(1, $3)
"""


@pytest.fixture
def merging(world: World) -> Merging:
    return Merging(world)


async def referred(merging: Merging, contact_id: str, count: int) -> None:
    """Agreements with the contact, put straight into the table: to make them one by one would take minutes."""
    world = merging.world
    await world.running.rows("contacts", _REFERRING, world.tenant.id, contact_id, count)


async def rows_of_merges(merging: Merging) -> tuple[int, int, int]:
    count = merging.world.count
    return await count("merges"), await count("merged_parties"), await count("displaced_references")


async def finished(merging: Merging, operation: Any) -> Any:
    request = operation_pb2.GetOperationRequest(id=operation.name.rpartition("/")[2])
    found: list[Any] = []

    async def over() -> bool:
        found[:] = [await merging.world.admin.GetOperation(request)]
        return bool(found[0].done)

    await eventually(over, "the operation to end", 60)
    assert not found[0].error.code, found[0].error
    return found[0]


@pytest.mark.large
async def test_more_references_than_one_merge_leads_are_refused(merging: Merging) -> None:
    survivor, busy = await merging.contact(given_name="A"), await merging.contact(given_name="B")
    await referred(merging, busy.id, MOST_REFERRING + 1)

    async with Refused(merging.world, errors.FailedPrecondition, "MERGE_TOO_WIDE", "merged_ids"):
        await merging.merge(survivor, busy)

    assert await rows_of_merges(merging) == (0, 0, 0)
    with pytest.raises(errors.FailedPrecondition, match=r"20001 records .* at most 20000 .* let"):
        await merging.merge(survivor, busy)
    await merging.merge(busy, survivor)  # as the refusal advises


@pytest.mark.large
async def test_of_many_merges_at_once_only_what_is_too_wide_is_left(merging: Merging) -> None:
    for number in range(3):
        for _ in range(2):
            phone = {"number": f"+4860123456{number}"}
            await merging.contact(given_name=f"Jan{number}", family_name="Lis", phones=[phone])

    async def suspected() -> bool:
        request = pb.ListDuplicatesRequest(min_score=80)
        return len((await merging.stub.ListDuplicates(request)).duplicates) == 3

    await eventually(suspected, "three pairs")
    pairs = (await merging.stub.ListDuplicates(pb.ListDuplicatesRequest(min_score=80))).duplicates
    busy = max(pair.other_contact.id for pair in pairs)
    await referred(merging, busy, MOST_REFERRING + 1)

    request = pb.MergeAllDuplicatesRequest(object="contact", min_score=80)
    done = await finished(merging, await merging.stub.MergeAllDuplicates(request))

    result = pb.MergeAllDuplicatesResult()
    done.response.Unpack(result)
    assert (result.merge_count, result.merged_count, result.skipped_count) == (2, 2, 1)
    assert (await merging.world.contact(busy)).id == busy


async def test_a_merge_of_which_a_record_was_erased_is_not_undone(merging: Merging) -> None:
    first, second = await merging.contact(given_name="A"), await merging.contact(given_name="B")
    merge = await merging.merge(first, second)
    # An erasure takes the merge too; this is the moment between the two, when a later program does them apart.
    gone = "DELETE FROM contacts WHERE tenant_id = $1 AND id = $2"
    await merging.world.running.rows("contacts", gone, merging.world.tenant.id, second.id)
    before = await merging.state()

    async with Refused(merging.world, errors.FailedPrecondition, "MERGE_ERASED", "id"):
        await merging.undo(merge)

    assert await merging.state() == before
    with pytest.raises(errors.FailedPrecondition, match=f"{second.id}.* was erased"):
        await merging.undo(merge)
    found = await merging.stub.GetMerge(merge_pb2.GetMergeRequest(id=merge.id))
    assert found.state == merge_pb2.Merge.STATE_DONE


async def test_who_writes_about_a_record_waits_for_its_merge(merging: Merging) -> None:
    runtime, tenant = merging.world.running.process.runtimes["contacts"], merging.world.tenant.id
    first, second = await merging.contact(given_name="A"), await merging.contact(given_name="B")
    held, go_on, order = asyncio.Event(), asyncio.Event(), list[str]()

    async def merges(tx: Tx) -> None:
        await contacts_merging.load(tx, "contact", [Group(first.id, (second.id,))])
        held.set()
        await go_on.wait()
        order.append("merged")

    async def writes(tx: Tx) -> None:
        await tx.lock(f"subject/{second.id}")
        order.append("written")

    async def in_transaction(body: Any) -> None:
        await runtime.run_system(tenant, Cause("test", ""), body)

    async with asyncio.TaskGroup() as group:
        group.create_task(in_transaction(merges))
        await held.wait()
        group.create_task(in_transaction(writes))
        await eventually(lambda: waiting(merging), "the writer to wait for the merge")
        go_on.set()
    assert order == ["merged", "written"]


async def waiting(merging: Merging) -> bool:
    """Whether some transaction waits for an advisory lock."""
    sql = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    return bool(await merging.world.running.rows("contacts", sql))
