"""Recurrence rules: what may be kept, and when they fall, against python-dateutil as a second reading."""

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from services.tasks import recurrence
from services.tasks.recurrence import RuleError

WARSAW = ZoneInfo("Europe/Warsaw")
NEW_YORK = ZoneInfo("America/New_York")
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def wall(zone: ZoneInfo, text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def falls(rule: str, first: datetime, zone: ZoneInfo = WARSAW, most: int = 20) -> list[str]:
    """The starts as the zone's clock shows them."""
    found = islice(recurrence.starts(recurrence.parse(rule), first, zone), most)
    return [moment.astimezone(zone).strftime("%Y-%m-%d %H:%M%z") for moment in found]


# -- the clock ---------------------------------------------------------------------------------------------------------------


def test_a_weekly_meeting_stays_at_nine_over_both_changes_of_the_clock() -> None:
    spring = falls("FREQ=WEEKLY;COUNT=3", wall(WARSAW, "2026-03-22T09:00"))
    autumn = falls("FREQ=WEEKLY;COUNT=2", wall(WARSAW, "2026-10-24T09:00"))
    other = falls("FREQ=WEEKLY;COUNT=2", wall(NEW_YORK, "2026-03-02T09:00"), NEW_YORK)

    assert spring == ["2026-03-22 09:00+0100", "2026-03-29 09:00+0200", "2026-04-05 09:00+0200"]
    assert autumn == ["2026-10-24 09:00+0200", "2026-10-31 09:00+0100"]
    assert other == ["2026-03-02 09:00-0500", "2026-03-09 09:00-0400"]


def test_a_time_that_spring_skips_is_read_with_the_offset_before() -> None:
    # RFC 5545, 3.3.5: 02:30+01:00 on the Sunday of the change is 03:30+02:00.
    found = falls("FREQ=DAILY;COUNT=3", wall(WARSAW, "2026-03-28T02:30"))

    assert found == ["2026-03-28 02:30+0100", "2026-03-29 03:30+0200", "2026-03-30 02:30+0200"]


def test_a_time_that_autumn_shows_twice_is_the_first() -> None:
    found = falls("FREQ=DAILY;COUNT=3", wall(WARSAW, "2026-10-24T02:30"))

    assert found == ["2026-10-24 02:30+0200", "2026-10-25 02:30+0200", "2026-10-26 02:30+0100"]


def test_the_first_instance_is_the_start_itself_in_the_second_of_two_hours_too() -> None:
    second = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)  # 02:30 for the second time

    assert falls("FREQ=DAILY;COUNT=2", second) == ["2026-10-25 02:30+0100", "2026-10-26 02:30+0100"]


# -- what RFC 5545 says ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "first", "days"),
    [
        ("FREQ=MONTHLY;COUNT=3", "2026-01-31", ["2026-01-31", "2026-03-31", "2026-05-31"]),
        ("FREQ=YEARLY;COUNT=2", "2024-02-29", ["2024-02-29", "2028-02-29"]),
        ("FREQ=MONTHLY;BYDAY=-1FR;COUNT=3", "2026-01-30", ["2026-01-30", "2026-02-27", "2026-03-27"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3", "2026-01-31", ["2026-01-31", "2026-02-28", "2026-03-31"]),
        # The last working day of the month, from the RFC's own examples.
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=3", "2026-01-30", ["2026-01-30", "2026-02-27", "2026-03-31"]),
        # The RFC's examples of WKST: the same days in two orders of the week.
        ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "1997-08-05", ["1997-08-05", "1997-08-10", "1997-08-19", "1997-08-24"]),
        ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "1997-08-05", ["1997-08-05", "1997-08-17", "1997-08-19", "1997-08-31"]),
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;COUNT=3", "1997-05-12", ["1997-05-12", "1998-05-11", "1999-05-17"]),
        ("FREQ=YEARLY;BYWEEKNO=20;COUNT=2", "1997-05-12", ["1997-05-12", "1998-05-11"]),
        ("FREQ=YEARLY;INTERVAL=3;COUNT=4;BYYEARDAY=1,100", "1997-01-01", ["1997-01-01", "1997-04-10", "2000-01-01", "2000-04-09"]),
        ("FREQ=YEARLY;BYDAY=20MO;COUNT=2", "1997-05-19", ["1997-05-19", "1998-05-18"]),
        ("FREQ=DAILY;UNTIL=20260103", "2026-01-01", ["2026-01-01", "2026-01-02", "2026-01-03"]),
    ],
)  # fmt: skip
def test_rules_fall_as_the_rfc_says(rule: str, first: str, days: list[str]) -> None:
    assert [each[:10] for each in falls(rule, wall(WARSAW, f"{first}T09:00"))] == days


