"""Recurrence rules of RFC 5545 (3.3.10): what a rule says, whether it may be kept, and when it falls.

The days are found here and not by python-dateutil, whose search for the next day cannot be ended before the year 9999: a rule
that never falls (FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30) keeps it busy for eight seconds (ADR 0012). Here a search ends after a
hundred years; the tests compare the two. Times of day are those of the clock on the wall: a time that spring skips is read with
the offset before the change, one that autumn shows twice is the first (3.3.5).
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo

from services.tasks import recurrence_text
from services.tasks.recurrence_text import Frequency, Rule, RuleError

__all__ = [
    "MOST_INSTANCES",
    "Frequency",
    "Rule",
    "RuleError",
    "parse",
    "settle",
    "starts",
    "violation",
]

MOST_INSTANCES = 1_000
"""A rule that ends may fall so often."""
FARTHEST_YEARS = 100
_DAY = timedelta(1)
_SERIES_REMEMBERED = 256  # of at most a thousand moments each

parse = recurrence_text.parse


def violation(text: str) -> str:
    """What is wrong with the text of a rule, as a sentence; empty if nothing is."""
    try:
        parse(text)
    except RuleError as error:
        return str(error)
    return ""


def settle(text: str, first: datetime, zone: ZoneInfo, *, all_day: bool, endless: bool) -> str:
    """The rule as it is kept, with UNTIL as RFC 5545 wants it beside this start; RuleError if it may not be kept.

    A rule falls at most MOST_INSTANCES times within FARTHEST_YEARS; one without an end only where `endless` is allowed.
    """
    rule = _with_until(parse(text), zone, all_day=all_day)
    if rule.count > MOST_INSTANCES:
        raise RuleError(f"COUNT is {rule.count}; at most {MOST_INSTANCES}")
    if not rule.ends:
        if endless:
            return rule.text()
        raise RuleError(f"has no end; add COUNT or UNTIL, with at most {MOST_INSTANCES} instances")
    found = len(list(islice(starts(rule, first, zone), MOST_INSTANCES + 1)))
    if found > MOST_INSTANCES:
        raise RuleError(
            f"gives more than {MOST_INSTANCES} instances until its end; choose an earlier one"
        )
    if rule.count and found < rule.count:
        raise RuleError(
            f"falls {found} times within {FARTHEST_YEARS} years, fewer than its COUNT of {rule.count}"
        )
    return rule.text()


def starts(rule: Rule, first: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """The moments (UTC) at which the rule falls, in order, for something that began at `first`.

    Each has the time of day that the zone's clock shows at `first`. `first` is among them only if the rule falls on it.
    """
    wall = first.astimezone(zone)
    for number, day in enumerate(days(rule, wall.date()), 1):
        moment = first if day == wall.date() else at_wall(day, wall.time(), zone)
        if rule.count and number > rule.count:
            return
        if rule.until is not None and _is_behind(day, moment, rule.until):
            return
        yield moment.astimezone(UTC)


@lru_cache(_SERIES_REMEMBERED)
def all_starts(text: str, first: datetime, zone: ZoneInfo) -> tuple[datetime, ...]:
    """The moments of a rule that ends, remembered."""
    return tuple(islice(starts(parse(text), first, zone), MOST_INSTANCES))


def at_wall(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """The moment (UTC) at which the zone's clock shows this: the first of two; where it is skipped, by the offset before."""
    return datetime.combine(day, clock.replace(tzinfo=None, fold=0), zone).astimezone(UTC)


def _with_until(rule: Rule, zone: ZoneInfo, *, all_day: bool) -> Rule:
    """UNTIL as a date beside a date, as a moment beside a moment; a date means the whole of that day."""
    until = rule.until
    if until is None:
        return rule
    if isinstance(until, datetime):
        moment = until if until.tzinfo else until.replace(tzinfo=zone)
        return replace(
            rule, until=moment.astimezone(zone).date() if all_day else moment.astimezone(UTC)
        )
    if all_day:
        return rule
    return replace(rule, until=at_wall(until, time(23, 59, 59), zone))


def _is_behind(day: date, moment: datetime, until: date | datetime) -> bool:
    if not isinstance(until, datetime):
        return day > until
    return moment > (until if until.tzinfo else until.replace(tzinfo=UTC))


# -- days --------------------------------------------------------------------------------------------------------------------


