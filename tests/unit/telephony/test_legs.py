"""Legs take facts in any order and as often as they come; what is derived of them holds together."""

import json
from collections.abc import Sequence
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.telephony.v1 import parts_pb2
from services.telephony.pbx.facts import Fact, Kind, Side, call_of, leg_id
from services.telephony.rules import calls, legs, spans
from services.telephony.rules.calls import Call
from services.telephony.rules.legs import LegState
from tests.unit.telephony.stories import CUSTOMER, START, Story, after

_machine = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # it is shared
_OF_CALLS = (Kind.RECORDING, Kind.RECORDED)
_facts = st.builds(
    Fact,
    call=st.just("c"),
    leg=st.sampled_from(["a", "b", "c", "d"]),
    kind=st.sampled_from([kind for kind in Kind if kind not in _OF_CALLS]),
    time=st.integers(0, 60).map(after),
    side=st.sampled_from(Side),
    number=st.sampled_from(["", "101", "102", CUSTOMER]),
    path=st.sampled_from(["", "p"]),
    room=st.sampled_from(["", "r", "s"]),
    withheld=st.booleans(),
    cause=st.sampled_from([0, 16, 17, 19]),
)


def _known(facts: Sequence[Fact]) -> dict[str, LegState]:
    known: dict[str, LegState] = {}
    for fact in facts:
        known[fact.leg] = legs.apply(known.get(fact.leg, LegState(fact.leg)), fact)
    return known


@_machine
@given(st.lists(_facts, max_size=20).flatmap(lambda facts: st.tuples(st.just(facts), st.permutations(facts + facts))))  # fmt: skip
def test_order_and_repetition_do_not_matter(told: tuple[list[Fact], list[Fact]]) -> None:
    facts, mixed = told

    assert _known(mixed) == _known(facts)


@_machine
@given(st.lists(_facts, max_size=20))
def test_kept_legs_are_the_same(facts: list[Fact]) -> None:
    for leg in _known(facts).values():
        assert legs.from_json(leg.id, json.loads(json.dumps(legs.to_json(leg)))) == leg


@_machine
@given(st.lists(_facts, max_size=20), st.booleans())
def test_whatever_is_told_holds_together(facts: list[Fact], out_of_hours: bool) -> None:
    known = list(_known(facts).values())

    call = calls.derive(known, out_of_hours=out_of_hours)

    assert (call.state == Call.STATE_ENDED) == bool(call.outcome) == bool(call.end)
    missed = (Call.OUTCOME_MISSED, Call.OUTCOME_ABANDONED_IN_QUEUE)
    assert (call.outcome in missed) == bool(call.missed_reason)
    assert not call.missed_reason or call.direction == Call.DIRECTION_INBOUND
    spoke = call.outcome in (Call.OUTCOME_ANSWERED, Call.OUTCOME_TRANSFERRED)
    assert not call.outcome or spoke == bool(call.answer)
    assert 0 <= call.hold_seconds <= call.talk_seconds <= 60
    assert call.wait_seconds >= 0
    assert set(call.ringing) <= set(call.rang)
    assert calls.derive(known[::-1], out_of_hours=out_of_hours) == call


def test_earliest_word_and_time_count() -> None:
    story = Story().tell(3, "x", Kind.BEGAN, number="2").tell(1, "x", Kind.BEGAN, number="1")
    story.tell(9, "x", Kind.ENDED).tell(8, "x", Kind.ENDED, cause=17)

    (leg,) = story.legs()

    assert (leg.number, leg.start, leg.at(Kind.ENDED)) == ("1", after(1), after(8))
    assert leg.cause == 17


def test_colleague_s_mobile_is_first_thought_outside() -> None:
    story = Story().tell(0, "x", Kind.BEGAN, side=Side.OUTSIDE)
    story.tell(1, "x", Kind.BEGAN, side=Side.COLLEAGUE, number="101")

    (leg,) = story.legs()

    assert (leg.side, leg.number) == (Side.COLLEAGUE, "101")


def test_leg_is_shown() -> None:
    story = Story().rings(1, "101").meet(5, "101").tell(7, "101", Kind.HELD)
    story.tell(9, "101", Kind.RESUMED).tell(20, "101", Kind.TRANSFERRED).end(20, "101", cause=16)

    shown = legs.shown(story.legs()[0], user_id="u")

    expected = parts_pb2.Leg(
        id="101",
        side=parts_pb2.Leg.SIDE_COLLEAGUE,
        number="101",
        user_id="u",
        hold_seconds=2,
        cause=16,
    )
    for name, seconds in (("start", 1), ("ring", 1), ("answer", 5), ("end", 20), ("transfer", 20)):
        getattr(expected, f"{name}_time").FromDatetime(after(seconds))
    assert shown == expected


def test_leg_without_facts_shows_no_times() -> None:
    assert legs.shown(LegState("x")) == parts_pb2.Leg(id="x")


def test_ids_of_legs_that_we_ask_for_name_their_call() -> None:
    assert call_of(leg_id("0190-abc", 2)) == "0190-abc"
    assert call_of("1795396118.4") == ""


def test_spans_pair_join_and_take_away() -> None:
    at = [START + timedelta(seconds=second) for second in range(10)]

    assert spans.paired([at[1], at[5]], [at[0], at[5], at[7]], None) == [(at[1], at[5]), (at[5], at[7])]  # fmt: skip
    assert spans.paired([at[1], at[8]], [], at[6]) == [(at[1], at[6])]
    assert spans.union([(at[4], at[5]), (at[1], at[3])], [(at[2], at[4])]) == [(at[1], at[5])]
    assert spans.union([(at[4], None), (at[6], at[7])]) == [(at[4], None)]
    assert spans.without([(at[1], None)], [(at[2], at[3]), (at[5], None)]) == [(at[1], at[2]), (at[3], at[5])]  # fmt: skip
    assert spans.seconds([(at[1], at[3]), (at[2], at[4]), (at[5], None)]) == 3
