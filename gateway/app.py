"""The ASGI application: admit, route, answer, dress, send."""

import asyncio
import contextlib
import logging
from collections.abc import MutableMapping
from typing import Any

from chassis import errors, telemetry
from gateway import problems, transcode
from gateway.calls import VIEW_AS, Calls
from gateway.edge import Edge
from gateway.exchange import Disconnected, Exchange, Receive, Response, Scope, Send
from gateway.routes import Binding, Shared, Table, choose
from gateway.sessions import Sessions

logger = logging.getLogger(__name__)

# A reader who takes nothing for this long is gone, although its connection is not.
_SEND_TIMEOUT_S = 60.0


class App:
    """One process's HTTP face."""

    def __init__(self, table: Table, edge: Edge, sessions: Sessions, calls: Calls) -> None:
        self.table = table
        self.edge = edge
        self.sessions = sessions
        self.calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send)
        try:
            response = await self._traced(exchange)
            self.edge.dress(exchange, response)
            await _send(exchange, response)
        except (Disconnected, TimeoutError):
            return  # gone, or as good as gone; the server closes the connection
        finally:
            exchange.release()

    async def _traced(self, exchange: Exchange) -> Response:
        """The click's own span, where spans are exported at all; without, only its trace id goes on."""
        if not telemetry.exporting():
            return await self._respond(exchange)
        with telemetry.span(f"HTTP {exchange.method}", exchange.header(b"traceparent") or None):
            return await self._respond(exchange)

    async def _respond(self, exchange: Exchange) -> Response:
        try:
            self.edge.admit(exchange)
            target, variables = self.table.match(exchange.method, exchange.path)
            if isinstance(target, (Binding, Shared)):
                return await self.call(target, variables, exchange)
            return await target(exchange, variables)
        except errors.CrmError as error:
            return problems.problem(error, exchange)
        except (Disconnected, asyncio.CancelledError):
            raise
        # This is the interceptor of the HTTP face: a defect must still answer problem+json with its trace id.
        except Exception:
            logger.exception("defect while answering", extra={"trace_id": exchange.trace_id})
            return problems.problem(
                errors.Internal("this is a defect of ours; tell us the trace id"), exchange
            )

    async def call(
        self, target: Binding | Shared, variables: tuple[str, ...], exchange: Exchange
    ) -> Response:
        """Transcodes, calls and answers one RPC."""
        raw = b""
        if exchange.method not in ("GET", "HEAD"):
            raw = await exchange.body(self.edge.settings.body_timeout_s)
        binding = target if isinstance(target, Binding) else _chosen(target, exchange, raw)
        try:
            authorization = "" if binding.method.public else self.sessions.authorization(exchange)
        except errors.Unauthenticated as error:
            return self._refused(error, binding, exchange)
        raw = self.sessions.fill(binding, exchange, raw)
        request = transcode.request_bytes(binding, variables, exchange, raw)
        metadata = self.calls.metadata(exchange, authorization)
        try:
            answer, trailing = await self.calls.json(binding.method, request, metadata)
        except errors.CrmError as error:
            return self._refused(told(error, binding), binding, exchange)
        response = _answered(exchange, answer, trailing.get("crm-etag", ""))
        self.sessions.keep(binding, exchange, response)
        return response

    def _refused(self, error: errors.CrmError, binding: Binding, exchange: Exchange) -> Response:
        response = problems.problem(error, exchange)
        response.headers += self.sessions.ended(binding, exchange, error)
        return response


def told(error: errors.CrmError, binding: Binding) -> errors.CrmError:
    """The refusal with its fields named as this method's JSON names them."""
    error.violations = tuple(
        errors.Violation(
            transcode.field_of(v.field, binding.body, binding.method.input.DESCRIPTOR),
            v.description,
        )
        for v in error.violations
    )
    return error


def _chosen(shared: Shared, exchange: Exchange, raw: bytes) -> Binding:
    resource = exchange.argument("resource")
    if not resource and raw:
        body = transcode.parse_body(exchange, raw)
        if isinstance(body, dict) and isinstance(body.get("resource"), str):
            resource = body["resource"]
    return choose(shared, resource)


def _answered(exchange: Exchange, answer: bytes, etag: str) -> Response:
    if VIEW_AS in exchange.headers:
        # Another's view of the same version: nothing that a cache may show later, or compare with.
        return Response(200, answer, headers=[(b"cache-control", b"no-store")])
    if not etag:
        return Response(200, answer)
    tag = b'"%b"' % etag.encode("latin-1", "replace")
    wanted = exchange.headers.get(b"if-none-match")
    if wanted is not None and exchange.method in ("GET", "HEAD") and _names(wanted, tag):
        return Response(304, headers=[(b"etag", tag)])
    return Response(200, answer, headers=[(b"etag", tag)])


def _names(wanted: bytes, tag: bytes) -> bool:
    return any(part.strip().removeprefix(b"W/") in (tag, b"*") for part in wanted.split(b","))


async def _send(exchange: Exchange, response: Response) -> None:
    headers = [*response.headers]
    if response.status != 304:
        headers.append((b"content-type", response.content_type))
    if response.stream is None and response.status != 304:
        headers.append((b"content-length", b"%d" % len(response.body)))
    start: MutableMapping[str, Any] = {
        "type": "http.response.start",
        "status": response.status,
        "headers": headers,
    }
    await exchange.send(start)
    if response.stream is not None and exchange.method != "HEAD":
        async with contextlib.aclosing(response.stream) as stream:
            async for chunk in stream:
                async with asyncio.timeout(_SEND_TIMEOUT_S):
                    await exchange.send(
                        {"type": "http.response.body", "body": chunk, "more_body": True}
                    )
    await exchange.send({"type": "http.response.body", "body": response.body})
