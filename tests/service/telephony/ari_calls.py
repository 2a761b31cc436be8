"""Calls at the REST interface, as its tests see them: who rings, who speaks, and the end."""

from services.telephony.pbx.adapter import Route
from services.telephony.rules import calls
from tests.service.telephony.conformance import Stage, until
from tests.service.telephony.fake_ari import FakeAri
from tests.service.telephony.stories import CUSTOMER, LINE, Call

CALL = "1795396309.55"
FIRST, SECOND, THIRD = (f"{CALL}~{number}" for number in (2, 3, 4))
THREE = Route(["PJSIP/agent1", "PJSIP/agent2", "PJSIP/agent3"], 20)


async def rings(exchange: FakeAri, *phones: str) -> None:
    exchange.comes_in(CALL, CUSTOMER, LINE)
    assert await until(lambda: set(phones) <= exchange.channels.keys())


async def speak(exchange: FakeAri, *phones: str) -> None:
    """These are joined with each other."""
    wanted = [set(phones)]
    assert await until(lambda: [set(b["channels"]) for b in exchange.bridges.values()] == wanted)


async def over(exchange: FakeAri, stage: Stage, call: str = CALL) -> calls.Derived:
    """The call, once nothing is left of it at the exchange either."""
    assert await until(lambda: not exchange.channels and not exchange.bridges)
    assert await until(lambda: stage.kept.derived(call).state == Call.STATE_ENDED)
    return stage.kept.derived(call)


async def cut_and_back(stage: Stage) -> None:
    await stage.cut()
    await stage.begin()


def paths(exchange: FakeAri, method: str) -> list[str]:
    return [path for asked, path, _ in exchange.asked if asked == method]
