"""What the tests of ladders and of the customer's clock share: steps, a department with its head, and requests that arrive."""

from datetime import datetime, timedelta
from typing import Any

from chassis import codec
from chassis.keys import uuid7
from chassis.times import to_timestamp
from crm.contacts.v1 import events_pb2 as contacts_events
from crm.contacts.v1.request_pb2 import Request
from crm.tasks.v1 import ladder_pb2, task_pb2
from crm.tasks.v1.ladder_pb2 import Ladder, LadderRun, LadderStep
from crm.tasks.v1.ladders_service_pb2_grpc import LaddersServiceStub
from tests.service.tasks.world import World

MINUTE = timedelta(minutes=1)


def stub(world: World, person: Any = None) -> Any:
    return (person or world.tenant.admin).stub(LaddersServiceStub)


def steps(*given: tuple[int, "LadderStep.Whom"]) -> list[LadderStep]:
    return [LadderStep(after_minutes=minutes, whom=whom) for minutes, whom in given]


async def ladder(world: World, *given: tuple[int, "LadderStep.Whom"], **fields: Any) -> Ladder:
    made = Ladder(**{"name": "Reaction", "steps": steps(*given), **fields})
    return await stub(world).CreateLadder(ladder_pb2.CreateLadderRequest(ladder=made))


async def runs(world: World, task_id: str) -> list[LadderRun]:
    """The task's runs, the newest first."""
    answer = await stub(world).GetTaskLadder(ladder_pb2.GetTaskLadderRequest(id=task_id))
    return list(answer.runs)


async def arrives(world: World, event: Any, at: datetime, *, cause: str = "form") -> str:
    """An event of contacts as its relay would publish it; returns its id."""
    event.change.cause.kind, event.change.actor.kind = cause, "system"
    event.change.time.CopyFrom(to_timestamp(at))
    name, event_id = event.DESCRIPTOR.name, uuid7()
    headers = {
        "ce-specversion": "1.0", "ce-id": event_id, "ce-type": event.DESCRIPTOR.full_name, "ce-source": "/contacts",
        "ce-time": at.isoformat(), "ce-subject": event.request.id, "Nats-Msg-Id": event_id,
    }  # fmt: skip
    subject = f"crm.{world.tenant.id}.contacts.{name}"
    await world.running.process.nats.js.publish(subject, codec.to_json(event), headers=headers)
    return event_id


def request(owner_id: str = "", **given: Any) -> Request:
    state = Request.STATE_ASSIGNED if owner_id else Request.STATE_NEW
    return Request(
        **{"id": uuid7(), "contact_id": uuid7(), "owner_id": owner_id, "state": state, **given}
    )


async def received(world: World, asked: Request, at: datetime, **more: Any) -> str:
    return await arrives(world, contacts_events.RequestReceived(request=asked), at, **more)


async def tasks(world: World) -> list[task_pb2.Task]:
    """Every task of the company, the oldest first."""
    listed = await world.admin.ListTasks(task_pb2.ListTasksRequest(order_by="create_time"))
    return list(listed.tasks)
