"""Reminders, missed deadlines and ladders of tasks, by the real clock."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis import codec
from chassis.keys import uuid7
from chassis.testing.events import eventually
from chassis.times import to_datetime, to_timestamp
from crm.identity.v1 import events_pb2
from crm.tasks.v1 import task_pb2, task_verbs_pb2
from crm.tasks.v1.ladder_pb2 import Ladder, LadderRun, LadderStep, Told
from crm.tasks.v1.task_pb2 import Reminder, Task
from tests.service.tasks.ladders import MINUTE, ladder, runs
from tests.service.tasks.world import World

OWNER, HEAD = LadderStep.WHOM_OWNER, LadderStep.WHOM_HEAD
SOON = timedelta(seconds=0.4)


def now() -> datetime:
    return datetime.now(UTC)


async def timers(world: World, *kinds: str) -> dict[str, datetime]:
    """What is planned: kind -> when."""
    rows = await world.running.rows(
        "tasks", "SELECT kind, due_at FROM timers WHERE tenant_id = $1", world.tenant.id
    )
    return {
        row["kind"]: row["due_at"]
        for row in rows
        if row["kind"] in (kinds or ("deadline", "ladder"))
    }


async def move(world: World, task: Task, **given: Any) -> Task:
    changed = Task(id=task.id, **given)
    request = task_pb2.UpdateTaskRequest(task=changed, update_mask=FieldMask(paths=list(given)))
    return await world.admin.UpdateTask(request)


async def told(world: World, task: Task, count: int, number: int = 1) -> LadderRun:
    """The run of this number, once so many of its steps were told."""

    async def there() -> bool:
        found = [run for run in await runs(world, task.id) if run.number == number]
        return bool(found) and sum(s.HasField("fire_time") for s in found[0].steps) >= count

    await eventually(there, f"{count} steps of run {number} were told")
    return next(run for run in await runs(world, task.id) if run.number == number)


async def missed(world: World, task: Task) -> Task:
    async def there() -> bool:
        return (await world.task(task.id)).HasField("miss_time")

    await eventually(there, "the deadline was missed")
    return await world.task(task.id)


async def test_a_reminder_comes_and_then_the_deadline_passes(world: World) -> None:
    due = now() + SOON
    task = await world.make(
        due_time=to_timestamp(due), reminders=[Reminder(), Reminder(minutes_before=60)]
    )

    late = await missed(world, task)

    assert to_datetime(late.miss_time) == to_datetime(task.due_time)
    (near,) = await world.events(
        "DeadlineNear"
    )  # the one of an hour ago would have come before the task was made
    assert (near["task"]["id"], near.get("minutesBefore", 0), near.get("lateSeconds", 0)) == (
        task.id,
        0,
        0,
    )
    (gone,) = await world.events("DeadlineMissed")
    assert (gone["task"]["id"], gone["change"]["version"], gone["change"]["changedFields"]) == (
        task.id,
        "2",
        ["miss_time"],
    )
    assert {"ownerReminded", "escalates"} & set(gone) == set()
    assert await timers(world) == {}
    assert [e.get("minutesBefore", 0) for e in await world.events("DeadlineNear")] == [0]


async def test_a_task_without_a_deadline_sets_no_timer(world: World) -> None:
    await ladder(world, (0, OWNER))
    task = await world.make()

    assert (await timers(world), await runs(world, task.id)) == ({}, [])


async def test_an_overdue_task_climbs_its_ladder(world: World) -> None:
    boss = await world.worker()
    sales = await world.tenant.department(head_id=boss.id)
    seller = await world.worker(sales)
    made = await ladder(world, (0, OWNER), (0, HEAD), (30, HEAD))

    task = await world.make(owner_id=seller.id, due_time=to_timestamp(now() + SOON))
    (planned,) = await runs(world, task.id)
    assert [s.HasField("fire_time") for s in planned.steps] == [False] * 3

    run = await told(world, task, 2)
    assert (run.ladder_id, run.ladder_version, run.clock) == (made.id, 1, Ladder.CLOCK_DEADLINE)
    assert [(s.told[0].user_id, s.told[0].because) for s in run.steps[:2]] == [
        (seller.id, Told.BECAUSE_OWNER), (boss.id, Told.BECAUSE_HEAD),
    ]  # fmt: skip
    assert {s.late_seconds for s in run.steps} == {0}
    assert (await timers(world, "ladder"))["ladder"] == to_datetime(task.due_time) + 30 * MINUTE
    events = await world.events("Escalated", 2)
    assert [e["step"]["number"] for e in events] == [1, 2]
    assert [e["step"]["told"][0]["userId"] for e in events] == [seller.id, boss.id]
    (gone,) = await world.events("DeadlineMissed")
    assert (gone["ownerReminded"], gone["escalates"]) == (True, True)


async def test_who_is_told_may_read_the_task_from_then_on(world: World) -> None:
    boss = await world.worker()
    sales = await world.tenant.department(head_id=boss.id)
    seller = await world.worker(sales)
    await ladder(world, (0, HEAD), (60, HEAD))
    task = await world.make(owner_id=seller.id, due_time=to_timestamp(now() + SOON))
    assert not await world.sees(boss, task.id)

    await told(world, task, 1)

    assert boss.id in (await world.task(task.id, boss)).follower_ids
    (event,) = await world.events("Escalated")
    assert event["change"]["changedFields"] == ["follower_ids"]


async def test_who_stands_in_opens_the_task_as_such_and_follows_nothing(world: World) -> None:
    deputy, seller = await world.worker(), await world.worker()
    user = world.running.process.directory.of(world.tenant.id).user(seller.id) or {}
    absence = {"id": uuid7(), "from": 0, "until": None, "delegate_id": deputy.id}
    await world.tenant.put("user", seller.id, {**user, "absences": [absence]})
    await ladder(world, (0, OWNER), (60, OWNER))
    task = await world.make(owner_id=seller.id, due_time=to_timestamp(now() + SOON))

    run = await told(world, task, 1)

    assert [each.user_id for each in run.steps[0].told] == [deputy.id]
    kept = await world.task(task.id, deputy)
    assert list(kept.follower_ids) == [world.tenant.admin.id]  # who made it
    (event,) = await world.events("Escalated")
    assert event["change"].get("changedFields", []) == []


async def test_a_moved_deadline_tells_anew_also_after_it_was_told(world: World) -> None:
    await ladder(world, (0, OWNER), (60, HEAD))
    task = await world.make(due_time=to_timestamp(now() + SOON), reminders=[Reminder()])
    await missed(world, task)
    await told(world, task, 1)

    again = await move(world, task, due_time=to_timestamp(now() + SOON))

    assert not again.HasField("miss_time")
    late = await missed(world, task)
    assert late.miss_time == again.due_time
    second = await told(world, task, 1, number=2)
    first = (await runs(world, task.id))[1]
    assert (first.state, [s.number for s in first.steps]) == (LadderRun.STATE_STOPPED, [1])
    assert second.due_time == again.due_time
    events = [
        await world.events(name, 2) for name in ("DeadlineNear", "DeadlineMissed", "Escalated")
    ]
    assert [len(found) for found in events] == [2, 2, 2]


async def test_given_to_a_colleague_the_ladder_goes_on_and_tells_him(world: World) -> None:
    await ladder(world, (0, OWNER), (60, OWNER))
    first, second = await world.worker(), await world.worker()
    task = await world.make(owner_id=first.id, due_time=to_timestamp(now() + 60 * MINUTE))

    await move(world, task, owner_id=second.id)

    (run,) = await runs(world, task.id)
    assert (run.state, to_datetime(run.start_time)) == (
        LadderRun.STATE_RUNNING,
        to_datetime(task.due_time),
    )
    await move(world, task, due_time=to_timestamp(now() + SOON))
    assert [t.user_id for t in (await told(world, task, 1, number=2)).steps[0].told] == [second.id]


@pytest.mark.parametrize("verb", ["complete", "cancel", "delete"])
async def test_the_end_of_a_task_stops_what_is_planned(world: World, verb: str) -> None:
    await ladder(world, (10, OWNER))
    due = to_timestamp(now() + 60 * MINUTE)
    task = await world.make(due_time=due, reminders=[Reminder(minutes_before=5)])
    assert set(await timers(world)) == {"deadline", "ladder"}

    if verb == "complete":
        await world.admin.CompleteTask(task_verbs_pb2.CompleteTaskRequest(id=task.id))
    elif verb == "cancel":
        await world.admin.CancelTask(task_verbs_pb2.CancelTaskRequest(id=task.id))
    else:
        await world.admin.DeleteTask(task_pb2.DeleteTaskRequest(id=task.id))

    assert await timers(world) == {}
    if verb == "delete":
        await world.admin.UndeleteTask(task_pb2.UndeleteTaskRequest(id=task.id))
    elif verb == "complete":
        await world.admin.ReopenTask(task_verbs_pb2.ReopenTaskRequest(id=task.id))
    if verb != "cancel":
        assert set(await timers(world)) == {"deadline", "ladder"}
        assert [run.state for run in await runs(world, task.id)] == [
            LadderRun.STATE_RUNNING,
            LadderRun.STATE_STOPPED,
        ]


async def test_a_change_that_moves_nothing_leaves_the_timers_alone(world: World) -> None:
    await ladder(world, (10, OWNER))
    task = await world.make(
        due_time=to_timestamp(now() + 60 * MINUTE), reminders=[Reminder(minutes_before=5)]
    )
    before, (run,) = await timers(world), await runs(world, task.id)

    await move(world, task, subject="Call them back", description="Urgent")

    assert (await timers(world), await runs(world, task.id)) == (before, [run])


async def test_other_reminders_set_the_timer_anew(world: World) -> None:
    due = to_timestamp(now() + 60 * MINUTE)
    task = await world.make(due_time=due, reminders=[Reminder(minutes_before=5)])

    await move(world, task, reminders=[Reminder(minutes_before=30)])

    assert await timers(world) == {"deadline": to_datetime(due) - 30 * MINUTE}


async def test_a_task_may_name_its_ladder_and_change_it(world: World) -> None:
    await ladder(world, (10, OWNER))
    own = await ladder(world, (20, OWNER), retired=True)
    due = now() + 60 * MINUTE
    task = await world.make(due_time=to_timestamp(due))

    await move(world, task, ladder_id=own.id)

    newest, oldest = await runs(world, task.id)
    assert (newest.ladder_id, newest.state, oldest.state) == (
        own.id,
        LadderRun.STATE_RUNNING,
        LadderRun.STATE_STOPPED,
    )
    assert to_datetime(newest.steps[0].plan_time) == to_datetime(task.due_time) + 20 * MINUTE


async def test_new_hours_of_whoever_must_act_plan_his_steps_anew(world: World) -> None:
    await ladder(world, (10, OWNER))
    seller = await world.worker()
    task = await world.make(owner_id=seller.id, due_time=to_timestamp(now() + 60 * MINUTE))
    (before,) = await runs(world, task.id)
    weekday = (now() + timedelta(days=2)).isoweekday()
    entry = dict(world.running.process.directory.of(world.tenant.id).user(seller.id) or {})
    hours = [{"weekday": weekday, "start": "09:00", "end": "18:00"}]
    await world.tenant.put(
        "user", seller.id, {**entry, "working_hours": hours, "holidays": {"worked": True}}
    )

    await _user_updated(world, seller.id)

    async def moved() -> bool:
        return (await runs(world, task.id))[0].steps[0].plan_time != before.steps[0].plan_time

    await eventually(moved, "the step was planned anew")
    (run,) = await runs(world, task.id)
    at = to_datetime(run.steps[0].plan_time)
    assert (at.isoweekday(), at.hour, at.minute) == (weekday, 9, 10)
    assert (await timers(world, "ladder"))["ladder"] == at


async def _user_updated(world: World, user_id: str) -> None:
    """What identity publishes when somebody's record was changed."""
    event, id = events_pb2.UserUpdated(), uuid7()
    event.user.id = user_id
    headers = {
        "ce-specversion": "1.0", "ce-id": id, "ce-type": event.DESCRIPTOR.full_name, "ce-source": "/identity",
        "ce-time": now().isoformat(), "ce-subject": user_id, "Nats-Msg-Id": id,
    }  # fmt: skip
    subject = f"crm.{world.tenant.id}.identity.UserUpdated"
    await world.running.process.nats.js.publish(subject, codec.to_json(event), headers=headers)
