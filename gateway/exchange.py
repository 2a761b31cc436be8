"""One HTTP request with its answer: the only shape that the rooms of the gateway pass to each other."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

import orjson

from chassis import errors

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

JSON = b"application/json"
HTML = b"text/html; charset=utf-8"


class BodyTooLarge(errors.CrmError):
    """The body exceeds what this path takes; 413 over HTTP."""

    reason = "BODY_TOO_LARGE"


class Disconnected(Exception):
    """The client went away while it was sending; nobody is left to answer."""


class Response:
    """Status, headers and a body that is either bytes or a stream of bytes."""

    __slots__ = ("body", "content_type", "headers", "status", "stream")

    def __init__(
        self,
        status: int = 200,
        body: bytes = b"",
        *,
        content_type: bytes = JSON,
        headers: list[Header] | None = None,
        stream: AsyncGenerator[bytes, None] | None = None,
    ) -> None:
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers: list[Header] = [] if headers is None else headers
        self.stream = stream

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header of this answer."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


class Exchange:
    """What is known of one request; `finish` holds what must run when the answer is complete."""

    __slots__ = (
        "_query",
        "finish",
        "headers",
        "max_body",
        "method",
        "path",
        "peer",
        "receive",
        "request_id",
        "scope",
        "send",
        "trace_id",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self.method: str = scope["method"]
        # The path as sent: %2F inside an id must not become a separator. Only a segment is unquoted.
        self.path: str = (scope.get("raw_path") or scope["path"].encode()).decode(
            "ascii", "replace"
        )
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        client = scope.get("client")
        self.peer: str = client[0] if client else ""
        self.request_id = ""
        self.trace_id = ""
        self.max_body = 0
        self.finish: list[Callable[[], None]] = []
        self._query: list[tuple[str, str]] | None = None

    def release(self) -> None:
        """Gives back what the request occupies; a live stream does so early, everybody else when the answer is sent."""
        while self.finish:
            self.finish.pop()()

    def when_gone(self, hook: Callable[[], None]) -> None:
        """Calls the hook when the client's connection is lost, where the server can tell (ours does)."""
        register = self.scope.get("state", {}).get("on_gone")
        if register is not None:
            register(hook)

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query's pairs in order, blank values kept; raises InvalidArgument on more than 200."""
        if self._query is None:
            text = self.scope["query_string"]
            try:
                self._query = (
                    parse_qsl(
                        text.decode("utf-8", "strict"),
                        keep_blank_values=True,
                        max_num_fields=200,
                        errors="strict",
                    )
                    if text
                    else []
                )
            except ValueError:
                raise errors.InvalidArgument(
                    "the query is not readable; use UTF-8 and at most 200 parameters"
                ) from None
        return self._query

    def argument(self, name: str, default: str = "") -> str:
        """The last value of a query parameter."""
        return next((value for key, value in reversed(self.query) if key == name), default)

    def header(self, name: bytes) -> str:
        """A request header as text, empty if absent."""
        value = self.headers.get(name)
        return value.decode("latin-1") if value is not None else ""

    def cookie(self, name: str) -> str:
        """The value of a cookie, empty if absent."""
        for part in self.header(b"cookie").split(";"):
            key, _, value = part.strip().partition("=")
            if key == name:
                return value
        return ""

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, refused as soon as it exceeds `max_body`."""
        declared = self.headers.get(b"content-length")
        if declared is not None and declared.isdigit() and int(declared) > self.max_body:
            raise self._too_large()
        received = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            chunk = message.get("body", b"")
            received += len(chunk)
            if received > self.max_body:
                raise self._too_large()
            if chunk:
                yield chunk
            if not message.get("more_body", False):
                return

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(
            f"the body is larger than the {self.max_body} bytes this path takes; send less"
        )

    async def body(self, timeout_s: float) -> bytes:
        """The whole body; DeadlineExceeded if the client is too slow, BodyTooLarge if it is too big."""
        try:
            async with asyncio.timeout(timeout_s):
                return b"".join([chunk async for chunk in self.chunks()])
        except TimeoutError:
            raise errors.DeadlineExceeded(
                f"the body did not arrive within {timeout_s:g} s; send it again"
            ) from None


def answer_json(value: Any, status: int = 200, headers: list[Header] | None = None) -> Response:
    """An answer with `value` as JSON."""
    return Response(status, orjson.dumps(value), headers=headers)
