"""Connections of one process: last in, first out, kept per tenant where it can be, one budget over all databases.

When the budget is spent, a database whose connections are busy waits for one of them rather than closing another's: a screen that
asks several services at once would otherwise open a connection for almost every statement, at ten times what the statement costs.
What nobody has used for a second moves to whoever waits; so the shares follow the demand, and slowly.
"""

import asyncio
import time
from collections import Counter, deque
from dataclasses import dataclass

import asyncpg
import orjson

from chassis import errors, telemetry

# Row-level policies and tenant views read this setting; it is set on a connection outside any transaction.
_SET_TENANT = "SELECT set_config('app.tenant', $1, false)"
_IDLE_S = 60.0  # a connection unused for so long is closed, so one machine does not carry a hundred idle backends
_MOVES_AFTER_S = 1.0  # so much longer than opening a connection takes that moving costs little
_STATEMENT_LIMIT_MS = (
    60_000  # back-stop on the server; the caller's deadline normally cancels earlier
)


class Connection:
    """A raw asyncpg connection with what is known of it: its database and the tenant set on it."""

    __slots__ = ("raw", "tenant", "url", "used_at")

    def __init__(self, raw: asyncpg.Connection, url: str) -> None:
        self.raw, self.url = raw, url
        self.tenant: str | None = ""  # "" = none; None = not certain
        self.used_at = time.monotonic()


async def connect(
    url: str, application: str = "akrab", *, timeout_s: float = 10.0
) -> asyncpg.Connection:
    """A connection with our codecs (jsonb as Python values through orjson)."""
    raw = await asyncpg.connect(
        url,
        timeout=timeout_s,
        statement_cache_size=1000,
        server_settings={
            "application_name": application,
            "statement_timeout": str(_STATEMENT_LIMIT_MS),
        },
    )
    await raw.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda v: orjson.dumps(v).decode(),
        decoder=orjson.loads,
    )
    return raw


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    """Somebody who waits for a connection to a database."""

    url: str
    since: float
    told: asyncio.Future[None]


DRIVER_ERRORS = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresError,
)
"""All that the driver raises."""

_LOST = (
    OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.ConnectionDoesNotExistError, asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError, asyncpg.CrashShutdownError,
    asyncpg.InternalClientError,  # what a statement meets on a connection that the server has just ended
)  # fmt: skip


def is_lost(error: BaseException) -> bool:
    """True if the error means that the server or the connection is gone, not that the statement was wrong."""
    # The driver's own refusal of an argument is an InterfaceError too, and a ValueError.
    return isinstance(error, _LOST) and not isinstance(error, ValueError)


