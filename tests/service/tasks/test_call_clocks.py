"""Calls and the clocks of requests: a stranger's missed call is one matter, and who was spoken with waits no longer."""

from typing import Any

import pytest

from chassis.keys import uuid7
from chassis.times import to_datetime, to_timestamp
from crm.contacts.v1 import events_pb2 as contacts_events
from crm.contacts.v1.request_pb2 import Request
from crm.tasks.v1.task_pb2 import Task
from crm.telephony.v1.call_pb2 import Call
from tests.service.tasks.calls import (
    MINUTE,
    ended,
    heard,
    missed,
    missed_call,
    now,
    only_task,
    tell,
)
from tests.service.tasks.ladders import arrives, received, request, tasks
from tests.service.tasks.world import World

# -- a stranger's missed call is a request too ---------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["call", "request"])
async def test_a_strangers_missed_call_and_its_request_have_one_task(
    world: World, first: str
) -> None:
    sales = await world.tenant.department()
    call = missed_call(department_id=sales)
    asked = request(
        department_id=sales, channel=Request.CHANNEL_CALL, call_id=call.id, missed_spell_id=call.id
    )
    at = to_datetime(call.end_time)

    if first == "call":
        await tell(world, "CallMissed", call)
        await heard(world)
        await received(world, asked, at)
    else:
        await received(world, asked, at)
        await heard(world, "contacts", "tasks-requests")
        await tell(world, "CallMissed", call)
    await heard(world)
    await heard(world, "contacts", "tasks-requests")

    task = await only_task(world)
    assert (task.link.request_id, task.contact_id) == (asked.id, asked.contact_id)
    assert (task.subject, task.call_back.missed_count) == ("Call back", 1)
    assert list(task.reaction.request_ids) == [asked.id]
    assert to_datetime(task.due_time) == at + 5 * MINUTE

    await tell(world, "CallReturned", ended(call, Call.MISSED_STATE_RETURNED, now()))
    assert (await only_task(world)).state == Task.STATE_DONE


async def test_a_request_of_a_spell_that_is_over_makes_no_task(world: World) -> None:
    call = missed_call()
    await tell(world, "CallReturned", ended(call, Call.MISSED_STATE_CAME_BACK, now()))
    await heard(world)

    await received(world, request(call_id=call.id, missed_spell_id=call.id), now())
    await heard(world, "contacts", "tasks-requests")

    assert await tasks(world) == []


# -- the clock of requests -----------------------------------------------------------------------------------------------------


async def waiting(world: World) -> tuple[Request, Task]:
    asked = request()
    await received(world, asked, now() - MINUTE)
    await heard(world, "contacts", "tasks-requests")
    return asked, await only_task(world)


def spoken(direction: "Call.Direction", **given: Any) -> Call:
    return Call(
        id=uuid7(), direction=direction, state=Call.STATE_ACTIVE, number="+48600100200",
        start_time=to_timestamp(now()), answer_time=to_timestamp(now()), **given,
    )  # fmt: skip


@pytest.mark.parametrize("whom", ["contact", "everybody with the number", "request"])
@pytest.mark.parametrize("direction", [Call.DIRECTION_INBOUND, Call.DIRECTION_OUTBOUND], ids=["in", "out"])  # fmt: skip
async def test_speaking_with_the_customer_stops_the_clock_of_his_request(
    world: World, direction: Any, whom: str
) -> None:
    asked, _ = await waiting(world)
    call = spoken(direction)
    if whom == "contact":
        call.contact_id = asked.contact_id
    elif whom == "request":
        call.request_id, call.contact_id = asked.id, asked.contact_id
    else:
        call.candidate_contact_ids.extend([uuid7(), asked.contact_id])

    await tell(world, "CallAnswered", call)

    task = await only_task(world)
    assert (task.reaction.stopped_by, task.reaction.stop_time) == ("call", call.answer_time)
    assert task.state == Task.STATE_OPEN
    assert len(await world.events("ReactionClockStopped")) == 1


async def test_somebody_who_is_recognised_after_the_call_was_reached_by_it(world: World) -> None:
    asked, _ = await waiting(world)
    call = spoken(Call.DIRECTION_INBOUND)
    await tell(world, "CallAnswered", call)
    call.contact_id = asked.contact_id

    await tell(world, "CallUpdated", call, changed=("contact_id",))

    assert (await only_task(world)).reaction.stop_time == call.answer_time


@pytest.mark.parametrize("what", ["in vain", "internal", "before he asked"])
async def test_the_clock_runs_on_after_a_call(world: World, what: str) -> None:
    asked, _ = await waiting(world)
    call = spoken(Call.DIRECTION_OUTBOUND, contact_id=asked.contact_id)
    if what == "before he asked":
        call.answer_time.CopyFrom(to_timestamp(now() - 2 * MINUTE))
    if what == "internal":
        call.direction = Call.DIRECTION_INTERNAL
    if what == "in vain":
        call.ClearField("answer_time")
        call.outcome = Call.OUTCOME_NO_ANSWER

    await tell(world, "CallEnded" if what == "in vain" else "CallAnswered", call)

    assert not (await only_task(world)).reaction.HasField("stop_time")


async def test_a_request_that_is_closed_as_wrong_takes_the_call_back_along(world: World) -> None:
    call, _ = await missed(world)
    asked = request(call_id=call.id, missed_spell_id=call.id)
    await received(world, asked, now())
    await arrives(world, contacts_events.RequestClosed(request=asked), now())
    await heard(world, "contacts", "tasks-requests")

    assert (await only_task(world)).state == Task.STATE_CANCELLED
