"""The customer's clock: what happens to requests, as contacts tells it, and the task that answers them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis import codec
from chassis.call import Cause
from chassis.keys import uuid7
from chassis.running import run_system
from chassis.testing.events import eventually, heard_by
from chassis.times import to_datetime
from crm.contacts.v1 import events_pb2 as contacts_events
from crm.contacts.v1.request_pb2 import Request
from crm.tasks.v1 import task_pb2, task_settings_pb2, task_verbs_pb2
from crm.tasks.v1.ladder_pb2 import Ladder, LadderRun, LadderStep, Told
from crm.tasks.v1.task_pb2 import Task
from services.tasks import deadlines
from tests.service.tasks.ladders import (
    MINUTE,
    arrives,
    ladder,
    received,
    request,
    runs,
    stub,
    tasks,
)
from tests.service.tasks.world import World

OWNER, HEAD = LadderStep.WHOM_OWNER, LadderStep.WHOM_HEAD


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


async def made(world: World, count: int = 1) -> list[Task]:
    """The company's tasks, once there are so many."""

    async def there() -> bool:
        return len(await tasks(world)) >= count

    await eventually(there, f"{count} tasks")
    found = await tasks(world)
    assert len(found) == count
    return found


async def task_for(world: World, asked: Request, at: datetime | None = None) -> Task:
    await received(world, asked, at or now())
    (task,) = await made(world)
    return task


async def becomes(world: World, task: Task, what: str, holds: Any) -> Task:
    async def there() -> bool:
        return bool(holds(await world.task(task.id)))

    await eventually(there, what)
    return await world.task(task.id)


async def heard(world: World) -> None:
    """Returns when nothing that contacts told waits to be heard by tasks."""
    nats = world.running.process.nats
    await eventually(
        lambda: heard_by(nats, "contacts", "tasks-requests", world.tenant.id),
        "everything was heard",
    )


async def test_a_request_makes_a_task_to_call_the_customer(world: World) -> None:
    sales = await world.tenant.department()
    seller = await world.worker(sales)
    type = await world.type(key="call", name="Call")
    asked, at = (
        request(seller.id, company_id=uuid7(), name="Jan Kowalski", phone="600100200"),
        now(),
    )

    event_id = await received(world, asked, at)

    (task,) = await made(world)
    assert (task.type_id, task.subject, task.state) == (type.id, "Call", Task.STATE_OPEN)
    assert (task.link.request_id, task.contact_id, task.company_id) == (
        asked.id,
        asked.contact_id,
        asked.company_id,
    )
    assert (task.owner_id, task.department_id, task.creator_id) == (seller.id, sales, "")
    assert to_datetime(task.due_time) == at + 15 * MINUTE
    assert (to_datetime(task.reaction.start_time), list(task.reaction.request_ids)) == (
        at,
        [asked.id],
    )
    assert (task.origin.rule, task.origin.event_id, task.origin.effect_key) == (
        "request_call",
        event_id,
        f"{event_id} call",
    )
    assert b"Kowalski" not in codec.to_json(task)


async def test_a_request_in_a_queue_makes_a_task_in_that_queue(world: World) -> None:
    sales = await world.tenant.department()

    task = await task_for(world, request(department_id=sales))

    assert (task.owner_id, task.department_id) == ("", sales)


async def test_an_event_that_comes_twice_makes_one_task(world: World) -> None:
    asked, event = request(), contacts_events.RequestReceived()
    event.request.CopyFrom(asked)
    await arrives(world, event, now())
    await made(world)

    await arrives(world, event, now())  # told again under another id
    await heard(world)

    assert len(await tasks(world)) == 1


@pytest.mark.parametrize(
    "why", ["an import", "answered already", "told again", "long ago", "the rule is off"]
)
async def test_no_task_is_made_for(world: World, why: str) -> None:
    asked, event = request(), contacts_events.RequestReceived()
    if why == "answered already":
        asked.state = Request.STATE_ANSWERED
    event.request.CopyFrom(asked)
    event.change.republished = why == "told again"
    if why == "the rule is off":
        await switch(world, request_task=False)
    at = now() - timedelta(days=8 if why == "long ago" else 0)
    await arrives(world, event, at, cause="import" if why == "an import" else "form")
    await heard(world)

    assert await tasks(world) == []


async def switch(world: World, **given: Any) -> None:
    settings = task_settings_pb2.TaskSettings(**given)
    update = task_settings_pb2.UpdateTaskSettingsRequest(
        task_settings=settings, update_mask=FieldMask(paths=list(given))
    )
    await stub(world).UpdateTaskSettings(update)


