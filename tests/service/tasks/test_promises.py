"""What a deal promised, as deals tells it, and the task by which somebody keeps it."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis import errors
from chassis.keys import uuid7
from chassis.running import run_event
from chassis.testing.events import eventually
from chassis.testing.installation import Person
from chassis.times import to_datetime, to_timestamp
from chassis.tx import EventMeta
from crm.common.v1 import common_pb2
from crm.deals.v1 import events_pb2 as deals
from crm.deals.v1.deal_pb2 import Deal
from crm.tasks.v1 import task_pb2, task_settings_pb2, task_verbs_pb2
from crm.tasks.v1.ladder_pb2 import LadderRun, LadderStep
from crm.tasks.v1.task_pb2 import Task
from services.tasks import consumers_promises
from tests.service.tasks.days import Told
from tests.service.tasks.ladders import ladder, runs, stub, tasks
from tests.service.tasks.world import Outcome, Refused, ResultField, World

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def promising(owner: Person, at: datetime, version: int = 1, **given: Any) -> Deal:
    """A deal that promises something, as one of its versions."""
    values = {"id": uuid7(), "title": "Six windows", "owner_id": owner.id, "state": Deal.STATE_OPEN, **given}  # fmt: skip
    made = Deal(etag=str(version), **values)
    made.promise.time.CopyFrom(to_timestamp(at))
    return made


def later(deal: Deal, **changes: Any) -> Deal:
    """The deal's next version."""
    made = Deal()
    made.CopyFrom(deal)
    made.etag = str(int(deal.etag) + 1)
    made.MergeFrom(Deal(**changes))
    return made


async def hear(
    world: World, event: Any, *, at: datetime | None = None, by: str = "", cause: str = "rpc", republished: bool = False
) -> str:  # fmt: skip
    """tasks hears the event, told now or then; the event's id."""
    at = at or datetime.now(UTC)
    event.change.cause.kind, event.change.republished = cause, republished
    event.change.actor.kind = "user" if by else "system"
    event.change.actor.id = event.change.actor.user_id = by
    event.change.time.CopyFrom(to_timestamp(at))
    assert consumers_promises.follow.consumer.wants(event)  # type: ignore[attr-defined]
    type = event.DESCRIPTOR.full_name
    meta = EventMeta(id=uuid7(), type=type, tenant=world.tenant.id, time=at, subject="")
    runtime = world.running.process.runtimes["tasks"]
    await run_event(runtime, "test", consumers_promises.follow, event, meta)
    return meta.id


async def near(world: World, deal: Deal, **told: Any) -> str:
    return await hear(world, deals.PromiseNear(deal=deal), **told)


async def one(world: World) -> Task:
    """The company's only task."""
    [task] = await tasks(world)
    return task


async def switch(world: World, **given: Any) -> None:
    settings = task_settings_pb2.TaskSettings(**given)
    update = task_settings_pb2.UpdateTaskSettingsRequest(
        task_settings=settings, update_mask=FieldMask(paths=list(given))
    )
    await stub(world).UpdateTaskSettings(update)


# -- made ------------------------------------------------------------------------------------------------------------------


async def test_a_promise_that_comes_near_is_a_task_of_the_deals_owner(world: World) -> None:
    sales = await world.tenant.department()
    seller, at = await world.worker(sales), now() + DAY
    deal = promising(seller, at, contact_id=uuid7(), company_id=uuid7())
    deal.promise.text, deal.promise.zone = "Windows for Kowalski", "Asia/Jakarta"

    event_id = await near(world, deal)

    task = await one(world)
    assert (task.subject, task.type_id, task.state) == ("Keep what was promised", "", Task.STATE_OPEN)  # fmt: skip
    assert (task.owner_id, task.department_id, task.creator_id) == (seller.id, sales, "")
    assert (task.link.deal_id, task.contact_id, task.company_id) == (deal.id, deal.contact_id, deal.company_id)  # fmt: skip
    assert (to_datetime(task.due_time), task.due_zone) == (at, "Asia/Jakarta")
    assert (task.origin.rule, task.origin.event_id) == ("promise", event_id)
    assert task.origin.effect_key == f"{deal.id} promise {task.due_time.ToJsonString()}"
    [told] = await world.events("TaskCreated")
    assert (told["assigneeTold"], told["change"]["cause"]["id"]) == (True, event_id)


