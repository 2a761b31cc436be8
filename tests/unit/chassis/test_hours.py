"""Working time: against a model that looks at every minute's clock on the wall, over both changes of the clock."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chassis.hours import Because, Calendar, Hours, SpecialDay, hours_of
from chassis.tenant_view import TenantView

MINUTE = timedelta(minutes=1)
WARSAW = ZoneInfo("Europe/Warsaw")
ZONES = [ZoneInfo(name) for name in (
    "Europe/Warsaw", "Asia/Jakarta", "Asia/Kuala_Lumpur", "America/New_York")]  # fmt: skip
# Days around the changes of 2026: Warsaw 29 March and 25 October, New York 8 March and 1 November; and ordinary ones.
STARTS = [
    datetime(2026, *day, tzinfo=UTC)
    for day in ((3, 7), (3, 27), (3, 28), (10, 23), (10, 24), (10, 31), (5, 4))
]
OFFICE = {day: ((540, 720), (780, 1020)) for day in range(1, 6)}


def at(text: str, zone: ZoneInfo = WARSAW) -> datetime:
    """A moment by the clock of a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


@st.composite
def stretches(draw: st.DrawFn) -> tuple[tuple[int, int], ...]:
    """Up to three stretches of one day that do not overlap, to the quarter of an hour."""
    edges = draw(st.lists(st.integers(0, 96), max_size=6, unique=True).map(sorted))
    return tuple((a * 15, b * 15) for a, b in zip(edges[::2], edges[1::2], strict=False))


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    days = [date(2026, 3, 1) + timedelta(n) for n in (6, 7, 8, 27, 28, 29)]
    special = {day: SpecialDay(draw(stretches())) for day in draw(st.sets(st.sampled_from(days)))}
    return Calendar(
        zone=draw(st.sampled_from(ZONES)),
        week=draw(st.dictionaries(st.integers(1, 7), stretches())),
        country=draw(st.sampled_from(["", "PL", "ID", "US"])),
        special_days=special,
    )


moments = st.builds(
    lambda start, minutes: start + timedelta(minutes=minutes),
    st.sampled_from(STARTS),
    st.integers(0, 3 * 1440),
)
durations = st.integers(0, 40 * 60).map(lambda minutes: timedelta(minutes=minutes))


def open_by_the_wall(calendar: Calendar, moment: datetime, holidays: set[date]) -> bool:
    """The model: what the clock on the wall shows, and whether that minute is worked. It shares nothing with the code."""
    wall = moment.astimezone(calendar.zone)
    special = (calendar.special_days or {}).get(wall.date())
    if special is not None:
        worked = special.stretches
    else:
        worked = (
            ()
            if calendar.country and wall.date() in holidays
            else (calendar.week or {}).get(wall.isoweekday(), ())
        )
    minute = wall.hour * 60 + wall.minute
    return any(first <= minute < last for first, last in worked)


HOLIDAYS = {  # of the weeks that the tests look at, by hand
    "": set(), "US": set(), "ID": {date(2026, 3, d) for d in (18, 19, 20, 21, 22, 23, 24)} | {date(2026, 5, 1)},
    "PL": {date(2026, 5, 1), date(2026, 5, 3), date(2026, 11, 1)},
}  # fmt: skip


