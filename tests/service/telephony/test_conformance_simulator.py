"""The simulated exchange does what every adapter must."""

from crm.telephony.v1 import connection_pb2
from services.telephony.pbx import scripts
from services.telephony.pbx.adapter import Adapter
from services.telephony.pbx.facts import Command, Fact, Order
from services.telephony.pbx.simulator import Simulator
from tests.service.telephony.conformance import Conformance, Stage, until


class Played:
    """It plays what happens one thing at a time, with the times at which it does."""

    adapter: type[Adapter] = Simulator
    tells_times = False
    stage: Stage

    async def open(self) -> connection_pb2.Connection:
        return connection_pb2.Connection(kind=connection_pb2.Connection.KIND_SIMULATOR)

    async def close(self) -> None:
        pass

    async def say(self, fact: Fact) -> None:
        kept = self.stage.kept
        before = len(kept.facts)
        script = scripts.to_text([(0, fact)])
        await self.stage.adapter.carry_out(
            Command(id="0", order=Order.PLAY, call=fact.call, script=script)
        )
        assert await until(lambda: len(kept.facts) > before)


class TestSimulator(Conformance):
    driver = Played
