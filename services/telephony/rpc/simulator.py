"""The simulated exchange: calls for whoever has no exchange yet."""

from chassis.handlers import Servicer, writes
from chassis.tx import Tx
from crm.telephony.v1 import call_pb2, exchange_pb2
from services.telephony import simulating


class SimulatorRpcs(Servicer):
    """Every RPC of simulator_service.proto."""

    service = "crm.telephony.v1.SimulatorService"

    @writes
    async def SimulateCall(
        self, request: exchange_pb2.SimulateCallRequest, tx: Tx
    ) -> call_pb2.Call:
        return await simulating.simulate(tx, request)

    @writes
    async def ActSimulatedCall(
        self, request: exchange_pb2.ActSimulatedCallRequest, tx: Tx
    ) -> call_pb2.Call:
        return await simulating.act(tx, request)