async def test_it_is_made_once_whoever_ended_it(world: World) -> None:
    seller = await world.worker()
    deal = promising(seller, now() + DAY)
    await near(world, deal)
    task = await one(world)
    await world.admin.CompleteTask(task_verbs_pb2.CompleteTaskRequest(id=task.id))

    await near(world, deal)  # told again under another id
    await hear(world, deals.DealUpdated(deal=later(deal, title="Seven")), at=now() + HOUR)

    assert (await one(world)).state == Task.STATE_DONE


async def test_a_promise_for_the_same_day_is_a_task_at_once_and_a_later_one_in_its_time(
    world: World,
) -> None:
    seller = await world.worker()
    await hear(world, deals.DealUpdated(deal=promising(seller, now() + 2 * DAY)))
    assert await tasks(world) == []

    await hear(world, deals.DealUpdated(deal=promising(seller, now() + HOUR)))

    assert to_datetime((await one(world)).due_time) == now() + HOUR
    [told] = await world.events("TaskCreated")
    assert "assigneeTold" not in told  # deals does not tell that it is near


@pytest.mark.parametrize("why", ["the rule is off", "told again", "long ago", "history", "ended"])
async def test_no_task_is_made_for(world: World, why: str) -> None:
    seller, cause, kind = await world.worker(), "rpc", deals.DealUpdated
    deal, at = promising(seller, now() + HOUR), now()
    if why == "the rule is off":
        await switch(world, promise_task=False)
        kind = deals.PromiseNear
    elif why == "long ago":
        at, kind = now() - 8 * DAY, deals.PromiseNear
    elif why == "history":
        deal, cause = promising(seller, now() - HOUR), "import"
    elif why == "ended":
        deal, kind = promising(seller, now() + HOUR, state=Deal.STATE_LOST), deals.PromiseNear

    await hear(world, kind(deal=deal), at=at, cause=cause, republished=why == "told again")

    assert await tasks(world) == []


async def test_whoever_changed_other_settings_before_has_the_rule_too(world: World) -> None:
    await switch(world, request_task=False)
    settings = await stub(world).GetTaskSettings(task_settings_pb2.GetTaskSettingsRequest())
    assert (settings.request_task, settings.promise_task) == (False, True)

    await near(world, promising(await world.worker(), now() + DAY))

    assert (await one(world)).origin.rule == "promise"


async def test_a_type_that_does_not_exist_is_refused(world: World) -> None:
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "promise_task_type_id"):
        await switch(world, promise_task_type_id=uuid7())


async def test_the_deal_of_somebody_who_left_is_a_matter_of_its_department(world: World) -> None:
    sales = await world.tenant.department()
    gone = await world.worker(sales, state="deactivated")

    await near(world, promising(gone, now() + DAY, department_id=sales))

    task = await one(world)
    assert (task.owner_id, task.department_id) == ("", sales)


# -- watched ---------------------------------------------------------------------------------------------------------------


async def test_a_missed_one_climbs_the_ladder_of_its_type_and_is_told_once(world: World) -> None:
    boss = await world.worker()
    sales = await world.tenant.department(head_id=boss.id)
    seller, type = await world.worker(sales), await world.type(key="promise", name="Promise")
    climbing = await ladder(world, (0, LadderStep.WHOM_HEAD), type_ids=[type.id])
    await ladder(world, (0, LadderStep.WHOM_OWNER))
    await switch(world, promise_task_type_id=type.id)

    await near(world, promising(seller, datetime.now(UTC) + timedelta(seconds=1)))

    task = await one(world)
    assert (task.type_id, task.subject) == (type.id, "Promise")
    [missed] = await world.events("DeadlineMissed")
    assert (missed["ownerReminded"], missed["escalates"]) == (True, True)  # PromiseMissed tells
    [step] = await world.events("Escalated")
    assert (step["ladderId"], step["step"]["told"][0]["userId"]) == (climbing.id, boss.id)
    assert (await world.task(task.id)).HasField("miss_time")


