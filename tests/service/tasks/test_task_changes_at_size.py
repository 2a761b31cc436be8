"""A change of 20,000 tasks, the most that one may have: previewed, run, stopped, run on and undone, each within a minute."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from chassis.keys import uuid7
from chassis.testing import servers
from chassis.testing.events import eventually
from chassis.times import to_timestamp
from chassis.waits import first_of
from crm.tasks.v1 import bulk_pb2 as pb
from crm.tasks.v1.bulk_pb2 import Reassign, Reschedule, TaskChange
from crm.tasks.v1.ladder_pb2 import LadderStep
from services.tasks.bulk_changes import MOST
from tests.service.tasks.crowd import row as as_saved
from tests.service.tasks.ladders import ladder
from tests.service.tasks.test_task_changes import S, stub
from tests.service.tasks.world import Task, World

pytestmark = pytest.mark.large

_WITHIN_S, _GROWS_MB = 60, 150


async def fill(world: World, count: int) -> None:
    """So many open tasks of the administrator, due tomorrow."""
    now = datetime.now(UTC)
    owner_id, due = world.tenant.admin.id, to_timestamp(now + timedelta(days=1))
    rows = [
        as_saved(
            world.tenant.id,
            Task(
                id=uuid7(), etag="1", subject="Call back", state=Task.STATE_OPEN, priority=Task.PRIORITY_NORMAL, owner_id=owner_id,
                creator_id=owner_id, create_time=to_timestamp(now), update_time=to_timestamp(now), due_time=due, due_zone="UTC",
            ),
            now,
        )
        for _ in range(count)
    ]  # fmt: skip
    raw = await asyncpg.connect(servers.postgres_url("crm_tasks"))
    try:
        records = [tuple(row.values()) for row in rows]
        await raw.copy_records_to_table("tasks", records=records, columns=list(rows[0]))
        await raw.execute("ANALYZE tasks")
    finally:
        await raw.close()


def memory_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


class Course:
    """What is seen of a change while it is under way."""

    def __init__(self, world: World, change: TaskChange) -> None:
        self.world, self.id = world, change.id
        self.seen: list[int] = []
        self.memory = memory_mb()

    async def change(self) -> TaskChange:
        self.memory = max(self.memory, memory_mb())
        return await stub(self.world).GetTaskChange(pb.GetTaskChangeRequest(id=self.id))

    async def progress(self) -> int:
        name = (await self.change()).operation.rpartition("/")[2]
        sql = "SELECT done, total FROM operations WHERE tenant_id = $1 AND id = $2"
        (row,) = await self.world.running.rows("tasks", sql, self.world.tenant.id, name)
        self.seen.append(row["done"])
        assert row["done"] <= row["total"] <= MOST
        return int(row["done"])

    async def until(self, state: "S.State") -> TaskChange:
        async def there() -> bool:
            await first_of(asyncio.Event(), timeout_s=0.25)  # to look costs CPU that is measured
            await self.progress()
            return (await self.change()).state == state

        await eventually(there, f"the change is {S.State.Name(state)}", 10 * _WITHIN_S)
        assert len(set(self.seen)) > 5  # it tells how far it is
        return await self.change()


async def timed(what: str, work: Any) -> Any:
    """What the work gives; it may take the CPU of this process, which serves it, for no longer than a minute."""
    began, cpu = time.monotonic(), time.process_time()
    found = await work
    spent = time.process_time() - cpu
    print(f"{what}: {time.monotonic() - began:.1f} s, {spent:.1f} s of CPU, {memory_mb():.0f} MB")
    assert spent < _WITHIN_S
    return found


async def preview(world: World, **given: Any) -> TaskChange:
    request = pb.CreateTaskChangeRequest(task_change=TaskChange(**given))
    return await stub(world).CreateTaskChange(request, timeout=10 * _WITHIN_S)


async def run(world: World, change: TaskChange) -> Course:
    await stub(world).RunTaskChange(pb.RunTaskChangeRequest(id=change.id))
    return Course(world, change)


async def undo(world: World, change: TaskChange) -> Course:
    await stub(world).UndoTaskChange(pb.UndoTaskChangeRequest(id=change.id))
    return Course(world, change)


async def timers(world: World) -> dict[str, int]:
    sql = "SELECT kind, count(*) AS n FROM timers WHERE tenant_id = $1 AND kind IN ('deadline', 'ladder') GROUP BY 1"
    return {
        row["kind"]: row["n"] for row in await world.running.rows("tasks", sql, world.tenant.id)
    }


async def test_twenty_thousand_tasks_are_moved_given_on_and_put_back(world: World) -> None:
    await ladder(world, (15, LadderStep.WHOM_OWNER), (30, LadderStep.WHOM_HEAD))
    people = [await world.worker() for _ in range(3)]
    await fill(world, MOST)
    wanted = f"owner_id = {world.tenant.admin.id}"
    before = memory_mb()

    moving = Reschedule(shift_minutes=60)
    change = await timed("preview of a move", preview(world, filter=wanted, reschedule=moving))
    assert (change.planned_count, len(change.samples)) == (MOST, 20)
    course = await run(world, change)
    await eventually(lambda: _past(course, 1_000), "a thousand are moved", _WITHIN_S)
    stopped = await stub(world).CancelTaskChange(pb.CancelTaskChangeRequest(id=change.id))
    assert stopped.state == S.STATE_STOPPED
    assert 0 < stopped.changed_count < MOST == stopped.changed_count + stopped.planned_count
    course = await run(world, change)
    done = await timed("the rest of the move", course.until(S.STATE_DONE))
    assert (done.changed_count, done.refused_count) == (MOST, 0)
    assert await timers(world) == {"deadline": MOST, "ladder": MOST}

    given = preview(world, filter=wanted, reassign=Reassign(owner_ids=[p.id for p in people]))
    second = await timed("preview of a reassignment", given)
    course = await run(world, second)
    done = await timed("the reassignment", course.until(S.STATE_DONE))
    assert (done.changed_count, max(share.count for share in done.received)) == (MOST, 6_667)

    course = await undo(world, second)
    done = await timed("its undo", course.until(S.STATE_UNDONE))
    assert (done.returned_count, done.kept_count) == (MOST, 0)
    course = await undo(world, change)
    done = await timed("the undo of the move", course.until(S.STATE_UNDONE))
    assert (done.returned_count, done.kept_count) == (MOST, 0)
    assert await timers(world) == {"deadline": MOST, "ladder": MOST}
    assert course.memory - before < _GROWS_MB


async def _past(course: Course, count: int) -> bool:
    return await course.progress() >= count
