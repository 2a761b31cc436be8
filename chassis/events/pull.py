"""Continuous delivery from a durable pull consumer: each message is handed on as it arrives.

The client library's `fetch(n)` returns when n messages are there or the time is over, so a lone message would wait. Here one
pull request is open at a time, as large as there is room; when it is used up or expires, the next follows.

Each session of pulling begins by resetting the consumer to its ack floor (server 2.14 and later): what a dead process had
received and not acknowledged comes again at once and in order, instead of half a minute later, behind its successors.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from chassis.events.nats import Nats, ending
from chassis.waits import first_of

log = logging.getLogger(__name__)

ACK_WAIT_S = 30.0
MAX_ACK_PENDING = 1000
_AT_ONCE = (
    64  # asked for in one request: so many may be handed on without anybody else having a turn
)
_EXPIRES_S = 15.0
_SILENCE_S = _EXPIRES_S + 3.0  # a request that did not even expire was lost with a server
_PAUSE_S = 0.5
_OVER = ("404", "408")  # no messages, request expired: the ordinary end of a request


class _Broken(Exception):
    """The session cannot go on: the consumer is gone, its leader moved, or the server is silent."""


class Pull:
    """Pulls from one durable of one stream. At most one process may do so at a time (see leader.py)."""

    def __init__(
        self,
        nats: Nats,
        stream: str,
        durable: str,
        subjects: list[str],
        on_message: Callable[[Msg], Awaitable[None]],
    ) -> None:
        self._nats, self._stream, self._durable, self._subjects = nats, stream, durable, subjects
        self._on_message = on_message
        self._room = MAX_ACK_PENDING // 2
        self._freed = asyncio.Event()
        self._over, self._broken = asyncio.Event(), asyncio.Event()
        self._expected = 0
        self._status = ""

    def free(self) -> None:
        """Say that a message that was handed on is done with."""
        self._room += 1
        self._freed.set()

    def take(self) -> None:
        """Say that a message that was handed on is being held."""
        self._room -= 1

    async def run(self, stop: asyncio.Event) -> None:
        """Pull until `stop`."""
        forget = self._nats.on_reconnect(self._broken.set)
        try:
            while not stop.is_set():
                try:
                    await self._nats.wait_connected()
                    await self._session(stop)
                except (_Broken, NatsError, OSError, TimeoutError) as error:
                    log.info(
                        "%s: pulling from %s begins anew: %s %s",
                        self._durable,
                        self._stream,
                        type(error).__name__,
                        error,
                    )
                    await first_of(stop, timeout_s=_PAUSE_S)
        finally:
            forget()

    async def _session(self, stop: asyncio.Event) -> None:
        self._broken.clear()
        await self._ensure_consumer()
        client = self._nats.client
        inbox = client.new_inbox()
        subscription = await client.subscribe(inbox, cb=self._deliver)
        try:
            await self._until_alone(stop)
            await self._reset()
            while not stop.is_set():
                await self._request(inbox)
                ended = await first_of(self._over, self._broken, stop, timeout_s=_SILENCE_S)
                if self._broken.is_set() or not ended:
                    raise _Broken(self._status or "silence")
                while self._room <= 0 and not stop.is_set() and not self._broken.is_set():
                    self._freed.clear()
                    await first_of(self._freed, self._broken, stop)
        finally:
            await ending(subscription.unsubscribe())

    async def _ensure_consumer(self) -> None:
        config = ConsumerConfig(
            durable_name=self._durable,
            filter_subjects=self._subjects or None,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT_S,
            max_ack_pending=MAX_ACK_PENDING,
            max_deliver=-1,
        )
        await self._nats.js.add_consumer(self._stream, config)

    async def _until_alone(self, stop: asyncio.Event) -> None:
        """Wait until no other request is open: one of a host that vanished takes messages until it expires."""
        for _ in range(int(_SILENCE_S / _PAUSE_S)):
            if not (await self._nats.js.consumer_info(self._stream, self._durable)).num_waiting:
                return
            if await first_of(stop, self._broken, timeout_s=_PAUSE_S):
                return
        raise _Broken("another process is pulling")

    async def _reset(self) -> None:
        subject = f"$JS.API.CONSUMER.RESET.{self._stream}.{self._durable}"
        answer = json.loads((await self._nats.client.request(subject, timeout=5)).data)
        if "error" in answer:
            raise _Broken(answer["error"].get("description", "reset refused"))

    async def _request(self, inbox: str) -> None:
        self._over.clear()
        self._expected, self._status = max(1, min(self._room, _AT_ONCE)), ""
        request = {"batch": self._expected, "expires": int(_EXPIRES_S * 1e9)}
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._durable}"
        await self._nats.client.publish(subject, json.dumps(request).encode(), reply=inbox)

    async def _deliver(self, message: Msg) -> None:
        status = message.headers.get("Status") if message.headers else None
        if status is not None and not message.data:
            self._status = f"{status} {message.headers.get('Description', '') if message.headers else ''}".strip()
            (self._over if status in _OVER else self._broken).set()
            return
        self._expected -= 1
        if self._expected == 0:
            self._over.set()
        await self._on_message(message)
