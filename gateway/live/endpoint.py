"""GET /v1/events: Server-Sent Events, or with `Accept: application/json` one page of what happened since a position."""

import asyncio
import heapq
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from nats.errors import Error as NatsError

from chassis import errors
from chassis.errors import Violation
from gateway.exchange import Exchange, Response
from gateway.live.event import LiveEvent
from gateway.live.hub import CLOSING, GONE, Authenticate, Client, Hub, frame_of
from gateway.live.position import Position, format_position, parse_position

# The name under which API tokens are limited to, or kept from, the live stream.
METHOD = "/crm.gateway.v1.Gateway/Events"

_PAGE_SIZE, _MAX_PAGE_SIZE = 50, 200
# Batches read for one page: a tenant whose events are all hidden from the reader must not read for ever.
_MAX_ROUNDS = 20
# Behind this many replays from JetStream, others wait: after a restart every client comes at once.
_REPLAYS = asyncio.Semaphore(16)


class TooManyStreams(errors.Unavailable):
    """This process holds as many live streams as it may."""

    reason = "TOO_MANY_STREAMS"


class Events:
    """The endpoint; `authorization` finds the caller's token."""

    def __init__(
        self,
        hub: Hub,
        authorization: Callable[[Exchange], str],
        authenticate: Authenticate,
        *,
        max_live: int,
    ) -> None:
        self._hub = hub
        self._authorization = authorization
        self._authenticate = authenticate
        self._max_live = max_live

    async def __call__(self, exchange: Exchange, variables: tuple[str, ...]) -> Response:
        client = await self._client(exchange)
        since = exchange.argument("since") or exchange.header(b"last-event-id")
        position = parse_position(since) if since else {}
        await self._hub.ready()
        accept = exchange.headers.get(b"accept", b"*/*")
        if b"application/json" in accept and b"text/event-stream" not in accept:
            return await self._page(exchange, client, position)
        if self._hub.count >= self._max_live:
            raise TooManyStreams(
                f"{self._max_live} live streams are open here; try again", retry_after_s=5
            )
        exchange.release()  # a stream must not occupy a place among the running requests
        exchange.when_gone(lambda: client.end(b""))
        return Response(
            content_type=b"text/event-stream",
            headers=[(b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")],
            stream=self._stream(client, position),
        )

    async def _client(self, exchange: Exchange) -> Client:
        authorization = self._authorization(exchange)
        if not authorization:
            raise errors.Unauthenticated(
                "sign in first: send 'Authorization: Bearer <token>' or the session's cookie"
            )
        tenant, _, rights = await self._authenticate(authorization)
        if not rights.allows_method(METHOD):
            raise errors.PermissionDenied(f"this API token may not read events; it lacks {METHOD}")
        types, kinds = (
            frozenset(filter(None, exchange.argument(name).split(",")))
            for name in ("types", "kinds")
        )
        return Client(
            authorization, tenant, rights, types, kinds, asyncio.get_running_loop().time()
        )

    async def _stream(self, client: Client, position: Position) -> AsyncGenerator[bytes, None]:
        hub = self._hub
        hub.join(client)
        try:
            until = hub.position()
            # A herd that was cut off together must not come back together.
            yield b"retry: %d\n: welcome\nid: %b\n\n" % (
                random.randint(500, 3000),
                format_position(position or until).encode(),
            )
            if position:
                async for frame in self._replay(client, position, until):
                    yield frame
            while frames := await client.take():
                yield frames
            if client.last_words:
                yield client.last_words
        finally:
            hub.leave(client)

    async def _replay(
        self, client: Client, position: Position, until: Position
    ) -> AsyncIterator[bytes]:
        """What the client missed; what happens meanwhile waits in its queue, so nothing is lost and nothing comes twice."""
        if any(sequence > until.get(stream, sequence) for stream, sequence in position.items()):
            yield GONE
            position.update({s: min(position.get(s, 0), end) for s, end in until.items()})
        told = False
        try:
            async with _REPLAYS:
                async for event, gone in self._hub.since(client.tenant, position, until):
                    if gone and not told:
                        told = True
                        yield GONE
                    if client.wants(event):
                        yield frame_of(
                            format_position(position).encode(), event.shown_to(client.rights)
                        )
        except (errors.Unavailable, NatsError, TimeoutError):
            client.end(CLOSING)
        else:
            yield b"id: " + format_position(until).encode() + b"\n\n"

    async def _page(self, exchange: Exchange, client: Client, position: Position) -> Response:
        size = _page_size(exchange)
        until = self._hub.position()
        if not position:
            return _page_of([], until, gone=False)
        gone = any(sequence > until.get(stream, sequence) for stream, sequence in position.items())
        position = {stream: min(position.get(stream, 0), end) for stream, end in until.items()}
        shown: list[bytes] = []
        try:
            for _ in range(_MAX_ROUNDS):
                lost = await self._round(client, position, until, shown, size)
                gone = gone or lost
                if shown or position == until:
                    break
        except (NatsError, TimeoutError) as error:
            raise errors.Unavailable(
                "the event streams do not answer; try again", retry_after_s=2
            ) from error
        return _page_of(shown, position, gone=gone)

    async def _round(
        self, client: Client, position: Position, until: Position, shown: list[bytes], size: int
    ) -> bool:
        """One batch of each stream, merged by time up to where every stream is known; moves `position`."""
        batches: list[list[LiveEvent]] = []
        ends: dict[str, int] = {}
        gone = False
        for stream, end in until.items():
            if position[stream] < end:
                events, ends[stream], lost = await self._hub.past(
                    stream, client.tenant, position[stream], end
                )
                batches.append(events)
                gone = gone or lost
                if not events:  # only what no reader ever gets
                    position[stream] = ends[stream]
        # Behind the last event of a batch that is not its stream's last, something earlier than the others may follow.
        horizon = min(
            (
                batch[-1].time
                for batch in batches
                if batch and ends[batch[-1].stream] < until[batch[-1].stream]
            ),
            default="",
        )
        for event in heapq.merge(*batches, key=lambda e: e.time):
            if len(shown) >= size:
                return gone
            if horizon and event.time > horizon:
                break
            position[event.stream] = event.sequence
            if client.wants(event):
                shown.append(event.shown_to(client.rights))
        else:
            position.update(ends)
        return gone


def _page_size(exchange: Exchange) -> int:
    text = exchange.argument("pageSize") or exchange.argument("page_size") or str(_PAGE_SIZE)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= _MAX_PAGE_SIZE:
        raise errors.InvalidArgument(
            f"pageSize is {text[:20]!r}",
            [Violation("pageSize", f"a number from 1 to {_MAX_PAGE_SIZE}")],
        )
    return int(text)


def _page_of(shown: list[bytes], position: Position, *, gone: bool) -> Response:
    reset = b"true" if gone else b"false"
    next = format_position(position).encode()
    return Response(
        200, b'{"events":[' + b",".join(shown) + b'],"next":"' + next + b'","reset":' + reset + b"}"
    )
