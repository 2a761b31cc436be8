"""Signed calls of payment providers, carriers and telephone exchanges: the service gets the body byte by byte with its signature, because JSON read
and written again is other bytes."""

from typing import Any

from crm.deals.v1 import carrier_pb2, payment_provider_pb2
from crm.telephony.v1 import exchange_pb2
from gateway.calls import Calls
from gateway.exchange import Exchange, Response
from gateway.routes import Handler, Table

PAYMENTS = "/v1/public/webhooks/payments/{key}"
DELIVERIES = "/v1/public/webhooks/deliveries/{key}"
TELEPHONY = "/v1/public/webhooks/telephony/{key}"

_METHODS: dict[str, tuple[str, Any]] = {
    PAYMENTS: (
        "/crm.deals.v1.PaymentProvidersService/TakePaymentEvent",
        payment_provider_pb2.TakePaymentEventRequest,
    ),
    DELIVERIES: (
        "/crm.deals.v1.CarriersService/TakeDeliveryEvent",
        carrier_pb2.TakeDeliveryEventRequest,
    ),
    TELEPHONY: (
        "/crm.telephony.v1.ExchangeEventsService/TakePbxEvents",
        exchange_pb2.TakePbxEventsRequest,
    ),
}
_SIGNATURE = b"akrab-signature"
_MOST_BYTES = 64 << 10


def bind(table: Table, calls: Calls, body_timeout_s: float) -> None:
    """Puts the raw calls before the transcoded methods."""

    def raw(method: str, request: Any) -> Handler:
        async def handle(exchange: Exchange, variables: tuple[str, ...]) -> Response:
            exchange.max_body = min(exchange.max_body, _MOST_BYTES)
            message = request(
                key=variables[0], signature=exchange.header(_SIGNATURE),
                content=await exchange.body(body_timeout_s),
            )  # fmt: skip
            return Response(200, await calls.ask(method, message, calls.metadata(exchange, "")))

        return handle

    for path, (method, request) in _METHODS.items():
        table.replace("POST", path, lambda target, to=(method, request): raw(*to))
