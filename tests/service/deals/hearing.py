"""What the tests of deals share about other services: their events, as the consumers hear them."""

from datetime import UTC, datetime
from typing import Any

from chassis.keys import uuid7
from chassis.running import run_event
from chassis.times import to_timestamp
from chassis.tx import EventMeta
from crm.contacts.v1 import company_pb2, contact_pb2, request_pb2
from crm.contacts.v1 import events_pb2 as contacts
from crm.tasks.v1 import events_pb2 as tasks
from crm.tasks.v1.task_pb2 import Task
from crm.tasks.v1.task_type_pb2 import TaskType
from services.deals import consumers_life, consumers_parties, consumers_requests
from tests.service.deals.world import World

Request = request_pb2.Request


async def hear(
    world: World, body: Any, event: Any, *, version: int = 1, at: datetime | None = None, by: str = "", cause: str = "rpc"
) -> str:  # fmt: skip
    """The consumer hears the event, told now or then; the event's id."""
    at = at or datetime.now(UTC)
    event.change.version, event.change.cause.kind = version, cause
    event.change.time.CopyFrom(to_timestamp(at))
    if by:
        event.change.actor.kind = "user"
        event.change.actor.id = event.change.actor.user_id = by
    type = event.DESCRIPTOR.full_name
    meta = EventMeta(id=uuid7(), type=type, tenant=world.tenant.id, time=at, subject="")
    await run_event(world.running.process.runtimes["deals"], "test", body, event, meta)
    return meta.id


async def contact(world: World, id: str = "", *, version: int = 1, **given: Any) -> str:
    """contacts has told of a version of a contact; its id."""
    made = contact_pb2.Contact(id=id or uuid7(), **given)
    event = contacts.ContactUpdated(contact=made)
    await hear(world, consumers_parties.follow, event, version=version)
    return made.id


async def company(world: World, id: str = "", *, version: int = 1, **given: Any) -> str:
    """contacts has told of a version of a company; its id."""
    made = company_pb2.Company(id=id or uuid7(), **given)
    event = contacts.CompanyUpdated(company=made)
    await hear(world, consumers_parties.follow, event, version=version)
    return made.id


def request(**given: Any) -> Request:
    """What a customer asks for."""
    return Request(**{"id": uuid7(), "text": "Six windows, please", "state": Request.STATE_NEW, **given})  # fmt: skip


async def received(world: World, asked: Request, **told: Any) -> str:
    """contacts has told that the request came; the event's id."""
    return await hear(
        world, consumers_requests.follow, contacts.RequestReceived(request=asked), **told
    )


async def answered(world: World, asked: Request, **told: Any) -> str:
    """contacts has told that somebody answered; the event's id."""
    return await hear(world, consumers_life.follow, contacts.RequestAnswered(request=asked), **told)


async def task(world: World, made: Task, kind: Any = tasks.TaskUpdated, **told: Any) -> str:
    """tasks has told of a version of a task; the event's id."""
    return await hear(world, consumers_life.follow, kind(task=made), **told)


async def task_type(world: World, key: str) -> str:
    """tasks has told of a type of tasks; its id."""
    made = TaskType(id=uuid7(), key=key, name=key)
    await hear(world, consumers_life.follow, tasks.TaskTypeCreated(task_type=made))
    return made.id
