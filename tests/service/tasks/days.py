"""What the tests of the day plan share: what contacts and identity tell, and the day as people read it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from google.type.date_pb2 import Date

from chassis import codec
from chassis.keys import uuid7
from chassis.testing.events import eventually, heard_by
from chassis.testing.installation import Person
from chassis.times import to_timestamp
from crm.contacts.v1 import events_pb2, note_events_pb2
from crm.contacts.v1.agreement_pb2 import Agreement
from crm.contacts.v1.company_pb2 import Company
from crm.contacts.v1.contact_pb2 import Contact
from crm.tasks.v1 import day_pb2 as pb
from crm.tasks.v1.day_service_pb2_grpc import DaysServiceStub
from tests.service.tasks.meeting_world import COLLEAGUE
from tests.service.tasks.world import World

Code = pb.DayReason
SELLER = [
    *COLLEAGUE,
    *({"object": o, "action": "read", "scope": "own"} for o in ("contact", "company", "agreement")),
]
"""What a salesperson may do: with tasks, meetings and his customers."""


_DURABLES = {"identity": "tasks-day-mornings", "deals": "tasks-matters"}
"""Who hears what a service tells for the day plan."""


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def zone_where_it_is(hour: int, within: timedelta = timedelta()) -> str:
    """A zone whose clock shows this hour now, or so much later: no test waits for a midnight or a morning, or meets one."""
    ahead = hour - (datetime.now(UTC) + within).hour
    ahead += 24 if ahead < -12 else 0
    return f"Etc/GMT{-ahead:+d}"  # POSIX counts these to the west


def today(zone: str) -> date:
    return datetime.now(ZoneInfo(zone)).date()


def dated(day: date) -> Date:
    return Date(year=day.year, month=day.month, day=day.day)


class Told:
    """Contacts and identity, as tasks hears them."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def event(self, event: Any, *, version: int = 1, at: datetime | None = None) -> None:
        """An event as its service's relay would publish it; heard when this returns."""
        at = at or now()
        event.change.actor.kind, event.change.cause.kind = "system", "rpc"
        event.change.version = version
        event.change.time.CopyFrom(to_timestamp(at))
        descriptor, id = event.DESCRIPTOR, uuid7()
        service = descriptor.full_name.split(".")[1]
        headers = {
            "ce-specversion": "1.0", "ce-id": id, "ce-type": descriptor.full_name, "ce-source": f"/{service}",
            "ce-time": at.isoformat(), "ce-subject": uuid7(), "Nats-Msg-Id": id,
        }  # fmt: skip
        subject = f"crm.{self.world.tenant.id}.{service}.{descriptor.name}"
        nats = self.world.running.process.nats
        await nats.js.publish(subject, codec.to_json(event), headers=headers)
        await eventually(lambda: self._heard(service), f"{descriptor.name} was heard")

    async def _heard(self, service: str) -> bool:
        durable = _DURABLES.get(service, "tasks-day-facts")
        return await heard_by(
            self.world.running.process.nats, service, durable, self.world.tenant.id
        )

    async def contact(self, owner: Person | None, *, version: int = 1, **given: Any) -> Contact:
        """A contact that somebody made a moment ago, or its next version."""
        made = Contact(
            **{"id": uuid7(), "display_name": "Jan Kowalski", "create_time": to_timestamp(now()), **given}
        )  # fmt: skip
        made.owner_id = owner.id if owner else ""
        made.etag = str(version)
        named = events_pb2.ContactCreated if version == 1 else events_pb2.ContactUpdated
        await self.event(named(contact=made), version=version)
        return made

    async def company(self, owner: Person, **given: Any) -> Company:
        made = Company(
            **{"id": uuid7(), "name": "Okna", "create_time": to_timestamp(now()), **given}
        )
        made.owner_id = owner.id
        await self.event(events_pb2.CompanyCreated(company=made))
        return made

    async def agreement(self, assignee: Person, day: date, **given: Any) -> Agreement:
        made = Agreement(
            id=uuid7(), date=dated(day), assignee_id=assignee.id, follower_ids=[assignee.id], subject="price",
            state=Agreement.STATE_OPEN, **given,
        )  # fmt: skip
        await self.event(note_events_pb2.AgreementMade(agreement=made))
        return made


def stub(person: Person) -> Any:
    return person.stub(DaysServiceStub)


async def day(person: Person, of: str = "", **given: Any) -> pb.Day:
    return await stub(person).GetDay(pb.GetDayRequest(user_id=of, **given))


def codes(read: pb.Day) -> list[list[str]]:
    """The reasons of each line, without their prefix."""
    return [
        [pb.DayReason.Code.Name(r.code).removeprefix("CODE_") for r in line.reasons]
        for line in read.lines
    ]


def ago(**given: float) -> datetime:
    return now() - timedelta(**given)
