"""When a meeting takes place: each time one by one, with what differs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from chassis.times import to_datetime
from crm.tasks.v1 import meeting_pb2
from services.tasks import errors, free_time, recurrence

Meeting = meeting_pb2.Meeting
Changed = meeting_pb2.ChangedOccurrence

WHEN = ("start_time", "end_time", "zone", "all_day", "recurrence")
"""The fields that decide when a meeting takes place."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time of a meeting. `original` is its start as the rule gives it; `subject` and `place` are its own or the meeting's."""

    original: datetime
    start: datetime
    end: datetime
    subject: str
    place: str


def of(meeting: Meeting) -> list[Occurrence]:
    """Every time at which it takes place, in the order of the rule; empty for a cancelled one."""
    if meeting.state == Meeting.STATE_CANCELLED:
        return []
    excluded = {to_datetime(stamp) for stamp in meeting.excluded_times}
    changes = {to_datetime(change.original_time): change for change in meeting.changed_occurrences}
    return [
        changed(meeting, start, changes.get(start))
        for start in starts_of(meeting)
        if start not in excluded
    ]


def between(meeting: Meeting, since: datetime, until: datetime) -> Iterator[Occurrence]:
    """The times that lie, with the way, at least partly between the moments."""
    way = timedelta(minutes=meeting.travel_minutes)
    return (o for o in of(meeting) if o.start - way < until and o.end + way > since)


def one(meeting: Meeting, original: datetime) -> Occurrence:
    """The time with this start by the rule; OccurrenceUnknown if there is none or it does not take place."""
    found = next((o for o in of(meeting) if o.original == original), None)
    if found is None or not repeats(meeting):
        raise errors.OccurrenceUnknown(original)
    return found


def extent(meeting: Meeting) -> tuple[datetime, datetime]:
    """From the first departure to the last return; of a cancelled meeting as if it took place once."""
    way = timedelta(minutes=meeting.travel_minutes)
    all_of_it = of(meeting)
    if not all_of_it:
        return to_datetime(meeting.start_time) - way, to_datetime(meeting.end_time) + way
    return min(o.start for o in all_of_it) - way, max(o.end for o in all_of_it) + way


def starts_of(meeting: Meeting) -> Sequence[datetime]:
    """The starts by the rule, exceptions not heeded; the one start of a meeting that does not repeat."""
    first = to_datetime(meeting.start_time)
    if not repeats(meeting):
        return (first,)
    return recurrence.all_starts(meeting.recurrence, first, zone_of(meeting))


def changed(meeting: Meeting, start: datetime, change: Changed | None) -> Occurrence:
    """The time that the rule gives, as its change has it: the same length by the clock, the same days if it lasts whole days."""
    end = _end(meeting, start)
    if change is None:
        return Occurrence(start, start, end, meeting.subject, meeting.place)
    begin = to_datetime(change.start_time) if change.HasField("start_time") else start
    finish = to_datetime(change.end_time) if change.HasField("end_time") else begin + (end - start)
    return Occurrence(
        start, begin, finish, change.subject or meeting.subject, change.place or meeting.place
    )


def repeats(meeting: Meeting) -> bool:
    return bool(meeting.recurrence.strip())


def zone_of(meeting: Meeting) -> ZoneInfo:
    """The zone by whose clock it repeats."""
    return ZoneInfo(meeting.zone or "UTC")


def _end(meeting: Meeting, start: datetime) -> datetime:
    """RFC 5545, 3.8.5.3: as much later as the first end is; days are counted as days, whatever the clock does."""
    first, last = to_datetime(meeting.start_time), to_datetime(meeting.end_time)
    if not meeting.all_day:
        return start + (last - first)
    zone = zone_of(meeting)
    day, behind = free_time.whole_days(first, last, zone)
    return recurrence.at_wall(start.astimezone(zone).date() + (behind - day), time(), zone)
