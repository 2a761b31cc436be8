"""The day plan's rules: which day it is, why something is in it, and one order for everybody."""

import random
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.times import to_timestamp
from crm.tasks.v1 import day_pb2 as pb
from crm.tasks.v1 import meeting_pb2, task_pb2
from services.tasks.rules import day as rules
from services.tasks.rules.tasks import end_of_day

Task = task_pb2.Task
Meeting = meeting_pb2.Meeting
Code = pb.DayReason


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NOW = at("2026-11-24T10:00")
TODAY = rules.Today.of("anna", "UTC", NOW)


def task(id: str = "t", due: str = "", **given: object) -> Task:
    made = Task(id=id, subject="Call", state=Task.STATE_OPEN, create_time=to_timestamp(NOW))
    made.MergeFrom(Task(**given))  # type: ignore[arg-type]
    if due:
        made.due_time.CopyFrom(to_timestamp(at(due)))
    return made


def code_of(task: Task, today: rules.Today = TODAY) -> int | None:
    found = rules.of_task(task, today)
    return found.reason.code if found else None


# -- which day -------------------------------------------------------------------------------------------------------------


def test_one_moment_is_another_day_in_jakarta_than_in_warsaw() -> None:
    now = at("2026-11-24T20:00")

    warsaw, jakarta = (rules.Today.of("u", zone, now) for zone in ("Europe/Warsaw", "Asia/Jakarta"))

    assert (warsaw.day, jakarta.day) == (date(2026, 11, 24), date(2026, 11, 25))
    assert (warsaw.start, warsaw.end) == (at("2026-11-23T23:00"), at("2026-11-24T23:00"))
    assert (jakarta.start, jakarta.end) == (at("2026-11-24T17:00"), at("2026-11-25T17:00"))


@pytest.mark.parametrize(("now", "hours"), [("2026-03-29T12:00", 23), ("2026-10-25T12:00", 25)])
def test_a_day_on_which_the_clock_changes_is_as_long_as_it_is(now: str, hours: int) -> None:
    today = rules.Today.of("u", "Europe/Warsaw", at(now))

    assert today.end - today.start == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("now", "zone", "morning"),
    [
        ("2026-11-24T05:59", "Europe/Warsaw", "2026-11-24T06:00"),
        ("2026-11-24T06:00", "Europe/Warsaw", "2026-11-25T06:00"),
        ("2026-10-24T20:00", "Europe/Warsaw", "2026-10-25T06:00"),
        ("2026-03-28T20:00", "Europe/Warsaw", "2026-03-29T05:00"),
        ("2026-11-24T05:00", "Asia/Jakarta", "2026-11-25T00:00"),
    ],
    ids=["before", "at", "winter begins", "summer begins", "another zone"],
)
def test_the_next_morning_is_seven_by_that_clock(now: str, zone: str, morning: str) -> None:
    assert rules.next_morning(at(now), zone) == at(morning)


@pytest.mark.parametrize(
    ("day", "kept"),
    [
        (date(2026, 2, 28), [228, 229]),
        (date(2028, 2, 28), [228]),
        (date(2028, 2, 29), [229]),
        (date(2026, 3, 1), [301]),
        (date(2100, 2, 28), [228, 229]),
    ],
)
def test_a_birthday_on_29_february_is_kept_once_in_every_year(day: date, kept: list[int]) -> None:
    assert rules.birthdays_of(day) == kept


@settings(deadline=None)  # the machine may be busy
@given(st.integers(1970, 2200))
def test_every_birthday_is_kept_on_one_day_of_each_year(year: int) -> None:
    days = (date(year, 1, 1) + timedelta(n) for n in range(366))
    kept = [each for day in days if day.year == year for each in rules.birthdays_of(day)]

    assert len(kept) == len(set(kept)) == 366


# -- what is in it ---------------------------------------------------------------------------------------------------------