numbers = st.lists(st.integers(1, 31).flatmap(lambda n: st.sampled_from([n, -n])), max_size=3)


@st.composite
def rules(draw: st.DrawFn) -> str:
    """Rules that the RFC allows, in which dateutil and the RFC agree."""
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = [
        f"FREQ={frequency}",
        f"INTERVAL={draw(st.integers(1, 5))}",
        f"COUNT={draw(st.integers(1, 12))}",
    ]
    is_long = frequency in ("MONTHLY", "YEARLY")
    if draw(st.booleans()):
        # Of "every Monday and the first Tuesday" dateutil takes only days that are both.
        numbered = is_long and draw(st.booleans())
        ordinals = st.sampled_from(["1", "2", "-1", "5"] if numbered else [""])
        days = draw(
            st.lists(st.tuples(ordinals, st.sampled_from(WEEKDAYS)), min_size=1, max_size=3)
        )
        parts.append("BYDAY=" + ",".join(sorted({number + day for number, day in days})))
    if frequency != "WEEKLY" and (days_of_month := draw(numbers)):
        parts.append("BYMONTHDAY=" + ",".join(map(str, sorted(set(days_of_month)))))
    if months := draw(st.lists(st.integers(1, 12), max_size=2)):
        parts.append("BYMONTH=" + ",".join(map(str, sorted(set(months)))))
    if is_long and any(part.startswith("BY") for part in parts) and draw(st.booleans()):
        parts.append(f"BYSETPOS={draw(st.sampled_from([1, 2, -1, -2]))}")
    parts.append(f"WKST={draw(st.sampled_from(WEEKDAYS))}")
    return ";".join(parts)


