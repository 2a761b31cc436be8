"""What every adapter must do, whatever exchange it speaks with: `class TestX(Conformance): driver = ...`.

A driver plays an exchange over the adapter's own wires. What the adapter tells is kept here as taking.py keeps it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol

import pytest

from chassis.waits import first_of
from crm.telephony.v1 import connection_pb2
from services.telephony.pbx.adapter import Adapter, Cut, Impossible, Living, Route, Site
from services.telephony.pbx.facts import Command, Fact, Kind, Order
from services.telephony.rules import calls
from services.telephony.rules.legs import LegState, apply
from tests.service.telephony.stories import CALLER, CUSTOMER, STORIES, Call, Result, Story

EXTENSIONS = {"PJSIP/agent1": "101", "PJSIP/agent2": "102", "PJSIP/agent3": "103"}
OURS = "0199a000-0000-7000-8000-000000000001"
DIAL = Command(id="1", order=Order.DIAL, call=OURS, endpoint="PJSIP/agent1", number="+48600100200")


class Kept:
    """What was told, as calls."""

    def __init__(self) -> None:
        self.legs: dict[str, dict[str, LegState]] = {}
        self.facts: list[Fact] = []
        self.connected = asyncio.Event()

    async def hear(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            self.facts.append(fact)
            legs = self.legs.setdefault(fact.call, {})
            if fact.leg:
                legs[fact.leg] = apply(legs.get(fact.leg, LegState(fact.leg)), fact)

    async def living(self) -> list[Living]:
        return [
            Living(call, leg.id, leg.last)
            for call, legs in self.legs.items()
            for leg in legs.values()
            if leg.at(Kind.ENDED) is None
        ]

    async def stands(self) -> None:
        self.connected.set()

    def derived(self, call: str = CALLER) -> calls.Derived:
        return calls.derive(self.legs.get(call, {}).values())

    def result(self, call: str = CALLER) -> Result:
        one = self.derived(call)
        return Result(
            one.direction, one.outcome, one.missed_reason, one.spoke, one.rang, one.talk_seconds,
            one.hold_seconds, one.number, one.withheld,
        )  # fmt: skip


class Driver(Protocol):
    """Plays an exchange."""

    adapter: type[Adapter]
    tells_times: bool
    """It says when things happened."""
    stage: "Stage"
    """Where it plays; set before a session begins."""

    async def open(self) -> connection_pb2.Connection:
        """Begins; how it is spoken with."""

    async def close(self) -> None:
        """Ends everything that it began."""

    async def say(self, fact: Fact) -> None:
        """It happens, and the exchange says so."""


class WiredDriver(Driver, Protocol):
    """Plays an exchange that goes on while nobody listens."""

    async def cut(self) -> None:
        """Ends the connection; what happens until the next one is not said."""

    def unseen(self, fact: Fact) -> None:
        """It happens while nobody listens."""


async def until(true: Callable[[], Any], deadline_s: float = 10) -> bool:
    """Whether it becomes true in time."""
    try:
        async with asyncio.timeout(deadline_s):
            while not true():
                await first_of(asyncio.Event(), timeout_s=0.01)
    except TimeoutError:
        return False
    return True


class Stage:
    """An adapter, the exchange that it speaks with, and what was told."""

    def __init__(self, driver: Driver, connection: connection_pb2.Connection) -> None:
        self.driver, self.kept, self._connection = driver, Kept(), connection
        driver.stage = self
        self.route = Route(["PJSIP/agent1"], 20)
        """Where calls go that the adapter leads itself."""
        self.adapter: Adapter
        self.session: asyncio.Task[None]

    async def begin(self, password: str = "secret") -> None:
        """The next session."""
        self.kept.connected = asyncio.Event()
        site = Site(
            self._connection, password, self.kept.hear, self.kept.living, self.kept.stands,
            EXTENSIONS, {}, self._route,
        )  # fmt: skip
        self.adapter = self.driver.adapter(site)
        self.session = asyncio.create_task(self.adapter.session())
        stands = asyncio.create_task(self.kept.connected.wait())
        await asyncio.wait({self.session, stands}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        stands.cancel()
        if self.session.done():
            self.session.result()

    async def _route(self, call: str) -> Route:
        return self.route

    async def end(self) -> None:
        self.session.cancel()
        await asyncio.wait({self.session})
        await self.driver.close()

    async def say(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            await self.driver.say(fact)

    async def cut(self) -> None:
        await self.driver.cut()
        with pytest.raises((Cut, OSError, EOFError)):
            async with asyncio.timeout(10):
                await self.session

    async def expect(self, wanted: Result, call: str = CALLER) -> None:
        if not self.driver.tells_times:
            wanted = replace(wanted, talk=0, hold=0)
        kept = self.kept
        await until(lambda: kept.derived(call).state == Call.STATE_ENDED and kept.result(call) == wanted, 5)  # fmt: skip
        found = kept.result(call)
        assert found == wanted
        assert kept.derived(call).state == Call.STATE_ENDED


def told(name: str) -> tuple[list[Fact], Result]:
    """What happens in a story, and what comes of it."""
    story = Story()
    result = STORIES[name](story)
    return story.facts, result


def swapped(facts: Sequence[Fact]) -> list[Fact]:
    """The same, but of who ended last the other one is told first, with their own times."""
    ends = [at for at, fact in enumerate(facts) if fact.kind is Kind.ENDED]
    arranged = list(facts)
    if len(ends) > 1:
        one, other = ends[-2:]
        arranged[one], arranged[other] = facts[other], facts[one]
    return arranged


class Conformance:
    """The kit."""

    driver: ClassVar[Callable[[], Driver]]
    not_told: ClassVar[Collection[str]] = ()
    """Stories of which such exchanges say too little."""

    def told(self, name: str) -> tuple[list[Fact], Result]:
        if name in self.not_told:
            pytest.skip(f"such an exchange says nothing of it: {name}")
        return told(name)

    @asynccontextmanager
    async def stage(self) -> AsyncIterator[Stage]:
        driver = type(self).driver()
        stage = Stage(driver, await driver.open())
        try:
            await stage.begin()
            yield stage
        finally:
            await stage.end()

    @pytest.mark.parametrize("name", STORIES)
    async def test_call_comes_out_as_it_was(self, name: str) -> None:
        facts, result = self.told(name)
        async with self.stage() as stage:
            await stage.say(facts)
            await stage.expect(result)

    @pytest.mark.parametrize("name", STORIES)
    async def test_what_is_said_twice_changes_nothing(self, name: str) -> None:
        facts, result = self.told(name)
        async with self.stage() as stage:
            await stage.say([fact for fact in facts for _ in range(2)])
            await stage.expect(result)

    @pytest.mark.parametrize("name", STORIES)
    async def test_whose_end_is_said_first_does_not_matter(self, name: str) -> None:
        facts, result = self.told(name)
        async with self.stage() as stage:
            await stage.say(swapped(facts))
            await stage.expect(result)

    async def test_two_calls_at_once_are_apart(self) -> None:
        first, second = Story(), Story(call="1795396118.7")
        wanted = STORIES["answered"](first)
        missed = STORIES["caller_gives_up"](second)
        async with self.stage() as stage:
            for pair in zip(first.facts, second.facts, strict=False):
                await stage.say(pair)
            await stage.say(first.facts[len(second.facts) :])
            await stage.expect(wanted)
            await stage.expect(missed, second.call)

    async def test_recording_is_told_of_its_call(self) -> None:
        facts, _ = told("recorded")
        async with self.stage() as stage:
            await stage.say(facts)
            await until(lambda: any(fact.kind is Kind.RECORDED for fact in stage.kept.facts))
            found = {(f.call, f.leg, f.kind, f.recording) for f in stage.kept.facts if f.recording}
        assert found == {
            (CALLER, "", Kind.RECORDING, "sound.wav"),
            (CALLER, "", Kind.RECORDED, "sound.wav"),
        }

    async def test_who_dials_has_his_own_phone_called_first(self) -> None:
        async with self.stage() as stage:
            await stage.adapter.carry_out(DIAL)
            assert await until(lambda: stage.kept.legs.get(OURS)), "nothing was told of the call"
            await until(lambda: stage.kept.derived(OURS).number)
            call = stage.kept.derived(OURS)
        assert (call.direction, call.number.lstrip("+")) == (Call.DIRECTION_OUTBOUND, CUSTOMER)
        assert next(iter(stage.kept.legs[OURS].values())).number == "101"

    async def test_phone_that_is_not_there_is_not_called(self) -> None:
        async with self.stage() as stage:
            with pytest.raises(Impossible):
                await stage.adapter.carry_out(replace(DIAL, endpoint="PJSIP/nobody"))
            assert OURS not in stage.kept.legs

    async def test_call_that_is_hung_up_is_over(self) -> None:
        facts, _ = told("answered")
        joined = [fact for fact in facts if fact.kind not in (Kind.HUNG_UP, Kind.ENDED)]
        async with self.stage() as stage:
            await stage.say(joined)
            assert await until(lambda: stage.kept.derived().state == Call.STATE_ACTIVE)
            await stage.adapter.carry_out(Command(id="2", order=Order.HANG_UP, call=CALLER))
            assert await until(lambda: stage.kept.derived().state == Call.STATE_ENDED)
            assert stage.kept.derived().outcome == Call.OUTCOME_ANSWERED


class WiredConformance(Conformance):
    """The kit for exchanges that go on while nobody listens."""

    driver: ClassVar[Callable[[], WiredDriver]]

    async def test_what_was_lost_while_cut_is_over(self) -> None:
        facts, _ = told("answered")
        joined = [fact for fact in facts if fact.kind not in (Kind.HUNG_UP, Kind.ENDED)]
        async with self.stage() as stage:
            await stage.say(joined)
            await stage.cut()
            for fact in facts[len(joined) :]:
                stage.driver.unseen(fact)
            assert stage.kept.derived().state == Call.STATE_ACTIVE
            await stage.begin()
            assert stage.kept.derived().state == Call.STATE_ENDED
            assert stage.kept.derived().outcome == Call.OUTCOME_ANSWERED

    async def test_ringing_call_that_was_lost_is_missed(self) -> None:
        facts, _ = told("caller_gives_up")
        async with self.stage() as stage:
            await stage.say(facts[:3])
            await stage.cut()
            for fact in facts[3:]:
                stage.driver.unseen(fact)
            await stage.begin()
            assert stage.kept.derived().state == Call.STATE_ENDED
            assert stage.kept.derived().outcome == Call.OUTCOME_MISSED

    async def test_call_that_was_answered_while_cut_goes_on(self) -> None:
        facts, _ = told("answered")
        async with self.stage() as stage:
            await stage.say(facts[:3])
            await stage.cut()
            for fact in facts[3:7]:
                stage.driver.unseen(fact)
            await stage.begin()
            assert stage.kept.derived().state == Call.STATE_ACTIVE
            assert stage.kept.derived().spoke == ("101",)
            await stage.say([replace(fact, time=datetime.now(UTC)) for fact in facts[7:]])
            assert await until(lambda: stage.kept.derived().state == Call.STATE_ENDED)
            assert stage.kept.derived().outcome == Call.OUTCOME_ANSWERED

    async def test_call_that_began_while_cut_is_found(self) -> None:
        facts, _ = told("answered")
        async with self.stage() as stage:
            await stage.cut()
            for fact in facts[:7]:
                stage.driver.unseen(fact)
            await stage.begin()
            found = stage.kept.derived()
            assert (found.state, found.number, found.spoke) == (Call.STATE_ACTIVE, CUSTOMER, ("101",))  # fmt: skip

    async def test_wrong_password_is_said(self) -> None:
        driver = type(self).driver()
        stage = Stage(driver, await driver.open())
        with pytest.raises(Cut, match="password"):
            await stage.begin(password="wrong")
        assert not stage.kept.connected.is_set()
        await stage.end()

    async def test_exchange_without_answer_is_a_cut(self) -> None:
        driver = type(self).driver()
        stage = Stage(driver, await driver.open())
        await driver.close()
        with pytest.raises((Cut, OSError)):
            await stage.begin()

    async def test_unknown_call_cannot_be_hung_up(self) -> None:
        async with self.stage() as stage:
            with pytest.raises(Impossible):
                await stage.adapter.carry_out(Command(id="2", order=Order.HANG_UP, call=CALLER))

    async def test_recording_of_a_call_that_is_not_recorded_cannot_be_paused(self) -> None:
        facts, _ = told("answered")
        async with self.stage() as stage:
            await stage.say(facts[:7])
            await until(lambda: stage.kept.derived().state == Call.STATE_ACTIVE)
            with pytest.raises(Impossible):
                await stage.adapter.carry_out(Command(id="2", order=Order.PAUSE_RECORDING, call=CALLER))  # fmt: skip
