"""The simulated exchange does what every adapter must."""

from datetime import timedelta

import pytest

from crm.telephony.v1 import connection_pb2
from services.telephony.pbx import scripts, simulator
from services.telephony.pbx.adapter import Adapter, Living
from services.telephony.pbx.facts import Command, Fact, Kind, Order
from services.telephony.pbx.simulator import Simulator
from tests.service.telephony.conformance import Conformance, Stage, until
from tests.service.telephony.stories import CALLER, STORIES, Story


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


async def test_a_call_is_known_until_it_is_over_and_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(simulator, "_LOOK_S", 0.01)
    monkeypatch.setattr(simulator, "PATIENCE", timedelta(0))  # what it does not know is lost
    driver = Played()
    stage = Stage(driver, await driver.open())
    await stage.begin()
    looks = 0
    living = stage.kept.living

    async def looked() -> list[Living]:
        nonlocal looks
        looks += 1
        return await living()

    monkeypatch.setattr(stage.adapter._site, "living", looked)  # type: ignore[attr-defined]
    try:
        story = Story()
        STORIES["answered"](story)
        facts = story.facts
        await stage.say([fact for fact in facts if fact.kind is not Kind.ENDED])
        seen = looks
        assert await until(lambda: looks > seen + 2)
        assert [*stage.adapter._playing] == [CALLER]  # type: ignore[attr-defined]
        assert not [fact for fact in stage.kept.facts if fact.kind is Kind.ENDED]

        await stage.say([fact for fact in facts if fact.kind is Kind.ENDED])
        assert await until(lambda: not stage.adapter._playing)  # type: ignore[attr-defined]
        told = len(stage.kept.facts)
        seen = looks
        assert await until(lambda: looks > seen + 2)
        assert len(stage.kept.facts) == told
    finally:
        await stage.end()
