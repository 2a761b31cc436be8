"""The day plan: which day it is for somebody, why something is in it, and in which order. Pure.

The order is total and depends on nothing but the records: group (below), then moment, then id, then code. So it is the same in
every process and on every page. A line stands where its first reason stands.

A birthday on 29 February is on 28 February in years without that day.
"""

from calendar import isleap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from google.type.date_pb2 import Date

from chassis.times import to_datetime, to_timestamp
from crm.common.v1.common_pb2 import Link
from crm.tasks.v1 import day_pb2 as pb
from crm.tasks.v1 import meeting_pb2, task_pb2
from services.tasks.recurrence import at_wall
from services.tasks.rules import ending, occurrences

Task = task_pb2.Task
Meeting = meeting_pb2.Meeting
Code = pb.DayReason.Code
Reason = pb.DayReason

MORNING = time(7)
"""When a day is announced, by the person's own clock (S50)."""
LATEST_ANNOUNCEMENT = timedelta(hours=5)
"""After an outage a morning is told until noon; later it is no news any more."""

_DAY = timedelta(days=1)
_GROUPS = {
    pb.DayReason.CODE_REACTION_CLOCK: 0,
    pb.DayReason.CODE_CALL_TO_RETURN: 1,
    pb.DayReason.CODE_OVERDUE: 2,
    pb.DayReason.CODE_DUE_TODAY: 3,
    pb.DayReason.CODE_VISIT: 3,
    pb.DayReason.CODE_MEETING: 3,
}
_REST = 4

Place = tuple[int, datetime, str, int]
"""Group, moment, id of the record, code: where a reason stands in the day."""
Matter = tuple[str, str, str, str]
"""Contact, company, kind of matter and its id; what concerns no customer has its own record's id as matter."""


# -- which day -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Today:
    """One person's day by his own clock: 23 or 25 hours long where the clock changes."""

    user_id: str
    now: datetime
    zone: ZoneInfo
    day: date
    start: datetime
    end: datetime
    """The next midnight."""

    @classmethod
    def of(cls, user_id: str, zone: str, now: datetime) -> "Today":
        """The day that it is at this moment in the zone."""
        clock = ZoneInfo(zone)
        day = now.astimezone(clock).date()
        start, end = (at_wall(each, time(), clock) for each in (day, day + _DAY))
        return cls(user_id, now, clock, day, start, end)

    def midnight_of(self, day: date) -> datetime:
        """The beginning of the day here: where what has no hour is sorted in."""
        return at_wall(day, time(), self.zone)

    @property
    def morning(self) -> datetime:
        """When the day is announced."""
        return at_wall(self.day, MORNING, self.zone)

    def days_since(self, day: date) -> int:
        return max(0, (self.day - day).days)


def next_morning(now: datetime, zone: str) -> datetime:
    """The next seven o'clock of this zone's clock."""
    today = Today.of("", zone, now)
    if today.morning > now:
        return today.morning
    return at_wall(today.day + _DAY, MORNING, today.zone)


def birthdays_of(day: date) -> list[int]:
    """The birthdays that are kept on this day, as `birth_day` writes them."""
    found = [birth_day(day.month, day.day)]
    if (day.month, day.day) == (2, 28) and not isleap(day.year):
        found.append(birth_day(2, 29))
    return found


def birth_day(month: int, day: int) -> int:
    """Month and day as one number, e.g. 229."""
    return month * 100 + day


# -- what is in it ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    """A reason with its matter and place."""

    matter: Matter
    place: Place
    reason: Reason


def found(
    matter: Matter, code: "Code", moment: datetime, id: str, reason: Reason | None = None
) -> Found:
    """A reason of the record `id`, sorted in by this moment."""
    reason = reason or Reason()
    reason.code = code
    return Found(matter, (_GROUPS.get(code, _REST), moment, id, int(code)), reason)


def of_task(task: Task, today: Today) -> Found | None:
    """Why the open task is in the day; None if it is not."""
    due = to_datetime(task.due_time) if task.HasField("due_time") else None
    reason = Reason(task_id=task.id, subject=task.subject)
    if due is not None:
        reason.time.CopyFrom(task.due_time)
    if ending.runs(task):
        asked = to_datetime(task.reaction.start_time)
        return _task(task, pb.DayReason.CODE_REACTION_CLOCK, due or asked, reason)
    if task.link.call_id and (due is None or due < today.end):
        made = to_datetime(task.create_time)
        return _task(task, pb.DayReason.CODE_CALL_TO_RETURN, due or made, reason)
    if _is_visited(task, today):
        visit = task.visit
        reason.time.CopyFrom(visit.appointment_time)
        reason.departure_time.CopyFrom(visit.departure_time)
        at = to_datetime(visit.appointment_time)
        return _task(task, pb.DayReason.CODE_VISIT, at, reason)
    if due is not None and due <= today.now:
        reason.days = (today.now - due).days
        return _task(task, pb.DayReason.CODE_OVERDUE, due, reason)
    if due is not None and not task.all_day:
        return _task(task, pb.DayReason.CODE_DUE_TODAY, due, reason) if due < today.end else None
    return _next_step(task, due, today, reason)


