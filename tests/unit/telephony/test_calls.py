"""Calls that were not recorded: how far they are, and how they ended."""

import pytest

from services.telephony.pbx.facts import Kind, Side
from services.telephony.rules.calls import Call
from tests.unit.telephony.stories import CUSTOMER, LINE, Story, after


def test_ring_group_answered_by_one_missed_nothing() -> None:
    story = Story().customer().rings(1, "101", "102", "103").meet(5, "customer", "102")
    story.end(5, "101", "103", cause=26).hangs_up(65).end(65, "102")

    call = story.derived()

    assert (call.outcome, call.missed_reason) == (Call.OUTCOME_ANSWERED, 0)
    assert (call.rang, call.spoke) == (("101", "102", "103"), ("102",))
    assert (call.wait_seconds, call.talk_seconds) == (5, 60)


def test_phones_that_ring_now_are_told() -> None:
    story = Story().customer().rings(1, "101", "102", "103").end(4, "101", cause=17)

    call = story.derived()

    assert (call.state, call.ringing) == (Call.STATE_RINGING, ("102", "103"))
    assert (call.outcome, call.end, call.answer) == (0, None, None)


def test_phone_and_mobile_are_one_person_in_one_call() -> None:
    story = Story().customer().rings(1, "101")
    story.phone(1, "101", leg="mobile").tell(2, "mobile", Kind.RANG)
    story.meet(6, "customer", "mobile").end(6, "101", cause=26)
    story.hangs_up(16).end(16, "mobile")

    call = story.derived()

    assert (call.direction, call.outcome) == (Call.DIRECTION_INBOUND, Call.OUTCOME_ANSWERED)
    assert (call.rang, call.spoke, call.number) == (("101",), ("101",), CUSTOMER)


def test_caller_gave_up_in_a_queue() -> None:
    story = Story().customer().tell(1, "customer", Kind.QUEUED, room="sales").rings(2, "101", "102")
    assert story.derived().state == Call.STATE_QUEUED
    story.tell(30, "customer", Kind.HUNG_UP).tell(30.1, "customer", Kind.UNQUEUED, room="sales")
    story.end(30.1, "101", "102").end(30.2, "customer")

    call = story.derived()

    assert (call.outcome, call.missed_reason) == (
        Call.OUTCOME_ABANDONED_IN_QUEUE,
        Call.MISSED_REASON_ABANDONED,
    )
    assert (call.queue, call.wait_seconds) == ("sales", 30)


def test_queue_that_picks_up_is_no_answer() -> None:
    story = Story().customer().tell(0, "customer", Kind.ANSWERED)
    story.tell(0, "customer", Kind.QUEUED, room="sales").rings(1, "101").end(21, "101", cause=19)
    story.tell(22, "customer", Kind.UNQUEUED, room="sales").hangs_up(50)

    call = story.derived()

    assert (call.outcome, call.missed_reason) == (
        Call.OUTCOME_MISSED,
        Call.MISSED_REASON_NO_ANSWER,
    )
    assert call.answer is None


def test_caller_served_from_a_queue_was_answered() -> None:
    story = Story().customer().tell(0, "customer", Kind.QUEUED, room="sales").rings(20, "101")
    story.tell(25, "customer", Kind.UNQUEUED, room="sales").meet(25, "customer", "101")
    assert story.derived().state == Call.STATE_ACTIVE
    story.hangs_up(85).end(85, "101")

    call = story.derived()

    assert (call.outcome, call.wait_seconds, call.talk_seconds) == (Call.OUTCOME_ANSWERED, 25, 60)


def test_voicemail_that_picks_up_is_no_answer() -> None:
    story = Story().customer().rings(1, "101").end(21, "101", cause=19)
    story.meet(21, "customer").hangs_up(50)

    call = story.derived()

    assert (call.outcome, call.missed_reason) == (
        Call.OUTCOME_MISSED,
        Call.MISSED_REASON_NO_ANSWER,
    )
    assert (call.answer, call.talk_seconds, call.spoke) == (None, 0, ())


def test_caller_who_hears_announcements_only_gave_up() -> None:
    call = Story().customer().meet(0, "customer").hangs_up(12).derived()

    assert (call.outcome, call.missed_reason) == (
        Call.OUTCOME_MISSED,
        Call.MISSED_REASON_ABANDONED,
    )


def test_hidden_number_is_withheld() -> None:
    call = Story().customer(number="").rings(1, "101").hangs_up(9).end(9, "101").derived()

    assert (call.withheld, call.number, call.line) == (True, "", LINE)
    assert call.missed_reason == Call.MISSED_REASON_ABANDONED


def test_rejected_by_all() -> None:
    story = Story().customer().rings(1, "101", "102", "103")
    story.hangs_up(3, "101", cause=21).hangs_up(4, "102", cause=17).hangs_up(5, "103", cause=0)
    story.hangs_up(5.2)

    assert story.derived().missed_reason == Call.MISSED_REASON_REJECTED


