"""The text of a recurrence rule (RFC 5545, 3.3.10): read strictly, written in one form.

Calendars of people repeat by days: FREQ is DAILY, WEEKLY, MONTHLY or YEARLY, and the time of day is that of the first instance.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_MOST_VALUES = 366  # of one list
_MOST_INTERVAL = 1_000
_DATE = re.compile(r"\d{8}")
_MOMENT = re.compile(r"\d{8}T\d{6}Z?")
_DAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_NUMBER = re.compile(r"[+-]?\d{1,4}")


class RuleError(ValueError):
    """What is wrong with a rule, as a sentence that begins behind the field's name."""


class Frequency(StrEnum):
    """How often the rule's period comes."""

    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    YEARLY = "YEARLY"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a rule says. Weekdays count from Monday 0; numbers below zero count from the end."""

    frequency: Frequency
    interval: int = 1
    count: int = 0
    until: date | datetime | None = None
    by_month: tuple[int, ...] = ()
    by_week_number: tuple[int, ...] = ()
    by_year_day: tuple[int, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_day: tuple[tuple[int, int], ...] = ()
    """(which of them in the month or year, or 0 for each; weekday)."""
    by_position: tuple[int, ...] = ()
    week_start: int = 0

    @property
    def ends(self) -> bool:
        return bool(self.count) or self.until is not None

    def text(self) -> str:
        """The rule in its one form; `parse` reads it back."""
        parts = [f"FREQ={self.frequency}"]
        if self.interval != 1:
            parts.append(f"INTERVAL={self.interval}")
        if self.count:
            parts.append(f"COUNT={self.count}")
        if self.until is not None:
            parts.append(f"UNTIL={_until_text(self.until)}")
        for name, (field, *_) in _NUMBERS.items():
            if values := getattr(self, field):
                parts.append(f"{name}=" + ",".join(map(str, values)))
        if self.by_day:
            parts.append("BYDAY=" + ",".join(f"{n or ''}{WEEKDAYS[day]}" for n, day in self.by_day))
        if self.week_start:
            parts.append(f"WKST={WEEKDAYS[self.week_start]}")
        return ";".join(parts)


# Part -> (field, largest number, whether it may count from the end).
_NUMBERS: dict[str, tuple[str, int, bool]] = {
    "BYMONTH": ("by_month", 12, False),
    "BYWEEKNO": ("by_week_number", 53, True),
    "BYYEARDAY": ("by_year_day", 366, True),
    "BYMONTHDAY": ("by_month_day", 31, True),
    "BYSETPOS": ("by_position", 366, True),
}
_NOT_BY_DAY = ("BYHOUR", "BYMINUTE", "BYSECOND")


def parse(text: str) -> Rule:
    """The rule; RuleError with the part, its value and what is allowed."""
    parts = _parts(text)
    if (name := parts.pop("FREQ", "")) not in Frequency.__members__:
        raise RuleError(
            f"FREQ is {name[:20] or 'missing'}; it must be DAILY, WEEKLY, MONTHLY or YEARLY"
        )
    values: dict[str, object] = {}
    for part, value in parts.items():
        if part in _NOT_BY_DAY:
            raise RuleError(f"{part} is not allowed; the time of day is that of the first instance")
        if part in _NUMBERS:
            field, most, negative = _NUMBERS[part]
            values[field] = _numbers(part, value, most, negative=negative)
        elif part in _SINGLE:
            field, read = _SINGLE[part]
            values[field] = read(part, value)
        else:
            raise RuleError(f"{part[:20]} is not a part of a rule; see RFC 5545, 3.3.10")
    rule = Rule(Frequency(name), **values)  # type: ignore[arg-type]
    _check_together(rule)
    return rule


def _parts(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for piece in text.strip().upper().removeprefix("RRULE:").split(";"):
        name, equals, value = piece.partition("=")
        if not equals or not value:
            raise RuleError(
                f"{piece[:40]!r} is not NAME=VALUE; a rule looks like FREQ=WEEKLY;BYDAY=MO;COUNT=10"
            )
        if name in found:
            raise RuleError(f"{name[:20]} is there twice")
        found[name] = value
    return found


def _numbers(part: str, value: str, most: int, *, negative: bool) -> tuple[int, ...]:
    least = -most if negative else 1
    numbers = []
    for text in _items(part, value):
        number = int(text) if _NUMBER.fullmatch(text) else 0
        if not number or not least <= number <= most:
            raise RuleError(f"{part} has {text[:20]!r}; numbers from {least} to {most}, not 0")
        numbers.append(number)
    return tuple(sorted(set(numbers)))


def _items(part: str, value: str) -> list[str]:
    items = value.split(",")
    if len(items) > _MOST_VALUES:
        raise RuleError(f"{part} has {len(items)} values; at most {_MOST_VALUES}")
    return items


def _week_days(part: str, value: str) -> tuple[tuple[int, int], ...]:
    found = set()
    for text in _items(part, value):
        match = _DAY.fullmatch(text)
        number = int(match[1] or 0) if match else 0
        if match is None or (match[1] and not number) or abs(number) > 53:
            raise RuleError(f"{part} has {text[:20]!r}; weekdays such as MO, 2TU or -1FR")
        found.add((number, WEEKDAYS.index(match[2])))
    return tuple(sorted(found))


def _whole(part: str, value: str) -> int:
    # Beyond the limit by design where it is COUNT: whoever keeps rules names the limit of instances.
    most = _MOST_INTERVAL if part == "INTERVAL" else 9_999_999
    number = int(value) if value.isascii() and value.isdigit() and len(value) <= 7 else 0
    if not 1 <= number <= most:
        raise RuleError(f"{part} is {value[:20]!r}; a whole number from 1 to {most}")
    return number


def _until(part: str, value: str) -> date | datetime:
    try:
        if _DATE.fullmatch(value):
            return datetime.strptime(value, "%Y%m%d").date()  # noqa: DTZ007 - a date has no zone
        if _MOMENT.fullmatch(value):
            moment = datetime.strptime(value.removesuffix("Z"), "%Y%m%dT%H%M%S")  # noqa: DTZ007 - set below
            return moment.replace(tzinfo=UTC) if value.endswith("Z") else moment
    except ValueError:
        pass
    raise RuleError(
        f"{part} is {value[:20]!r}; a day such as 20261231 or a moment such as 20261231T225959Z"
    )


def _week_start(part: str, value: str) -> int:
    if value not in WEEKDAYS:
        raise RuleError(f"{part} is {value[:20]!r}; one of {', '.join(WEEKDAYS)}")
    return WEEKDAYS.index(value)


_SINGLE: dict[str, tuple[str, Callable[[str, str], object]]] = {
    "INTERVAL": ("interval", _whole),
    "COUNT": ("count", _whole),
    "UNTIL": ("until", _until),
    "BYDAY": ("by_day", _week_days),
    "WKST": ("week_start", _week_start),
}


def _check_together(rule: Rule) -> None:
    """What RFC 5545 does not allow beside each other."""
    is_long = rule.frequency in (Frequency.MONTHLY, Frequency.YEARLY)
    numbered = any(number for number, _ in rule.by_day)
    others = (
        rule.by_month or rule.by_week_number or rule.by_year_day or rule.by_month_day or rule.by_day
    )
    wrong = {
        "COUNT and UNTIL are two ends; give one": rule.count and rule.until is not None,
        "BYWEEKNO is for FREQ=YEARLY only": rule.by_week_number
        and rule.frequency != Frequency.YEARLY,
        "BYYEARDAY is for FREQ=YEARLY only": rule.by_year_day
        and rule.frequency != Frequency.YEARLY,
        "BYMONTHDAY is not for FREQ=WEEKLY": rule.by_month_day
        and rule.frequency == Frequency.WEEKLY,
        "BYDAY with a number (2TU) is for FREQ=MONTHLY and YEARLY only": numbered and not is_long,
        "BYDAY with a number (2TU) does not go with BYWEEKNO": numbered and rule.by_week_number,
        "BYSETPOS chooses among the days of another part; give BYDAY or BYMONTHDAY too": rule.by_position
        and not others,
    }
    for sentence, is_wrong in wrong.items():
        if is_wrong:
            raise RuleError(sentence)


def _until_text(until: date | datetime) -> str:
    if not isinstance(until, datetime):
        return until.strftime("%Y%m%d")
    return until.strftime("%Y%m%dT%H%M%S") + ("Z" if until.tzinfo else "")