@pytest.mark.large
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rules(), st.dates(date(2020, 1, 1), date(2030, 12, 31)))
def test_days_are_those_of_dateutil(rule: str, first: date) -> None:
    ours = recurrence.parse(rule)
    found = list(islice(recurrence.days(ours, first), ours.count))
    assume(len(found) == ours.count)  # dateutil looks for the others until the year 9999
    begin = datetime(first.year, first.month, first.day)

    theirs = [moment.date() for moment in islice(rrulestr(rule, dtstart=begin), ours.count)]

    assert found == theirs


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rules())
def test_a_rule_has_one_form_that_says_the_same(rule: str) -> None:
    parsed = recurrence.parse(rule)

    assert recurrence.parse(parsed.text()) == parsed
    assert recurrence.parse(parsed.text()).text() == parsed.text()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rules(),
    st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1)),
    st.sampled_from(["Europe/Warsaw", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_starts_come_in_order_and_show_the_clock_of_the_first(
    rule: str, naive: datetime, name: str
) -> None:
    zone = ZoneInfo(name)
    first = naive.replace(microsecond=0, tzinfo=UTC)
    clock = first.astimezone(zone).time()
    found = list(recurrence.starts(recurrence.parse(rule), first, zone))

    assert found == sorted(set(found))
    for moment in found:
        local = moment.astimezone(zone)
        skipped = (moment + timedelta(hours=2)).astimezone(zone).utcoffset() != (
            moment - timedelta(hours=2)
        ).astimezone(zone).utcoffset()
        assert skipped or local.time() == clock


# -- what may be kept --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("every monday", "is not NAME=VALUE"),
        ("FREQ=HOURLY", "FREQ is HOURLY; it must be DAILY, WEEKLY, MONTHLY or YEARLY"),
        ("BYDAY=MO", "FREQ is missing"),
        ("FREQ=DAILY;COUNT=0", "COUNT is '0'; a whole number from 1"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20260101", "COUNT and UNTIL are two ends"),
        ("FREQ=DAILY;COUNT=2;COUNT=3", "COUNT is there twice"),
        ("FREQ=DAILY;INTERVAL=1001", "INTERVAL is '1001'; a whole number from 1 to 1000"),
        ("FREQ=DAILY;UNTIL=20260231", "UNTIL is '20260231'; a day such as"),
        ("FREQ=DAILY;BYHOUR=9", "BYHOUR is not allowed"),
        ("FREQ=DAILY;BYDAY=2MO", "BYDAY with a number"),
        ("FREQ=MONTHLY;BYDAY=XX", "BYDAY has 'XX'"),
        ("FREQ=WEEKLY;BYMONTHDAY=3", "BYMONTHDAY is not for FREQ=WEEKLY"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY has '32'; numbers from -31 to 31"),
        ("FREQ=MONTHLY;BYWEEKNO=3", "BYWEEKNO is for FREQ=YEARLY only"),
        ("FREQ=DAILY;BYYEARDAY=3", "BYYEARDAY is for FREQ=YEARLY only"),
        ("FREQ=YEARLY;BYWEEKNO=3;BYDAY=1MO", "does not go with BYWEEKNO"),
        ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS chooses among the days of another part"),
        ("FREQ=DAILY;BYEASTER=1", "BYEASTER is not a part of a rule"),
    ],
)
def test_a_text_that_is_no_rule_is_refused_with_its_part_and_value(
    rule: str, sentence: str
) -> None:
    assert sentence in recurrence.violation(rule)
    with pytest.raises(RuleError):
        recurrence.parse(rule)


def settle(rule: str, *, all_day: bool = False, endless: bool = False) -> str:
    first = wall(WARSAW, "2026-01-05T09:00")
    return recurrence.settle(rule, first, WARSAW, all_day=all_day, endless=endless)


def test_a_thousand_instances_may_be_kept_and_one_more_may_not() -> None:
    assert settle("freq=daily;count=1000") == "FREQ=DAILY;COUNT=1000"
    assert settle("FREQ=DAILY;UNTIL=20280930") == "FREQ=DAILY;UNTIL=20280930T215959Z"
    with pytest.raises(RuleError, match="COUNT is 1001; at most 1000"):
        settle("FREQ=DAILY;COUNT=1001")
    with pytest.raises(RuleError, match="more than 1000 instances until its end"):
        settle("FREQ=DAILY;UNTIL=20281001")


def test_a_rule_without_an_end_is_kept_only_where_that_is_allowed() -> None:
    assert settle("RRULE:FREQ=WEEKLY;BYDAY=MO", endless=True) == "FREQ=WEEKLY;BYDAY=MO"
    with pytest.raises(RuleError, match="has no end; add COUNT or UNTIL, with at most 1000"):
        settle("FREQ=WEEKLY;BYDAY=MO")


def test_a_rule_that_hardly_ever_falls_is_refused_soon() -> None:
    with pytest.raises(RuleError, match="falls 0 times within 100 years"):
        settle("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=2")
    with pytest.raises(RuleError, match="fewer than its COUNT of 200"):
        settle("FREQ=YEARLY;COUNT=200")


def test_until_is_a_moment_beside_a_moment_and_a_day_beside_a_day() -> None:
    assert settle("FREQ=DAILY;UNTIL=20260110") == "FREQ=DAILY;UNTIL=20260110T225959Z"
    assert settle("FREQ=DAILY;UNTIL=20260110T090000") == "FREQ=DAILY;UNTIL=20260110T080000Z"
    assert settle("FREQ=DAILY;UNTIL=20260110T080000Z", all_day=True) == "FREQ=DAILY;UNTIL=20260110"