def days(rule: Rule, first: date) -> Iterator[date]:
    """The dates on which the rule falls, `first` and later, in order; COUNT and UNTIL are the caller's."""
    last = _plus_years(first)
    rule = _completed(rule, first)
    for begin, end in _periods(rule, first):
        if begin > last:
            return
        found = [day for day in _each(begin, end) if _falls(rule, day, begin, end)]
        for day in _chosen(found, rule.by_position):
            if first <= day <= last:
                yield day


def _completed(rule: Rule, first: date) -> Rule:
    """What the rule leaves open is as on the first day."""
    if rule.by_week_number and not rule.by_day:
        return replace(rule, by_day=((0, first.weekday()),))
    if rule.by_year_day or rule.by_month_day or rule.by_day or rule.frequency is Frequency.DAILY:
        return rule
    if rule.frequency is Frequency.WEEKLY:
        return replace(rule, by_day=((0, first.weekday()),))
    if rule.frequency is Frequency.YEARLY and not rule.by_month:
        return replace(rule, by_month=(first.month,), by_month_day=(first.day,))
    return replace(rule, by_month_day=(first.day,))


def _periods(rule: Rule, first: date) -> Iterator[tuple[date, date]]:
    """The days, weeks, months or years of the rule, the end excluded, from that of `first` on."""
    step = rule.interval
    if rule.frequency is Frequency.DAILY or rule.frequency is Frequency.WEEKLY:
        length = 1 if rule.frequency is Frequency.DAILY else 7
        begin = first
        if length == 7:
            begin -= timedelta((first.weekday() - rule.week_start) % 7)
        while begin.year < date.max.year - 1:
            yield begin, begin + timedelta(length)
            begin += timedelta(length * step)
        return
    months = 1 if rule.frequency is Frequency.MONTHLY else 12
    number = first.year * 12 + (first.month - 1 if months == 1 else 0)
    while number // 12 < date.max.year - 1:
        yield _month(number), _month(number + months)
        number += months * step


def _month(number: int) -> date:
    return date(number // 12, number % 12 + 1, 1)


def _each(begin: date, end: date) -> Iterator[date]:
    while begin < end:
        yield begin
        begin += _DAY


def _falls(rule: Rule, day: date, begin: date, end: date) -> bool:
    if rule.by_month and day.month not in rule.by_month:
        return False
    if rule.by_month_day and not _among(day.day, _month_length(day), rule.by_month_day):
        return False
    if rule.by_day and not _is_weekday(rule, day, begin, end):
        return False
    if rule.by_year_day:
        length = (date(day.year, 12, 31) - date(day.year, 1, 1)).days + 1
        if not _among(day.timetuple().tm_yday, length, rule.by_year_day):
            return False
    return not rule.by_week_number or _among(*_week(day, rule.week_start), rule.by_week_number)


def _among(place: int, length: int, wanted: tuple[int, ...]) -> bool:
    """Whether the place, counted from the front or (negative) from the back, is wanted."""
    return place in wanted or place - length - 1 in wanted


def _is_weekday(rule: Rule, day: date, begin: date, end: date) -> bool:
    weekday = day.weekday()
    for ordinal, wanted in rule.by_day:
        if wanted != weekday:
            continue
        if not ordinal:
            return True
        if rule.by_month:  # then "the second Monday" is that of the month, in a year too
            begin = day.replace(day=1)
            end = begin + timedelta(_month_length(day))
        nth, from_back = (day - begin).days // 7 + 1, -(((end - day).days - 1) // 7 + 1)
        if ordinal in (nth, from_back):
            return True
    return False


def _week(day: date, week_start: int) -> tuple[int, int]:
    """The number of the day's week and how many its year has; the first week has four days of the year at least."""
    monday = day - timedelta((day.weekday() - week_start) % 7)
    year = (monday + timedelta(3)).year
    first, following = _first_week(year, week_start), _first_week(year + 1, week_start)
    return (monday - first).days // 7 + 1, (following - first).days // 7


def _first_week(year: int, week_start: int) -> date:
    fourth = date(year, 1, 4)
    return fourth - timedelta((fourth.weekday() - week_start) % 7)


def _chosen(found: list[date], positions: tuple[int, ...]) -> list[date]:
    if not positions:
        return found
    return [day for place, day in enumerate(found, 1) if _among(place, len(found), positions)]


def _month_length(day: date) -> int:
    following = day.replace(day=28) + timedelta(4)
    return (following - timedelta(following.day)).day


def _plus_years(day: date) -> date:
    year = min(day.year + FARTHEST_YEARS, date.max.year - 1)
    return day.replace(year=year, day=28 if (day.month, day.day) == (2, 29) else day.day)
