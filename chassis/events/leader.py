"""One process per database does the work that must not run twice at a time: a session advisory lock decides which.

The lock lives and dies with a connection of its own, so there is no lease to expire: the holder's death frees it at once, and
whatever the holder does through that connection fails when the lock is gone. Contenders ask about twice a second, over a
connection that each of them keeps: a new one for every question cost both ends a hundred times as much.
"""

import asyncio
import logging
import random
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg

from chassis.db.pool import DRIVER_ERRORS, is_lost
from chassis.waits import first_of

log = logging.getLogger(__name__)

_POLL_S = 0.4
_QUERY_S = 10.0
_TRY = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"
_HEARTBEAT_S = 2.0
# The server ends the session of a client that vanished without a word (its host died) after about ten seconds.
_KEEPALIVES = {
    "tcp_keepalives_idle": "4",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
# What a leader writes through the lock's connection (published rows, old rows, timers put off) is merely done again if the server
# forgets it in a crash, so no statement waits for the disk: the relay's next event would wait with it.
_UNHURRIED = {"synchronous_commit": "off"}
_LOST = (TimeoutError, *DRIVER_ERRORS)

Work = Callable[["Lease", asyncio.Event], Awaitable[None]]


class LeaseLost(Exception):
    """The lock's connection is gone."""


class Lease:
    """The held lock. Statements run through it prove that it is still held."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection, self._turn = connection, asyncio.Lock()

    async def fetch(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Rows of a statement on the lock's connection; LeaseLost if it is gone."""
        async with self._turn:
            try:
                rows: list[asyncpg.Record] = await self._connection.fetch(
                    sql, *arguments, timeout=_QUERY_S
                )
                return rows
            except (TimeoutError, *DRIVER_ERRORS) as error:
                if not is_lost(error):
                    raise
                raise LeaseLost(type(error).__name__) from error

    async def watch(self, stop: asyncio.Event) -> None:
        """Return on `stop`; raise LeaseLost when the connection ends or stops answering."""
        ended = asyncio.Event()
        self._connection.add_termination_listener(lambda _: ended.set())
        while not await first_of(ended, stop, timeout_s=_HEARTBEAT_S):
            await self.fetch("SELECT 1")
        if ended.is_set():
            raise LeaseLost("the connection ended")


class Leader:
    """Contends for the lock `key` of the database at `url` and works while holding it."""

    _led_here = 0  # leads of this process: who leads much asks later, so that the work spreads over processes

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url, key
        self.leading = asyncio.Event()
        self._reachable = True

    async def run(self, works: Sequence[Work], stop: asyncio.Event) -> None:
        """Run all of `works(lease, stop)` whenever this process leads, until `stop`; they end by themselves on `stop`."""
        while not stop.is_set():
            try:
                await self._contend(works, stop)
            except _LOST as error:
                if self._reachable:
                    log.warning(
                        "%s: the database is not reachable (%s)", self._key, type(error).__name__
                    )
                self._reachable = False
            await self._pause(stop)

    async def _contend(self, works: Sequence[Work], stop: asyncio.Event) -> None:
        """Ask for the lock until it is ours, and lead one term."""
        connection = await connect(self._url)
        self._reachable = True
        try:
            while not await connection.fetchval(_TRY, self._key, timeout=_QUERY_S):
                await self._pause(stop)
                if stop.is_set():
                    return
            # A TaskGroup that is cancelled while a work fails raises the failure alone, and one whose work fails counts as a cancellation
            # of its task (Python 3.11). So the term has a task of its own, and ours tells whether we are to end: a leader that
            # goes on when its process ends keeps half of it alive.
            await asyncio.create_task(self._lead(Lease(connection), works, stop))
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError
        finally:
            await _close(connection)

    async def _pause(self, stop: asyncio.Event) -> None:
        await first_of(stop, timeout_s=_POLL_S * (1 + random.random() / 2 + Leader._led_here / 4))

    async def _lead(self, lease: Lease, works: Sequence[Work], stop: asyncio.Event) -> None:
        log.info("%s: this process leads", self._key)
        self.leading.set()
        Leader._led_here += 1
        over = asyncio.Event()  # the works' stop: set at the end of the term, whatever ends it
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_term(lease, stop, over))
                for work in works:
                    group.create_task(_as_coroutine(work, lease, over))
        except* LeaseLost as lost:
            log.warning("%s: this process leads no longer (%s)", self._key, lost.exceptions[0])
        finally:
            self.leading.clear()
            Leader._led_here -= 1


async def _term(lease: Lease, stop: asyncio.Event, over: asyncio.Event) -> None:
    try:
        await lease.watch(stop)
    finally:
        over.set()  # besides being cancelled: below the NATS client a cancellation can get lost


async def _as_coroutine(work: Work, lease: Lease, stop: asyncio.Event) -> None:
    await work(lease, stop)


async def connect(url: str) -> asyncpg.Connection:
    """A connection that both ends notice to be dead within about ten seconds."""
    connection = await asyncpg.connect(
        url,
        timeout=5,
        server_settings={"application_name": "akrab leader", **_KEEPALIVES, **_UNHURRIED},
    )
    endpoint = connection._transport.get_extra_info("socket")
    if endpoint is not None and endpoint.family != socket.AF_UNIX:
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        endpoint.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 4)
        endpoint.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2)
        endpoint.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    return connection


async def _close(connection: asyncpg.Connection) -> None:
    try:
        await connection.close(timeout=1)
    except _LOST:
        connection.terminate()
