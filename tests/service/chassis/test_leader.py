"""Leading a database: what ends a term, and what ends the leader."""

import asyncio
from typing import Any, cast

import asyncpg
import pytest

from chassis.events.leader import Leader, Lease, LeaseLost
from chassis.testing.events import background_database, eventually


class Ended:
    """A connection that the server has just ended, as the driver has it: each statement fails with `error`."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def fetch(self, sql: str, *arguments: Any, timeout: float) -> list[Any]:
        raise self._error


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InternalClientError('cannot switch to state 15; protocol is in the "failed" state'),
        asyncpg.CrashShutdownError("another server process exited abnormally"),
        asyncpg.InterfaceError("connection is closed"),
        TimeoutError(),
    ],
)
async def test_whatever_tells_that_the_connection_is_gone_ends_the_term(error: Exception) -> None:
    lease = Lease(cast(asyncpg.Connection, Ended(error)))

    with pytest.raises(LeaseLost, match=type(error).__name__):
        await lease.fetch("SELECT 1")


async def test_a_statement_that_is_wrong_says_so() -> None:
    lease = Lease(cast(asyncpg.Connection, Ended(asyncpg.UndefinedTableError("no such table"))))

    with pytest.raises(asyncpg.UndefinedTableError):
        await lease.fetch("SELECT * FROM nothing")


async def test_a_leader_that_is_cancelled_while_it_loses_its_lock_ends() -> None:
    async def loses(lease: Lease, stop: asyncio.Event) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise LeaseLost("the connection ended")

    leader, stop = Leader(background_database(), "test"), asyncio.Event()
    task = asyncio.create_task(leader.run([loses], stop))
    await asyncio.wait_for(leader.leading.wait(), 20)

    task.cancel()

    ended, _ = await asyncio.wait({task}, timeout=10)
    stop.set()
    assert ended == {task}
    assert task.cancelled()


async def test_who_lost_the_lock_takes_it_again() -> None:
    terms = 0

    async def loses(lease: Lease, stop: asyncio.Event) -> None:
        nonlocal terms
        terms += 1
        if terms < 3:
            raise LeaseLost("the connection ended")
        await stop.wait()

    leader, stop = Leader(background_database(), "test"), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(leader.run([loses], stop))
        await eventually(lambda: terms == 3, "three terms", 20)
        stop.set()
