"""Connections of one process: last in, first out, kept per tenant where it can be, one budget over all databases."""

import asyncio
import time
from collections import deque

import asyncpg
import orjson

from chassis import errors, telemetry

# Row-level policies and tenant views read this setting; it is set on a connection outside any transaction.
_SET_TENANT = "SELECT set_config('app.tenant', $1, false)"
_IDLE_S = 60.0  # a connection unused for so long is closed, so one machine does not carry a hundred idle backends
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
        self._waiters: deque[asyncio.Future[None]] = deque()

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
        if (
            self._closed
            or not certain
            or connection.raw.is_closed()
            or connection.raw.is_in_transaction()
        ):
            connection.raw.terminate()
            self._open -= 1
        else:
            connection.used_at = time.monotonic()
            self._free.append(connection)
        self._wake_one()

    async def _take(self, url: str, tenant: str, deadline: float | None) -> Connection:
        while True:
            found = self._best_free(url, tenant)
            if found is not None and not found.raw.is_closed():
                return found
            if found is not None:
                self._open -= 1
                continue
            if self._open < self._budget or self._close_oldest_free():
                self._open += 1
                try:
                    return Connection(await connect(url), url)
                except BaseException as error:
                    self._open -= 1
                    self._wake_one()
                    if is_lost(error):
                        raise errors.Unavailable(
                            "the database is down; try again", retry_after_s=2
                        ) from error
                    raise
            await self._wait(deadline)

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

    async def _wait(self, deadline: float | None) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        began = time.monotonic()
        try:
            async with asyncio.timeout(10.0 if deadline is None else max(0.0, deadline - began)):
                await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():
                self._wake_one()  # was told of a free connection and cannot use it: the next one can
            if isinstance(error, TimeoutError):
                raise errors.Unavailable(
                    "every database connection is busy; try again", retry_after_s=1
                ) from None
            raise
        finally:
            telemetry.POOL_WAIT_SECONDS.observe(time.monotonic() - began)
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _wake_one(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

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
