"""One stream's messages in order, from near its end on, over every interruption.

A plain push consumer without acknowledgements, watched by its heartbeats: the library's own ordered consumer needs many
seconds to notice that a server was restarted. Any doubt (silence, a gap, a reconnection) begins a new session after the last
message that was handed on, so nothing is lost and nothing comes twice.
"""

import asyncio
import logging
from collections.abc import Callable

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from chassis.events.nats import Nats
from chassis.waits import first_of

log = logging.getLogger(__name__)

# Recent messages that every session starts with: a client that comes back after a restart of the gateway finds most here.
RECENT = 500
_HEARTBEAT_S = 2.0
_SILENCE_S = 5.0
_PAUSE_S = 0.5
_ABSENT_PAUSE_S = 2.0


class Feed:
    """Hands every message of one stream to `on_message(stream, sequence, msg)`, in order, once."""

    def __init__(
        self, nats: Nats, stream: str, on_message: Callable[[str, int, Msg], None]
    ) -> None:
        self.stream = stream
        self.last = 0
        self.first = 0
        """The first sequence that was handed on; 0 before."""
        self.caught_up = asyncio.Event()
        self._nats = nats
        self._on_message = on_message
        self._alive = asyncio.Event()
        self._broken = asyncio.Event()
        self._target = 0
        self._expected = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Feeds until `stop`; a stream that does not exist yet is waited for."""
        forget = self._nats.on_reconnect(self._broken.set)
        try:
            while not stop.is_set():
                pause_s = _PAUSE_S
                try:
                    await self._nats.wait_connected()
                    await self._session(stop)
                except NotFoundError:
                    pause_s = _ABSENT_PAUSE_S
                except (NatsError, OSError, TimeoutError) as error:
                    log.info("live feed of %s begins anew: %s", self.stream, type(error).__name__)
                await first_of(stop, timeout_s=pause_s)
        finally:
            forget()

    async def _session(self, stop: asyncio.Event) -> None:
        state = (await self._nats.js.stream_info(self.stream)).state
        if self.last > state.last_seq:
            log.warning("stream %s was made anew; live readers begin again", self.stream)
            self.last = self.first = 0
        start = (
            self.last + 1 if self.first else max(1, state.first_seq, state.last_seq - RECENT + 1)
        )
        self.first = self.first or start
        self.last = max(self.last, start - 1)
        self._target, self._expected = state.last_seq, 1
        self._broken.clear()
        self._note_progress()
        client = self._nats.client
        inbox = client.new_inbox()
        subscription = await client.subscribe(inbox, cb=self._receive)
        consumer = ""
        try:
            info = await self._nats.js.add_consumer(
                self.stream,
                ConsumerConfig(
                    deliver_subject=inbox,
                    deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                    opt_start_seq=start,
                    ack_policy=AckPolicy.NONE,
                    max_deliver=1,
                    idle_heartbeat=_HEARTBEAT_S,
                    mem_storage=True,
                    num_replicas=1,
                    inactive_threshold=30.0,
                ),
            )
            consumer = info.name
            while not stop.is_set() and not self._broken.is_set():
                self._alive.clear()
                if not await first_of(self._alive, self._broken, stop, timeout_s=_SILENCE_S):
                    return
                await first_of(self._broken, stop, timeout_s=_HEARTBEAT_S)
        finally:
            if not client.is_closed:
                await subscription.unsubscribe()
                if consumer and client.is_connected:
                    await self._forget(consumer)

    async def _forget(self, consumer: str) -> None:
        try:
            await self._nats.js.delete_consumer(self.stream, consumer)
        except (NatsError, TimeoutError):
            log.debug("consumer %s will end by itself", consumer)

    async def _receive(self, msg: Msg) -> None:
        self._alive.set()
        if not msg.reply.startswith("$JS.ACK."):
            heard = (msg.headers or {}).get("Nats-Last-Consumer")
            if heard is not None and int(heard) != self._expected - 1:
                self._broken.set()
            return
        place = msg.metadata.sequence
        if place.consumer != self._expected or self._broken.is_set():
            self._broken.set()
            return
        self._expected += 1
        if place.stream > self.last:
            self.last = place.stream
            self._on_message(self.stream, place.stream, msg)
            self._note_progress()

    def _note_progress(self) -> None:
        if self.last >= self._target:
            self.caught_up.set()