def test_busy_by_all() -> None:
    story = Story().customer().phone(1, "101").phone(1, "102")
    story.end(1.1, "101", "102", cause=17).end(1.2, "customer", cause=17)

    call = story.derived()

    assert (call.outcome, call.missed_reason) == (Call.OUTCOME_MISSED, Call.MISSED_REASON_BUSY)
    assert call.rang == ()


def test_one_who_lets_it_ring_makes_it_no_answer() -> None:
    story = Story().customer().phone(1, "101").end(1.1, "101", cause=17).rings(1, "102", "103")
    story.hangs_up(3, "102", cause=21).end(21, "103", cause=19).end(21.1, "customer", cause=19)

    assert story.derived().missed_reason == Call.MISSED_REASON_NO_ANSWER


@pytest.mark.parametrize("phones_end", [9.5, 10.5], ids=["before", "after"])
def test_caller_gave_up_whoever_is_told_first(phones_end: float) -> None:
    story = Story().customer().rings(1, "101").hangs_up(10).end(phones_end, "101")

    assert story.derived().missed_reason == Call.MISSED_REASON_ABANDONED


def test_missed_out_of_hours() -> None:
    story = Story().customer().rings(1, "101").end(21, "101", cause=19).end(21, "customer")

    assert story.derived(out_of_hours=True).missed_reason == Call.MISSED_REASON_OUT_OF_HOURS
    assert story.derived().missed_reason == Call.MISSED_REASON_NO_ANSWER


def test_answered_out_of_hours_is_not_missed() -> None:
    story = Story().customer().rings(1, "101").meet(3, "customer", "101").end(9, "customer", "101")

    call = story.derived(out_of_hours=True)

    assert (call.outcome, call.missed_reason) == (Call.OUTCOME_ANSWERED, 0)


def test_transferred_to_nobody_was_answered() -> None:
    story = Story().customer().rings(1, "101").meet(3, "customer", "101")
    story.tell(9.9, "101", Kind.TRANSFERRED).part(10, "101", "customer").end(10, "101")
    story.rings(10, "102").end(30, "102", cause=19).end(30, "customer")

    call = story.derived()

    assert (call.outcome, call.transferred) == (Call.OUTCOME_ANSWERED, True)
    assert (call.spoke, call.rang, call.talk_seconds) == (("101",), ("101", "102"), 7)


def test_three_who_speak_together_transfer_nothing() -> None:
    story = Story().customer().rings(1, "101").meet(3, "customer", "101")
    story.rings(10, "102").meet(12, "102").end(20, "102").hangs_up(30).end(30, "101")

    call = story.derived()

    assert (call.outcome, call.transferred) == (Call.OUTCOME_ANSWERED, False)
    assert call.spoke == ("101", "102")


def test_attended_transfer_holds_the_customer_meanwhile() -> None:
    story = Story().customer().rings(0, "101").meet(10, "customer", "101", room="first")
    story.tell(20, "101", Kind.HELD).part(20, "101", room="first")
    story.rings(20, "102").meet(25, "101", "102", room="second")
    asked = story.derived()
    story.tell(40, "101", Kind.TRANSFERRED).part(40, "101", room="second").end(40, "101")
    story.part(40, "customer", room="first").meet(40, "customer", room="second")
    story.hangs_up(100).end(100, "102")

    call = story.derived()

    assert (asked.spoke, call.spoke) == (("101",), ("101", "102"))
    assert call.outcome == Call.OUTCOME_TRANSFERRED
    assert (call.talk_seconds, call.hold_seconds) == (90, 20)


def test_paths_of_the_exchange_join_rooms() -> None:
    story = (
        Story().customer().meet(1, "customer", room="a").rings(1, "101").meet(2, "101", room="b")
    )
    for half, room in (("one", "a"), ("two", "b")):
        story.tell(1, half, Kind.BEGAN, side=Side.EXCHANGE, path="Local/101")
        story.tell(5, half, Kind.JOINED, room=room)
    story.end(15, "one", "two", "customer", "101")

    call = story.derived()

    assert (call.answer, call.spoke, call.talk_seconds) == (after(5), ("101",), 10)


def test_holds_add_up_until_the_customer_is_gone() -> None:
    story = Story().customer().rings(0, "101").meet(1, "customer", "101")
    story.tell(10, "101", Kind.HELD).tell(15, "101", Kind.RESUMED).tell(18, "101", Kind.RESUMED)
    story.tell(20, "101", Kind.HELD).tell(21, "customer", Kind.HELD).hangs_up(30).end(33, "101")

    call = story.derived()

    assert (call.hold_seconds, call.talk_seconds) == (15, 29)


