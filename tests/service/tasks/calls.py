"""What the tests of call backs share: calls as telephony tells of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from chassis import codec
from chassis.keys import uuid7
from chassis.testing.events import eventually, heard_by
from chassis.times import to_timestamp
from crm.tasks.v1.task_pb2 import Task
from crm.telephony.v1 import events_pb2 as events
from crm.telephony.v1.call_pb2 import Call
from tests.service.tasks.ladders import tasks
from tests.service.tasks.world import World

NUMBER = "+48600100200"
MINUTE = timedelta(minutes=1)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def missed_call(before: Call | None = None, **given: Any) -> Call:
    """A call that nobody answered, the first of a spell or the next one after `before`."""
    id, at = uuid7(), to_timestamp(now())
    call = Call(
        id=id, spell_id=id, spell_count=1, number=NUMBER, direction=Call.DIRECTION_INBOUND, state=Call.STATE_ENDED,
        outcome=Call.OUTCOME_MISSED, missed_reason=Call.MISSED_REASON_NO_ANSWER, missed_state=Call.MISSED_STATE_OPEN,
        start_time=at, end_time=at,
    )  # fmt: skip
    if before is not None:
        call.spell_id, call.spell_count = before.spell_id, before.spell_count + 1
        for name in ("contact_id", "company_id", "owner_id", "department_id", "deal_id"):
            setattr(call, name, getattr(before, name))
    call.MergeFrom(Call(**given))
    return call


def ended(call: Call, how: "Call.MissedState", at: datetime) -> Call:
    """The missed call after it was made good."""
    made_good = Call()
    made_good.CopyFrom(call)
    made_good.missed_state, made_good.made_good_call_id = how, uuid7()
    made_good.missed_end_time.CopyFrom(to_timestamp(at))
    return made_good


async def tell(
    world: World, name: str, call: Call, *, at: datetime | None = None, event_id: str = "", by: str = "",
    changed: tuple[str, ...] = (), cause: str = "event", republished: bool = False,
) -> str:  # fmt: skip
    """An event of telephony as its relay would publish it; returns its id."""
    moment, event_id = at or now(), event_id or uuid7()
    event = getattr(events, name)(call=call)
    event.change.actor.kind, event.change.actor.user_id = "system", by
    event.change.cause.kind, event.change.republished = cause, republished
    event.change.changed_fields.extend(changed)
    event.change.time.CopyFrom(to_timestamp(moment))
    headers = {
        "ce-specversion": "1.0", "ce-id": event_id, "ce-type": event.DESCRIPTOR.full_name, "ce-source": "/telephony",
        "ce-time": moment.isoformat(), "ce-subject": call.id, "Nats-Msg-Id": uuid7(),
    }  # fmt: skip
    subject = f"crm.{world.tenant.id}.telephony.{name}"
    await world.running.process.nats.js.publish(subject, codec.to_json(event), headers=headers)
    return event_id


async def heard(world: World, service: str = "telephony", durable: str = "tasks-calls") -> None:
    """Returns when everything that was told so far was heard by tasks."""
    nats = world.running.process.nats
    await eventually(
        lambda: heard_by(nats, service, durable, world.tenant.id), "everything was heard"
    )


async def only_task(world: World) -> Task:
    await heard(world)
    (task,) = await tasks(world)
    return task


async def missed(world: World, **given: Any) -> tuple[Call, Task]:
    """A missed call and its task."""
    call = missed_call(**given)
    await tell(world, "CallMissed", call)
    return call, await only_task(world)
