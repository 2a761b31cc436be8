"""Twenty customers at a time call for two minutes, played by SIPp: one record of each call, and it says what SIPp did."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from chassis.testing.events import eventually
from chassis.testing.installation import Installation, installation
from tests.live.telephony.asterisk import DESKS, Asterisk, ended
from tests.live.telephony.scenes import Call
from tests.service.telephony.world import Connection, World

SECONDS = 120


@dataclass(frozen=True)
class Customers:
    """Some who all do the same, so many at a time."""

    scenario: str
    desk: str
    at_a_time: int
    call_s: float
    """How long each call lasts at least."""
    wanted: tuple[int, int]
    """The outcome of their calls, and why they were missed."""
    pause_ms: int = 0
    """How long they speak, or have patience."""
    ring_s: int = 0

    @property
    def count(self) -> int:
        return int(self.at_a_time * SECONDS / self.call_s)


MISSED = Call.OUTCOME_MISSED
ALL = (
    Customers("calls", "answers", 10, 8.5, (Call.OUTCOME_ANSWERED, 0), pause_ms=8000),
    Customers("gives_up", "silent", 5, 5, (MISSED, Call.MISSED_REASON_ABANDONED), pause_ms=5000),
    Customers("is_refused", "silent", 5, 5, (MISSED, Call.MISSED_REASON_NO_ANSWER), ring_s=5),
    Customers("is_refused", "busy", 1, 2, (MISSED, Call.MISSED_REASON_BUSY)),
)


@pytest.fixture
async def running() -> AsyncIterator[Installation]:
    async with installation(["telephony"], past=False) as made:
        yield made


@pytest.fixture
async def world(real: Asterisk, running: Installation) -> World:
    """Whoever calls one of the lines rings at its desk."""
    made = World(running, await running.tenant())
    exchange = await made.exchange(kind=Connection.KIND_ARI, address=real.ari, username="crm")
    for number, who in enumerate(ALL):
        agent = await made.agent()
        await made.line(name=f"{number}", number=f"+{_line(number)}", user_ids=[agent.id], connection_id=exchange.id, queue_seconds=who.ring_s)  # fmt: skip
        await made.extension(exchange.id, number=f"20{number}", user_id=agent.id, endpoint=f"PJSIP/{who.desk}")  # fmt: skip
    await made.set_password(exchange, "secret")
    return made


def _line(number: int) -> str:
    return f"4830000011{number}"


def _numbers(line: int) -> list[str]:
    return [f"486{line + 1}0{at:06}" for at in range(ALL[line].count)]


async def _call(real: Asterisk, line: int) -> int:
    """What SIPp says when all of them have called: 0 if each went as its scenario says."""
    who, numbers = ALL[line], "\n".join(_numbers(line))
    (real.root / f"srv/{line}.csv").write_text(f"SEQUENTIAL\n{numbers}\n")
    program = await real.program(
        "sipp", real.sip, "-sf", f"/srv/{who.scenario}.xml", "-inf", f"/srv/{line}.csv", "-s", _line(line),
        "-i", "127.0.0.1", "-mi", "127.0.0.1", "-m", f"{who.count}", "-l", f"{who.at_a_time}",
        "-r", f"{who.at_a_time}", "-rp", "2000", "-d", f"{who.pause_ms}", "-timeout", f"{SECONDS * 3}s", "-nostdin", "-default_behaviors", "all,-abortunexp", "-trace_err", "-error_file", f"/srv/{line}.log",
    )  # fmt: skip
    try:
        return await program.wait()
    finally:
        await ended([program])


async def test_each_call_is_one_record_with_its_outcome(world: World, real: Asterisk) -> None:
    desks = [
        await real.program(
            "sipp", "-sf", f"/srv/{desk}.xml", "-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", f"{real.ports[desk]}", "-nostdin",
        )
        for desk in DESKS
    ]  # fmt: skip
    await eventually(lambda: _stands(world), "somebody speaks with the exchange", 30)

    said = await asyncio.gather(*(_call(real, line) for line in range(len(ALL))))
    await real.silent()
    await ended(desks)

    unexpected = [log.read_text()[:2000] for log in sorted((real.root / "srv").glob("[0-9].log"))]
    assert said == [0] * len(ALL), unexpected
    wanted = {f"+{number}": who.wanted for line, who in enumerate(ALL) for number in _numbers(line)}

    async def told() -> bool:
        return [call.state for call in await _calls(world)] == [Call.STATE_ENDED] * len(wanted)

    await eventually(told, "all calls are over", 30)
    calls = await _calls(world)
    assert {call.number: (call.outcome, call.missed_reason) for call in calls} == wanted
    assert all(call.talk_seconds >= 7 for call in calls if call.outcome == Call.OUTCOME_ANSWERED)
    assert _most_at_once(calls) >= 20
    names = Counter(await world.told())
    answered = ALL[0].count
    assert names["CallRinging"] == names["CallEnded"] + names["CallMissed"] == len(wanted), names
    assert names["CallAnswered"] == answered


async def _stands(world: World) -> bool:
    rows = await world.running.rows("telephony", "SELECT 1 FROM connection_status WHERE connected AND tenant_id = $1", world.tenant.id)  # fmt: skip
    return bool(rows)


async def _calls(world: World) -> list[Call]:
    rows = await world.running.rows("telephony", "SELECT doc FROM calls WHERE tenant_id = $1", world.tenant.id)  # fmt: skip
    return [Call.FromString(row["doc"]) for row in rows]


def _most_at_once(calls: list[Call]) -> int:
    """How many calls there were at the time with the most."""
    changes = [(call.start_time.ToDatetime(), 1) for call in calls]
    changes += [(call.end_time.ToDatetime(), -1) for call in calls]
    now = most = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most