def test_a_task_is_in_the_day_for_one_reason() -> None:
    waiting = task_pb2.ReactionClock(start_time=to_timestamp(NOW))
    seen = to_timestamp(at("2026-11-24T11:00"))
    visit = task_pb2.Visit(
        place="x", appointment_time=to_timestamp(at("2026-11-24T09:30")), duration_minutes=60
    )
    cases = [
        (task(due="2026-11-27T10:00", reaction=waiting), Code.CODE_REACTION_CLOCK),
        (task(due="2026-11-24T09:00", link={"call_id": "c"}), Code.CODE_CALL_TO_RETURN),
        (task(link={"call_id": "c"}), Code.CODE_CALL_TO_RETURN),
        (task(due="2026-11-24T10:00"), Code.CODE_OVERDUE),
        (task(due="2026-11-24T10:01"), Code.CODE_DUE_TODAY),
        (task(due="2026-11-24T23:59"), Code.CODE_DUE_TODAY),
        (task(due="2026-11-25T00:00"), None),
        (task(due="2026-11-25T00:00", link={"call_id": "c"}), None),
        (task(due="2026-11-24T09:30", visit=visit), Code.CODE_VISIT),
        (task(start_time=seen), Code.CODE_NEXT_STEP),
        (task(), None),
        (task(start_time=to_timestamp(at("2026-11-25T00:00"))), None),
    ]

    assert [code_of(each) for each, _ in cases] == [code for _, code in cases]


def test_a_visit_that_is_over_is_overdue() -> None:
    visit = task_pb2.Visit(
        place="x", appointment_time=to_timestamp(at("2026-11-24T09:00")), duration_minutes=60
    )

    assert code_of(task(due="2026-11-24T09:00", visit=visit)) == Code.CODE_OVERDUE


def test_a_stopped_clock_leaves_a_task_like_any_other() -> None:
    reached = task_pb2.ReactionClock(start_time=to_timestamp(NOW), stop_time=to_timestamp(NOW))

    assert code_of(task(due="2026-11-27T10:00", reaction=reached)) is None


@pytest.mark.parametrize("zone", ["Asia/Jakarta", "Europe/Warsaw", "America/New_York"])
def test_an_all_day_task_is_in_the_day_that_was_meant(zone: str) -> None:
    meant = datetime(2026, 11, 24, 12)
    made = task(
        all_day=True, due_zone=zone, due_time=to_timestamp(end_of_day(meant, zone))
    )  # fmt: skip
    noon = rules.Today.of("u", zone, at("2026-11-24T05:00"))

    found = rules.of_task(made, noon)

    assert found is not None
    assert (found.reason.code, found.reason.date) == (
        Code.CODE_NEXT_STEP,
        rules.dated(date(2026, 11, 24)),
    )
    assert code_of(made, rules.Today.of("u", zone, at("2026-11-25T12:00"))) == Code.CODE_OVERDUE
    assert code_of(made, rules.Today.of("u", zone, at("2026-11-23T05:00"))) is None


