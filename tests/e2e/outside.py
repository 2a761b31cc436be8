"""A program outside the installation that reads a company's events from NATS, with an API token's credentials alone."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import nats
import orjson
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoServersError
from nats.js.client import JetStreamContext
from nats.js.errors import Error as JetStreamError

from chassis.testing.events import eventually

_FAILURES = (NatsError, JetStreamError, OSError, TimeoutError)


@dataclass(frozen=True)
class Event:
    """One event as it came."""

    id: str
    type: str
    subject: str
    sequence: int
    body: dict[str, Any]

    @property
    def version(self) -> int:
        return int(self.body["change"].get("version", 0))


class Reader:
    """Reads one stream through the token's durable consumer, acknowledging what it reads."""

    def __init__(self, subscription: JetStreamContext.PullSubscription) -> None:
        self._subscription = subscription

    async def stands(self) -> bool:
        """Whether the consumer still exists."""
        try:
            return bool(await self._subscription.consumer_info())
        except _FAILURES:
            return False

    async def more(self, timeout_s: float = 0.5) -> list[Event]:
        """The next events; none if nothing comes in time."""
        try:
            messages = await self._subscription.fetch(200, timeout=timeout_s)
        except TimeoutError:
            return []
        events = []
        for message in messages:
            await message.ack()
            headers = message.headers or {}
            events.append(
                Event(
                    headers["ce-id"], headers["ce-type"].rpartition(".")[2], headers["ce-subject"],
                    message.metadata.sequence.stream, orjson.loads(message.data),
                )
            )  # fmt: skip
        return events

    async def until(
        self, enough: Callable[[list[Event]], bool], what: str, timeout_s: float = 15.0
    ) -> list[Event]:
        """Everything read until it is enough."""
        found: list[Event] = []

        async def read() -> bool:
            found.extend(await self.more())
            return enough(found)

        await eventually(read, what, timeout_s)
        return found

    async def rest(self) -> list[Event]:
        """Everything until nothing comes for a second."""
        found: list[Event] = []
        while events := await self.more(timeout_s=1.0):
            found += events
        return found


@asynccontextmanager
async def connected(access: dict[str, Any]) -> AsyncIterator[Client]:
    """A connection with `access`, the `nats` part of the answer that made the token. It is tried once."""

    async def quiet(_: Exception) -> None:
        """The library would print each refusal."""

    client = await nats.connect(
        access["server"],
        user=access["user"],
        password=access["password"],
        inbox_prefix=access["inboxPrefix"].encode(),
        allow_reconnect=False,
        connect_timeout=5,
        error_cb=quiet,
    )
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def reading(access: dict[str, Any], stream: str = "CONTACTS") -> AsyncIterator[Reader]:
    """A reader of a stream; waits until the token is let in and its consumer stands."""
    async with contextlib.AsyncExitStack() as closing:
        open: list[Client] = []

        async def let_in() -> bool:
            with contextlib.suppress(*_FAILURES, NoServersError):
                open.append(await closing.enter_async_context(connected(access)))
            return bool(open)

        await eventually(let_in, "the token is let in to NATS", 15)
        js = open[0].jetstream()

        async def stands() -> bool:
            with contextlib.suppress(*_FAILURES):
                return bool(await js.consumer_info(stream, access["consumer"]))
            return False

        await eventually(stands, f"the token's consumer stands in {stream}", 30)
        subscription = await js.pull_subscribe_bind(access["consumer"], stream)
        yield Reader(subscription)


async def is_let_in(access: dict[str, Any]) -> bool:
    """Whether NATS accepts the credentials now."""
    try:
        async with connected(access):
            return True
    except (*_FAILURES, NoServersError):
        return False
