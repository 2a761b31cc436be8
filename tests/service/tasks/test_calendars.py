"""Calendar feeds and files, read by a real iCalendar library; the secret link that changes."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import recurring_ical_events
from icalendar import Calendar

from chassis import errors
from chassis.keys import new_key
from chassis.testing.installation import Person
from chassis.times import to_timestamp
from crm.tasks.v1 import calendar_pb2, meeting_verbs_pb2, task_pb2
from tests.service.tasks.meeting_world import (
    COLLEAGUE,
    WARSAW,
    MeetingWorld,
    Participant,
    calendar,
    desk,
    invited,
    local,
    schedule,
)
from tests.service.tasks.world import Refused

SOON = (datetime.now(WARSAW) + timedelta(days=20)).replace(
    hour=10, minute=0, second=0, microsecond=0
)


@pytest.fixture
def world(running: Any, tenant: Any) -> MeetingWorld:
    return MeetingWorld(running, tenant)


def soon(days: int = 0, hour: int = 10) -> str:
    return (SOON + timedelta(days=days)).replace(hour=hour, tzinfo=None).isoformat()


async def renewed(person: Person) -> str:
    answer = await calendar(person).RenewCalendarLink(calendar_pb2.RenewCalendarLinkRequest())
    assert answer.path == f"/v1/public/calendars/{answer.key}.ics"
    return str(answer.key)


async def feed(world: MeetingWorld, key: str) -> Calendar:
    file = await calendar(world.running.stranger).GetPublicCalendar(
        calendar_pb2.GetPublicCalendarRequest(key=key)
    )
    return Calendar.from_ical(file.text)


def shown(read: Calendar) -> list[tuple[str, str]]:
    """What a calendar program shows in two months: subject and local beginning, each time by itself."""
    found = recurring_ical_events.of(read).between(
        SOON - timedelta(days=25), SOON + timedelta(days=40)
    )
    rows = []
    for event in found:
        begin = event["DTSTART"].dt
        at = (
            begin.isoformat()
            if not isinstance(begin, datetime)
            else f"{begin.astimezone(WARSAW):%Y-%m-%dT%H:%M:%S}"
        )
        rows.append((str(event["SUMMARY"]), at))
    return sorted(rows, key=lambda row: row[1])


async def test_a_feed_shows_meetings_with_their_exceptions_visits_and_what_is_due(
    world: MeetingWorld,
) -> None:
    ana, jan = (
        await world.colleague(language="pl", time_zone="Europe/Warsaw"),
        await world.colleague(),
    )
    row = await schedule(
        jan, soon(), participants=invited(ana), recurrence="FREQ=WEEKLY;COUNT=4", place="Lipowa 3",
        reminders=[task_pb2.Reminder(minutes_before=15)],
    )  # fmt: skip
    await desk(jan).MoveMeeting(
        meeting_verbs_pb2.MoveMeetingRequest(
            id=row.id, original_time=local(soon(7)), start_time=local(soon(8, 14))
        )
    )
    await desk(jan).CancelMeeting(
        meeting_verbs_pb2.CancelMeetingRequest(id=row.id, original_time=local(soon(14)))
    )
    place = task_pb2.Visit(place="Polna 1", appointment_time=local(soon(2, 12)), duration_minutes=90, travel_minutes=45)  # fmt: skip
    await world.make(ana, subject="Measure", visit=place)
    await world.make(ana, subject="Call", due_time=local(soon(3, 16)))
    await world.make(
        ana, subject="Report", due_time=local(soon(4, 12)), all_day=True, due_zone="Europe/Warsaw"
    )
    await world.make(jan, subject="Not hers", due_time=local(soon(4, 12)))
    await schedule(jan, soon(5), subject="Not hers either")
    read = await feed(world, await renewed(ana))

    assert shown(read) == [
        ("Plan the spring", soon()), ("Measure", soon(2, 12)), ("Call", soon(3, 16)), ("Report", soon(4)[:10]),
        ("Plan the spring", soon(8, 14)), ("Plan the spring", soon(21)),
    ]  # fmt: skip
    measured = next(e for e in read.walk("VEVENT") if e["SUMMARY"] == "Measure")
    (alarm,) = measured.walk("VALARM")
    assert measured["DESCRIPTION"] == "Wyjazd o 11:15"
    assert alarm["TRIGGER"].dt == timedelta(minutes=-45)
    assert measured["DTEND"].dt - measured["DTSTART"].dt == timedelta(minutes=90)
    assert next(e for e in read.walk("VEVENT") if e["SUMMARY"] == "Call")["TRANSP"] == "TRANSPARENT"
    assert [zone["TZID"] for zone in read.walk("VTIMEZONE")] == ["Europe/Warsaw"]
    assert "ATTENDEE" not in read.to_ical().decode()


async def test_a_feed_of_who_stands_in_has_what_he_does_himself(world: MeetingWorld) -> None:
    ana, jan = await world.colleague(), await world.colleague()
    user = world.running.process.directory.of(world.tenant.id).user(jan.id) or {}
    absence = {"id": new_key(world.tenant.id), "from": 0, "until": None, "delegate_id": ana.id}
    await world.tenant.put("user", jan.id, {**user, "absences": [absence]})
    await world.make(jan, subject="Jan's", due_time=local(soon(4, 12)))
    hers = await world.make(ana, subject="Ana's", due_time=local(soon(4, 12)))

    read = await feed(world, await renewed(ana))

    assert [str(e["SUMMARY"]) for e in read.walk("VEVENT")] == [hers.subject]
    assert len((await world.stub(ana).ListTasks(task_pb2.ListTasksRequest())).tasks) == 2


async def test_a_calendar_program_sees_the_clock_of_the_meeting_over_the_change(
    world: MeetingWorld,
) -> None:
    ana = await world.colleague()
    made = await schedule(ana, "2030-03-25T10:00", recurrence="FREQ=WEEKLY;COUNT=3")
    days = await schedule(
        ana,
        "2030-03-30T00:00",
        minutes=1440,
        all_day=True,
        recurrence="FREQ=DAILY;COUNT=3",
        subject="Fair",
    )

    async def starts(id: str) -> list[Any]:
        file = await desk(ana).GetMeetingFile(meeting_verbs_pb2.GetMeetingFileRequest(id=id))
        read = Calendar.from_ical(file.text)
        found = recurring_ical_events.of(read).between((2030, 3, 1), (2030, 5, 1))
        return sorted((e["DTSTART"].dt, e["DTEND"].dt - e["DTSTART"].dt) for e in found)

    hours = [(moment.astimezone(UTC).hour, length) for moment, length in await starts(made.id)]
    assert hours == [(9, timedelta(hours=1)), (8, timedelta(hours=1)), (8, timedelta(hours=1))]
    assert await starts(days.id) == [
        (date(2030, 3, day), timedelta(days=1)) for day in (30, 31)
    ] + [(date(2030, 4, 1), timedelta(days=1))]


async def test_a_file_tells_who_takes_part_with_his_answer(world: MeetingWorld) -> None:
    ana, jan = await world.colleague(name="Ana", email="ana@example.com"), await world.colleague(name="Jan", email="jan@example.com")  # fmt: skip
    people = [*invited(jan), Participant(name="Ewa", email="ewa@example.com", optional=True)]
    made = await schedule(ana, participants=people)
    await desk(jan).AnswerMeeting(
        meeting_verbs_pb2.AnswerMeetingRequest(id=made.id, answer=Participant.ANSWER_TENTATIVE)
    )
    file = await desk(jan).GetMeetingFile(meeting_verbs_pb2.GetMeetingFileRequest(id=made.id))
    (event,) = Calendar.from_ical(file.text).walk("VEVENT")

    assert (event["ORGANIZER"], event["ORGANIZER"].params["CN"]) == (
        "mailto:ana@example.com",
        "Ana",
    )
    told = [(str(a), a.params["PARTSTAT"], a.params["ROLE"]) for a in event["ATTENDEE"]]
    assert told == [
        ("mailto:jan@example.com", "TENTATIVE", "REQ-PARTICIPANT"),
        ("mailto:ewa@example.com", "NEEDS-ACTION", "OPT-PARTICIPANT"),
    ]
    stranger = await world.colleague()
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await desk(stranger).GetMeetingFile(meeting_verbs_pb2.GetMeetingFileRequest(id=made.id))


async def test_a_renewed_link_stops_the_old_one_at_once(world: MeetingWorld) -> None:
    ana = await world.colleague()
    before = await calendar(ana).GetCalendarLink(calendar_pb2.GetCalendarLinkRequest())
    old = await renewed(ana)
    new = await renewed(ana)
    now = await calendar(ana).GetCalendarLink(calendar_pb2.GetCalendarLinkRequest())

    assert (before.active, now.active) == (False, True)
    assert (await feed(world, new))["PRODID"]
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await feed(world, old)
    await calendar(ana).DeleteCalendarLink(calendar_pb2.DeleteCalendarLinkRequest())
    for key in (new, new_key(world.tenant.id), "nonsense"):
        async with Refused(world, errors.NotFound, "NOT_FOUND"):
            await feed(world, key)


async def test_renewing_at_once_leaves_one_link_that_works(world: MeetingWorld) -> None:
    ana = await world.colleague()
    made = await asyncio.gather(*(renewed(ana) for _ in range(8)))

    async def works(key: str) -> bool:
        try:
            await feed(world, key)
        except errors.NotFound:
            return False
        return True

    assert sum([await works(key) for key in made]) == 1
    assert await world.count("calendar_links") == 1


async def test_the_key_is_kept_as_a_hash_only(world: MeetingWorld) -> None:
    key = await renewed(await world.colleague())
    (row,) = await world.running.rows(
        "tasks", "SELECT key_hash FROM calendar_links WHERE tenant_id = $1", world.tenant.id
    )

    assert len(row["key_hash"]) == 64
    assert key not in row["key_hash"]


async def test_a_feed_ends_with_its_person_and_shows_what_he_may_read(world: MeetingWorld) -> None:
    ana = await world.tenant.person(COLLEAGUE, hidden=["meeting.description", "task.due_time"])
    admin = world.tenant.admin
    await schedule(admin, soon(), description="secret plan", participants=invited(ana))
    await world.make(admin, owner_id=ana.id, subject="Call", due_time=local(soon(1)))
    key = await renewed(ana)
    read = await feed(world, key)
    user = dict(world.running.process.directory.of(world.tenant.id).user(ana.id))

    assert shown(read) == [("Plan the spring", soon())]
    assert b"secret" not in read.to_ical()
    await world.tenant.put("user", ana.id, {**user, "state": "deactivated"})
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await feed(world, key)


async def test_the_etag_changes_with_the_calendar_only(world: MeetingWorld) -> None:
    ana = await world.colleague()
    made = await schedule(ana, soon())
    key = await renewed(ana)
    method = "/crm.tasks.v1.CalendarsService/GetPublicCalendar"
    request = calendar_pb2.GetPublicCalendarRequest(key=key).SerializeToString()

    async def tag() -> str:
        _, trailing = await world.running.remote.unary(method, request, {})
        return trailing["crm-etag"]

    first, again = await tag(), await tag()
    await desk(ana).CancelMeeting(meeting_verbs_pb2.CancelMeetingRequest(id=made.id))

    assert first == again
    assert await tag() != first


async def test_what_is_long_past_or_far_ahead_is_not_in_the_feed(world: MeetingWorld) -> None:
    ana = await world.colleague()
    now = datetime.now(UTC)
    for days, name in ((-40, "past"), (-20, "recent"), (360, "ahead"), (370, "far")):
        at = to_timestamp(now + timedelta(days=days))
        await world.make(ana, subject=name, due_time=at)
    read = await feed(world, await renewed(ana))

    assert sorted(str(e["SUMMARY"]) for e in read.walk("VEVENT")) == ["ahead", "recent"]
