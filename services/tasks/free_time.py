"""Time that is free: what is left of working hours when the busy times are taken out. Pure; moments are UTC, ends excluded."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from chassis.hours import Hours
from chassis.hours.calculation import Span

_DAY, _MINUTE = timedelta(1), timedelta(minutes=1)


def open_spans(hours: Hours, since: datetime, until: datetime) -> list[Span]:
    """When somebody with these hours works between the moments; all of it if nobody said any hours."""
    if hours.always:
        return [(since, until)]
    zone = hours.calendar.zone
    day, last = since.astimezone(zone).date(), until.astimezone(zone).date()
    spans: list[Span] = []
    while day <= last:
        spans += hours.day(day).spans
        day += _DAY
    return clipped(spans, since, until)


def clipped(spans: Iterable[Span], since: datetime, until: datetime) -> list[Span]:
    """The parts between the moments."""
    cut = [(max(start, since), min(end, until)) for start, end in spans]
    return [(start, end) for start, end in cut if start < end]


def widened(span: Span, way: timedelta) -> Span:
    """The span with the way there and back."""
    return span[0] - way, span[1] + way


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same time as spans that neither overlap nor touch, in order."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        elif start < end:
            found.append((start, end))
    return found


def common(a: Sequence[Span], b: Sequence[Span]) -> list[Span]:
    """The time that lies in both; each of them in order and without overlaps."""
    found, i, j = [], 0, 0
    while i < len(a) and j < len(b):
        start, end = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        if start < end:
            found.append((start, end))
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1
    return found


def without(free: Sequence[Span], busy: Iterable[Span]) -> list[Span]:
    """The time that lies in `free` and in none of `busy`."""
    found: list[Span] = []
    taken = merged(busy)
    for start, end in merged(free):
        for begin, finish in taken:
            if finish <= start or begin >= end:
                continue
            if start < begin:
                found.append((start, begin))
            start = max(start, finish)
            if start >= end:
                break
        if start < end:
            found.append((start, end))
    return found


def slots(
    free: Iterable[Span], duration: timedelta, step_minutes: int, zone: ZoneInfo
) -> Iterator[Span]:
    """Every slot of this length within free time that begins at a full step after midnight in the zone, in order."""
    for start, end in free:
        begin = aligned(start, step_minutes, zone)
        while begin + duration <= end:
            yield begin, begin + duration
            begin = aligned(begin + _MINUTE, step_minutes, zone)


def aligned(moment: datetime, step_minutes: int, zone: ZoneInfo) -> datetime:
    """The first moment, this one or later, at which the zone's clock shows a full step after midnight."""
    local = moment.astimezone(zone)
    if local.second or local.microsecond:
        moment += _MINUTE - timedelta(seconds=local.second, microseconds=local.microsecond)
        local = moment.astimezone(zone)
    minutes = local.hour * 60 + local.minute
    if minutes % step_minutes == 0:
        return moment
    there = moment + timedelta(minutes=min(-minutes % step_minutes, 1440 - minutes))
    seen = there.astimezone(zone)
    if seen.utcoffset() == local.utcoffset():
        return there
    return _first_full_step(moment, step_minutes, zone)  # the clock changes in between


def _first_full_step(moment: datetime, step_minutes: int, zone: ZoneInfo) -> datetime:
    while True:
        moment += _MINUTE
        local = moment.astimezone(zone)
        if (local.hour * 60 + local.minute) % step_minutes == 0:
            return moment


def whole_days(start: datetime, end: datetime, zone: ZoneInfo) -> tuple[date, date]:
    """The first day of a span and the day behind its last, as the zone's calendar has them."""
    first, last = start.astimezone(zone), end.astimezone(zone)
    behind = last.date() if last.time() == last.time().min else last.date() + _DAY
    return first.date(), max(behind, first.date() + _DAY)
