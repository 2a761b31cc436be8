"""Days and spans of days as records carry them. Pure."""

from datetime import date
from typing import Any

from google.type.date_pb2 import Date

from chassis.errors import Violation

EVER, NEVER = date.min, date.max
"""Stand where a span has no first or no last day."""


def day_of(record: Any, field: str) -> date | None:
    """The day of a field; None where it is not set, or no day of the calendar."""
    value = getattr(record, field)
    try:
        return date(value.year, value.month, value.day) if record.HasField(field) else None
    except ValueError:
        return None


def wrong_day(record: Any, field: str, path: str = "") -> list[Violation]:
    """What is wrong with a field that holds a day: that it is none."""
    if not record.HasField(field) or day_of(record, field) is not None:
        return []
    return [Violation(path + field, "is no day of the calendar; give year, month and day")]


def to_date(day: date) -> Date:
    """As contracts carry it."""
    return Date(year=day.year, month=day.month, day=day.day)


def span(record: Any) -> tuple[date, date]:
    """The first and last day of what has from_date and until_date."""
    return day_of(record, "from_date") or EVER, day_of(record, "until_date") or NEVER


def wrong_span(record: Any, path: str = "") -> list[Violation]:
    """What is wrong with from_date and until_date: days that are none, and an end before the beginning."""
    wrong = [
        Violation(path + field, "is no day of the calendar; give year, month and day")
        for field in ("from_date", "until_date")
        if record.HasField(field) and day_of(record, field) is None
    ]
    first, last = span(record)
    if not wrong and last < first:
        wrong.append(Violation(f"{path}until_date", f"{last} is before the first day, {first}"))
    return wrong


def shown(first: date, last: date) -> str:
    """A span as people say it."""
    begin = "since ever" if first == EVER else f"from {first}"
    return f"{begin} until further notice" if last == NEVER else f"{begin} until {last}"