@pytest.mark.large
@settings(max_examples=60, deadline=None)
@given(calendars(), moments, st.integers(1, 2 * 1440))
def test_equal_to_a_look_at_every_minute(calendar: Calendar, begin: datetime, span: int) -> None:
    hours, holidays = Hours(calendar), HOLIDAYS[calendar.country]
    minutes = [begin + n * MINUTE for n in range(span)]
    open_ = [open_by_the_wall(calendar, minute, holidays) for minute in minutes]

    assert [hours.is_open(minute) for minute in minutes] == open_
    assert hours.between(begin, begin + span * MINUTE) == sum(open_) * MINUTE
    expected = next((m for m, worked in zip(minutes, open_, strict=True) if worked), None)
    found = hours.next_open(begin)
    assert (found if found is None or found < begin + span * MINUTE else None) == expected
    worked = [m for m, worked in zip(minutes, open_, strict=True) if worked]
    for wanted in {1, len(worked) // 2, len(worked)} - {0}:
        if wanted <= len(worked):
            assert hours.add(begin, wanted * MINUTE) == worked[wanted - 1] + MINUTE


@pytest.mark.large
@settings(deadline=None)
@given(calendars(), moments, durations)
def test_a_deadline_is_so_much_working_time_away_and_never_in_closed_time(
    calendar: Calendar, begin: datetime, duration: timedelta
) -> None:
    hours = Hours(calendar)
    end = hours.add(begin, duration)
    assume(end is not None)
    assert end is not None
    assert hours.between(begin, end) == duration
    assert hours.between(end, begin) == -duration
    if duration:
        assert hours.is_open(end - timedelta(microseconds=1))


@pytest.mark.large
@settings(deadline=None)
@given(calendars(), moments, durations, durations)
def test_deadlines_add_up_and_never_run_backwards(
    calendar: Calendar, begin: datetime, first: timedelta, second: timedelta
) -> None:
    hours = Hours(calendar)
    half, whole = hours.add(begin, first), hours.add(begin, first + second)
    assume(half is not None and whole is not None)
    assert half is not None
    assert whole is not None
    assert hours.add(half, second) == whole
    assert begin <= half <= whole


@pytest.mark.large
@settings(deadline=None)
@given(calendars(), moments, st.integers(0, 1440), durations)
def test_whoever_starts_later_ends_no_earlier(
    calendar: Calendar, begin: datetime, later: int, duration: timedelta
) -> None:
    hours = Hours(calendar)
    early, late = (hours.add(m, duration) for m in (begin, begin + later * MINUTE))
    assume(early is not None and late is not None)
    assert early is not None
    assert late is not None
    assert early <= late
    assert hours.between(begin, begin + later * MINUTE) >= timedelta()


@pytest.mark.parametrize(
    ("week", "moment", "wanted", "expected"),
    [
        # Lunch is not worked, nor is the night, nor the week-end.
        (OFFICE, "2026-05-04T11:00", 120, "2026-05-04T14:00"),
        (OFFICE, "2026-05-04T16:30", 60, "2026-05-05T09:30"),
        (OFFICE, "2026-05-08T16:30", 60, "2026-05-11T09:30"),
        (OFFICE, "2026-05-09T12:00", 0, "2026-05-09T12:00"),
        (OFFICE, "2026-05-04T16:00", 60, "2026-05-04T17:00"),  # the closing moment, not the next morning
        # The night of 29 March lacks an hour, that of 25 October has one twice.
        ({7: ((0, 360),)}, "2026-03-29T00:00", 5 * 60, "2026-03-29T06:00"),
        ({7: ((0, 360),)}, "2026-10-25T00:00", 7 * 60, "2026-10-25T06:00"),
        ({7: ((120, 180),)}, "2026-03-28T12:00", 60, "2026-04-05T03:00"),
        ({7: ((120, 180),)}, "2026-10-24T12:00", 120, "2026-10-25T03:00"),
    ],
)  # fmt: skip
def test_deadlines_known_by_hand(week: Any, moment: str, wanted: int, expected: str) -> None:
    hours = Hours(Calendar(WARSAW, week))
    assert hours.add(at(moment), wanted * MINUTE) == at(expected)


def test_a_calendar_that_never_opens_says_so() -> None:
    shut = Hours(Calendar(WARSAW, {}))
    assert shut.next_open(at("2026-05-04T12:00")) is None
    assert shut.add(at("2026-05-04T12:00"), MINUTE) is None
    assert not shut.is_open(at("2026-05-04T12:00"))
    once = Hours(Calendar(WARSAW, {}, special_days={date(2026, 5, 6): SpecialDay(((540, 541),))}))
    assert once.add(at("2026-05-04T12:00"), MINUTE) == at("2026-05-06T09:01")
    assert once.add(at("2026-05-04T12:00"), 2 * MINUTE) is None


def test_more_working_time_than_ten_years_hold_is_none() -> None:
    rare = Hours(Calendar(WARSAW, {1: ((0, 1),)}))
    assert rare.add(at("2026-05-04T00:00"), 600 * MINUTE) is None


def test_a_deadline_behind_is_refused() -> None:
    with pytest.raises(ValueError, match="is negative"):
        Hours(Calendar(WARSAW)).add(at("2026-05-04T12:00"), -MINUTE)


# --- whose word counts ------------------------------------------------------------------------------------------------------


def week(*days: int, start: str = "09:00", end: str = "17:00") -> list[dict[str, Any]]:
    return [{"weekday": day, "start": start, "end": end} for day in days]


def people(
    tenant: dict[str, Any] | None = None,
    departments: dict[str, dict[str, Any]] | None = None,
    **users: dict[str, Any],
) -> TenantView:
    view = TenantView("t")
    view.put("tenant", "t", {"time_zone": "Europe/Warsaw", "country": "PL", **(tenant or {})})
    for id, department in (departments or {}).items():
        view.put("department", id, {"name": id, "parent_id": "", **department})
    for id, user in users.items():
        view.put("user", id, {"department_id": "", **user})
    return view


def test_without_any_hours_every_moment_is_open_on_holidays_too() -> None:
    view = people(u={})
    assert hours_of(view, "u").always
    assert hours_of(view, "u").is_open(at("2026-12-25T03:00"))
    assert hours_of(view, "nobody").always
    day = hours_of(view, "u").day(date(2026, 12, 25))
    assert (day.because, day.spans) == (
        Because.ALWAYS,
        ((at("2026-12-25T00:00"), at("2026-12-26T00:00")),),
    )


def test_the_nearest_word_counts() -> None:
    view = people(
        {"working_hours": week(1, 2, 3, 4, 5)},
        {
            "top": {"working_hours": week(6)},
            "below": {"parent_id": "top"},
            "office": {"parent_id": ""},
        },
        saturday={"department_id": "below"},
        sunday={"department_id": "below", "working_hours": week(7)},
        weekdays={"department_id": "office"},
        alone={},
    )
    noons = {
        user: [n for n in range(4, 11) if hours_of(view, user).is_open(at(f"2026-05-{n:02}T12:00"))]
        for user in ("saturday", "sunday", "weekdays", "alone")
    }
    assert noons == {
        "saturday": [9],
        "sunday": [10],
        "weekdays": [4, 5, 6, 7, 8],
        "alone": [4, 5, 6, 7, 8],
    }
    assert hours_of(view, "weekdays") is hours_of(view, "alone")  # who say nothing share one object
    assert hours_of(view, "saturday").day(date(2026, 5, 9)).of == "department"


@pytest.mark.parametrize(
    ("holidays", "closed"),
    [
        (None, {(1, 6): "tenant"}),  # Epiphany, in the whole of Poland
        ({"country": "DE", "subdivision": "BY"}, {(1, 6): "user", (6, 4): "user"}),
        ({"country": "DE", "subdivision": "BE"}, {(3, 8): "user"}),
        ({"country": "DE"}, {}),
        ({"country": "MY", "subdivision": "10"}, {(12, 11): "user"}),  # the Sultan of Selangor
        ({"country": "ID"}, {(8, 17): "user"}),
        ({"worked": True}, {}),
        ({"country": "XX"}, {}),
    ],
)
def test_public_holidays_of_countries_and_regions(
    holidays: dict[str, Any] | None, closed: dict[tuple[int, int], str]
) -> None:
    every_day = {"working_hours": week(*range(1, 8))}
    view = people(every_day, u={"holidays": holidays})
    days = [
        hours_of(view, "u").day(date(2026, *d)) for d in ((1, 6), (3, 8), (8, 17), (12, 11), (6, 4))
    ]
    shut = {(d.date.month, d.date.day): d for d in days if d.because == Because.HOLIDAY}
    if holidays is None:
        closed = {**closed, (6, 4): "tenant"}  # Corpus Christi
    assert {day: found.of for day, found in shut.items()} == closed
    assert all(found.name and not found.spans for found in shut.values())


def test_special_days_beat_the_week_and_holidays_and_the_nearest_one_counts() -> None:
    def special(day: str, name: str, *hours: tuple[str, str]) -> dict[str, Any]:
        return {"date": day, "name": name, "hours": [{"start": a, "end": b} for a, b in hours]}

    view = people(
        {
            "language": "pl-PL",
            "working_hours": week(1, 2, 3, 4, 5),
            "special_days": [
                special("2026-12-24", "Christmas Eve"),
                special("2026-12-26", "Stock-taking", ("08:00", "12:00")),
                special("2026-12-31", "New Year's Eve", ("09:00", "13:00")),
            ],
        },
        {"d": {"special_days": [special("2026-12-24", "Duty", ("10:00", "12:00"))]}},
        everybody={},
        duty={"department_id": "d"},
    )
    shown = {
        user: [
            (day.because.value, day.of, day.name, len(day.spans))
            for n in (24, 25, 26, 31)
            if (day := hours_of(view, user).day(date(2026, 12, n)))
        ]
        for user in ("everybody", "duty")
    }
    assert shown["everybody"] == [
        ("special_day", "tenant", "Christmas Eve", 0),
        ("holiday", "tenant", "Boże Narodzenie (pierwszy dzień)", 0),
        ("special_day", "tenant", "Stock-taking", 1),
        ("special_day", "tenant", "New Year's Eve", 1),
    ]
    assert shown["duty"][0] == ("special_day", "department", "Duty", 1)
    assert hours_of(view, "duty").add(at("2026-12-23T17:00"), 3 * 60 * MINUTE) == at(
        "2026-12-26T09:00"
    )


def test_a_special_day_closes_even_where_nobody_said_a_week() -> None:
    view = people({"special_days": [{"date": "2026-05-04", "name": "Move", "hours": []}]}, u={})
    assert not hours_of(view, "u").is_open(at("2026-05-04T12:00"))
    assert hours_of(view, "u").is_open(at("2026-05-05T03:00"))


def test_zones_of_person_department_and_company() -> None:
    view = people(
        {"working_hours": week(*range(1, 8)), "holidays": {"worked": True}},
        {"asia": {"time_zone": "Asia/Jakarta"}},
        here={},
        there={"department_id": "asia"},
        roaming={"department_id": "asia", "time_zone": "America/New_York"},
        lost={"time_zone": "Mars/Base"},
    )
    opened = {
        user: hours_of(view, user).next_open(datetime(2026, 5, 4, tzinfo=UTC))
        for user in ("here", "there", "roaming", "lost")
    }
    assert {user: moment and moment.hour for user, moment in opened.items()} == {
        "here": 7,
        "there": 2,
        "roaming": 13,
        "lost": 7,  # a zone this machine does not know: the company's clock counts
    }


def test_a_change_of_the_directory_is_seen_at_once_and_nothing_is_computed_twice_before() -> None:
    view = people({"working_hours": week(1)}, u={})
    before = hours_of(view, "u")
    assert hours_of(view, "u") is before
    view.put("tenant", "t", {"time_zone": "UTC", "working_hours": week(2)})
    assert hours_of(view, "u").is_open(datetime(2026, 5, 5, 12, tzinfo=UTC))


def test_a_cycle_of_departments_ends() -> None:
    view = people({}, {"a": {"parent_id": "b"}, "b": {"parent_id": "a"}}, u={"department_id": "a"})
    assert hours_of(view, "u").always


def test_a_day_that_ends_at_midnight_goes_on_into_the_next() -> None:
    view = people(
        {
            "working_hours": [
                *week(1, start="22:00", end="23:59"),
                *week(2, start="00:00", end="06:00"),
            ]
        },
        u={},
    )
    assert hours_of(view, "u").is_open(at("2026-05-04T23:59:30"))
    assert hours_of(view, "u").add(at("2026-05-04T22:00"), timedelta(hours=8)) == at(
        "2026-05-05T06:00"
    )
