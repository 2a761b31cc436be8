"""Who is busy when: meetings and visits with the way there and back, and absences."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from chassis import errors as refusals
from chassis.hours.calculation import Span
from chassis.kit import showing
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.tasks.v1 import meeting_pb2, meeting_verbs_pb2, task_pb2
from services.tasks import errors, people, store
from services.tasks.rules import meetings as rules
from services.tasks.rules import occurrences

Meeting = meeting_pb2.Meeting
Task = task_pb2.Task
Busy = meeting_verbs_pb2.Busy

_FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
_LONGEST_VISIT = timedelta(days=2)  # a day there, a day of work: what the contract allows
MOST_NAMED = 10
"""How many conflicts a refusal names."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Somebody's time that is taken; `record` is the meeting or visit, None for an absence."""

    user_id: str
    kind: "Busy.Kind"
    start: datetime
    end: datetime
    record: Any = None
    subject: str = ""

    @property
    def span(self) -> Span:
        return self.start, self.end


async def find(
    tx: Tx, user_ids: Sequence[str], since: datetime, until: datetime, *, except_id: str = ""
) -> list[Taken]:
    """What takes these people's time between the moments, by start; whoever asks. The record `except_id` does not count."""
    wanted = set(user_ids)
    found = [each for id in user_ids for each in absences(tx, id, since, until)]
    for meeting in await store.meetings_of_people(tx, wanted, since, until):
        if meeting.id != except_id:
            found += _meeting(meeting, wanted, since, until)
    visits = await store.visits_of(tx, wanted, since - _LONGEST_VISIT, until + _LONGEST_VISIT)
    found += [
        each
        for each in map(_visit, visits)
        if each.start < until and each.end > since and each.record.id != except_id
    ]
    return sorted(found, key=lambda each: (each.start, each.end, each.user_id, each.kind))


def absences(tx: Tx, user_id: str, since: datetime, until: datetime) -> Iterator[Taken]:
    """The person's absences, as far as the directory tells them: those of today and to come."""
    user = tx.directory.user(user_id) or {}
    told = [
        *(user.get("absences") or ()),
        {"from": user.get("away_from"), "until": user.get("away_until")},
    ]
    for each in told:
        begin, end = each.get("from"), each.get("until")
        if begin is None and end is None:
            continue
        start = datetime.fromtimestamp(begin, UTC) if begin is not None else since
        finish = datetime.fromtimestamp(end, UTC) if end is not None else _FOREVER
        if start < until and finish > since:
            yield Taken(user_id, Busy.KIND_ABSENCE, start, finish)


def _meeting(
    meeting: Meeting, wanted: set[str], since: datetime, until: datetime
) -> Iterator[Taken]:
    way = timedelta(minutes=meeting.travel_minutes)
    who = [id for id in rules.people_of(meeting) if id in wanted]
    for each in occurrences.between(meeting, since, until) if who else ():
        for id in who:
            yield Taken(
                id, Busy.KIND_MEETING, each.start - way, each.end + way, meeting, each.subject
            )


def _visit(task: Task) -> Taken:
    visit = task.visit
    begin, way = to_datetime(visit.appointment_time), timedelta(minutes=visit.travel_minutes)
    end = begin + timedelta(minutes=visit.duration_minutes) + way
    return Taken(task.owner_id, Busy.KIND_VISIT, begin - way, end, task, task.subject)


# -- for callers -------------------------------------------------------------------------------------------------------------


def told(tx: Tx, taken: Taken) -> Busy:
    """The taken time as the caller may know it: what he may not read is busy and no more."""
    shown = Busy(user_id=taken.user_id, kind=taken.kind, start_time=to_timestamp(taken.start))
    if taken.end < _FOREVER:
        shown.end_time.CopyFrom(to_timestamp(taken.end))
    if taken.record is None:
        return shown
    resource: Any = store.meetings if taken.kind == Busy.KIND_MEETING else store.tasks
    scope = resource.scope_of_message(taken.record)
    if tx.rights.reaches(resource.object, "read", *scope):
        shown.record_id = taken.record.id
        if _may_see_subject(tx, resource):
            shown.subject = taken.subject
    return shown


