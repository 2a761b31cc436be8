"""Meetings, visits and due tasks as iCalendar (RFC 5545), written by the library icalendar."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Alarm, Calendar, Event, vCalAddress, vRecur

from chassis.tenant_view import TenantView
from chassis.times import to_datetime
from crm.tasks.v1 import meeting_pb2, task_pb2
from services.tasks import free_time
from services.tasks.rules import occurrences

Meeting = meeting_pb2.Meeting
Participant = meeting_pb2.Participant
Task = task_pb2.Task

_PRODUCT = "-//Akrab//Akrab//EN"
_REFRESH = timedelta(minutes=15)  # how often a program may look for news
_LEAVE_AT = {"en": "Leave at", "pl": "Wyjazd o", "id": "Berangkat pukul", "ms": "Bertolak pukul"}
_ANSWERS = {
    Participant.ANSWER_UNSPECIFIED: "NEEDS-ACTION",
    Participant.ANSWER_ACCEPTED: "ACCEPTED",
    Participant.ANSWER_DECLINED: "DECLINED",
    Participant.ANSWER_TENTATIVE: "TENTATIVE",
}


@dataclass(frozen=True, slots=True)
class Name:
    """How somebody is written in a file."""

    name: str
    email: str


def people(directory: TenantView) -> Mapping[str, Name]:
    """The users by their ids."""
    return {
        id: Name(str(user.get("name") or ""), str(user.get("email") or ""))
        for id, user in directory.users().items()
    }


def of_meeting(meeting: Meeting, names: Mapping[str, Name]) -> str:
    """The file of one meeting, with who takes part as far as there is an e-mail address."""
    events = _meeting(meeting)
    for event in events:
        if (organiser := names.get(meeting.owner_id)) and organiser.email:
            event.add("organizer", _address(organiser), encode=False)
        for each in meeting.participants:
            name = names.get(each.user_id) if each.user_id else Name(each.name, each.email)
            if name is not None and name.email:
                event.add("attendee", _attendee(name, each), encode=False)
    return _text(_calendar(""), events)


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose feed it is: his name, time zone and language."""

    name: str
    zone: str
    language: str


def tag_of(whose: Whose, meetings: Iterable[Meeting], tasks: Iterable[Task]) -> str:
    """A tag that is another whenever the feed is, in every process the same."""
    digest = hashlib.sha256(repr((_PRODUCT, whose)).encode())
    records: list[Any] = [*meetings, *tasks]
    for each in records:
        digest.update(each.SerializeToString(deterministic=True))
    return digest.hexdigest()[:32]


