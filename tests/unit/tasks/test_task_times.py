"""A task's deadline, all-day deadline and visit."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.times import to_datetime, to_timestamp
from crm.tasks.v1.task_pb2 import Task, Visit
from services.tasks import errors
from services.tasks.rules import tasks as rules

WARSAW, KOLKATA, BEIRUT = "Europe/Warsaw", "Asia/Kolkata", "Asia/Beirut"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def due(text: str, **values: object) -> Task:
    return Task(subject="x", due_time=to_timestamp(moment(text)), **values)  # type: ignore[arg-type]


def timed(new: Task, old: Task | None = None, zone: str = WARSAW) -> Task:
    rules.set_times(new, old, zone=zone)
    return new


def copy_of(task: Task) -> Task:
    made = Task()
    made.CopyFrom(task)
    return made


@pytest.mark.parametrize(
    ("zone", "said", "ends"),
    [
        (WARSAW, "2026-01-15T12:00", "2026-01-15T22:59:59.999999"),
        (WARSAW, "2026-03-28T23:30", "2026-03-29T21:59:59.999999"),  # a day of 23 hours, said at its 00:30
        (WARSAW, "2026-10-25T00:30", "2026-10-25T22:59:59.999999"),  # a day of 25 hours
        (WARSAW, "2026-10-25T22:59:59.999999", "2026-10-25T22:59:59.999999"),
        (KOLKATA, "2026-06-01T18:29", "2026-06-01T18:29:59.999999"),
        (KOLKATA, "2026-06-01T18:30", "2026-06-02T18:29:59.999999"),  # 00:00 there: the next day
        (BEIRUT, "2026-03-28T12:00", "2026-03-28T21:59:59.999999"),  # the clocks skip the midnight that follows
    ],
)  # fmt: skip
def test_an_all_day_deadline_is_the_end_of_the_day_in_its_zone(
    zone: str, said: str, ends: str
) -> None:
    task = timed(due(said, all_day=True, due_zone=zone))
    assert to_datetime(task.due_time) == moment(ends)


@settings(deadline=None)  # the machine may be busy
@given(
    st.dates(date(2020, 1, 1), date(2035, 12, 31)),
    st.sampled_from([WARSAW, KOLKATA, BEIRUT, "America/New_York", "Pacific/Kiritimati", "UTC"]),
    st.integers(0, 86_399),
)
def test_the_day_is_that_of_due_time_and_setting_it_again_changes_nothing(
    day: date, zone: str, second: int
) -> None:
    said = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)) + timedelta(seconds=second)
    task = timed(Task(due_time=to_timestamp(said.astimezone(UTC)), all_day=True, due_zone=zone))
    lived = (
        said.astimezone(UTC).astimezone(ZoneInfo(zone)).date()
    )  # a skipped hour is lived as the next
    ends = to_datetime(task.due_time)
    assert ends.astimezone(ZoneInfo(zone)).date() == lived
    assert (ends + timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date() > lived
    assert timed(copy_of(task), task) == task


def test_another_zone_does_not_shift_the_day() -> None:
    old = timed(due("2026-05-04T10:00", all_day=True, due_zone=WARSAW))
    new = copy_of(old)
    new.due_zone = KOLKATA
    assert to_datetime(timed(new, old).due_time) == moment("2026-05-04T18:29:59.999999")


def test_another_zone_leaves_an_hour_where_it_is() -> None:
    old = timed(due("2026-05-04T10:00"))
    new = copy_of(old)
    new.due_zone = KOLKATA
    assert timed(new, old).due_time == old.due_time


def test_a_deadline_is_meant_in_the_assignees_zone_unless_it_says_another() -> None:
    assert timed(due("2026-05-04T10:00")).due_zone == WARSAW
    assert timed(due("2026-05-04T10:00", due_zone=KOLKATA)).due_zone == KOLKATA
    assert timed(Task(subject="whenever")).due_zone == ""


def test_a_deadline_before_the_start_names_both() -> None:
    task = due("2026-05-04T09:59", start_time=to_timestamp(moment("2026-05-04T10:00")))
    with pytest.raises(errors.ValuesInvalid) as refused:
        timed(task)
    (violation,) = refused.value.violations
    assert violation.field == "due_time"
    assert "2026-05-04T09:59:00+00:00" in violation.description
    assert "2026-05-04T10:00:00+00:00" in violation.description


def test_an_all_day_deadline_may_start_on_the_same_day() -> None:
    task = due("2026-05-04T00:00", all_day=True, due_zone="UTC")
    task.start_time.CopyFrom(to_timestamp(moment("2026-05-04T10:00")))
    assert to_datetime(timed(task).due_time) == moment("2026-05-04T23:59:59.999999")


@pytest.mark.parametrize(
    ("task", "field"),
    [
        (Task(subject="x", all_day=True), "all_day"),
        (Task(subject="x", recurrence="FREQ=DAILY"), "recurrence"),
    ],
)
def test_what_needs_a_deadline_says_so(task: Task, field: str) -> None:
    with pytest.raises(errors.ValuesInvalid) as refused:
        timed(task)
    assert [v.field for v in refused.value.violations] == [field]


def visit(appointment: str, **values: int) -> Visit:
    return Visit(place="Mokra 1", appointment_time=to_timestamp(moment(appointment)), **values)


def test_the_departure_is_the_appointment_less_the_way() -> None:
    task = timed(Task(subject="x", visit=visit("2026-03-29T02:10", travel_minutes=75)))
    assert to_datetime(task.visit.departure_time) == moment("2026-03-29T00:55")
    assert task.due_time == task.visit.appointment_time
    assert task.due_zone == WARSAW


def test_the_deadline_follows_the_appointment_until_somebody_says_another() -> None:
    old = timed(Task(subject="x", visit=visit("2026-05-04T10:00", travel_minutes=30)))
    moved = copy_of(old)
    moved.visit.appointment_time.CopyFrom(to_timestamp(moment("2026-05-05T10:00")))
    timed(moved, old)
    assert to_datetime(moved.due_time) == moment("2026-05-05T10:00")
    assert to_datetime(moved.visit.departure_time) == moment("2026-05-05T09:30")

    own = copy_of(moved)
    own.due_time.CopyFrom(to_timestamp(moment("2026-05-06T10:00")))
    timed(own, moved)
    again = copy_of(own)
    again.visit.appointment_time.CopyFrom(to_timestamp(moment("2026-05-05T12:00")))
    assert to_datetime(timed(again, own).due_time) == moment("2026-05-06T10:00")