async def test_who_has_another_deadline_for_it_is_told_of_that(world: World) -> None:
    seller = await world.worker()
    await near(world, promising(seller, now() + DAY))
    task = await one(world)
    sooner = Task(id=task.id, due_time=to_timestamp(datetime.now(UTC) + timedelta(seconds=1)))
    mask = FieldMask(paths=["due_time"])
    await world.admin.UpdateTask(task_pb2.UpdateTaskRequest(task=sooner, update_mask=mask))

    [missed] = await world.events("DeadlineMissed")

    assert not missed.keys() & {"ownerReminded", "escalates"}


async def test_the_task_goes_with_the_deal_and_with_its_promise(world: World) -> None:
    ola, jan, at = await world.worker(), await world.worker(), now() + DAY
    await ladder(world, (10, LadderStep.WHOM_OWNER))
    deal = promising(ola, at)
    await near(world, deal)
    made = await one(world)
    given = later(deal, owner_id=jan.id)
    moved = later(given)
    moved.promise.time.CopyFrom(to_timestamp(at + DAY))

    await hear(world, deals.DealAssigned(deal=given, previous_owner_id=ola.id), by=ola.id)
    await hear(world, deals.DealUpdated(deal=moved), by=jan.id)

    task = await one(world)
    assert (task.id, task.owner_id, task.assigner_id) == (made.id, jan.id, ola.id)
    assert to_datetime(task.due_time) == at + DAY
    assert [run.state for run in await runs(world, task.id)] == [LadderRun.STATE_RUNNING, LadderRun.STATE_STOPPED]  # fmt: skip
    [told] = await world.events("TaskAssigned")
    assert told["previousOwnerId"] == ola.id
    await near(world, moved)
    assert (await one(world)).etag == task.etag


async def test_to_whom_somebody_gave_the_task_keeps_it_while_the_deal_stays(world: World) -> None:
    ola, jan = await world.worker(), await world.worker()
    deal = promising(ola, now() + DAY)
    await near(world, deal)
    task = await one(world)
    await world.admin.AssignTask(task_verbs_pb2.AssignTaskRequest(id=task.id, owner_id=jan.id))

    await hear(world, deals.DealUpdated(deal=later(deal, title="Seven windows")))

    assert (await one(world)).owner_id == jan.id


# -- over ------------------------------------------------------------------------------------------------------------------


def ended(deal: Deal, how: str, at: datetime) -> Any:
    """The event by which the promise is kept, or is one no more."""
    if how == "kept":
        return deals.DealUpdated(
            deal=later(deal, promise={"time": deal.promise.time, "kept_time": to_timestamp(at)})
        )
    if how == "lost":
        return deals.DealLost(deal=later(deal, state=Deal.STATE_LOST))
    if how == "deleted":
        return deals.DealDeleted(deal=later(deal, delete_time=to_timestamp(at)))
    taken = later(deal)
    taken.ClearField("promise")
    return deals.DealUpdated(deal=taken, change=common_pb2.Change(changed_fields=["promise"]))


@pytest.mark.parametrize("how", ["kept", "lost", "deleted", "taken away"])
async def test_its_end_is_the_end_of_the_task(world: World, how: str) -> None:
    seller = await world.worker()
    await ladder(world, (10, LadderStep.WHOM_OWNER))
    deal = promising(seller, now() + DAY)
    await near(world, deal)
    at = datetime.now(UTC)

    await hear(world, ended(deal, how, at), by=seller.id)

    task = await one(world)
    wanted = Task.STATE_DONE if how == "kept" else Task.STATE_CANCELLED
    assert (task.state, task.ended_by_id) == (wanted, seller.id)
    if how == "kept":
        assert to_datetime(task.end_time) == at
    [told] = await world.events("TaskDone" if how == "kept" else "TaskCancelled")
    assert told["change"]["actor"]["userId"] == seller.id
    assert [run.state for run in await runs(world, task.id)] == [LadderRun.STATE_STOPPED]


