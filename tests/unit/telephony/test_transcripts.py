"""Each recorded call comes out as its description says, whichever interface told of it and in whatever order."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest

from services.telephony.pbx.facts import Fact, Kind, Side
from services.telephony.rules import calls
from services.telephony.rules.calls import Call
from tests.unit.telephony import transcripts
from tests.unit.telephony.transcripts import Arrange, Told

READERS = {"ami": transcripts.ami_facts, "ari": transcripts.ari_facts}
INBOUND, OUTBOUND = Call.DIRECTION_INBOUND, Call.DIRECTION_OUTBOUND
ANSWERED, TRANSFERRED = Call.OUTCOME_ANSWERED, Call.OUTCOME_TRANSFERRED
MISSED, BUSY = Call.OUTCOME_MISSED, Call.OUTCOME_BUSY
NOT_CONNECTED = Call.OUTCOME_NOT_CONNECTED


@dataclass(frozen=True)
class Result:
    """What the archive's README.md says of a call, and how long its parts lasted by the recorded times."""

    direction: int
    outcome: int
    reason: int = Call.MISSED_REASON_UNSPECIFIED
    spoke: tuple[str, ...] = ()
    talk: int = 0
    hold: int = 0
    wait: int = 1
    rang: tuple[str, ...] = ("101",)


BOTH = ("101", "102")
EXPECTED = {
    1: Result(INBOUND, ANSWERED, spoke=("101",), talk=3),
    2: Result(INBOUND, ANSWERED, spoke=("101",), talk=3),
    3: Result(INBOUND, MISSED, Call.MISSED_REASON_NO_ANSWER, wait=8),
    4: Result(INBOUND, MISSED, Call.MISSED_REASON_ABANDONED, wait=3),
    5: Result(INBOUND, MISSED, Call.MISSED_REASON_REJECTED),
    6: Result(OUTBOUND, ANSWERED, spoke=("101",), talk=3, wait=2),
    7: Result(OUTBOUND, BUSY),
    8: Result(OUTBOUND, NOT_CONNECTED, wait=5),
    9: Result(INBOUND, ANSWERED, spoke=("101",), talk=7, hold=2),
    10: Result(INBOUND, TRANSFERRED, spoke=BOTH, talk=8, rang=BOTH),
    11: Result(INBOUND, TRANSFERRED, spoke=BOTH, talk=15, hold=6, rang=BOTH),
    12: Result(INBOUND, ANSWERED, spoke=("101",), talk=3),
    13: Result(INBOUND, MISSED, Call.MISSED_REASON_NO_ANSWER, wait=6),
    14: Result(INBOUND, MISSED, Call.MISSED_REASON_ABANDONED, wait=3),
    15: Result(OUTBOUND, ANSWERED, spoke=("101",), talk=3, wait=2),
    16: Result(OUTBOUND, BUSY),
    17: Result(OUTBOUND, NOT_CONNECTED, wait=6),
    18: Result(INBOUND, ANSWERED, spoke=("101",), talk=7, hold=2),
    # the customer was hung up on while 102 rang, who then answered nobody
    19: Result(INBOUND, ANSWERED, spoke=("101",), talk=1, rang=BOTH),
}
EVERY = pytest.mark.parametrize(
    ("number", "source"), [(n, s) for n in EXPECTED for s in READERS], ids=lambda value: str(value)
)


def doubled(events: Sequence[Told]) -> list[Told]:
    return [event for event in events for _ in range(2)]


def shuffled(seed: int) -> Arrange:
    """Every event comes at any time."""

    def arrange(events: Sequence[Told]) -> list[Told]:
        return random.Random(seed).sample(events, k=len(events))

    return arrange


def endings_late(events: Sequence[Told]) -> list[Told]:
    """What tells that the one who ended first is gone comes after everything else."""
    gone = [e for e in events if e.get("Event") == "Hangup" or e.get("type") == "ChannelDestroyed"]
    name = _channel(gone[0])
    last = [e for e in events if _channel(e) == name and _ends(e)]
    return [e for e in events if e not in last] + last


def _channel(event: Told) -> str:
    return event.get("Uniqueid") or event.get("channel", {}).get("id", "")


def _ends(event: Told) -> bool:
    kinds = ("Hangup", "BridgeLeave", "ChannelDestroyed", "ChannelLeftBridge", "StasisEnd")
    return event.get("Event", event.get("type")) in kinds


