"""Free time: spans against minutes counted one by one, and slots that begin at full steps."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.hours import Calendar, Hours
from services.tasks import free_time

START = datetime(2026, 3, 2, tzinfo=UTC)
Span = tuple[datetime, datetime]


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


spans = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 20)).map(lambda s: (at(s[0]), at(s[0] + s[1]))),
    max_size=6,
)


def minutes(found: list[Span]) -> set[int]:
    return {m for m in range(100) if any(start <= at(m) < end for start, end in found)}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines are shared
@given(spans, spans)
def test_without_and_common_are_those_of_sets_of_minutes(a: list[Span], b: list[Span]) -> None:
    merged = free_time.merged(a)

    assert minutes(free_time.without(a, b)) == minutes(a) - minutes(b)
    assert minutes(free_time.common(merged, free_time.merged(b))) == minutes(a) & minutes(b)
    assert minutes(merged) == minutes(a)
    assert all(one[1] < two[0] for one, two in pairwise(merged))


def test_slots_begin_at_full_steps_of_the_zones_clock() -> None:
    kolkata = ZoneInfo("Asia/Kolkata")  # UTC+05:30
    free = [(at(10), at(130))]

    found = list(free_time.slots(free, timedelta(minutes=45), 30, kolkata))
    hourly = list(free_time.slots(free, timedelta(minutes=45), 60, kolkata))

    assert [start for start, _ in found] == [at(30), at(60)]
    assert [start.astimezone(kolkata).minute for start, _ in hourly] == [0]


def test_slots_stay_at_full_steps_over_both_changes_of_the_clock() -> None:
    for name, day in (("Europe/Warsaw", (2026, 3, 28)), ("Europe/Warsaw", (2026, 10, 24)), ("Australia/Lord_Howe", (2026, 4, 4))):  # fmt: skip
        zone = ZoneInfo(name)
        begin = datetime(*day, 20, 10, tzinfo=zone).astimezone(UTC)
        free = [(begin, begin + timedelta(hours=12))]
        for step in (20, 45, 50, 240):
            found = [s for s, _ in free_time.slots(free, timedelta(minutes=5), step, zone)]
            shown = [moment.astimezone(zone) for moment in found]
            assert {(s.hour * 60 + s.minute) % step for s in shown} == {0}
            assert found == sorted(set(found))


def test_working_hours_are_cut_to_the_stretch() -> None:
    week = {day: ((9 * 60, 17 * 60),) for day in range(1, 6)}
    hours = Hours(Calendar(ZoneInfo("Europe/Warsaw"), week))
    since = datetime(2026, 3, 27, 15, tzinfo=UTC)  # Friday 16:00; the clock changes on Sunday

    found = free_time.open_spans(hours, since, since + timedelta(days=3))

    assert found == [
        (since, datetime(2026, 3, 27, 16, tzinfo=UTC)),
        (datetime(2026, 3, 30, 7, tzinfo=UTC), datetime(2026, 3, 30, 15, tzinfo=UTC)),
    ]


def test_whole_days_are_those_of_the_zones_calendar() -> None:
    zone = ZoneInfo("Europe/Warsaw")
    start = datetime(2026, 3, 28, 23, tzinfo=UTC)  # midnight of the Sunday of 23 hours
    first, behind = free_time.whole_days(start, start + timedelta(hours=23), zone)

    assert (first.isoformat(), behind.isoformat()) == ("2026-03-29", "2026-03-30")
