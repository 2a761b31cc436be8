"""Missed calls: one task for each spell, closed by the call back; and what a connected call stops."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis.keys import uuid7
from chassis.times import to_datetime
from crm.tasks.v1 import task_pb2, task_settings_pb2, task_verbs_pb2
from crm.tasks.v1.ladder_pb2 import LadderStep
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
from tests.service.tasks.ladders import ladder, runs, stub, tasks
from tests.service.tasks.world import World

RETURNED, CAME_BACK = Call.MISSED_STATE_RETURNED, Call.MISSED_STATE_CAME_BACK
WRITTEN_OFF = Call.MISSED_STATE_WRITTEN_OFF


async def switch(world: World, **given: Any) -> None:
    update = task_settings_pb2.UpdateTaskSettingsRequest(
        task_settings=task_settings_pb2.TaskSettings(**given), update_mask=FieldMask(paths=list(given))
    )  # fmt: skip
    await stub(world).UpdateTaskSettings(update)


# -- the task ----------------------------------------------------------------------------------------------------------------


async def test_a_missed_call_makes_a_task_for_the_customers_manager(world: World) -> None:
    sales = await world.tenant.department()
    seller = await world.worker(sales)
    type = await world.type(key="call", name="Call")
    call = missed_call(owner_id=seller.id, contact_id=uuid7(), company_id=uuid7())

    event_id = await tell(world, "CallMissed", call)

    task = await only_task(world)
    assert (task.type_id, task.subject, task.state) == (type.id, "Call back", Task.STATE_OPEN)
    assert (task.owner_id, task.department_id, task.creator_id) == (seller.id, sales, "")
    assert (task.contact_id, task.company_id, task.link.call_id) == (
        call.contact_id,
        call.company_id,
        call.id,
    )
    assert to_datetime(task.due_time) == to_datetime(call.end_time) + 5 * MINUTE
    assert task.reaction.start_time == call.end_time
    assert (task.call_back.spell_id, task.call_back.call_id, task.call_back.missed_count) == (
        call.id,
        call.id,
        1,
    )
    assert (task.origin.rule, task.origin.event_id, task.origin.effect_key) == (
        "missed_call",
        event_id,
        f"{call.id} call back",
    )


@pytest.mark.parametrize("owner", ["nobody", "somebody who has left"])
async def test_whose_call_it_is_nobody_says_waits_in_the_queue(world: World, owner: str) -> None:
    sales = await world.tenant.department()
    left = owner != "nobody"
    id = (await world.worker(sales, state="deactivated")).id if left else ""

    _, task = await missed(world, owner_id=id, department_id=sales)

    assert (task.owner_id, task.department_id) == ("", sales)


async def test_it_is_linked_to_the_deal_that_the_call_is_about(world: World) -> None:
    deal_id = uuid7()

    call, task = await missed(world, deal_id=deal_id)

    assert (task.link.deal_id, task.call_back.call_id) == (deal_id, call.id)


async def test_the_ladder_of_requests_tells_the_head(world: World) -> None:
    head = await world.worker()
    sales = await world.tenant.department(head_id=head.id)
    seller = await world.worker(sales)
    made = await ladder(world, (20, LadderStep.WHOM_HEAD))
    await switch(world, default_ladder_id=made.id)

    call, task = await missed(world, owner_id=seller.id)

    (run,) = await runs(world, task.id)
    assert to_datetime(run.steps[0].plan_time) == to_datetime(call.end_time) + 20 * MINUTE


async def test_the_time_and_the_switch_are_the_companys(world: World) -> None:
    await switch(world, call_back_minutes=30)
    call, task = await missed(world)
    assert to_datetime(task.due_time) == to_datetime(call.end_time) + 30 * MINUTE

    await switch(world, call_back_task=False)
    await tell(world, "CallMissed", missed_call())

    assert (await only_task(world)).id == task.id


async def test_settings_that_are_older_than_the_rule_switch_it_on(world: World) -> None:
    await switch(world, reaction_minutes=30)
    await switch(world, going_cold_days=10)

    await missed(world)


@pytest.mark.parametrize(
    "why",
    ["imported", "an import", "told again", "long ago", "outbound", "withheld", "written off"],
)
async def test_no_task_is_made_for(world: World, why: str) -> None:
    call = missed_call()
    if why == "imported":
        call.imported = True
    if why == "outbound":
        call.direction = Call.DIRECTION_OUTBOUND
    if why == "withheld":
        call.withheld, call.number = True, ""
    if why == "written off":
        call.missed_state = WRITTEN_OFF
    await tell(
        world, "CallMissed", call, at=now() - timedelta(days=8 if why == "long ago" else 0),
        cause="import" if why == "an import" else "event", republished=why == "told again",
    )  # fmt: skip

    await heard(world)

    assert await tasks(world) == []


# -- a spell -----------------------------------------------------------------------------------------------------------------


async def test_who_calls_in_vain_again_has_one_task_with_a_count(world: World) -> None:
    first, task = await missed(world)
    second = missed_call(first)

    await tell(world, "CallMissed", second)

    counted = await only_task(world)
    assert counted.subject == "Call back: 2 missed calls"
    assert (counted.call_back.missed_count, counted.call_back.call_id) == (2, second.id)
    assert (counted.id, counted.due_time, counted.reaction) == (
        task.id,
        task.due_time,
        task.reaction,
    )


async def test_a_subject_that_somebody_has_worded_stays(world: World) -> None:
    call, task = await missed(world)
    await world.admin.UpdateTask(
        task_pb2.UpdateTaskRequest(
            task=Task(id=task.id, subject="Ask about the bill"), update_mask=FieldMask(paths=["subject"])
        )
    )  # fmt: skip

    await tell(world, "CallMissed", missed_call(call))

    counted = await only_task(world)
    assert (counted.subject, counted.call_back.missed_count) == ("Ask about the bill", 2)


async def test_events_that_come_twice_or_late_count_once(world: World) -> None:
    first = missed_call()
    second = missed_call(first)

    for call in (second, first, second):
        await tell(world, "CallMissed", call)

    assert (await only_task(world)).call_back.missed_count == 2


async def test_who_calls_again_after_the_task_was_done_gets_another_one(world: World) -> None:
    call, task = await missed(world)
    await world.admin.CompleteTask(task_verbs_pb2.CompleteTaskRequest(id=task.id))

    await tell(world, "CallMissed", missed_call(call))
    await heard(world)

    done, again = await tasks(world)
    assert (done.state, again.state) == (Task.STATE_DONE, Task.STATE_OPEN)
    assert again.subject == "Call back: 2 missed calls"


async def test_two_numbers_are_two_spells(world: World) -> None:
    await tell(world, "CallMissed", missed_call())
    await tell(world, "CallMissed", missed_call())
    await heard(world)

    assert len(await tasks(world)) == 2


# -- its end -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "how", "over"),
    [
        (RETURNED, "returned", Task.STATE_DONE),
        (CAME_BACK, "came_back", Task.STATE_DONE),
        (WRITTEN_OFF, "written_off", Task.STATE_CANCELLED),
    ],
    ids=["returned", "came back", "written off"],
)
async def test_the_call_that_makes_it_good_ends_the_task(
    world: World, state: Any, how: str, over: Any
) -> None:
    seller = await world.worker()
    call, _ = await missed(world)
    at = now() + MINUTE
    good = ended(call, state, at)

    await tell(world, "CallReturned", good, by=seller.id)

    task = await only_task(world)
    assert (task.state, task.call_back.ended_by) == (over, how)
    assert (task.ended_by_id, to_datetime(task.end_time)) == (seller.id, at)
    assert task.call_back.made_good_call_id == good.made_good_call_id
    assert task.reaction.stopped_by == ("" if over == Task.STATE_CANCELLED else "call")
    name = "TaskCancelled" if over == Task.STATE_CANCELLED else "TaskDone"
    (event,) = await world.events(name)
    assert event["change"]["actor"]["userId"] == seller.id


async def test_a_task_that_is_over_stays_as_it_ended(world: World) -> None:
    call, task = await missed(world)
    await world.admin.CancelTask(task_verbs_pb2.CancelTaskRequest(id=task.id, note="known"))

    await tell(world, "CallReturned", ended(call, RETURNED, now()))

    over = await only_task(world)
    assert (over.state, over.end_note) == (Task.STATE_CANCELLED, "known")


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
async def test_in_any_order_and_twice_the_spell_ends_without_an_open_task(
    world: World, order: tuple[int, ...]
) -> None:
    first = missed_call()
    second = missed_call(first)
    told = [
        ("CallMissed", first), ("CallMissed", second), ("CallReturned", ended(first, RETURNED, now())),
    ]  # fmt: skip

    for at in order:
        for _ in range(2):
            await tell(world, *told[at])
        await heard(world)  # two calls are two records: they would overtake each other

    states = [task.state for task in await tasks(world)]
    assert states == ([] if order[0] == 2 else [Task.STATE_DONE])


async def test_a_call_back_in_vain_is_counted_and_ends_nothing(world: World) -> None:
    call, _ = await missed(world)
    call.attempts = 1
    at = now() + MINUTE

    await tell(world, "CallUpdated", call, at=at, changed=("attempts",))
    await tell(world, "CallUpdated", call, at=at, changed=("attempts",))

    task = await only_task(world)
    assert (task.state, task.attempt_count) == (Task.STATE_OPEN, 1)
    assert to_datetime(task.last_attempt_time) == at
    assert not task.reaction.HasField("stop_time")
    assert len(await world.events("TaskAttempted")) == 1


async def test_an_attempt_that_is_told_first_is_on_the_task_too(world: World) -> None:
    call = missed_call()
    tried = missed_call(id=call.id, spell_id=call.id, attempts=2)

    await tell(world, "CallUpdated", tried, changed=("attempts",))
    await tell(world, "CallMissed", call)

    assert (await only_task(world)).attempt_count == 2


async def test_a_customer_who_is_found_later_is_on_the_task(world: World) -> None:
    call, _ = await missed(world)
    call.contact_id = uuid7()

    await tell(world, "CallUpdated", call, changed=("contact_id",))

    assert (await only_task(world)).contact_id == call.contact_id
