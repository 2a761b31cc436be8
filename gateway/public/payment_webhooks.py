"""Calls of payment providers: the service gets the body byte by byte with its signature, because JSON read and written again
is other bytes."""

from typing import Any

from crm.deals.v1 import payment_provider_pb2
from gateway.calls import Calls
from gateway.exchange import Exchange, Response
from gateway.routes import Handler, Table

PATH = "/v1/public/webhooks/payments/{key}"

_METHOD = "/crm.deals.v1.PaymentProvidersService/TakePaymentEvent"
_SIGNATURE = b"akrab-signature"
_MOST_BYTES = 64 << 10


def bind(table: Table, calls: Calls, body_timeout_s: float) -> None:
    """Puts the raw call before the transcoded method."""

    def raw(target: Any) -> Handler:
        async def handle(exchange: Exchange, variables: tuple[str, ...]) -> Response:
            exchange.max_body = min(exchange.max_body, _MOST_BYTES)
            message = payment_provider_pb2.TakePaymentEventRequest(
                key=variables[0], signature=exchange.header(_SIGNATURE),
                content=await exchange.body(body_timeout_s),
            )  # fmt: skip
            return Response(200, await calls.ask(_METHOD, message, calls.metadata(exchange, "")))

        return handle

    table.replace("POST", PATH, raw)
