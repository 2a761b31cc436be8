"""POST /v1/orders: an order from a shop. deals makes the deal, contacts finds or makes the customer by phone or e-mail, and each
learns of the other's.

Each step repeats well: an order of a shop has one request, whose id follows from its number, and one deal. So a shop that is
refused or cut off half-way sends the order again, and what is missing is done. A shop that sends a changed order sends all of it.
"""

import hashlib
import uuid
from typing import Any

import orjson

from chassis import errors
from chassis.errors import Violation
from crm.contacts.v1 import request_pb2, request_verbs_pb2
from crm.deals.v1 import order_pb2
from gateway import transcode
from gateway.calls import Calls
from gateway.exchange import Exchange, Response
from gateway.sessions import Sessions

PATH = "/v1/orders"

_REQUESTS = "/crm.contacts.v1.ContactsService/"
_ORDERS = "/crm.deals.v1.OrdersService/"
_CUSTOMER = ("name", "phone", "email", "companyName")


class Orders:
    """The handler."""

    def __init__(self, calls: Calls, sessions: Sessions, body_timeout_s: float) -> None:
        self._calls, self._sessions, self._body_timeout_s = calls, sessions, body_timeout_s

    async def __call__(self, exchange: Exchange, variables: tuple[str, ...]) -> Response:
        body = transcode.parse_body(exchange, await exchange.body(self._body_timeout_s))
        if not isinstance(body, dict):
            raise errors.InvalidArgument("the body must be a JSON object", [Violation("", "no object")])  # fmt: skip
        customer = _customer(body.pop("customer", None))
        order = transcode.from_json(body, order_pb2.PutOrderRequest)
        assert isinstance(order, order_pb2.PutOrderRequest)
        key = exchange.headers.get(b"idempotency-key")
        if key is not None:
            order.request_id = key.decode("latin-1").strip().strip('"')
        authorization = self._sessions.authorization(exchange)
        if not authorization:
            raise errors.Unauthenticated("send 'Authorization: Bearer <the shop's API token>'")
        metadata = self._calls.metadata(exchange, authorization)
        known = bool(order.contact_id or order.company_id)
        if customer and not known:
            order.from_request_id = _request_id(order)
        answer = await self._calls.ask(_ORDERS + "PutOrder", order, metadata)
        if order.from_request_id:
            answer = await self._with_customer(order, customer, body, answer, metadata)
        return Response(200, answer)

    async def _with_customer(
        self,
        order: order_pb2.PutOrderRequest,
        customer: dict[str, str],
        body: Any,
        answer: bytes,
        metadata: Any,
    ) -> bytes:
        """The deal learns whose it is, and the request where it led; nothing is asked again of what is known."""
        request = await self._request(order, customer, body, metadata)
        deal_id = orjson.loads(answer).get("dealId", "")
        if deal_id not in request.get("dealIds", ()):
            order.contact_id = request.get("contactId", "")
            order.company_id = request.get("companyId", "")
            order.request_id = f"{order.request_id}/customer" if order.request_id else ""
            answer = await self._calls.ask(_ORDERS + "PutOrder", order, metadata)
            tie = request_verbs_pb2.LinkRequestRequest(id=request["id"], deal_ids=[deal_id])
            await self._calls.ask(_REQUESTS + "LinkRequest", tie, metadata)
        return answer

    async def _request(
        self, order: order_pb2.PutOrderRequest, customer: dict[str, str], body: Any, metadata: Any
    ) -> dict[str, Any]:
        """The order's request, made once: with it comes the customer, found or new."""
        made = request_pb2.Request(
            id=order.from_request_id, name=customer.get("name", ""), phone=customer.get("phone", ""),
            email=customer.get("email", ""), company_name=customer.get("companyName", ""),
            text=f"Order {order.order.id} of {order.order.system}", raw=orjson.dumps(body).decode()[:_RAW],
        )  # fmt: skip
        asked = request_pb2.CreateRequestRequest(request=made)
        try:
            answer = await self._calls.ask(_REQUESTS + "CreateRequest", asked, metadata)
        except errors.AlreadyExists:
            known = request_pb2.GetRequestRequest(id=order.from_request_id)
            answer = await self._calls.ask(_REQUESTS + "GetRequest", known, metadata)
        found: dict[str, Any] = orjson.loads(answer)
        return found


_RAW = 30_000
"""Characters of the order that are kept as it came."""


def _request_id(order: order_pb2.PutOrderRequest) -> str:
    """The id of the order's request: a UUIDv7 that follows from shop and number. Ids of two companies never meet."""
    digest = hashlib.sha256(f"{order.order.system}/{order.order.id}".encode()).digest()
    return str(uuid.UUID(bytes=bytes([0, 0, 0, 0, 0, 0, 0x70 | digest[0] & 0x0F, digest[1], 0x80 | digest[2] & 0x3F, *digest[3:10]])))  # fmt: skip


def _customer(given: Any) -> dict[str, str]:
    """Who ordered; InvalidArgument names what is not understood."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise errors.InvalidArgument("customer must be an object", [Violation("customer", "no object")])  # fmt: skip
    wrong = [Violation(f"customer.{key}", f"is unknown; send {', '.join(_CUSTOMER)}") for key in given if key not in _CUSTOMER]  # fmt: skip
    wrong += [Violation(f"customer.{key}", "must be a text") for key, value in given.items() if not isinstance(value, str)]  # fmt: skip
    if wrong:
        raise errors.InvalidArgument(f"{wrong[0].field} {wrong[0].description}", wrong)
    return given