def _next_step(task: Task, due: datetime | None, today: Today, reason: Reason) -> Found | None:
    """Of a day without an hour: the day that was meant, in the zone in which it was said."""
    if due is not None:
        day = due.astimezone(ZoneInfo(task.due_zone or "UTC")).date()
    elif task.HasField("start_time"):
        day = to_datetime(task.start_time).astimezone(today.zone).date()
    else:
        return None
    if day > today.day:
        return None
    reason.ClearField("time")
    reason.date.CopyFrom(dated(day))
    return _task(task, pb.DayReason.CODE_NEXT_STEP, today.midnight_of(day), reason)


def _is_visited(task: Task, today: Today) -> bool:
    """True if there is an appointment today that is not over."""
    if not task.visit.HasField("appointment_time"):
        return False
    at = to_datetime(task.visit.appointment_time)
    over = at + timedelta(minutes=task.visit.duration_minutes)
    return today.start <= at < today.end and today.now < max(over, at + timedelta(microseconds=1))


def of_meeting(meeting: Meeting, today: Today) -> Iterator[Found]:
    """Each time the meeting takes place today and is not over, unless the person has declined."""
    if any(
        p.user_id == today.user_id and p.answer == meeting_pb2.Participant.ANSWER_DECLINED
        for p in meeting.participants
    ):
        return
    way = timedelta(minutes=meeting.travel_minutes)
    matter = _matter(meeting.contact_id, meeting.company_id, meeting.link, meeting.id)
    for each in occurrences.between(meeting, today.start, today.end):
        if each.end <= today.now or each.start >= today.end or each.end <= today.start:
            continue
        reason = Reason(meeting_id=meeting.id, subject=each.subject, time=to_timestamp(each.start))
        if way:
            reason.departure_time.CopyFrom(to_timestamp(each.start - way))
        yield found(matter, pb.DayReason.CODE_MEETING, each.start, meeting.id, reason)


def _task(task: Task, code: "Code", moment: datetime, reason: Reason) -> Found:
    return found(
        _matter(task.contact_id, task.company_id, task.link, task.id), code, moment, task.id, reason
    )


def _matter(contact_id: str, company_id: str, link: object, id: str) -> Matter:
    """A deal or case is a matter of its own; requests and calls are the customer's."""
    for kind in ("deal_id", "case_id"):
        if of := getattr(link, kind):
            return contact_id, "" if contact_id else company_id, kind, of
    if contact_id:
        return contact_id, "", "", ""
    return ("", company_id, "", "") if company_id else ("", "", "", id)


def of_deal(contact_id: str, company_id: str, deal_id: str, id: str) -> Matter:
    """The matter of a deal, or of the customer where the record `id` belongs to no deal."""
    if deal_id:
        return contact_id, "" if contact_id else company_id, "deal_id", deal_id
    return _matter(contact_id, company_id, Link(), id)


def of_party(object: str, id: str) -> Matter:
    """The matter of the customer as such."""
    return (id, "", "", "") if object == "contact" else ("", id, "", "")


def dated(day: date) -> Date:
    """The day as contracts carry it."""
    return Date(year=day.year, month=day.month, day=day.day)


# -- lines -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """One customer and matter, with all reasons in their order."""

    place: Place
    message: pb.DayLine = field(compare=False)


def lines(reasons: Iterable[Found]) -> list[Line]:
    """One line for each matter, in the order of the day."""
    by_matter: dict[Matter, list[Found]] = {}
    for each in reasons:
        by_matter.setdefault(each.matter, []).append(each)
    made = []
    for (contact_id, company_id, kind, id), of in by_matter.items():
        of.sort(key=lambda each: each.place)
        line = pb.DayLine(contact_id=contact_id, company_id=company_id)
        if kind:
            setattr(line.matter, kind, id)
        line.reasons.extend(each.reason for each in of)
        made.append(Line(of[0].place, line))
    return sorted(made, key=lambda line: line.place)


def counts(day: Sequence[Line]) -> list[pb.DayCount]:
    """How many lines name each reason, in the order of the reasons; reasons that none names are left out."""
    number = Counter(code for line in day for code in {r.code for r in line.message.reasons})
    return [pb.DayCount(code=code, count=number[code]) for code in sorted(number)]
