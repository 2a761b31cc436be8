"""Ladders through crashes: each step is told exactly once and in its order, late after an outage, whatever is killed (M12, U20)."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from chassis.testing.events import eventually
from crm.notifications.v1.notice_pb2 import Notice
from crm.tasks.v1.ladder_pb2 import LadderRun
from tests.chaos.clock import MINUTE, jump, now
from tests.chaos.machine import Machine
from tests.e2e.company import Company, ok, signed_up
from tests.e2e.outside import reading

STEPS = (15, 20, 30)
KILLED, MANY = 60, 500
"""How many tasks climb while things are killed at each step, and through one kill."""


@pytest.fixture
async def firm(machine: Machine) -> AsyncIterator[Company]:
    """A company whose tasks climb a ladder from their deadline on; everybody works always."""
    async with signed_up(machine.url) as made:
        steps = [{"afterMinutes": minutes, "whom": "WHOM_OWNER"} for minutes in STEPS]
        ok(await made.admin.http.post("/v1/ladders", json={"name": "Late", "steps": steps}))
        yield made


async def runs(machine: Machine, firm: Company) -> list[LadderRun]:
    sql = "SELECT doc FROM ladder_runs WHERE tenant_id = $1"
    rows = await machine.sql(sql, firm.id, database="crm_tasks")
    return [LadderRun.FromString(row["doc"]) for row in rows]


async def told(machine: Machine, firm: Company, at_least: int, timeout_s: float = 180.0) -> int:
    """How many steps of all tasks were told, once they are so many."""
    last: list[int] = []

    async def enough() -> bool:
        found = await runs(machine, firm)
        last[:] = [sum(s.HasField("fire_time") for run in found for s in run.steps)]
        return last[0] >= at_least

    await eventually(enough, f"{at_least} steps were told", timeout_s)
    return last[0]


async def noticed(machine: Machine, firm: Company, count: int) -> Counter[tuple[str, int]]:
    """(task, step) -> how many notices tell of it, once there are so many."""
    last: list[Notice] = []

    async def enough() -> bool:
        sql = "SELECT doc FROM notices WHERE tenant_id = $1"
        rows = await machine.sql(sql, firm.id, database="crm_notifications")
        found = [Notice.FromString(row["doc"]) for row in rows]
        last[:] = [notice for notice in found if notice.code == "escalated"]
        return len(last) >= count

    await eventually(enough, f"{count} notices of steps", 180)
    return Counter((one.object_id, int(one.arguments["step.number"])) for one in last)


async def escalations(access: dict[str, Any], count: int) -> list[tuple[str, int]]:
    """(task, step) of every Escalated event, each event once however often it was delivered, in the order of the stream."""
    async with reading(access, "TASKS") as reader:

        def enough(found: list[Any]) -> bool:
            return len({event.id for event in found if event.type == "Escalated"}) >= count

        found = await reader.until(enough, f"{count} escalations", 180)
        found += await reader.rest()
    once = {event.id: event for event in found if event.type == "Escalated"}
    return [(event.subject, event.body["step"]["number"]) for event in once.values()]


async def subscription(firm: Company) -> dict[str, Any]:
    made = await firm.token(nats=True, natsStart="NATS_START_ALL")
    return dict(made["nats"])


async def overdue_soon(firm: Company, count: int) -> None:
    """Tasks that are due in a minute."""
    due = (await now(firm) + MINUTE).astimezone(UTC).isoformat().replace("+00:00", "Z")
    for first in range(0, count, 100):
        tasks = [
            {"subject": f"Call {n}", "dueTime": due} for n in range(first, min(first + 100, count))
        ]
        body = {"tasks": tasks, "ownerIds": [firm.admin.id]}
        ok(await firm.admin.http.post("/v1/tasks:quickAssign", json=body))


@pytest.mark.parametrize("victim", ["apps", "postgres", "nats", "supervisor"])
async def test_killed_at_each_step_each_is_told_once_and_in_order(
    machine: Machine, firm: Company, victim: str
) -> None:
    access = await subscription(firm)
    await overdue_soon(firm, KILLED)
    start = await now(firm) + MINUTE
    at_kill = []

    for number, minutes in enumerate(STEPS, start=1):
        ahead = start + minutes * MINUTE - await now(firm)
        async with asyncio.TaskGroup() as group:
            group.create_task(jump(firm.admin.http, ahead))
            before = KILLED * (number - 1)
            at_kill.append(await told(machine, firm, before + 1) - before)
            await machine.killed(victim)  # while the step is being told
        assert await told(machine, firm, KILLED * number) == KILLED * number

    assert min(at_kill) < KILLED, "nothing was ever killed half-way: the test proves nothing"
    found = await escalations(access, KILLED * len(STEPS))
    all_runs = await runs(machine, firm)
    once = Counter((run.task_id, number) for run in all_runs for number in (1, 2, 3))
    assert len(once) == KILLED * len(STEPS)
    assert Counter(found) == once
    assert {run.state for run in all_runs} == {LadderRun.STATE_ENDED}
    for run in all_runs:
        assert [step for task, step in found if task == run.task_id] == [1, 2, 3]
    assert await noticed(machine, firm, len(once)) == once


async def test_forty_minutes_down_over_two_steps_they_come_late_once_and_in_order(
    machine: Machine, firm: Company
) -> None:
    access = await subscription(firm)
    await overdue_soon(firm, 1)
    await jump(firm.admin.http, (1 + STEPS[0]) * MINUTE)
    await told(machine, firm, 1)
    leader = await machine.leader("tasks")
    faces = await machine.faces(token=firm.admin.token)
    (name,) = [name for name, pid in machine.pids().items() if pid == leader]

    with machine.frozen(name):  # it keeps the lock of the database: nobody fires a timer
        for face in faces:
            await jump(face, 40 * MINUTE)  # the frozen one hears nothing of it
        assert await told(machine, firm, 1) == 1
        machine.kill(leader)
    await told(machine, firm, 3)

    (run,) = await runs(machine, firm)
    in_time, *late = run.steps
    assert in_time.late_seconds == 0
    assert [s.fire_time.seconds - s.plan_time.seconds - s.late_seconds in (0, 1) for s in late] == [True] * 2  # fmt: skip
    outage_s = [(STEPS[0] + 40 - minutes) * 60 for minutes in STEPS[1:]]
    assert [0 <= s.late_seconds - least < 60 for s, least in zip(late, outage_s, strict=True)] == [True] * 2  # fmt: skip
    steps = [(run.task_id, number) for number in (1, 2, 3)]
    assert await escalations(access, 3) == steps
    assert await noticed(machine, firm, 3) == Counter(steps)
    for face in faces:
        await face.aclose()


async def test_five_hundred_timers_survive_a_kill_and_a_jump_of_forty_minutes(
    machine: Machine, firm: Company, capsys: Any
) -> None:
    access = await subscription(firm)
    await overdue_soon(firm, MANY)
    total = MANY * len(STEPS)
    began = datetime.now(UTC)

    await jump(firm.admin.http, 40 * MINUTE)
    await told(machine, firm, MANY // 5)
    for pid in machine.apps():
        machine.kill(pid)
    at_kill = await told(machine, firm, 1)
    assert at_kill < total, "it was not killed half-way"
    await told(machine, firm, total, 240)

    took = (datetime.now(UTC) - began).total_seconds()
    found = await escalations(access, total)
    assert len(found) == total
    assert set(Counter(found).values()) == {1}
    order: dict[str, list[int]] = {}
    for task, step in found:
        order.setdefault(task, []).append(step)
    assert list(order.values()) == [[1, 2, 3]] * MANY
    sql = "SELECT count(*) AS n FROM tasks WHERE tenant_id = $1 AND miss_time IS NOT NULL"
    (row,) = await machine.sql(sql, firm.id, database="crm_tasks")
    assert row["n"] == MANY
    with capsys.disabled():
        print(f"\n{total} steps of {MANY} tasks through a kill at {at_kill}: {took:.1f} s")
