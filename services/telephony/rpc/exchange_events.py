"""The door through which providers of exchanges tell of calls."""

from chassis.handlers import Servicer, writes
from chassis.tx import Tx
from crm.telephony.v1 import exchange_pb2
from services.telephony import exchange_events


class ExchangeEventsRpcs(Servicer):
    """Every RPC of exchange_events_service.proto."""

    service = "crm.telephony.v1.ExchangeEventsService"

    @writes(tenant=exchange_events.tenant_of)
    async def TakePbxEvents(
        self, request: exchange_pb2.TakePbxEventsRequest, tx: Tx
    ) -> exchange_pb2.TakePbxEventsResponse:
        connection = await exchange_events.heard(tx, request)
        taken = await exchange_events.take(tx, connection, request.content)
        return exchange_pb2.TakePbxEventsResponse(taken=taken)