def _may_see_subject(tx: Tx, resource: Any) -> bool:
    try:
        showing.refuse_unreadable(tx, resource, ["subject"])
    except refusals.PermissionDenied:
        return False
    return True


async def require_free(tx: Tx, meeting: Meeting) -> None:
    """MeetingConflict if anybody whose time the meeting takes is busy then; until the end of this transaction nobody else books
    these people. Call it behind the save, before it is written."""
    who = rules.people_of(meeting)
    await _hold(tx, who)
    way = timedelta(minutes=meeting.travel_minutes)
    wanted = sorted((o.start - way, o.end + way) for o in occurrences.of(meeting))
    await _demand_free(tx, sorted(who), wanted, meeting.id, occurrences.zone_of(meeting))


async def keep_visit(tx: Tx, new: Task, old: Task | None) -> None:
    """Called at every save of a task. Whoever books its assignee at this moment waits until he sees the visit; MeetingConflict for
    an exclusive one that somebody makes, moves or gives to somebody who is busy then. Rules make theirs whoever is busy."""
    if not takes_time(new, old):
        return
    await _hold(tx, [new.owner_id])
    if new.visit.exclusive and people.user_of(tx.actor):
        zone = ZoneInfo(new.due_zone or people.zone_of(tx, new.owner_id))
        wanted, field = [_visit(new).span], "visit.appointment_time"
        await _demand_free(tx, [new.owner_id], wanted, new.id, zone, field=field)


async def hold_visits(tx: Tx, changes: Iterable[tuple[Task, Task | None]]) -> None:
    """Of (new, old) tasks that are written already: as `keep_visit`, without a question whether the assignees are free."""
    await _hold(tx, {new.owner_id for new, old in changes if takes_time(new, old)})


def takes_time(new: Task, old: Task | None) -> bool:
    """True if this change makes a visit take somebody's time that it did not take before."""
    return _booked(new) is not None and (old is None or _booked(new) != _booked(old))


def _booked(task: Task) -> tuple[str, Span, bool] | None:
    is_open = task.state == Task.STATE_OPEN and not task.HasField("delete_time")
    if not (is_open and task.HasField("visit") and task.owner_id):
        return None
    return task.owner_id, _visit(task).span, task.visit.exclusive


async def _hold(tx: Tx, user_ids: Collection[str]) -> None:
    """Nobody else takes these people's time until the end; in one order, so that two never wait for each other."""
    for id in sorted(user_ids):
        await tx.lock(f"calendar/{id}")


async def _demand_free(
    tx: Tx, who: Sequence[str], wanted: Sequence[Span], id: str, zone: ZoneInfo, *, field: str = "start_time"
) -> None:  # fmt: skip
    """MeetingConflict if somebody is busy in one of these spans, which are in order; `id` is the record that wants them."""
    if not wanted:
        return
    since, until = wanted[0][0], max(end for _, end in wanted)
    taken = await find(tx, who, since, until, except_id=id)
    conflicts = [each for each in taken if overlaps(wanted, each.span)]
    if conflicts:
        named = [_sentence(tx, each, zone) for each in conflicts[:MOST_NAMED]]
        more = max(0, len(conflicts) - MOST_NAMED)
        raise errors.MeetingConflict(named, more=more, field=field)


def overlaps(wanted: Sequence[Span], span: Span) -> bool:
    """True if the span overlaps one of these, which are in order."""
    behind = bisect_left(wanted, span[1], key=lambda each: each[0])
    return any(each[1] > span[0] for each in wanted[:behind])


def _sentence(tx: Tx, taken: Taken, zone: ZoneInfo) -> str:
    name, about = people.name_of(tx, taken.user_id), told(tx, taken).subject
    if taken.kind == Busy.KIND_ABSENCE:
        about = "absent"
    end = (
        f"until {taken.end.astimezone(zone):%Y-%m-%d %H:%M}"
        if taken.end < _FOREVER
        else "without end"
    )
    return (
        f"{name} is busy from {taken.start.astimezone(zone):%Y-%m-%d %H:%M} {end}"
        f" {zone.key}{f' ({about})' if about else ''}"
    )


def spans_of(taken: Iterable[Taken]) -> list[Span]:
    return [each.span for each in taken]
