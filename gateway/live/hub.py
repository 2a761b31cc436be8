"""Who is connected, and who gets what: one feed per stream, fanned out in memory."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from nats.aio.msg import Msg
from prometheus_client import Gauge

from chassis import errors
from chassis.call import Actor
from chassis.events.nats import Nats
from chassis.features import FeatureOff
from chassis.rights import Rights
from chassis.waits import first_of
from gateway.live import replay
from gateway.live.event import LiveEvent, is_republished, plan_of
from gateway.live.feed import RECENT, Feed
from gateway.live.position import Position, format_position

log = logging.getLogger(__name__)

STREAMS = Gauge("akrab_live_streams", "Live streams held by this process.")

Authenticate = Callable[[str], Awaitable[tuple[str, Actor, Rights]]]

HEARTBEAT_S = 15.0
_TICK_S = 1.0
# A change of rights or sessions is looked at once; a flood of them (an import of users) not more often than this.
_CHECK_PAUSE_S = 0.05
_READY_S = 5.0
# What a client may have waiting: it is behind by more than anybody reads, and comes back where it stopped.
_MAX_FRAMES = 256
_MAX_FRAME_BYTES = 1 << 20
_BATCH = 200
_INSTALLATION, _BEAT = "_", "beat"
_ERASED = "crm.contacts.v1.ContactErased"

PING = b": ping\n"
CLOSING = b": closing, come back\n\n"
SLOW = b'event: reset\ndata: {"reason":"SLOW"}\n\n'
GONE = b'event: reset\ndata: {"reason":"GONE"}\n\n'
SIGNED_OUT = b'event: end\ndata: {"reason":"SIGNED_OUT"}\n\n'
OFF = b'event: end\ndata: {"reason":"FEATURE_OFF"}\n\n'


class Client:
    """One connected reader with what waits for it; no task of its own, only a future while it has nothing to send."""

    __slots__ = (
        "_frames",
        "_size",
        "_wake",
        "authorization",
        "checked_at",
        "heard_at",
        "kinds",
        "last_words",
        "rights",
        "tenant",
        "types",
    )

    def __init__(
        self,
        authorization: str,
        tenant: str,
        rights: Rights,
        types: frozenset[str],
        kinds: frozenset[str],
        now: float,
    ) -> None:
        self.authorization = authorization
        self.tenant = tenant
        self.rights = rights
        self.types = types
        self.kinds = kinds
        self.checked_at = self.heard_at = now
        self.last_words: bytes | None = None
        self._frames: list[bytes] = []
        self._size = 0
        self._wake: asyncio.Future[None] | None = None

    def wants(self, event: LiveEvent) -> bool:
        """True if the reader asked for this kind of event and may see it."""
        plan = event.plan
        if self.kinds and plan.kind not in self.kinds:
            return False
        if (
            self.types
            and plan.type not in self.types
            and plan.type.rpartition(".")[2] not in self.types
        ):
            return False
        return event.visible_to(self.rights)

    def push(self, frame: bytes) -> None:
        """Queues a frame; a reader with too much waiting is ended, to resume where it stopped."""
        if self.last_words is not None:
            return
        self._frames.append(frame)
        self._size += len(frame)
        if len(self._frames) > _MAX_FRAMES or self._size > _MAX_FRAME_BYTES:
            self._frames.clear()
            self.end(SLOW)
        else:
            self._rouse()

    def end(self, last_words: bytes) -> None:
        """Ends the stream with these words, behind what is queued."""
        if self.last_words is None:
            self.last_words = last_words
            self._rouse()

    async def take(self) -> bytes:
        """What has come since the last time, waiting for it if need be; empty at the end."""
        while not self._frames and self.last_words is None:
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        frames = b"".join(self._frames)
        self._frames.clear()
        self._size = 0
        return frames

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
        self._wake = None


class Hub:
    """All live readers of this process."""

    def __init__(self, nats: Nats, authenticate: Authenticate, streams: Iterable[str]) -> None:
        self.nats = nats
        self._authenticate = authenticate
        self._feeds = {stream: Feed(nats, stream, self._receive) for stream in sorted(streams)}
        self._recent: dict[str, deque[LiveEvent]] = {stream: deque() for stream in self._feeds}
        self._covered: dict[str, int] = {}
        self._tenants: dict[str, set[Client]] = {}
        self._changed: set[str] = set()
        self._stirred = asyncio.Event()
        self.count = 0
        self.closing = False

    async def run(self, stop: asyncio.Event) -> None:
        """Feeds, checks and keeps the streams alive until `stop`."""
        async with asyncio.TaskGroup() as group:
            for feed in self._feeds.values():
                group.create_task(feed.run(stop))
            group.create_task(self._tick(stop))

    def directory_changed(self, tenant: str, kind: str, id: str) -> None:
        """Rights or sessions of a tenant (or of all: signing keys) are not what they were."""
        if kind != _BEAT:  # each second, and says nothing of anybody
            self._changed.add(tenant)
            self._stirred.set()

    async def ready(self) -> None:
        """Returns when the position of every stream is known; Unavailable if that takes too long."""
        try:
            async with asyncio.timeout(_READY_S):
                for feed in self._feeds.values():
                    await feed.caught_up.wait()
        except TimeoutError:
            raise errors.Unavailable(
                "the event streams do not answer; try again", retry_after_s=2
            ) from None

    def position(self) -> Position:
        """Where this process is in all streams."""
        return {feed.stream: feed.last for feed in self._feeds.values() if feed.first}

    def join(self, client: Client) -> None:
        """From now on the client gets what happens."""
        self._tenants.setdefault(client.tenant, set()).add(client)
        self.count += 1
        STREAMS.inc()
        if self.closing:
            client.end(CLOSING)

    def leave(self, client: Client) -> None:
        """The client is gone."""
        clients = self._tenants.get(client.tenant, set())
        if client in clients:
            clients.discard(client)
            self.count -= 1
            STREAMS.dec()
        if not clients:
            self._tenants.pop(client.tenant, None)

    async def close(self) -> None:
        """Ends every stream with a last comment; new ones are ended at once."""
        self.closing = True
        for client in self._all():
            client.end(CLOSING)

    async def past(
        self, stream: str, tenant: str, after: int, until: int
    ) -> tuple[list[LiveEvent], int, bool]:
        """A batch of a tenant's events in (after, until]: (events, the sequence read up to, whether some before are gone)."""
        recent = self._recent.get(stream)
        if recent is not None and self._covered.get(stream, until + 1) <= after + 1:
            return (
                [e for e in recent if after < e.sequence <= until and e.tenant == tenant],
                until,
                False,
            )
        service = stream.lower()
        state = (await self.nats.js.stream_info(stream)).state
        stored = await replay.read(self.nats, stream, f"crm.{tenant}.{service}.>", after, _BATCH)
        events = [
            event
            for message in stored
            if message.sequence <= until
            and (
                event := _event_of(stream, message.sequence, tenant, message.headers, message.data)
            )
            is not None
        ]
        read_to = until if len(stored) < _BATCH else min(stored[-1].sequence, until)
        return events, read_to, state.first_seq > after + 1

    async def since(
        self, tenant: str, position: Position, until: Position
    ) -> AsyncIterator[tuple[LiveEvent, bool]]:
        """A tenant's events between two positions, stream by stream, moving `position` along; (event, is history gone)."""
        for stream, end in until.items():
            after = position.get(stream, 0)
            while after < end:
                events, read_to, gone = await self.past(stream, tenant, after, end)
                for event in events:
                    position[stream] = event.sequence
                    yield event, gone
                after = position[stream] = read_to

    def _receive(self, stream: str, sequence: int, msg: Msg) -> None:
        tenant = msg.subject.split(".")[1]
        event = _event_of(stream, sequence, tenant, msg.headers or {}, msg.data)
        self._covered.setdefault(stream, self._feeds[stream].first)
        if event is None:
            return
        if event.plan.type == _ERASED:
            self._forget(tenant)
        recent = self._recent[stream]
        recent.append(event)
        if len(recent) > RECENT:
            self._covered[stream] = recent.popleft().sequence + 1
        clients = self._tenants.get(tenant)
        if clients:
            self._fan_out(event, clients)

    def _forget(self, tenant: str) -> None:
        """Somebody was erased: what this process remembers of the company's events may tell of him; the streams know the rest."""
        for stream, recent in self._recent.items():
            if gone := [event for event in recent if event.tenant == tenant]:
                kept = [event for event in recent if event.sequence > gone[-1].sequence]
                self._recent[stream] = deque(kept)
                self._covered[stream] = gone[-1].sequence + 1

    def _fan_out(self, event: LiveEvent, clients: set[Client]) -> None:
        now = asyncio.get_running_loop().time()
        id = format_position(self.position()).encode()
        for client in clients:
            if client.wants(event):
                client.push(frame_of(id, event.shown_to(client.rights)))
                client.heard_at = now

    async def _tick(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await first_of(stop, self._stirred, timeout_s=_TICK_S)
            self._stirred.clear()
            now = asyncio.get_running_loop().time()
            ping = PING + b"id: " + format_position(self.position()).encode() + b"\n\n"
            changed, self._changed = self._changed, set()
            doubtful = []
            for client in self._all():
                if now - client.heard_at >= HEARTBEAT_S:
                    client.heard_at = now
                    client.push(ping)
                # Without a change only time can end a session: its token expires.
                if (
                    client.tenant in changed
                    or _INSTALLATION in changed
                    or now - client.checked_at >= HEARTBEAT_S
                ):
                    client.checked_at = now
                    doubtful.append(self._check(client))
            # Together: a refusal of a token made just now waits for the directory, and must not hold up the others.
            await asyncio.gather(*doubtful)
            await first_of(stop, timeout_s=_CHECK_PAUSE_S)

    async def _check(self, client: Client) -> None:
        """Takes note of changed rights; ends the stream of a revoked or expired session, or of a company that wants none."""
        try:
            client.rights = (await self._authenticate(client.authorization))[2]
        except errors.Unauthenticated:
            client.end(SIGNED_OUT)
        except FeatureOff:
            client.end(OFF)

    def _all(self) -> list[Client]:
        return [client for clients in self._tenants.values() for client in clients]


def frame_of(id: bytes, shown: bytes) -> bytes:
    """A Server-Sent Event; the JSON has no line breaks."""
    return b"id: " + id + b"\ndata: " + shown + b"\n\n"


def _event_of(
    stream: str, sequence: int, tenant: str, headers: dict[str, str], raw: bytes
) -> LiveEvent | None:
    plan = plan_of(headers.get("ce-type", ""))
    if plan is None or is_republished(raw):
        return None
    return LiveEvent(stream, sequence, tenant, plan, headers, raw)