class Pools:
    """The pooled connections of a process, at most `budget` over all its databases."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._open = 0
        self._closed = False
        self._free: list[Connection] = []  # the end is the one used last
        self._used: Counter[str] = Counter()  # by database
        self._waiters: deque[_Waiter] = deque()

    @property
    def open(self) -> int:
        return self._open

    async def take(
        self, url: str, tenant: str | None, *, deadline: float | None = None
    ) -> Connection:
        """A connection to `url` on which `tenant` is set (none: no tenant's rows); give it back with `give`.

        Raises Unavailable when the database is down or no connection is free before the deadline (monotonic seconds).
        """
        wanted = tenant or ""
        for _ in range(
            self._budget + 1
        ):  # connections that died while nobody used them are passed over
            connection = await self._take(url, wanted, deadline)
            if connection.tenant == wanted:
                return connection
            connection.tenant = None  # not certain until the server has answered
            try:
                await connection.raw.execute(_SET_TENANT, wanted)
            # Only a lost connection is tried again.
            except BaseException as error:  # allow broad-except: see above
                self.give(connection, certain=False)
                if not is_lost(error):
                    raise
                continue
            connection.tenant = wanted
            return connection
        raise errors.Unavailable("the database is down; try again", retry_after_s=2)

    def give(self, connection: Connection, *, certain: bool = True) -> None:
        """Returns a connection; one whose transaction or tenant is not certain is closed instead."""
        self._used[connection.url] -= 1
        if (
            self._closed
            or not certain
            or connection.raw.is_closed()
            or connection.raw.is_in_transaction()
            or self._is_owed(connection.url)
        ):
            connection.raw.terminate()
            self._open -= 1
            self._wake_one()
        else:
            connection.used_at = time.monotonic()
            self._free.append(connection)
            self._wake_one(connection.url)

    async def _take(self, url: str, tenant: str, deadline: float | None) -> Connection:
        since = time.monotonic()
        while True:
            found = self._best_free(url, tenant)
            if found is not None and not found.raw.is_closed():
                self._used[url] += 1
                return found
            if found is not None:
                self._open -= 1
                continue
            if self._open < self._budget or self._close_spare(url):
                return await self._connected(url)
            await self._wait(url, since, deadline)

    async def _connected(self, url: str) -> Connection:
        """A new connection; the budget has room for it."""
        self._open += 1
        self._used[url] += 1
        try:
            return Connection(await connect(url), url)
        except BaseException as error:
            self._open -= 1
            self._used[url] -= 1
            self._wake_one()
            if is_lost(error):
                raise errors.Unavailable(
                    "the database is down; try again", retry_after_s=2
                ) from error
            raise

    def _best_free(self, url: str, tenant: str) -> Connection | None:
        fallback = -1
        for index in range(len(self._free) - 1, -1, -1):
            connection = self._free[index]
            if connection.url == url:
                if connection.tenant == tenant:
                    return self._free.pop(index)
                if fallback < 0:
                    fallback = index
        return self._free.pop(fallback) if fallback >= 0 else None

    def _close_oldest_free(self) -> bool:
        if not self._free:
            return False
        self._free.pop(0).raw.terminate()
        self._open -= 1
        return True

    def _close_spare(self, url: str) -> bool:
        """Closes the free connection that was used longest ago, if this database has none to wait for or nobody needs it."""
        if not self._free:
            return False
        idle_s = time.monotonic() - self._free[0].used_at
        return (not self._used[url] or idle_s > _MOVES_AFTER_S) and self._close_oldest_free()

    def _is_owed(self, url: str) -> bool:
        """True if a connection that is given back should make room: another database has none to wait for, or waited for long."""
        first = self._waiters[0] if self._waiters else None
        if first is None or first.url == url:
            return False
        has_some = self._used[first.url] or any(free.url == first.url for free in self._free)
        return not has_some or time.monotonic() - first.since > _MOVES_AFTER_S

    async def _wait(self, url: str, since: float, deadline: float | None) -> None:
        """Returns when it is worth looking again; who has waited before keeps the place in front."""
        waiter = _Waiter(url, since, asyncio.get_running_loop().create_future())
        began = time.monotonic()
        at = next((n for n, each in enumerate(self._waiters) if each.since > since), None)
        self._waiters.insert(len(self._waiters) if at is None else at, waiter)
        ends = since + 10.0 if deadline is None else deadline
        try:
            async with asyncio.timeout(max(0.0, min(ends - began, _MOVES_AFTER_S))):
                await waiter.told
        except TimeoutError:
            self._pass_on(waiter)
            if time.monotonic() >= ends:
                raise errors.Unavailable(
                    "every database connection is busy; try again", retry_after_s=1
                ) from None
        except BaseException:
            self._pass_on(waiter)
            raise
        finally:
            if waiter.told.done() or time.monotonic() >= ends:
                telemetry.POOL_WAIT_SECONDS.observe(time.monotonic() - since)
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _pass_on(self, waiter: _Waiter) -> None:
        """Whoever was told of a free connection and cannot use it lets the next one know."""
        if waiter.told.done() and not waiter.told.cancelled():
            self._wake_one(waiter.url)

    def _wake_one(self, url: str = "") -> None:
        """Tells the first who waits, of those for this database if there are any."""
        waiting = [each for each in self._waiters if not each.told.done()]
        first = next((each for each in waiting if each.url == url), waiting[0] if waiting else None)
        if first is not None:
            self._waiters.remove(first)
            first.told.set_result(None)

    async def close_idle(self, stop: asyncio.Event) -> None:
        """Closes connections that nobody used for a minute, until `stop`."""
        while not stop.is_set():
            try:
                await asyncio.wait_for(stop.wait(), _IDLE_S / 4)
            except TimeoutError:
                limit = time.monotonic() - _IDLE_S
                while self._free and self._free[0].used_at < limit:
                    self._close_oldest_free()

    async def close(self) -> None:
        """Closes every free connection; those in use close when they are given back."""
        self._closed = True
        while self._free:
            connection = self._free.pop()
            self._open -= 1
            await connection.raw.close(timeout=2)
