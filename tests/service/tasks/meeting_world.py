"""What the tests of meetings, calendars and rows of tasks share."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.testing.installation import Person
from chassis.times import to_timestamp
from chassis.waits import first_of
from crm.tasks.v1 import meeting_pb2, meeting_verbs_pb2
from crm.tasks.v1.calendars_service_pb2_grpc import CalendarsServiceStub
from crm.tasks.v1.meetings_service_pb2_grpc import MeetingsServiceStub
from tests.service.tasks.world import WORKER, World

Meeting, Participant = meeting_pb2.Meeting, meeting_pb2.Participant
WARSAW = ZoneInfo("Europe/Warsaw")

COLLEAGUE = [
    *WORKER,
    *({"object": "meeting", "action": a, "scope": "own"} for a in ("read", "update", "delete")),
    *({"object": "meeting", "action": a, "scope": "all"} for a in ("create", "answer")),
    *({"object": "calendar", "action": a, "scope": "all"} for a in ("read", "share")),
]
"""What a salesperson may do."""

WEEK = [{"weekday": day, "start": "09:00", "end": "17:00"} for day in range(1, 6)]


def local(text: str, zone: ZoneInfo = WARSAW) -> Timestamp:
    """`2030-03-25T09:00` by Warsaw's clock."""
    return to_timestamp(datetime.fromisoformat(text).replace(tzinfo=zone))


def wall(stamp: Timestamp, zone: ZoneInfo = WARSAW) -> str:
    return stamp.ToDatetime(tzinfo=UTC).astimezone(zone).strftime("%Y-%m-%dT%H:%M")


def desk(person: Person, **metadata: str) -> Any:
    return person.stub(MeetingsServiceStub, **metadata)


def calendar(person: Person) -> Any:
    return person.stub(CalendarsServiceStub)


def draft(start: str = "2030-03-25T10:00", minutes: int = 60, **given: Any) -> Meeting:
    begin = local(start)
    end = to_timestamp(begin.ToDatetime(tzinfo=UTC) + timedelta(minutes=minutes))
    made = {
        "subject": "Plan the spring",
        "start_time": begin,
        "end_time": end,
        "zone": "Europe/Warsaw",
    }
    return Meeting(**{**made, **given})


async def schedule(by: Person, *args: Any, **given: Any) -> Meeting:
    return await desk(by).CreateMeeting(
        meeting_pb2.CreateMeetingRequest(meeting=draft(*args, **given))
    )


async def book(by: Person, *args: Any, **given: Any) -> Meeting:
    return await desk(by).BookMeeting(
        meeting_verbs_pb2.BookMeetingRequest(meeting=draft(*args, **given))
    )


async def read(by: Person, id: str) -> Meeting:
    return await desk(by).GetMeeting(meeting_pb2.GetMeetingRequest(id=id))


def invited(*people: Person) -> list[Participant]:
    return [Participant(user_id=each.id) for each in people]


async def until(found: Callable[[], Awaitable[Any]]) -> Any:
    """What `found` gives, once it gives something."""
    async with asyncio.timeout(20):
        while not (seen := await found()):
            await first_of(asyncio.Event(), timeout_s=0.02)
    return seen


class MeetingWorld(World):
    """A tenant of one test, with colleagues who meet."""

    async def colleague(self, **user: Any) -> Person:
        return await self.tenant.person(COLLEAGUE, **user)

    async def state(self) -> dict[str, int]:
        found = await super().state()
        for table in ("meetings_history", "calendar_links", "task_series"):
            found[table] = await self.count(table)
        return found