async def test_the_reaction_time_is_the_companys(world: World) -> None:
    await switch(world, reaction_minutes=30)

    task = await task_for(world, request(), at := now())

    assert to_datetime(task.due_time) == at + 30 * MINUTE


async def test_steps_that_an_outage_delayed_come_late_once_and_in_order(world: World) -> None:
    boss = await world.worker()
    sales = await world.tenant.department(head_id=boss.id)
    seller = await world.worker(sales)
    await ladder(
        world, (10, OWNER), (15, OWNER), (20, HEAD), (60, HEAD), clock=Ladder.CLOCK_REACTION
    )
    start = now() - 40 * MINUTE

    task = await task_for(world, request(seller.id), start)

    events = await world.events("Escalated", 3)
    assert [e["step"]["number"] for e in events] == [1, 2, 3]
    assert [(e["step"]["lateSeconds"] + 30) // 60 for e in events] == [30, 25, 20]
    assert [e["step"]["told"][0]["userId"] for e in events] == [seller.id, seller.id, boss.id]
    (missed,) = await world.events("DeadlineMissed")
    assert (missed["lateSeconds"] + 30) // 60 == 25
    (run,) = await runs(world, task.id)
    assert (to_datetime(run.start_time), run.state) == (start, LadderRun.STATE_RUNNING)
    assert to_datetime(run.steps[3].plan_time) == start + 60 * MINUTE
    assert run.steps[2].told == [Told(user_id=boss.id, because=Told.BECAUSE_HEAD)]


async def test_forms_and_sources_choose_the_ladder(world: World) -> None:
    form, source = uuid7(), uuid7()
    any_ = await ladder(world, (10, OWNER))
    by_source = await ladder(world, (10, OWNER), source_ids=[source])
    by_form = await ladder(world, (10, OWNER), form_ids=[form])
    asked = [request(), request(source_id=source), request(form_id=form, source_id=source)]
    for each in asked:
        await received(world, each, now())

    by_request = {task.link.request_id: task for task in await made(world, 3)}
    found = [(await runs(world, by_request[each.id].id))[0].ladder_id for each in asked]

    assert found == [any_.id, by_source.id, by_form.id]


async def test_without_a_fitting_ladder_the_default_of_the_settings_is_taken(world: World) -> None:
    default = await ladder(world, (10, OWNER), retired=True)
    await switch(world, default_ladder_id=default.id)

    task = await task_for(world, request())

    assert [run.ladder_id for run in await runs(world, task.id)] == [default.id]


async def test_another_ladder_keeps_the_customers_clock_and_what_it_missed_is_due_now(
    world: World,
) -> None:
    await ladder(world, (60, OWNER))
    other = await ladder(world, (10, OWNER), (50, OWNER), retired=True)
    seller, start = await world.worker(), now() - 40 * MINUTE
    task = await task_for(world, request(seller.id), start)

    change = task_pb2.UpdateTaskRequest(
        task=Task(id=task.id, ladder_id=other.id), update_mask=FieldMask(paths=["ladder_id"])
    )
    await world.admin.UpdateTask(change)

    (event,) = await world.events("Escalated")
    assert (event["ladderId"], event["step"]["number"], event["step"].get("lateSeconds", 0)) == (
        other.id,
        1,
        0,
    )
    run, _ = await runs(world, task.id)
    assert (run.clock, to_datetime(run.start_time)) == (Ladder.CLOCK_REACTION, start)
    assert to_datetime(run.steps[1].plan_time) == start + 50 * MINUTE


async def test_a_second_request_within_an_open_one_joins_its_task(world: World) -> None:
    first = request()
    task = await task_for(world, first)
    second = request(contact_id=first.contact_id)

    await received(world, second, now() + MINUTE)

    joined = await becomes(world, task, "it joined", lambda t: len(t.reaction.request_ids) == 2)
    assert list(joined.reaction.request_ids) == [first.id, second.id]
    assert (joined.due_time, joined.reaction.start_time) == (
        task.due_time,
        task.reaction.start_time,
    )
    assert len(await tasks(world)) == 1


async def test_twenty_requests_at_once_of_one_person_make_one_task(world: World) -> None:
    contact = uuid7()
    asked = [request(contact_id=contact) for _ in range(20)]

    await asyncio.gather(*[received(world, each, now()) for each in asked])

    (task,) = await made(world)
    whole = await becomes(world, task, "all joined", lambda t: len(t.reaction.request_ids) == 20)
    assert set(whole.reaction.request_ids) == {each.id for each in asked}
    assert len(await tasks(world)) == 1


async def test_who_was_reached_and_asks_again_gets_another_task(world: World) -> None:
    first = request()
    task = await task_for(world, first)
    await world.admin.StopReactionClock(task_verbs_pb2.StopReactionClockRequest(id=task.id))

    await received(world, request(contact_id=first.contact_id), now())

    assert len(await made(world, 2)) == 2


async def test_a_request_that_is_given_on_takes_its_task_with_it_and_keeps_the_clock(
    world: World,
) -> None:
    await ladder(world, (30, OWNER))
    first, second = await world.worker(), await world.worker()
    asked, at = request(first.id), now() - 12 * MINUTE
    task = await task_for(world, asked, at)

    asked.owner_id = second.id
    await arrives(
        world, contacts_events.RequestAssigned(request=asked, previous_owner_id=first.id), now()
    )

    moved = await becomes(world, task, "it moved", lambda t: t.owner_id == second.id)
    assert (moved.reaction, moved.due_time) == (task.reaction, task.due_time)
    (run,) = await runs(world, task.id)
    assert to_datetime(run.steps[0].plan_time) == at + 30 * MINUTE
    (event,) = await world.events("TaskAssigned")
    assert event["previousOwnerId"] == first.id


async def test_an_answer_stops_the_clock_and_the_task_stays(world: World) -> None:
    await ladder(world, (10, OWNER))
    asked = request()
    task = await task_for(world, asked)
    at = now() + MINUTE

    await arrives(
        world, contacts_events.RequestAnswered(request=asked, first=True), at, cause="rpc"
    )

    answered = await becomes(
        world, task, "the clock stopped", lambda t: t.reaction.HasField("stop_time")
    )
    assert (answered.reaction.stopped_by, to_datetime(answered.reaction.stop_time)) == (
        "by_hand",
        at,
    )
    assert answered.state == Task.STATE_OPEN
    assert [run.state for run in await runs(world, task.id)] == [LadderRun.STATE_STOPPED]
    assert (
        await world.running.rows(
            "tasks", "SELECT kind FROM timers WHERE tenant_id = $1", world.tenant.id
        )
        == []
    )
    assert len(await world.events("ReactionClockStopped")) == 1


async def test_the_task_is_cancelled_when_its_last_request_is_closed(world: World) -> None:
    first = request()
    task = await task_for(world, first)
    second = request(contact_id=first.contact_id)
    await received(world, second, now())
    await becomes(world, task, "it joined", lambda t: len(t.reaction.request_ids) == 2)

    await arrives(world, contacts_events.RequestClosed(request=first), now())
    await heard(world)
    assert (await world.task(task.id)).state == Task.STATE_OPEN
    await arrives(world, contacts_events.RequestClosed(request=second), now())

    over = await becomes(world, task, "it is over", lambda t: t.state == Task.STATE_CANCELLED)
    assert over.HasField("end_time")
    assert len(await world.events("TaskCancelled")) == 1


async def test_what_was_thought_to_be_spam_gets_a_task_of_its_own(world: World) -> None:
    asked = request()
    task = await task_for(world, asked)
    await arrives(world, contacts_events.RequestClosed(request=asked), now())
    await becomes(world, task, "it is over", lambda t: t.state == Task.STATE_CANCELLED)

    await received(world, asked, now() + 60 * MINUTE)

    _, second = await made(world, 2)
    assert to_datetime(second.due_time) - to_datetime(task.due_time) >= 60 * MINUTE


async def test_another_person_asks(world: World) -> None:
    asked = request()
    task = await task_for(world, asked)
    asked.contact_id = uuid7()

    await arrives(world, contacts_events.RequestContactChosen(request=asked), now())

    await becomes(world, task, "it is for the other", lambda t: t.contact_id == asked.contact_id)


async def test_a_call_that_reached_the_customer_stops_his_clock_once(world: World) -> None:
    asked, at = request(), now()
    task = await task_for(world, asked, at)

    async def reached(moment: datetime) -> int:
        runtime = world.running.process.runtimes["tasks"]
        return int(
            await run_system(
                runtime, world.tenant.id, Cause("event", "e"),
                lambda tx: deadlines.reached(tx, asked.contact_id, moment, "call"),
            )
        )  # fmt: skip

    assert await reached(at - timedelta(seconds=1)) == 0  # before he asked
    assert await reached(at + MINUTE) == 1
    assert await reached(at + 2 * MINUTE) == 0
    stopped = await world.task(task.id)
    assert (stopped.reaction.stopped_by, to_datetime(stopped.reaction.stop_time)) == (
        "call",
        at + MINUTE,
    )
