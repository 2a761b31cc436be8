"""A customer's personal link: a page that works without scripts, and its JSON twin at the same address.

Browsers get the page, programs JSON. While the service is down the customer is told so, with everything typed still there.
"""

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from chassis import errors
from crm.contacts.v1 import data_page_pb2
from gateway import transcode
from gateway.calls import Calls
from gateway.edge import Edge
from gateway.exchange import Exchange, Response
from gateway.public import data_inputs, data_page
from gateway.public.page import html
from gateway.routes import Handler, Table

_SERVICE = "/crm.contacts.v1.DataLinksService/"
PATH = "/v1/public/data/{key}"

_POLICY = b"default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
_EMPTY: tuple[Any, ...] = (None, "", [], {})

Data = dict[str, Any]
Posted = dict[str, list[str]]


class DataPages:
    """The endpoints of personal links."""

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

        def sent(target: Any) -> Handler:
            async def handle(exchange: Exchange, variables: tuple[str, ...]) -> Response:
                kind = exchange.header(b"content-type").partition(";")[0].strip().lower()
                if kind == transcode.FORM:
                    return await self.submit(exchange, variables[0])
                return _private(await call(target, variables, exchange))

            return handle

        table.replace("GET", PATH, shown)
        table.replace("POST", PATH, sent)

    async def page(self, exchange: Exchange, key: str) -> Response:
        """The form with what is known."""
        try:
            data = await self._data(exchange, key)
        except errors.CrmError as error:
            return _refused(exchange, error)
        return _html(exchange, data_page.render(data, str(uuid.uuid4()), {}, ""))

    async def submit(self, exchange: Exchange, key: str) -> Response:
        """What was typed, proposed; the form again, with all of it, where it is refused."""
        posted: Posted = {}
        for name, text in transcode.parse_form(
            await exchange.body(self._edge.settings.body_timeout_s)
        ):
            posted.setdefault(name, []).append(text)
        try:
            data = await self._data(exchange, key)
        except errors.CrmError as error:
            return _refused(exchange, error)
        try:
            message = transcode.from_json(
                body_of(key, data, posted), data_page_pb2.ProposeDataChangeRequest
            )
            message.update_mask.paths.extend(changed_fields(data, posted))
            receipt = await self._propose(exchange, message)
        except errors.NotFound as error:
            return _refused(exchange, error)
        except errors.CrmError as error:
            typed = _as_typed(data, posted)
            request_id = posted.get("_request_id", [""])[0]
            wrong = _wrong(data, error)
            page = data_page.render(typed, request_id, wrong, data_page.told(data, error))
            return _html(exchange, page, error)
        return _html(exchange, data_page.thanks(data, orjson.loads(receipt)))

    async def _propose(
        self, exchange: Exchange, message: data_page_pb2.ProposeDataChangeRequest
    ) -> bytes:
        """The receipt. A page sent again after a step back holds the same request id and perhaps other values."""
        name, metadata = _SERVICE + "ProposeDataChange", self._calls.metadata(exchange, "")
        try:
            return await self._calls.ask(name, message, metadata)
        except errors.AlreadyExists:
            message.request_id = str(uuid.uuid4())
            return await self._calls.ask(name, message, metadata)

    async def _data(self, exchange: Exchange, key: str) -> Data:
        request = data_page_pb2.GetPublicDataRequest(key=key)
        metadata = self._calls.metadata(exchange, "")
        found: Data = orjson.loads(
            await self._calls.ask(_SERVICE + "GetPublicData", request, metadata)
        )
        return found


def body_of(key: str, data: Data, posted: Posted) -> dict[str, Any]:
    """The JSON of a proposal out of a posted form: the fields that differ from what is known, and every tick."""
    contact: dict[str, Any] = {}
    changed = set(changed_fields(data, posted))
    for field in data.get("fields", ()):
        if field["field"] in changed and (value := data_inputs.answer(field, posted)) not in _EMPTY:
            head, _, key_of_own = field["field"].partition(".")
            if key_of_own:
                contact.setdefault("custom", {})[key_of_own] = value
            else:
                contact[_json_name(head)] = value
    consents = [
        {"purpose": each["purpose"], "given": _is_ticked(each, posted)}
        for each in data.get("consents", ())
    ]
    request_id = posted.get("_request_id", [""])[0][:100]
    return {"key": key, "contact": contact, "consents": consents, "requestId": request_id}


def changed_fields(data: Data, posted: Posted) -> list[str]:
    """The names of the fields whose posted values are not those of the page; a field that is only shown is none of them."""
    return [
        field["field"]
        for field in data.get("fields", ())
        if field.get("mode") != "MODE_SEE"
        and _plain(data_inputs.answer(field, posted)) != _plain(field.get("value"))
    ]


def _plain(value: Any) -> Any:
    return None if value in _EMPTY else value


def _json_name(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def _is_ticked(consent: Data, posted: Posted) -> bool:
    return f"{data_page.CONSENT}{consent['purpose']}" in posted


def _as_typed(data: Data, posted: Posted) -> Data:
    """The page with what the customer typed in the place of what is known."""
    fields = [
        field
        if field.get("mode") == "MODE_SEE"
        else {**field, "value": data_inputs.answer(field, posted)}
        for field in data.get("fields", ())
    ]
    consents = [{**each, "given": _is_ticked(each, posted)} for each in data.get("consents", ())]
    return {**data, "fields": fields, "consents": consents}


def _wrong(data: Data, error: errors.CrmError) -> dict[str, str]:
    """A sentence for each field that the refusal names, however deep in it."""
    found: dict[str, str] = {}
    names = [field["field"] for field in data.get("fields", ())]
    for violation in error.violations:
        path = violation.field.removeprefix("contact.")
        for name in names:
            if path == name or path.startswith((f"{name}[", f"{name}.")):
                found.setdefault(name, violation.description)
    return found


def _refused(exchange: Exchange, error: errors.CrmError) -> Response:
    language = exchange.header(b"accept-language").partition(",")[0].partition(";")[0].strip()
    return _html(exchange, data_page.refused(error.code, language or "en"), error)


def _private(response: Response) -> Response:
    """Personal data is kept by nobody on the way."""
    response.headers.append((b"cache-control", b"no-store"))
    return response


def _html(exchange: Exchange, page: str, error: errors.CrmError | None = None) -> Response:
    """A page that stands in no frame, loads only our own style and posts only here."""
    return html(exchange, page, _POLICY, error)