async def test_what_was_missed_can_still_be_kept(world: World) -> None:
    seller, at = await world.worker(), now() + DAY
    deal = promising(seller, at)
    await near(world, deal)
    missed = later(deal, promise={"time": deal.promise.time, "miss_time": deal.promise.time})
    await hear(world, deals.PromiseMissed(deal=missed))
    assert (await one(world)).state == Task.STATE_OPEN

    await hear(world, ended(missed, "kept", datetime.now(UTC)))

    assert (await one(world)).state == Task.STATE_DONE


@pytest.mark.parametrize(
    ("given", "state", "outcome"),
    [
        ({"outcomes": [Outcome(key="kept", label="Kept")]}, Task.STATE_DONE, "kept"),
        ({"result_fields": [ResultField(key="n", label="N", type="CUSTOM_FIELD_TYPE_TEXT", required=True)]}, Task.STATE_CANCELLED, ""),
    ],
    ids=["with outcomes", "with a result"],
)  # fmt: skip
async def test_a_kept_promise_ends_its_task_as_its_type_allows(
    world: World, given: dict[str, Any], state: int, outcome: str
) -> None:
    type = await world.type(key="promise", **given)
    await switch(world, promise_task_type_id=type.id)
    deal = promising(await world.worker(), now() + DAY)
    await near(world, deal)

    await hear(world, ended(deal, "kept", datetime.now(UTC)))

    task = await one(world)
    assert (task.state, task.outcome) == (state, outcome)


async def test_a_deal_that_is_open_again_is_watched_again(world: World) -> None:
    deal = promising(await world.worker(), now() + HOUR)
    await near(world, deal)
    lost = later(deal, state=Deal.STATE_LOST)
    await hear(world, deals.DealLost(deal=lost))

    await hear(world, deals.DealReopened(deal=later(lost, state=Deal.STATE_OPEN)))

    assert [task.state for task in await tasks(world)] == [Task.STATE_CANCELLED, Task.STATE_OPEN]


# -- whatever comes late ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
async def test_in_whatever_order_it_comes_one_task_is_whose_the_deal_is(
    world: World, order: tuple[int, ...]
) -> None:
    ola, jan = await world.worker(), await world.worker()
    deal = promising(ola, now() + 2 * DAY)
    given = deals.DealAssigned(deal=later(deal, owner_id=jan.id), previous_owner_id=ola.id)
    told = [deals.DealCreated(deal=deal), deals.PromiseNear(deal=deal), given]

    for at in order:
        await hear(world, told[at])

    task = await one(world)
    assert (task.owner_id, task.state) == (jan.id, Task.STATE_OPEN)


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
async def test_in_whatever_order_it_comes_a_kept_promise_leaves_nothing_to_do(
    world: World, order: tuple[int, ...]
) -> None:
    deal = promising(await world.worker(), now() + 2 * DAY)
    moved = later(deal)
    moved.promise.time.CopyFrom(to_timestamp(now() + 3 * DAY))
    told = [
        deals.PromiseNear(deal=deal), deals.DealUpdated(deal=moved), deals.PromiseNear(deal=moved),
        ended(moved, "kept", datetime.now(UTC)),
    ]  # fmt: skip

    for at in order:
        await hear(world, told[at])

    made = await tasks(world)
    assert len(made) <= 1
    assert [task for task in made if task.state == Task.STATE_OPEN] == []


async def test_the_stream_is_heard_and_deals_without_promises_are_passed_over(world: World) -> None:
    seller, told = await world.worker(), Told(world)
    plain = Deal(id=uuid7(), etag="1", owner_id=seller.id, state=Deal.STATE_OPEN)
    await told.event(deals.DealCreated(deal=plain))
    await told.event(deals.PromiseNear(deal=promising(seller, now() + DAY)))

    async def made() -> bool:
        return len(await tasks(world)) == 1

    await eventually(made, "the task was made")
    assert await world.count("task_promises") == 1
