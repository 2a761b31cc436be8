"""Click to call: one's own phone rings first, then the customer's."""

from chassis.handlers import Servicer, writes
from chassis.tx import Tx
from crm.telephony.v1 import call_pb2 as pb
from services.telephony import dialling, store


class Dialling(Servicer):
    """`:dial` and `:hangUp`."""

    @writes
    async def DialCall(self, request: pb.DialCallRequest, tx: Tx) -> pb.Call:
        return await dialling.dial(tx, request)

    @writes
    async def HangUpCall(self, request: pb.HangUpCallRequest, tx: Tx) -> pb.Call:
        call = await store.calls.calls.get(tx, request.id)
        await dialling.hang_up(tx, call)
        return call