def meeting(start: str, minutes: int = 60, **given: object) -> Meeting:
    begin = at(start)
    return Meeting(
        id="m", subject="Plan", zone="UTC", owner_id="anna", start_time=to_timestamp(begin),
        end_time=to_timestamp(begin + timedelta(minutes=minutes)), **given,  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_meeting_is_in_the_day_until_it_is_over() -> None:
    way = meeting("2026-11-24T11:00", travel_minutes=30, contact_id="c")

    (found,) = rules.of_meeting(way, TODAY)

    assert found.matter == ("c", "", "", "")
    assert found.reason.departure_time == to_timestamp(at("2026-11-24T10:30"))
    assert list(rules.of_meeting(meeting("2026-11-24T09:30"), TODAY))  # under way
    assert not list(rules.of_meeting(meeting("2026-11-24T09:00"), TODAY))
    assert not list(rules.of_meeting(meeting("2026-11-25T00:00", travel_minutes=60), TODAY))


def test_a_declined_meeting_is_not_in_the_day() -> None:
    answer = meeting_pb2.Participant(user_id="anna", answer=meeting_pb2.Participant.ANSWER_DECLINED)

    assert not list(rules.of_meeting(meeting("2026-11-24T11:00", participants=[answer]), TODAY))


# -- lines -----------------------------------------------------------------------------------------------------------------


def test_a_customer_has_one_line_for_each_matter_with_all_its_reasons() -> None:
    reasons = [
        rules.of_task(task("1", "2026-11-24T12:00", contact_id="c"), TODAY),
        rules.of_task(task("2", "2026-11-24T09:00", contact_id="c", company_id="f"), TODAY),
        rules.of_task(task("3", "2026-11-24T08:00", contact_id="c", link={"deal_id": "d"}), TODAY),
        rules.found(rules.of_party("contact", "c"), Code.CODE_BIRTHDAY, TODAY.start, "c"),
        rules.of_task(task("4", "2026-11-24T12:00"), TODAY),
        rules.of_task(task("5", "2026-11-24T12:00"), TODAY),
    ]

    made = [line.message for line in rules.lines(each for each in reasons if each)]

    assert [(line.contact_id, line.matter.deal_id, [r.code for r in line.reasons]) for line in made] == [
        ("c", "d", [Code.CODE_OVERDUE]),
        ("c", "", [Code.CODE_OVERDUE, Code.CODE_DUE_TODAY, Code.CODE_BIRTHDAY]),
        ("", "", [Code.CODE_DUE_TODAY]),
        ("", "", [Code.CODE_DUE_TODAY]),
    ]  # fmt: skip
    counted = rules.counts(rules.lines(each for each in reasons if each))
    assert [(each.code, each.count) for each in counted] == [
        (Code.CODE_OVERDUE, 2),
        (Code.CODE_DUE_TODAY, 3),
        (Code.CODE_BIRTHDAY, 1),
    ]


def test_the_order_of_the_day() -> None:
    waiting = task_pb2.ReactionClock(start_time=to_timestamp(NOW))
    given_tasks = [
        task("all day", all_day=True, due_zone="UTC",
             due_time=to_timestamp(end_of_day(at("2026-11-24T12:00"), "UTC"))),
        task("noon", "2026-11-24T12:00"), task("late", "2026-11-23T12:00"), task("latest", "2026-11-20T12:00"),
        task("call", "2026-11-24T15:00", link={"call_id": "c"}), task("b", "2026-11-24T11:00"),
        task("a", "2026-11-24T11:00"), task("waits", "2026-11-26T10:00", reaction=waiting),
        task("waits less", "2026-11-24T10:05", reaction=waiting),
    ]  # fmt: skip

    made = rules.lines(each for one in given_tasks if (each := rules.of_task(one, TODAY)))

    assert [line.message.reasons[0].task_id for line in made] == [
        "waits less", "waits", "call", "latest", "late", "a", "b", "noon", "all day",
    ]  # fmt: skip


@settings(deadline=None)  # the machine may be busy
@given(
    st.lists(
        st.tuples(
            st.sampled_from([c for c in pb.DayReason.Code.values() if c]), st.integers(0, 2),
            st.sampled_from("abcd"), st.sampled_from(["x", "y", ""]),
        ),
        unique_by=lambda each: (each[0], each[2]), max_size=40,
    ),
    st.integers(),
)  # fmt: skip
def test_the_order_is_total_whatever_comes_first(
    given_reasons: list[tuple[int, int, str, str]], seed: int
) -> None:
    def made(order: list[tuple[int, int, str, str]]) -> list[tuple[rules.Place, bytes]]:
        reasons = [
            rules.found((contact, "", "", "" if contact else id), code, NOW + timedelta(hours=hour), id)  # type: ignore[arg-type]
            for code, hour, id, contact in order
        ]  # fmt: skip
        return [(line.place, line.message.SerializeToString()) for line in rules.lines(reasons)]

    shuffled = list(given_reasons)
    random.Random(seed).shuffle(shuffled)

    lines = made(given_reasons)
    assert made(shuffled) == lines
    assert len({place for place, _ in lines}) == len(lines)