@pytest.mark.parametrize(
    ("cause", "rings", "outcome"),
    [
        (17, False, Call.OUTCOME_BUSY),
        (21, True, Call.OUTCOME_BUSY),
        (19, True, Call.OUTCOME_NO_ANSWER),
        (16, True, Call.OUTCOME_NO_ANSWER),
        (18, False, Call.OUTCOME_NO_ANSWER),
        (1, False, Call.OUTCOME_NOT_CONNECTED),
    ],
    ids=["busy", "rejected", "no answer", "given up", "not responding", "no such number"],
)
def test_outbound_calls_that_reached_nobody(cause: int, rings: bool, outcome: int) -> None:
    story = Story().rings(0, "101").meet(2, "101").calls_out(2)
    if rings:
        story.tell(4, "customer", Kind.RANG)
    story.end(12, "customer", cause=cause).end(12, "101")

    call = story.derived(dialled=CUSTOMER)

    assert (call.direction, call.outcome, call.missed_reason) == (
        Call.DIRECTION_OUTBOUND,
        outcome,
        0,
    )
    assert (call.number, call.line, call.spoke) == (CUSTOMER, LINE, ())


def test_dialled_call_is_outbound_before_any_leg_is_told_of() -> None:
    call = Story().derived(dialled=CUSTOMER)

    assert (call.direction, call.state) == (Call.DIRECTION_OUTBOUND, Call.STATE_RINGING)
    assert (call.number, call.start) == (CUSTOMER, None)


def test_dialled_call_whose_leg_never_came_to_be_is_not_connected() -> None:
    call = Story().end(1, "c~1", cause=0).derived(dialled=CUSTOMER)

    assert (call.state, call.outcome) == (Call.STATE_ENDED, Call.OUTCOME_NOT_CONNECTED)


def test_outbound_call_from_a_desk_phone_over_a_second_trunk() -> None:
    story = Story().phone(0, "101", dialled=CUSTOMER).calls_out(1, "first try")
    assert story.derived().number == CUSTOMER
    story.end(1, "first try", cause=34).calls_out(1).tell(2, "customer", Kind.RANG)
    story.meet(8, "101", "customer").hangs_up(20, "101").end(20, "customer")

    call = story.derived()

    assert (call.direction, call.outcome) == (Call.DIRECTION_OUTBOUND, Call.OUTCOME_ANSWERED)
    assert (call.spoke, call.talk_seconds, call.rang) == (("101",), 12, ())


def test_internal_call() -> None:
    story = Story().phone(0, "101").rings(0, "102").meet(4, "101", "102")
    story.hangs_up(14, "101").end(14, "102")

    call = story.derived()

    assert (call.direction, call.outcome) == (Call.DIRECTION_INTERNAL, Call.OUTCOME_ANSWERED)
    assert (call.spoke, call.number, call.talk_seconds) == (("101", "102"), "", 10)


def test_internal_call_that_nobody_takes_is_not_missed() -> None:
    story = Story().phone(0, "101").rings(0, "102").hangs_up(8, "101").end(8, "102")

    call = story.derived()

    assert (call.outcome, call.missed_reason) == (Call.OUTCOME_NO_ANSWER, 0)


def test_caller_forwarded_outside_was_answered() -> None:
    story = Story().customer().tell(1, "partner", Kind.BEGAN, side=Side.OUTSIDE, number="48220000")
    story.meet(5, "customer", "partner").hangs_up(15).end(15, "partner")

    call = story.derived()

    assert (call.outcome, call.number, call.spoke) == (Call.OUTCOME_ANSWERED, CUSTOMER, ())


def test_number_of_a_partner_is_not_that_of_a_hidden_caller() -> None:
    story = Story().customer(number="")
    story.tell(1, "partner", Kind.BEGAN, side=Side.OUTSIDE, number="48220000")

    call = story.derived()

    assert (call.withheld, call.number) == (True, "")


def test_shared_phone_without_a_number_answers_too() -> None:
    story = Story().customer().rings(1, "").meet(2, "customer", "").end(9, "customer", "")

    call = story.derived()

    assert (call.outcome, call.rang, call.spoke) == (Call.OUTCOME_ANSWERED, (), ())


def test_call_lives_while_any_leg_does() -> None:
    story = Story().customer().rings(1, "101").meet(3, "customer", "101").hangs_up(9)
    alive = story.derived()
    story.end(60, "101", cause=0)  # as a reconciliation ends it

    assert (alive.state, alive.end) == (Call.STATE_ACTIVE, None)
    assert (story.derived().state, story.derived().talk_seconds) == (Call.STATE_ENDED, 6)


def test_entering_that_was_never_told_counts_from_the_answer() -> None:
    story = Story().customer().rings(1, "101")
    for leg in ("customer", "101"):
        story.tell(4, leg, Kind.ANSWERED).part(14, leg).end(14, leg)

    call = story.derived()

    assert (call.outcome, call.talk_seconds, call.answer) == (Call.OUTCOME_ANSWERED, 10, after(4))
