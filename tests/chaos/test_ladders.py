"""Ladders through crashes: each step is told exactly once and in its order, late after an outage, whatever is killed (M12, U20)."""

import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from chassis.testing.events import eventually
from crm.tasks.v1.ladder_pb2 import LadderRun
from tests.chaos.machine import Machine, free_port
from tests.e2e.company import Company, ok, signed_up
from tests.e2e.outside import reading
from tests.e2e.runtime.harness import processes_of, until

MINUTE = timedelta(minutes=1)
STEPS = (15, 20, 30)
TASKS = 500


@pytest.fixture(scope="module")
async def clocked() -> AsyncIterator[Machine]:
    """An installation of its own, whose clock the tests move."""
    folder = Path(tempfile.mkdtemp(prefix="akrab-ladders-"))
    os.chmod(folder, 0o711)  # PostgreSQL does not run as root and must pass
    settings = {"CRM_PROCESSES": "2", "CRM_SIGNUP": "1", "CRM_TEST_CLOCK": "1"}
    made = Machine(folder / "data", free_port(), settings=settings)
    try:
        await made.up()
        async with signed_up(made.url, made.setup_token):
            pass  # the first company; every test has one of its own
        yield made
    finally:
        made.end(signal.SIGTERM)
        until(lambda: not processes_of(made.data), "the tests left processes", 20)
        shutil.rmtree(folder)


@pytest.fixture
async def firm(clocked: Machine) -> AsyncIterator[Company]:
    """A company whose tasks climb a ladder from their deadline on; everybody works always."""
    await clocked.whole()
    async with signed_up(clocked.url) as made:
        steps = [{"afterMinutes": minutes, "whom": "WHOM_OWNER"} for minutes in STEPS]
        ok(await made.admin.http.post("/v1/ladders", json={"name": "Late", "steps": steps}))
        yield made


async def now(firm: Company) -> datetime:
    """What time it is for the installation, once a process answers."""
    found: list[str] = []

    async def said() -> bool:
        with suppress(httpx.TransportError):
            answer = await firm.admin.http.post("/v1/testClock:advance", json={"seconds": 0})
            if answer.status_code == 200:
                found[:] = [answer.json()["now"]]
        return bool(found)

    await eventually(said, "the clock answers", 60)
    return datetime.fromisoformat(found[0])


async def jump(face: httpx.AsyncClient, by: timedelta) -> None:
    """Moves the clock and does not wait for what follows, because who should answer may be dead by then."""
    with suppress(httpx.HTTPError):
        await face.post("/v1/testClock:advance", json={"seconds": by.total_seconds()}, timeout=1.0)


async def runs(clocked: Machine, firm: Company) -> list[LadderRun]:
    sql = "SELECT doc FROM ladder_runs WHERE tenant_id = $1"
    rows = await clocked.sql(sql, firm.id, database="crm_tasks")
    return [LadderRun.FromString(row["doc"]) for row in rows]


async def tell(clocked: Machine, firm: Company, count: int, timeout_s: float = 60.0) -> None:
    """Returns when so many steps of all tasks were told."""

    async def enough() -> bool:
        found = await runs(clocked, firm)
        return sum(s.HasField("fire_time") for run in found for s in run.steps) >= count

    await eventually(enough, f"{count} steps were told", timeout_s)


async def escalations(access: dict[str, Any], count: int) -> list[tuple[str, int]]:
    """(task, step) of every Escalated event, each event once however often it was delivered, in the order of the stream."""
    async with reading(access, "TASKS") as reader:

        def enough(found: list[Any]) -> bool:
            return len({event.id for event in found if event.type == "Escalated"}) >= count

        found = await reader.until(enough, f"{count} escalations", 60)
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


async def test_killed_at_each_step_each_is_told_once_and_in_order(
    clocked: Machine, firm: Company
) -> None:
    access = await subscription(firm)
    await overdue_soon(firm, 5)
    start = await now(firm) + MINUTE

    for number, minutes in enumerate(STEPS, start=1):
        await jump(firm.admin.http, start + minutes * MINUTE - await now(firm))
        for pid in clocked.apps():  # while the step is being told
            clocked.kill(pid)
        await tell(clocked, firm, 5 * number)
        await clocked.whole()

    found = await escalations(access, 15)
    assert Counter(found) == Counter(
        {(run.task_id, n): 1 for run in await runs(clocked, firm) for n in (1, 2, 3)}
    )
    assert all(run.state == LadderRun.STATE_ENDED for run in await runs(clocked, firm))
    for task in {task for task, _ in found}:
        assert [step for each, step in found if each == task] == [1, 2, 3]


async def test_forty_minutes_down_over_all_steps_they_come_late_once_and_in_order(
    clocked: Machine, firm: Company
) -> None:
    access = await subscription(firm)
    await overdue_soon(firm, 1)
    leader = await clocked.leader("tasks")
    faces = await clocked.faces(token=firm.admin.token)
    (name,) = [name for name, pid in clocked.pids().items() if pid == leader]

    with clocked.frozen(name):  # it keeps the lock of the database: nobody fires a timer
        for face in faces:
            await jump(face, 40 * MINUTE)  # the frozen one hears nothing of it
        assert all(
            not s.HasField("fire_time") for run in await runs(clocked, firm) for s in run.steps
        )
        clocked.kill(leader)
    await tell(clocked, firm, 3)

    (run,) = await runs(clocked, firm)
    assert [s.late_seconds > 0 for s in run.steps] == [True] * 3
    assert [
        s.fire_time.seconds - s.plan_time.seconds - s.late_seconds in (0, 1) for s in run.steps
    ] == [True] * 3
    assert [step for _, step in await escalations(access, 3)] == [1, 2, 3]
    for face in faces:
        await face.aclose()


async def test_five_hundred_timers_survive_a_kill_and_a_jump_of_forty_minutes(
    clocked: Machine, firm: Company, capsys: Any
) -> None:
    access = await subscription(firm)
    await overdue_soon(firm, TASKS)
    total = TASKS * len(STEPS)
    began = datetime.now(UTC)

    await jump(firm.admin.http, 40 * MINUTE)
    await tell(clocked, firm, TASKS // 5)
    for pid in clocked.apps():
        clocked.kill(pid)
    told = sum(s.HasField("fire_time") for run in await runs(clocked, firm) for s in run.steps)
    assert told < total, "it was not killed half-way"
    await tell(clocked, firm, total, 240)

    took = (datetime.now(UTC) - began).total_seconds()
    found = await escalations(access, total)
    assert len(found) == total
    assert set(Counter(found).values()) == {1}
    order: dict[str, list[int]] = {}
    for task, step in found:
        order.setdefault(task, []).append(step)
    assert list(order.values()) == [[1, 2, 3]] * TASKS
    sql = "SELECT count(*) AS n FROM tasks WHERE tenant_id = $1 AND miss_time IS NOT NULL"
    (row,) = await clocked.sql(sql, firm.id, database="crm_tasks")
    assert row["n"] == TASKS
    with capsys.disabled():
        print(f"\n{total} steps of {TASKS} tasks through a kill at {told}: {took:.1f} s")
