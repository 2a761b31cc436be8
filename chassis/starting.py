"""Before a process serves: PostgreSQL and NATS answer. One that is down is waited for, one that does not let us in is not.

Servers and services start in any order (a cluster promises none), so a server that does not answer yet is no failure. A wrong
password or a database that nobody has made does not mend itself: the process says so and ends.
"""

import asyncio
import logging
from collections.abc import Iterable
from urllib.parse import urlsplit

import asyncpg
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError

from chassis.db.pool import is_lost
from chassis.waits import first_of

log = logging.getLogger(__name__)

_ANSWERS_S = 5.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 5.0  # doubled each time: a long outage fills no log

_REFUSALS = (
    asyncpg.InvalidAuthorizationSpecificationError,  # the parent of a wrong password
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)

_UNAUTHORIZED = (
    "authorization violation"  # while connecting the client has no class of its own for it
)


class ServerRefused(Exception):
    """A server answers and does not let this process in; waiting would not help."""


class ServerAbsent(Exception):
    """A server does not answer, or not yet."""


async def reached(nats_url: str, database_urls: Iterable[str], stop: asyncio.Event) -> bool:
    """True once every database and NATS with JetStream answer; False if `stop` was set before. Raises ServerRefused."""
    looking = asyncio.create_task(_reach(nats_url, list(database_urls)))
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([looking, stopped], return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            return False
        await looking
        return True
    finally:
        looking.cancel()
        stopped.cancel()
        await asyncio.wait([looking, stopped], timeout=_ANSWERS_S)


async def _reach(nats_url: str, database_urls: list[str]) -> None:
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            for url in database_urls:
                await _reach_database(url)
            await _reach_nats(nats_url)
            return
        except ServerAbsent as absent:
            log.warning("%s; trying again in %.1f s", absent, pause_s)
        await first_of(asyncio.Event(), timeout_s=pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


async def _reach_database(url: str) -> None:
    place = f"PostgreSQL at {_place(url, 5432)}"
    try:
        connection = await asyncpg.connect(url, timeout=_ANSWERS_S)
        await connection.close(timeout=_ANSWERS_S)
    except _REFUSALS as error:
        raise ServerRefused(
            f"{place} does not let this program into its database: {error}; run"
            " `python -m chassis migrate` with the same CRM_SECRET and CRM_POSTGRES_URL first"
        ) from None
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        if not is_lost(error):
            raise ServerRefused(f"{place} cannot be used (CRM_POSTGRES_URL): {error}") from None
        raise ServerAbsent(f"{place} does not answer ({type(error).__name__})") from None


async def _reach_nats(url: str) -> None:
    place = f"NATS at {_place(url, 4222)}"
    client = Client()
    try:
        async with asyncio.timeout(2 * _ANSWERS_S):
            await client.connect(
                url, allow_reconnect=False, connect_timeout=int(_ANSWERS_S), error_cb=_said_below
            )
            await client.jetstream(timeout=_ANSWERS_S).account_info()
    except JetStreamError as error:
        raise ServerAbsent(f"{place} answers without JetStream ({type(error).__name__})") from None
    except (NatsError, OSError, TimeoutError) as error:
        if _UNAUTHORIZED in str(error).lower():
            raise ServerRefused(
                f"{place} does not accept the user and password of CRM_NATS_URL"
            ) from None
        raise ServerAbsent(f"{place} does not answer ({type(error).__name__})") from None
    finally:
        await client.close()


async def _said_below(_: Exception) -> None:
    """The client reports what it raises; one sentence for one attempt is enough."""


def _place(url: str, port: int) -> str:
    """Host and port, without user and password."""
    parts = urlsplit(url)
    return f"{parts.hostname or '127.0.0.1'}:{parts.port or port}"