def of_person(whose: Whose, meetings: Iterable[Meeting], tasks: Iterable[Task]) -> str:
    """A person's feed: meetings, visits with their departure, and what is due. Without others' addresses."""
    calendar = _calendar(whose.name or "Akrab")
    calendar.add("x-wr-timezone", whose.zone)
    calendar.add("refresh-interval", _REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", _REFRESH)
    events = [event for meeting in meetings for event in _meeting(meeting)]
    for task in tasks:
        is_visit = task.visit.HasField("appointment_time")
        events.append(_visit(task, whose) if is_visit else _due(task))
    return _text(calendar, events)


def _calendar(name: str) -> Calendar:
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    if name:
        calendar.add("method", "PUBLISH")
        calendar.add("x-wr-calname", name)
    return calendar


def _text(calendar: Calendar, events: Iterable[Event]) -> str:
    for event in events:
        calendar.add_component(event)
    calendar.add_missing_timezones()
    return str(calendar.to_ical().decode())


# -- meetings ----------------------------------------------------------------------------------------------------------------


def _meeting(meeting: Meeting) -> list[Event]:
    """The meeting with its rule, and one more event for each time that differs from it."""
    zone = occurrences.zone_of(meeting)
    start, end = to_datetime(meeting.start_time), to_datetime(meeting.end_time)
    event = _dressed(meeting, meeting.subject, meeting.place)
    _span(event, start, end, zone, all_day=meeting.all_day)
    events = [event]
    if not meeting.recurrence:
        return events
    event.add("rrule", vRecur.from_ical(meeting.recurrence))
    for stamp in meeting.excluded_times:
        event.add("exdate", _moment(to_datetime(stamp), zone, all_day=meeting.all_day))
    changes = {to_datetime(change.original_time): change for change in meeting.changed_occurrences}
    for original, change in changes.items():
        found = occurrences.changed(meeting, original, change)
        other = _dressed(meeting, found.subject, found.place)
        other.add("recurrence-id", _moment(original, zone, all_day=meeting.all_day))
        _span(other, found.start, found.end, zone, all_day=meeting.all_day)
        events.append(other)
    return events


def _dressed(meeting: Meeting, subject: str, place: str) -> Event:
    event = Event()
    event.add("uid", meeting.id)
    event.add("dtstamp", to_datetime(meeting.update_time))
    event.add("last-modified", to_datetime(meeting.update_time))
    event.add("sequence", meeting.sequence)
    event.add("summary", subject)
    is_off = meeting.state == Meeting.STATE_CANCELLED
    event.add("status", "CANCELLED" if is_off else "CONFIRMED")
    for name, text in (("location", place), ("description", meeting.description)):
        if text:
            event.add(name, text)
    for reminder in meeting.reminders:
        event.add_component(_alarm(subject, timedelta(minutes=-reminder.minutes_before)))
    return event


def _span(event: Event, start: datetime, end: datetime, zone: ZoneInfo, *, all_day: bool) -> None:
    if all_day:
        first, behind = free_time.whole_days(start, end, zone)
        event.add("dtstart", first)
        event.add("dtend", behind)
        return
    event.add("dtstart", start.astimezone(zone))
    event.add("dtend", end.astimezone(zone))


def _moment(moment: datetime, zone: ZoneInfo, *, all_day: bool) -> date | datetime:
    local = moment.astimezone(zone)
    return local.date() if all_day else local


# -- tasks -------------------------------------------------------------------------------------------------------------------


def _visit(task: Task, whose: Whose) -> Event:
    """From the appointment to its end; the way is told by a line and an alarm at the departure."""
    visit = task.visit
    start, way = to_datetime(visit.appointment_time), timedelta(minutes=visit.travel_minutes)
    event = _task(task)
    event.add("dtstart", start)
    event.add("dtend", start + timedelta(minutes=visit.duration_minutes))
    if visit.place:
        event.add("location", visit.place)
    if way:
        words = _LEAVE_AT.get(whose.language.partition("-")[0], _LEAVE_AT["en"])
        leave = f"{words} {(start - way).astimezone(ZoneInfo(whose.zone)):%H:%M}"
        event.add("description", f"{leave}\n{task.description}".strip())
        event.add_component(_alarm(leave, -way))
    elif task.description:
        event.add("description", task.description)
    return event


def _due(task: Task) -> Event:
    """The moment, or the day, by which it must be done; it takes no time."""
    event, due = _task(task), to_datetime(task.due_time)
    if task.all_day:
        event.add("dtstart", due.astimezone(ZoneInfo(task.due_zone or "UTC")).date())
    else:
        event.add("dtstart", due)
    event.add("transp", "TRANSPARENT")
    if task.description:
        event.add("description", task.description)
    return event


def _task(task: Task) -> Event:
    event = Event()
    event.add("uid", task.id)
    event.add("dtstamp", to_datetime(task.update_time))
    event.add("last-modified", to_datetime(task.update_time))
    event.add("summary", task.subject)
    event.add("categories", ["TASK"])
    return event


def _alarm(text: str, before: timedelta) -> Alarm:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", text)
    alarm.add("trigger", before)
    return alarm


# -- people ------------------------------------------------------------------------------------------------------------------


def _address(name: Name) -> Any:
    address = vCalAddress(f"mailto:{name.email}")
    if name.name:
        address.params["CN"] = name.name
    return address


def _attendee(name: Name, each: Participant) -> Any:
    address = _address(name)
    address.params["ROLE"] = "OPT-PARTICIPANT" if each.optional else "REQ-PARTICIPANT"
    address.params["PARTSTAT"] = _ANSWERS[each.answer]
    return address
