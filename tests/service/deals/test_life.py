"""What happens around a deal and shows in it: the next step, touches, steps that tasks do; and never a new version."""

import asyncio
from datetime import UTC, datetime, timedelta

from chassis.keys import uuid7
from chassis.times import to_datetime, to_timestamp
from crm.common.v1 import common_pb2
from crm.contacts.v1 import events_pb2 as contacts
from crm.deals.v1 import deal_pb2, pipeline_pb2
from crm.tasks.v1 import events_pb2 as tasks
from crm.tasks.v1.task_pb2 import Task
from services.deals import consumers_life
from services.deals.rules.pipelines import first_pipeline
from tests.service.deals import hearing, verbs
from tests.service.deals.world import Deal, World

DAY = timedelta(days=1)


def now() -> datetime:
    return datetime.now(UTC)


def task_of(deal: Deal, due: datetime | None = None, **given: object) -> Task:
    made = Task(id=uuid7(), link=common_pb2.Link(deal_id=deal.id), state=Task.STATE_OPEN)
    made.MergeFrom(Task(**given))  # type: ignore[arg-type]
    if due is not None:
        made.due_time.CopyFrom(to_timestamp(due))
    return made


async def found(world: World, filter: str) -> set[str]:
    page = await world.admin.ListDeals(deal_pb2.ListDealsRequest(filter=filter))
    return {deal.id for deal in page.deals}


async def test_a_deal_shows_its_open_task_that_is_due_first(world: World) -> None:
    deal, other = await world.make(), await world.make()
    later, sooner, open_end = task_of(deal, now() + 2 * DAY), task_of(deal, now() + DAY), task_of(deal)  # fmt: skip
    for each in (open_end, later, sooner):
        await hearing.task(world, each, tasks.TaskCreated)

    shown = await world.deal(deal.id)

    assert (shown.next_task_id, shown.next_task_time) == (sooner.id, sooner.due_time)
    assert shown.etag == deal.etag
    assert await found(world, "next_task_id:*") == {deal.id}
    assert await found(world, "NOT next_task_id:*") == {other.id}

    sooner.state = Task.STATE_DONE
    await hearing.task(world, sooner, tasks.TaskDone, version=2)
    assert (await world.deal(deal.id)).next_task_id == later.id
    later.delete_time.CopyFrom(to_timestamp(now()))
    await hearing.task(world, later, version=3)
    await hearing.task(world, sooner, version=1)  # late
    shown = await world.deal(deal.id)
    assert (shown.next_task_id, shown.HasField("next_task_time")) == (open_end.id, False)
    open_end.link.contact_id = uuid7()
    await hearing.task(world, open_end, version=2)
    assert (await world.deal(deal.id)).next_task_id == ""


async def test_a_touch_puts_the_idle_time_off_and_leaves_the_version(world: World) -> None:
    person = uuid7()
    deal, strange = await world.make(contact_id=person), await world.make()
    before = to_datetime((await world.deal(deal.id)).idle_time)
    at = now() + timedelta(hours=1)

    await hearing.answered(world, hearing.request(contact_id=person), at=at)
    await hearing.answered(world, hearing.request(contact_id=person), at=at - DAY)  # late

    shown = await world.deal(deal.id)
    assert (to_datetime(shown.activity_time), shown.etag) == (at, deal.etag)
    assert to_datetime(shown.idle_time) - before > timedelta(minutes=59)
    in_three_days = (now() + timedelta(days=3, minutes=30)).isoformat()
    assert await found(world, f'idle_time < "{in_three_days}"') == {strange.id}


async def test_a_request_that_led_to_the_deal_touches_it_and_an_import_does_not(world: World) -> None:  # fmt: skip
    asked, at = hearing.request(), now() + DAY
    deal = await world.make(request_ids=[asked.id])
    received = contacts.RequestReceived(request=asked)
    await hearing.hear(world, consumers_life.follow, received, at=at, cause="import")
    assert (await world.deal(deal.id)).activity_time == deal.activity_time

    await hearing.answered(world, asked, at=at)

    assert to_datetime((await world.deal(deal.id)).activity_time) == at


async def test_a_done_task_does_the_step_of_its_type_and_is_the_last_touch(world: World) -> None:
    made = first_pipeline()
    made.stages[0].steps.add(key="first", text="Measure", task_type_key="measure", required=True)
    made.stages[0].steps.add(key="second", text="Thank")
    pipeline = await world.admin.CreatePipeline(pipeline_pb2.CreatePipelineRequest(pipeline=made))
    deal = await world.make(pipeline_id=pipeline.id)
    type_id = await hearing.task_type(world, "measure")
    task = task_of(deal, type_id=type_id)
    task.state = Task.STATE_DONE
    seller = await world.seller()

    event_id = await hearing.task(world, task, tasks.TaskDone, by=seller.id)

    shown = await world.deal(deal.id)
    assert (list(shown.done_steps), shown.current_step) == (["first"], "second")
    [told] = await world.events("DealUpdated")
    assert "doneSteps" in told["deal"]
    won = await verbs.win(world, await verbs.move(world, shown, pipeline.stages[1].id))
    touch = won.ending.last_touch
    assert (touch.way, touch.user_id, touch.event_id) == ("task", seller.id, event_id)


async def test_saves_and_touches_at_once_lose_nothing(world: World) -> None:
    person = uuid7()
    deal = await world.make(contact_id=person)
    made = [task_of(deal, now() + n * DAY) for n in range(1, 9)]
    at = now() + DAY

    await asyncio.gather(
        *(hearing.task(world, task, tasks.TaskCreated) for task in made),
        *(hearing.answered(world, hearing.request(contact_id=person), at=at) for _ in range(4)),
        *(verbs.change(world, deal, amount=str(n)) for n in range(8)),
    )

    shown = await world.deal(deal.id)
    assert (shown.next_task_id, to_datetime(shown.activity_time)) == (made[0].id, at)
    assert shown.etag == "9"


async def test_a_change_by_hand_is_activity(world: World) -> None:
    deal = await world.make()
    changed = await verbs.change(world, deal, title="Doors")
    assert to_datetime(changed.activity_time) > to_datetime(deal.activity_time)
    assert to_datetime(changed.idle_time) > to_datetime(deal.idle_time)
