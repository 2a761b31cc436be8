"""Relative moments mean what the tenant's clock says, and only where a moment is asked for."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from chassis.kit.filter import (
    Field,
    FilterError,
    anchored,
    compile_filter,
    is_relative,
    parse,
    predicate,
    to_text,
)

FIELDS = {
    "seen": Field("seen", "timestamp"), "day": Field("day", "date"), "name": Field("name", "text"),
    "count": Field("count", "number"), "birth": Field("birth", "number", day_of_year=True),
}  # fmt: skip
CUSTOM = {"due": Field("custom", "custom_date"), "word": Field("custom", "custom_text")}
NOW = datetime(
    2026, 3, 28, 23, 30, tzinfo=ZoneInfo("Europe/Warsaw")
)  # the night before summer time


def at(text: str, now: datetime = NOW) -> str:
    return to_text(anchored(parse(text), FIELDS, CUSTOM, now))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("now", "2026-03-28T23:30:00+01:00"), ("now-90d", "2025-12-28T23:30:00+01:00"), ("now+1d", "2026-03-29T23:30:00+02:00"),
        ("now+24h", "2026-03-30T00:30:00+02:00"), ("now-30m", "2026-03-28T23:00:00+01:00"), ("now-2w", "2026-03-14T23:30:00+01:00"),
        ("now-1mo", "2026-02-28T23:30:00+01:00"), ("now-1y", "2025-03-28T23:30:00+01:00"), ("today", "2026-03-28T00:00:00+01:00"),
        ("today+1d", "2026-03-29T00:00:00+01:00"), ("now-10s", "2026-03-28T23:29:50+01:00"),
    ],
)  # fmt: skip
def test_a_moment_is_measured_on_the_tenants_clock(written: str, meant: str) -> None:
    assert at(f"seen < {written}") == f'seen < "{meant}"'


def test_dates_are_the_tenants_days_also_in_custom_fields() -> None:
    assert at("day = today") == 'day = "2026-03-28"'
    assert at("day <= now+1mo") == 'day <= "2026-04-28"'
    assert at("custom.due < today-1y") == 'custom.due < "2025-03-28"'
    assert at("day = today", datetime(2026, 3, 28, 23, 30, tzinfo=UTC)) == 'day = "2026-03-28"'


def test_the_last_of_a_month_stays_the_last() -> None:
    assert at("day = today+1mo", datetime(2026, 1, 31, tzinfo=UTC)) == 'day = "2026-02-28"'
    assert at("day = today-1y", datetime(2024, 2, 29, tzinfo=UTC)) == 'day = "2023-02-28"'


def test_a_day_of_the_year_knows_no_year() -> None:
    assert at("birth = today") == 'birth = "328"'
    assert at("birth = today+1w", datetime(2026, 12, 28, tzinfo=UTC)) == 'birth = "104"'
    compile_filter(anchored(parse("birth = today"), FIELDS, CUSTOM, NOW), FIELDS, CUSTOM)


def test_words_stay_words_where_no_moment_is_asked_for() -> None:
    same = 'name = now AND custom.word = today AND seen < "now" AND unknown = now'
    assert at(same) == same
    with pytest.raises(FilterError, match="must be a time"):
        compile_filter(anchored(parse('seen < "now"'), FIELDS, CUSTOM, NOW), FIELDS, CUSTOM)
    with pytest.raises(FilterError, match="count must be a number"):
        compile_filter(anchored(parse("count = today"), FIELDS, CUSTOM, NOW), FIELDS, CUSTOM)


def test_a_moment_outside_the_calendar_is_refused_by_name() -> None:
    for written in ("now+99999y", "now-3000y", "now-99999mo"):
        with pytest.raises(
            FilterError, match=r"seen must be a moment between the years 1 and 9999"
        ):
            at(f"seen < {written}")


def test_a_filter_says_whether_time_alone_changes_it() -> None:
    relative = ["seen < now", "count = 1 AND NOT (day = today OR count = 2)", "custom.due < today"]
    assert all(is_relative(parse(text), FIELDS, CUSTOM) for text in relative)
    assert not any(
        is_relative(parse(text), FIELDS, CUSTOM) for text in ("", "name = now", "seen < 2026-01-01")
    )


def test_sql_and_python_get_the_same_moment() -> None:
    node = anchored(parse("seen < now-90d"), FIELDS, CUSTOM, NOW)
    holds = predicate(node, FIELDS, CUSTOM)

    limit = datetime(2025, 12, 28, 22, 30, tzinfo=UTC)
    assert compile_filter(node, FIELDS, CUSTOM).params == {"f0": limit}
    assert [holds({"seen": value}) for value in (limit.replace(minute=29), limit, None)] == [
        True,
        False,
        False,
    ]
