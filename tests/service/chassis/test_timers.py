"""Timers fire once, not before their time, however many look for them and whatever fails."""

import asyncio
import functools
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import bindparam, text

from chassis import errors
from chassis.call import Cause
from chassis.clock import Clock
from chassis.db.statement import Statement
from chassis.running import run_system
from chassis.testing.events import background_database, eventually, leading, runtime_of
from chassis.timers import LATE_BY, Body, Timers
from chassis.tx import Tx
from chassis.waits import first_of

pytestmark = pytest.mark.asyncio

EFFECT = Statement(
    text("INSERT INTO effects (tenant_id, what) VALUES (:tenant_id, :what)").bindparams(
        bindparam("tenant_id"), bindparam("what")
    )
)
TENANT = str(uuid.uuid4())


class MovedClock(Clock):
    """A clock that a test moves."""

    offset = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset


async def remind(payload: dict[str, Any], tx: Tx) -> None:
    await tx.execute(EFFECT, what=payload["what"])


class Bench:
    def __init__(self, url: str, body: Body = remind, clock: Clock | None = None) -> None:
        self.url, self.clock = url, clock or Clock()
        self.runtime = runtime_of(url, self.clock)
        self.run_system = functools.partial(run_system, self.runtime)
        self.timers = Timers("test", {"reminder": body}, self.run_system, self.clock)

    async def set(self, key: str, due_at: datetime, what: str) -> None:
        async def work(tx: Tx) -> None:
            await self.timers.set(tx, "reminder", key, due_at, {"what": what})

        await self.run_system(TENANT, Cause("setup"), work)
        self.timers.wake()

    async def cancel(self, key: str) -> None:
        await self.run_system(
            TENANT, Cause("setup"), lambda tx: self.timers.cancel(tx, "reminder", key)
        )

    async def effects(self) -> list[str]:
        connection = await asyncpg.connect(self.url)
        try:
            return [
                r["what"] for r in await connection.fetch("SELECT what FROM effects ORDER BY seq")
            ]
        finally:
            await connection.close()

    async def has(self, count: int) -> bool:
        return len(await self.effects()) >= count

    async def left(self) -> int:
        connection = await asyncpg.connect(self.url)
        try:
            return int(await connection.fetchval("SELECT count(*) FROM timers"))
        finally:
            await connection.close()


def soon(seconds: float = 0.0) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


@pytest.mark.large
async def test_it_fires_when_due_and_not_before() -> None:
    bench = Bench(background_database())
    async with leading(bench.url, bench.timers.run):
        due = soon(1.5)
        await bench.set("a", due, "a")
        await eventually(lambda: bench.has(1), "fired")
        assert timedelta(0) <= datetime.now(UTC) - due < timedelta(seconds=0.5)
    assert await bench.left() == 0


@pytest.mark.large
async def test_three_workers_racing_fire_each_timer_once() -> None:
    url = background_database()
    benches = [Bench(url) for _ in range(3)]
    for number in range(300):
        await benches[0].set(f"k{number}", soon(), f"{number}")

    async with (
        leading(url, benches[0].timers.run, key="1"),
        leading(url, benches[1].timers.run, key="2"),
        leading(url, benches[2].timers.run, key="3"),
    ):
        await eventually(lambda: benches[0].has(300), "all fired")

    effects = await benches[0].effects()
    assert sorted(effects, key=int) == [str(n) for n in range(300)]
    assert await benches[0].left() == 0


async def test_setting_it_again_replaces_it_and_cancelling_removes_it() -> None:
    bench = Bench(background_database())
    await bench.set("a", soon(0.2), "first")
    await bench.set("a", soon(0.4), "second")
    await bench.set("b", soon(0.3), "cancelled")
    await bench.cancel("b")
    await bench.set("c", soon(0.6), "last")

    async with leading(bench.url, bench.timers.run):
        await eventually(lambda: bench.has(2), "fired")

    assert await bench.effects() == ["second", "last"]


async def test_a_failing_timer_is_tried_again_with_its_effect_undone_and_stops_nobody() -> None:
    tries: list[float] = []

    async def body(payload: dict[str, Any], tx: Tx) -> None:
        await remind(payload, tx)
        if payload["what"] == "bad":
            tries.append(payload[LATE_BY])
            if len(tries) == 1:
                raise errors.FailedPrecondition("not yet")

    bench = Bench(background_database(), body)
    await bench.set("a", soon(-5), "bad")
    await bench.set("b", soon(-1), "good")
    async with leading(bench.url, bench.timers.run):
        await eventually(lambda: bench.has(2), "both")

    assert await bench.effects() == ["good", "bad"]
    assert len(tries) == 2
    assert 5 <= tries[0] < 7
    assert tries[1] > tries[0] + 0.9


async def test_a_timer_that_its_own_body_sets_again_fires_again() -> None:
    bench: Bench

    async def body(payload: dict[str, Any], tx: Tx) -> None:
        await remind(payload, tx)
        if payload["what"] != "3":
            await bench.timers.set(
                tx, "reminder", "a", soon(), {"what": str(int(payload["what"]) + 1)}
            )

    bench = Bench(background_database(), body)
    await bench.set("a", soon(), "1")
    async with leading(bench.url, bench.timers.run):
        await eventually(lambda: bench.has(3), "three times")

    assert await bench.effects() == ["1", "2", "3"]
    assert await bench.left() == 0


async def test_moving_the_clock_fires_what_became_due() -> None:
    clock = MovedClock()
    bench = Bench(background_database(), clock=clock)
    async with leading(bench.url, bench.timers.run):
        await bench.set("a", soon(3600), "a")
        await first_of(asyncio.Event(), timeout_s=0.3)
        before = await bench.effects()
        clock.offset = timedelta(hours=2)
        bench.timers.wake()
        await eventually(lambda: bench.has(1), "fired", timeout_s=3)
    assert before == []


async def test_a_kind_that_nobody_handles_is_refused_when_it_is_set() -> None:
    bench = Bench(background_database())
    with pytest.raises(LookupError, match="no @timer"):
        await bench.run_system(
            TENANT, Cause("setup"), lambda tx: bench.timers.set(tx, "unknown", "k", soon(), {})
        )
    assert await bench.left() == 0
