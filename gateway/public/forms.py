"""Public forms: a page that works without scripts, and intake from tenants' own sites with CORS per form.

One RPC takes every submission; here are only its shapes: JSON (transcoded like any RPC), a posted HTML form, and the page to
fill in. While the service is down the visitor is told so, with everything typed still there: never a false thank-you.
"""

import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import orjson

from chassis import errors
from crm.contacts.v1 import form_pb2, intake_pb2
from gateway import problems, transcode
from gateway.calls import Calls
from gateway.edge import Edge
from gateway.exchange import Exchange, Header, Response
from gateway.public import form_page
from gateway.public.page import html
from gateway.routes import Handler, Table

_SERVICE = "/crm.contacts.v1.ContactsService/"
PAGE = "/forms/{form_key}"
INTAKE = "/v1/public/forms/{form_key}"

# Preflights come before every submission from another site; a change of allowed origins shows after this time.
_FORM_LIFE_S = 10.0
_MAX_FORMS = 1_000

# Names of the hidden inputs; no field's key can begin with an underscore.
HONEYPOT = "_website"
_HIDDEN = {HONEYPOT: "honeypot", "_request_id": "requestId", "_visitor_id": "visitorId"}
_TOUCHES = {"_first_touch": "firstTouch", "_last_touch": "lastTouch"}


class OriginRefused(errors.PermissionDenied):
    """The page's site is not among the form's allowed origins."""

    reason = "ORIGIN_NOT_ALLOWED"


class Forms:
    """The endpoints of public forms."""

    def __init__(self, calls: Calls, edge: Edge) -> None:
        self._calls = calls
        self._edge = edge
        self._known: dict[str, tuple[float, dict[str, Any]]] = {}

    def bind(
        self, table: Table, call: Callable[[Any, tuple[str, ...], Exchange], Awaitable[Response]]
    ) -> None:
        """Adds the pages, and CORS and posted forms around the transcoded intake."""
        table.add("GET", PAGE, self.page)
        table.add("POST", PAGE, self.submit)
        table.add("OPTIONS", INTAKE, self.preflight)

        def around(target: Any) -> Handler:
            async def handle(exchange: Exchange, variables: tuple[str, ...]) -> Response:
                form = await self.form(exchange, variables[0])
                cors = self.cors(exchange, form)
                if _is_form(exchange):
                    response = await self.submit(exchange, variables)
                else:
                    response = await call(target, variables, exchange)
                response.headers += cors
                return response

            return handle

        table.replace("GET", INTAKE, around)
        table.replace("POST", INTAKE, around)

    async def form(self, exchange: Exchange, key: str) -> dict[str, Any]:
        """The form as visitors see it, a few seconds old at most; NotFound if there is none."""
        known = self._known.get(key)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        metadata = self._calls.metadata(exchange, "")
        answer = await self._calls.ask(
            _SERVICE + "GetPublicForm", intake_pb2.GetPublicFormRequest(form_key=key), metadata
        )
        form: dict[str, Any] = orjson.loads(answer)
        while len(self._known) >= _MAX_FORMS:
            self._known.pop(next(iter(self._known)))
        self._known.pop(key, None)
        self._known[key] = (time.monotonic() + _FORM_LIFE_S, form)
        return form

    async def preflight(self, exchange: Exchange, variables: tuple[str, ...]) -> Response:
        """A browser asks whether another site's page may send the form."""
        headers = self.cors(exchange, await self.form(exchange, variables[0]))
        headers += [
            (b"access-control-allow-methods", b"GET, POST"),
            (b"access-control-max-age", b"600"),
            (b"access-control-allow-headers", b"content-type, idempotency-key"),
        ]
        return Response(204, headers=headers)

    async def page(self, exchange: Exchange, variables: tuple[str, ...]) -> Response:
        """The hosted page."""
        try:
            form = await self.form(exchange, variables[0])
        except errors.CrmError as error:
            return _html(exchange, None, form_page.refused(error.code), error)
        touch = _touch_of(exchange)
        answers = {"_request_id": str(uuid.uuid4()), "_first_touch": touch, "_last_touch": touch}
        return _html(exchange, form, form_page.render(form, answers, {}, ""))

    async def submit(self, exchange: Exchange, variables: tuple[str, ...]) -> Response:
        """A posted HTML form: a page for people, JSON for programs that ask for it."""
        if not _is_form(exchange):
            raise problems.UnsupportedType(
                "send application/x-www-form-urlencoded, or JSON to /v1/public/forms"
            )
        pairs = transcode.parse_form(await exchange.body(self._edge.settings.body_timeout_s))
        form: dict[str, Any] | None = None
        try:
            form = await self.form(exchange, variables[0])
            receipt = await self._take(exchange, form, pairs)
        except errors.CrmError as error:
            if not _wants_page(exchange):
                raise
            return _refused_page(exchange, form, pairs, error)
        if not _wants_page(exchange):
            return Response(200, orjson.dumps(receipt))
        return _html(exchange, form, form_page.thanks(form, receipt.get("thankYouText", "")))

    def cors(self, exchange: Exchange, form: dict[str, Any]) -> list[Header]:
        """The headers that let the asking page read the answer; OriginRefused for a site that is not the form's."""
        origin = exchange.header(b"origin")
        if not origin or self._is_own(exchange):
            return []
        allowed = form.get("allowedOrigins", [])
        if allowed and origin.lower() not in allowed:
            raise OriginRefused(
                f"pages of {origin[:100]} may not send this form; add the site to its allowed origins"
            )
        return [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"vary", b"origin"),
            (b"access-control-expose-headers", b"retry-after, x-request-id"),
        ]

    def _is_own(self, exchange: Exchange) -> bool:
        """True if the request comes from a page of this gateway, by its own name or by the one a proxy gave it."""
        host = urlsplit(exchange.header(b"origin")).netloc
        return host in (exchange.header(b"host"), urlsplit(self._edge.settings.public_url).netloc)

    async def _take(
        self, exchange: Exchange, form: dict[str, Any], pairs: list[tuple[str, str]]
    ) -> dict[str, Any]:
        body = body_of(form, pairs)
        message = transcode.from_json(body, intake_pb2.SubmitFormRequest)
        metadata = self._calls.metadata(exchange, "")
        if self._is_own(exchange):
            metadata.pop("origin", None)
        receipt: dict[str, Any] = orjson.loads(
            await self._calls.ask(_SERVICE + "SubmitForm", message, metadata)
        )
        return receipt


