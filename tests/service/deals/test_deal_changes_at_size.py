"""A change of 20,000 deals, the most that one may have: previewed, run and undone, each within a minute; the start comes back."""

import asyncio
import time
from typing import Any

import asyncpg
import pytest

from chassis.testing import servers
from chassis.testing.events import eventually
from chassis.waits import first_of
from crm.deals.v1 import deal_change_pb2 as pb
from crm.deals.v1.deal_change_pb2 import AssignDeals, DealChange, MoveDeals
from services.deals.changes import MOST
from tests.service.deals import crowd
from tests.service.deals.test_deal_changes import S, get, stub
from tests.service.deals.world import World

pytestmark = pytest.mark.large

_WITHIN_S = 60

_HASH = """SELECT md5(string_agg(d.id::text || d.stage_id || d.owner_id || coalesce(d.department_id::text, '') || d.amount
|| d.stage_time || d.activity_time || d.idle_key, ',' ORDER BY d.id)) AS hash FROM deals d WHERE tenant_id = $1"""
_STAYS = "SELECT md5(string_agg(s::text, ',' ORDER BY s.deal_id, s.number)) AS hash FROM deal_stays s WHERE tenant_id = $1"
_SUMS = """SELECT md5(string_agg(s::text, ',' ORDER BY s::text)) AS hash FROM (SELECT stage_id, owner_id, sum(count) AS n,
sum(amount) AS amount FROM deal_sums WHERE tenant_id = $1 GROUP BY 1, 2 HAVING sum(count) <> 0) s"""


async def state_hash(world: World) -> list[Any]:
    """Of the tenant's deals, their stays, and what the open ones come to."""
    found = [
        await world.running.rows("deals", sql, world.tenant.id) for sql in (_HASH, _STAYS, _SUMS)
    ]
    return [rows[0]["hash"] for rows in found]


async def until(world: World, change: DealChange, state: "S.State") -> DealChange:
    async def there() -> bool:
        await first_of(asyncio.Event(), timeout_s=0.25)  # to look costs CPU that is measured
        return (await get(world, change.id)).state == state

    await eventually(there, f"the change is {S.State.Name(state)}", 10 * _WITHIN_S)
    return await get(world, change.id)


async def timed(what: str, work: Any) -> Any:
    """What the work gives; it may take the CPU of this process, which serves it, for no longer than a minute."""
    began, cpu = time.monotonic(), time.process_time()
    found = await work
    spent = time.process_time() - cpu
    print(f"{what}: {time.monotonic() - began:.1f} s, {spent:.1f} s of CPU")
    assert spent < _WITHIN_S
    return found


async def preview(world: World, **given: Any) -> DealChange:
    request = pb.CreateDealChangeRequest(deal_change=DealChange(**given))
    return await stub(world).CreateDealChange(request, timeout=10 * _WITHIN_S)


async def test_twenty_thousand_deals_are_moved_given_on_and_put_back(world: World) -> None:
    pipeline, people = await world.pipeline(), [await world.seller() for _ in range(3)]
    raw = await asyncpg.connect(servers.postgres_url("crm_deals"))
    try:
        await crowd.fill(raw, world.tenant.id, MOST, pipeline, [world.tenant.admin.id], heads=MOST)
    finally:
        await raw.close()
    start = await state_hash(world)

    last = MoveDeals(stage_id=pipeline.stages[-1].id, skip_reason="All agreed")
    moving = await timed("preview of a move", preview(world, filter="state = OPEN", move=last))
    there = MOST // len(pipeline.stages)
    assert (moving.planned_count, moving.unchanged_count) == (MOST - there, there)
    await stub(world).RunDealChange(pb.RunDealChangeRequest(id=moving.id))
    done = await timed("the move", until(world, moving, S.STATE_DONE))
    assert (done.changed_count, done.refused_count) == (MOST - there, 0)

    given = AssignDeals(owner_ids=[p.id for p in people])
    giving = await timed("preview of an assignment", preview(world, filter="state = OPEN", assign=given))  # fmt: skip
    await stub(world).RunDealChange(pb.RunDealChangeRequest(id=giving.id))
    done = await timed("the assignment", until(world, giving, S.STATE_DONE))
    assert (done.changed_count, max(share.count for share in done.received)) == (MOST, 6_667)
    assert await state_hash(world) != start

    for change in (giving, moving):
        await stub(world).UndoDealChange(pb.UndoDealChangeRequest(id=change.id))
        undone = await timed("its undo", until(world, change, S.STATE_UNDONE))
        assert undone.kept_count == 0
    assert await state_hash(world) == start
