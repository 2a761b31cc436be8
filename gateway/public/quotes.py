"""A customer's link to a quote: a page that works without scripts, and its JSON twin at the same addresses.

One small script tells that a person has the page before him; who has none is seen when he answers.

Browsers get the page, programs JSON. While the service is down the customer is told so, with everything typed still there.
"""

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from chassis import errors
from crm.deals.v1 import quote_page_pb2
from gateway import transcode
from gateway.calls import Calls
from gateway.edge import Edge
from gateway.exchange import Exchange, Response
from gateway.public import quote_page
from gateway.public.page import html
from gateway.routes import Handler, Table

_SERVICE = "/crm.deals.v1.QuotesService/"
PATH = "/v1/public/quotes/{key}"

_POLICY = (
    b"default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    b"frame-ancestors 'none'"
)
_ANSWERS = {
    "accept": quote_page_pb2.AcceptPublicQuoteRequest,
    "decline": quote_page_pb2.DeclinePublicQuoteRequest,
}

Quote = dict[str, Any]


class QuotePages:
    """The endpoints of links to quotes."""

    def __init__(self, calls: Calls, edge: Edge) -> None:
        self._calls = calls
        self._edge = edge

    def bind(
        self, table: Table, call: Callable[[Any, tuple[str, ...], Exchange], Awaitable[Response]]
    ) -> None:
        """Puts the page before the transcoded methods."""

        def shown(target: Any) -> Handler:
            async def handle(exchange: Exchange, variables: tuple[str, ...]) -> Response:
                if b"text/html" in exchange.headers.get(b"accept", b""):
                    return await self.page(exchange, variables[0])
                return _private(await call(target, variables, exchange))

            return handle

        def sent(verb: str) -> Callable[[Any], Handler]:
            def answered(target: Any) -> Handler:
                async def handle(exchange: Exchange, variables: tuple[str, ...]) -> Response:
                    kind = exchange.header(b"content-type").partition(";")[0].strip().lower()
                    if kind == transcode.FORM:
                        return await self.submit(exchange, variables[0], verb)
                    return _private(await call(target, variables, exchange))

                return handle

            return answered

        def opened(target: Any) -> Handler:
            async def handle(exchange: Exchange, variables: tuple[str, ...]) -> Response:
                return _private(await call(target, variables, exchange))

            return handle

        table.replace("GET", PATH, shown)
        table.replace("POST", f"{PATH}:open", opened)
        for verb in _ANSWERS:
            table.replace("POST", f"{PATH}:{verb}", sent(verb))

    async def page(self, exchange: Exchange, key: str) -> Response:
        """The quote with the form to answer it."""
        try:
            quote = await self._quote(exchange, key)
        except errors.CrmError as error:
            return _refused(exchange, error)
        return _html(exchange, quote_page.render(quote, key, {}, "", ""))

    async def submit(self, exchange: Exchange, key: str, verb: str) -> Response:
        """The quote as it is answered; the form again, with all that was typed, where that was refused."""
        body = await exchange.body(self._edge.settings.body_timeout_s)
        typed = dict(transcode.parse_form(body))
        try:
            quote = await self._answer(exchange, key, verb, typed)
        except errors.NotFound as error:
            return _refused(exchange, error)
        except errors.CrmError as error:
            return await self._again(exchange, key, typed, error)
        return _html(exchange, quote_page.render(quote, key, {}, "", ""))

    async def _again(
        self, exchange: Exchange, key: str, typed: dict[str, str], error: errors.CrmError
    ) -> Response:
        try:
            quote = await self._quote(exchange, key)
        except errors.CrmError as worse:
            return _refused(exchange, worse)
        named = any(violation.field == "name" for violation in error.violations)
        wrong = quote_page.texts(quote)["unsigned"] if named else ""
        told = quote_page.told(quote, error)
        return _html(exchange, quote_page.render(quote, key, typed, wrong, told), error)

    async def _answer(
        self, exchange: Exchange, key: str, verb: str, typed: dict[str, str]
    ) -> Quote:
        """The quote after the answer. A page sent again after a step back holds the same request id and perhaps other words."""
        name = f"{_SERVICE}{verb.title()}PublicQuote"
        message = transcode.from_json(
            {
                "key": key, "name": typed.get("name", ""), "note": typed.get("note", "").strip(),
                "requestId": typed.get("_request_id", "")[:100],
            },
            _ANSWERS[verb],
        )  # fmt: skip
        metadata = self._calls.metadata(exchange, "")
        try:
            answer = await self._calls.ask(name, message, metadata)
        except errors.AlreadyExists:
            message.request_id = str(uuid.uuid4())  # type: ignore[attr-defined]
            answer = await self._calls.ask(name, message, metadata)
        found: Quote = orjson.loads(answer)
        return found

    async def _quote(self, exchange: Exchange, key: str) -> Quote:
        request = quote_page_pb2.GetPublicQuoteRequest(key=key)
        metadata = self._calls.metadata(exchange, "")
        found: Quote = orjson.loads(
            await self._calls.ask(_SERVICE + "GetPublicQuote", request, metadata)
        )
        return found


def _refused(exchange: Exchange, error: errors.CrmError) -> Response:
    language = exchange.header(b"accept-language").partition(",")[0].partition(";")[0].strip()
    return _html(exchange, quote_page.refused(error.code, language or "en"), error)


def _private(response: Response) -> Response:
    """What somebody is offered is kept by nobody on the way."""
    response.headers.append((b"cache-control", b"no-store"))
    return response


def _html(exchange: Exchange, page: str, error: errors.CrmError | None = None) -> Response:
    """A page that stands in no frame, loads only our own style and script and posts only here."""
    return html(exchange, page, _POLICY, error)