def body_of(form: dict[str, Any], pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """The JSON of a submission out of a posted form; an unticked box is posted by nobody, so it is added as no."""
    ticks = {f["key"] for f in form.get("fields", ()) if f.get("type") == _TICK}
    fields: dict[str, Any] = dict.fromkeys(ticks, False)
    body: dict[str, Any] = {"formKey": form.get("formKey", ""), "fields": fields}
    for name, text in pairs:
        if name in _HIDDEN:
            body[_HIDDEN[name]] = text
        elif name in _TOUCHES:
            touch = _parsed_touch(text)
            if touch:
                body[_TOUCHES[name]] = touch
        elif name in ticks:
            fields[name] = text.lower() not in ("", "no", "false", "0", "off")
        elif not name.startswith("_"):
            fields[name] = text
    return body


_TICK = form_pb2.FormField.Type.Name(form_pb2.FormField.TYPE_YES_NO)


def _parsed_touch(text: str) -> dict[str, Any]:
    """What a page says about where the visitor came from: worth keeping if readable, never worth losing a request."""
    try:
        touch = orjson.loads(text) if text else {}
        transcode.from_json({"firstTouch": touch}, intake_pb2.SubmitFormRequest)
    except (orjson.JSONDecodeError, errors.InvalidArgument):
        return {}
    return touch if isinstance(touch, dict) else {}


def _touch_of(exchange: Exchange) -> str:
    """The arrival that the page's own address tells; the snippet, where it runs, knows of earlier ones."""
    touch: dict[str, Any] = {}
    names = {
        "utm_source": "utmSource",
        "utm_medium": "utmMedium",
        "utm_campaign": "utmCampaign",
        "utm_term": "utmTerm",
        "utm_content": "utmContent",
    }
    for key, value in exchange.query:
        if key in names:
            touch[names[key]] = value[:300]
        elif key in ("gclid", "yclid", "fbclid", "msclkid"):
            touch.setdefault("clickIds", {})[key] = value[:500]
    if referrer := exchange.header(b"referer"):
        touch["referrer"] = referrer[:4000]
    return orjson.dumps(touch).decode() if touch else ""


def _is_form(exchange: Exchange) -> bool:
    return exchange.header(b"content-type").partition(";")[0].strip().lower() == transcode.FORM


def _wants_page(exchange: Exchange) -> bool:
    return b"text/html" in exchange.headers.get(b"accept", b"")


def _refused_page(
    exchange: Exchange,
    form: dict[str, Any] | None,
    pairs: list[tuple[str, str]],
    error: errors.CrmError,
) -> Response:
    """The page again with all that was typed and what is wrong with it; without the form's definition a plain one."""
    if form is None or isinstance(error, errors.NotFound):
        return _html(exchange, form, form_page.refused(error.code), error)
    wrong = {v.field.rpartition(".")[2]: v.description for v in error.violations}
    told = form_page.told(form, error)
    return _html(exchange, form, form_page.render(form, dict(pairs), wrong, told), error)


def _html(
    exchange: Exchange, form: dict[str, Any] | None, page: str, error: errors.CrmError | None = None
) -> Response:
    """A page that may stand in a frame on the form's sites, loads only our own style and snippet, and posts only here."""
    origins = (form or {}).get("allowedOrigins") or ["*"]
    framers = " ".join(origin for origin in origins if not set(origin) & set(" ;,'\"\r\n"))
    policy = (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
        f"form-action 'self'; base-uri 'none'; frame-ancestors {framers}"
    )
    return html(exchange, page, policy.encode("ascii", "ignore"), error)
