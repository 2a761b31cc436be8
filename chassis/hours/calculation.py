"""Working time on one calendar: whether a moment is open, and how much working time lies between moments.

A calendar speaks of the clock on the wall, so a change of the clock is taken as it is: what a stretch skips in spring is
missing, what the clock shows twice in autumn is worked twice. Moments are aware datetimes; answers are in UTC.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from chassis.hours import free_days

Stretch = tuple[int, int]
"""Minutes after midnight on the wall, the end excluded."""
Span = tuple[datetime, datetime]
"""Two moments in UTC, the end excluded."""

WHOLE_DAY: tuple[Stretch, ...] = ((0, 1440),)

_LONGEST_GAP_DAYS = 400  # a calendar that is closed for longer than a year never opens
_FARTHEST_DAYS = 3660  # ten years: nobody waits for a deadline behind that, and the search must end
_DAYS_REMEMBERED = 4_000
_NO_TIME = timedelta()
# What a zone's clock may differ from UTC, and an hour more.
_BEFORE, _BEHIND = timedelta(hours=15), timedelta(hours=39)


class Because(StrEnum):
    """What makes a day open or closed."""

    ALWAYS = "always"
    WEEK = "week"
    HOLIDAY = "holiday"
    SPECIAL_DAY = "special_day"


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """The hours of one date whatever the week says; no stretches means closed. `of` says whose: user, department, tenant."""

    stretches: tuple[Stretch, ...]
    name: str = ""
    of: str = ""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Everything that decides hours. `week` None: every hour is worked, public holidays too; only special days close."""

    zone: ZoneInfo
    week: Mapping[int, tuple[Stretch, ...]] | None = None
    """ISO weekday (1 is Monday) -> stretches; a weekday that is not there is closed."""
    week_of: str = ""
    country: str = ""
    """Whose public holidays are free (ISO 3166-1); empty means that none are."""
    subdivision: str = ""
    holidays_of: str = ""
    language: str = ""
    """In which holidays are called, where they are known in it."""
    special_days: Mapping[date, SpecialDay] | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """One date on the wall: when it is open, and why."""

    date: date
    spans: tuple[Span, ...]
    because: Because
    of: str = ""
    """Whose word decided: user, department or tenant."""
    name: str = ""
    """The holiday's or special day's name."""


class Hours:
    """The calculation over one calendar. Immutable; days are remembered, so keep an instance while the calendar lasts."""

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar
        self.always = calendar.week is None and not calendar.special_days
        """True if nobody said any hours: every moment is open."""
        self._days: dict[date, Day] = {}

    def is_open(self, moment: datetime) -> bool:
        """True if people on this calendar work at this moment."""
        return self.always or any(
            start <= moment < end for start, end in self.day(self._date(moment)).spans
        )

    def next_open(self, moment: datetime) -> datetime | None:
        """The moment itself if it is open, else the next that is; None if the calendar never opens again."""
        if self.always:
            return moment
        return next((max(start, moment) for start, _ in self._spans_from(moment)), None)

    def add(self, moment: datetime, duration: timedelta) -> datetime | None:
        """The first moment by which `duration` of working time has passed since `moment`: a deadline.

        It is inside working hours or at their very end; `moment` itself for no duration. None if the calendar does not
        hold so much within ten years. Raises ValueError for a negative duration.
        """
        if duration < _NO_TIME:
            raise ValueError(f"a deadline lies ahead; {duration} is negative")
        if self.always or not duration:
            return moment + duration
        left = duration
        for start, end in self._spans_from(moment):
            began = max(start, moment)
            if end - began >= left:
                return began + left
            left -= end - began
        return None

    def between(self, a: datetime, b: datetime) -> timedelta:
        """The working time from `a` to `b`; negative if `b` is earlier."""
        if b < a:
            return -self.between(b, a)
        if self.always:
            return b - a
        worked, day, last = _NO_TIME, self._date(a), self._date(b)
        while day <= last:
            for start, end in self.day(day).spans:
                worked += max(_NO_TIME, min(end, b) - max(start, a))
            day += timedelta(1)
        return worked

    def day(self, day: date) -> Day:
        """The date's open spans and what decided them."""
        known = self._days.get(day)
        if known is None:
            if len(self._days) >= _DAYS_REMEMBERED:
                self._days.clear()
            known = self._days[day] = self._computed(day)
        return known

    def _computed(self, day: date) -> Day:
        calendar = self.calendar
        special = (calendar.special_days or {}).get(day)
        if special is not None:
            spans = _spans(day, special.stretches, calendar.zone)
            return Day(day, spans, Because.SPECIAL_DAY, special.of, special.name)
        if calendar.week is None:
            return Day(day, _spans(day, WHOLE_DAY, calendar.zone), Because.ALWAYS)
        stretches = calendar.week.get(day.isoweekday(), ())
        if stretches and calendar.country:
            holiday = free_days.name_of(
                day, calendar.country, calendar.subdivision, calendar.language
            )
            if holiday:
                return Day(day, (), Because.HOLIDAY, calendar.holidays_of, holiday)
        return Day(day, _spans(day, stretches, calendar.zone), Because.WEEK, calendar.week_of)

    def _date(self, moment: datetime) -> date:
        return moment.astimezone(self.calendar.zone).date()

    def _spans_from(self, moment: datetime) -> Iterator[Span]:
        """The open spans that end after the moment, in order, as far as a search goes."""
        first = self._date(moment)
        closed_days = 0
        for offset in range(_FARTHEST_DAYS):
            spans = self.day(first + timedelta(offset)).spans
            closed_days = 0 if spans else closed_days + 1
            if closed_days > _LONGEST_GAP_DAYS:
                return
            yield from (span for span in spans if span[1] > moment)


def _spans(day: date, stretches: tuple[Stretch, ...], zone: ZoneInfo) -> tuple[Span, ...]:
    """The moments at which the zone's clock shows this date and a time of the stretches."""
    if not stretches:
        return ()
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    found: list[Span] = []
    for begin, end, offset in _offsets(midnight - _BEFORE, midnight + _BEHIND, zone):
        for first, last in stretches:
            since = max(begin, midnight + timedelta(minutes=first) - offset)
            until = min(end, midnight + timedelta(minutes=last) - offset)
            if since < until:
                found.append((since, until))
    found.sort()
    joined: list[Span] = []
    for span in found:
        if joined and joined[-1][1] == span[0]:
            joined[-1] = (joined[-1][0], span[1])
        else:
            joined.append(span)
    return tuple(joined)


def _offsets(
    begin: datetime, end: datetime, zone: ZoneInfo
) -> tuple[tuple[datetime, datetime, timedelta], ...]:
    """(from, to, offset of the clock) in order; at most one change lies between two moments so near to each other."""
    before, after = _offset(begin, zone), _offset(end, zone)
    if before == after:
        return ((begin, end, before),)
    low, high = int(begin.timestamp()), int(end.timestamp())
    while high - low > 1:  # clocks change on whole seconds
        middle = (low + high) // 2
        if _offset(datetime.fromtimestamp(middle, UTC), zone) == before:
            low = middle
        else:
            high = middle
    change = datetime.fromtimestamp(high, UTC)
    return (begin, change, before), (change, end, after)


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or _NO_TIME
