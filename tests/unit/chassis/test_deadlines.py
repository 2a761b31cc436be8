"""Deadlines of calls: kept, told apart from other cancellations, and forgotten with the call."""

import asyncio
import time

import pytest

from chassis.rpc.deadlines import EVERY_S, Deadlines
from chassis.waits import first_of


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def test_a_call_ends_at_its_deadline_and_others_go_on() -> None:
    deadlines, ended = Deadlines(), list[str]()

    async def call(seconds: float) -> None:
        try:
            with deadlines.until(time.monotonic() + seconds):
                await first_of(asyncio.Event(), timeout_s=1)
                ended.append("done")
        except TimeoutError:
            ended.append("late")

    await asyncio.gather(call(0.05), call(5), call(0.1))

    assert ended == ["late", "late", "done"]


async def test_a_deadline_that_is_over_is_refused_before_anything_runs() -> None:
    with pytest.raises(TimeoutError), Deadlines().until(time.monotonic() - 1):
        raise AssertionError("never runs")


async def test_a_cancellation_by_somebody_else_stays_one() -> None:
    deadlines = Deadlines()

    async def call() -> None:
        with deadlines.until(time.monotonic() + 5):
            await _for_ever()

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_beside_the_deadline_wins() -> None:
    deadlines, cancelled = Deadlines(), asyncio.Event()

    async def call() -> None:
        with deadlines.until(time.monotonic() + 0.01):
            try:
                await _for_ever()
            except asyncio.CancelledError:
                cancelled.set()
                task.cancel()  # the caller goes away while the call is being ended
                raise

    task = asyncio.create_task(call())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled.is_set()


async def test_a_refusal_passes_and_the_task_is_as_it_was() -> None:
    with pytest.raises(LookupError), Deadlines().until(time.monotonic() + 5):
        raise LookupError

    with pytest.raises(TimeoutError), Deadlines().until(time.monotonic() + 0.01):
        await _for_ever()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_it_ticks_again_after_a_pause() -> None:
    deadlines = Deadlines()
    for _ in range(2):
        with pytest.raises(TimeoutError), deadlines.until(time.monotonic() + 0.01):
            await _for_ever()
        await first_of(asyncio.Event(), timeout_s=3 * EVERY_S)
    assert not deadlines._ticking