def result(facts: Sequence[Fact]) -> Result:
    """The only call in the facts; what was left over when the recording stopped is ended as a reconciliation does."""
    ((call, legs),) = transcripts.legs_of(facts).items()
    end = max(fact.time for fact in facts)
    left = [leg for leg in legs if not leg.at(Kind.ENDED)]
    ends = [Fact(call=call, leg=leg.id, kind=Kind.ENDED, time=end) for leg in left]
    ((_, legs),) = transcripts.legs_of([*facts, *ends]).items()
    derived = calls.derive(legs)
    assert (derived.state, derived.number) == (Call.STATE_ENDED, "48600100200")
    return Result(
        direction=derived.direction,
        outcome=derived.outcome,
        reason=derived.missed_reason,
        spoke=derived.spoke,
        talk=derived.talk_seconds,
        hold=derived.hold_seconds,
        wait=derived.wait_seconds,
        rang=derived.rang,
    )


@EVERY
def test_call_comes_out_as_described(number: int, source: str) -> None:
    assert result(READERS[source](number)) == EXPECTED[number]


@EVERY
def test_doubled_events_change_nothing(number: int, source: str) -> None:
    assert result(READERS[source](number, doubled)) == EXPECTED[number]


@EVERY
def test_who_ended_first_may_be_told_last(number: int, source: str) -> None:
    assert result(READERS[source](number, endings_late)) == EXPECTED[number]


@pytest.mark.parametrize("source", READERS)
@pytest.mark.parametrize("number", [n for n in EXPECTED if n not in (8, 17)])  # of one leg only
def test_ends_of_the_two_last_legs_may_be_swapped(number: int, source: str) -> None:
    facts = READERS[source](number)
    ended = [at for at, fact in enumerate(facts) if fact.kind is Kind.ENDED]
    one, other = ended[-2:]
    swapped = list(facts)
    swapped[one] = replace(facts[other], time=facts[one].time)
    swapped[other] = replace(facts[one], time=facts[other].time)

    assert result(swapped) == EXPECTED[number]


@EVERY
@pytest.mark.parametrize("seed", range(4))
def test_events_in_another_order_change_nothing(number: int, source: str, seed: int) -> None:
    assert result(READERS[source](number, shuffled(seed))) == EXPECTED[number]


@EVERY
@pytest.mark.parametrize("seed", range(4))
def test_facts_in_any_order_give_the_same_legs(number: int, source: str, seed: int) -> None:
    facts = READERS[source](number)
    mixed = facts + random.Random(seed).choices(facts, k=len(facts) // 2)
    random.Random(seed).shuffle(mixed)

    ((_, legs),) = transcripts.legs_of(facts).items()
    ((_, others),) = transcripts.legs_of(mixed).items()
    assert {leg.id: leg for leg in others} == {leg.id: leg for leg in legs}


@EVERY
def test_call_goes_forward_only(number: int, source: str) -> None:
    """In recorded order no call is over before its last leg is, nor rings again when they have spoken."""
    facts = [fact for fact in READERS[source](number) if fact.leg]
    states = []
    for count in range(1, len(facts) + 1):
        ((_, legs),) = transcripts.legs_of(facts[:count]).items()
        states.append(calls.derive(legs).state)

    assert all(before <= after for before, after in pairwise(states))
    assert states[0] == Call.STATE_RINGING
    assert states.count(Call.STATE_ENDED) == (0 if number == 19 else 1)


@pytest.mark.parametrize("source", READERS)
def test_both_interfaces_tell_the_same_legs(source: str) -> None:
    seen = {
        number: sorted((leg.id, leg.side, leg.number) for leg in legs)
        for number in EXPECTED
        for legs in transcripts.legs_of(READERS[source](number)).values()
    }

    assert seen[1] == [
        ("1795396118.4", Side.OUTSIDE, "48600100200"),
        ("1795396118.5", Side.COLLEAGUE, "101"),
    ]
    assert [side for _, side, _ in seen[11]].count(Side.EXCHANGE) == 2
    assert [len(legs) for legs in seen.values()] == [2] * 7 + [1] + [2, 3, 5] + [2] * 5 + [1, 2, 5]


@pytest.mark.parametrize(
    ("number", "source", "name"),
    [
        (1, "ami", "/var/spool/asterisk/monitor/1795396118.4.wav"),
        (12, "ari", "call-1795396309.55"),
    ],
    ids=["mixmonitor", "bridge"],
)
def test_recordings_are_told(number: int, source: str, name: str) -> None:
    found = {fact for fact in READERS[source](number) if fact.recording}

    assert {fact.kind for fact in found} == {Kind.RECORDING, Kind.RECORDED}
    assert {(fact.recording, fact.leg) for fact in found} == {(name, "")}
    assert len({fact.call for fact in found}) == 1
