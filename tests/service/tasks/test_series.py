"""Repeated tasks: each is made once, and what is changed in one stays there."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis import errors
from chassis.testing.installation import Person
from chassis.times import to_timestamp
from crm.tasks.v1 import task_pb2, task_verbs_pb2
from tests.service.tasks.meeting_world import MeetingWorld, local, until, wall
from tests.service.tasks.world import Refused

Task = task_pb2.Task
WEEKLY = {"recurrence": "FREQ=WEEKLY", "due_zone": "Europe/Warsaw"}


@pytest.fixture
def world(running: Any, tenant: Any) -> MeetingWorld:
    return MeetingWorld(running, tenant)


async def row(world: MeetingWorld, series_id: str, count: int = 1) -> list[Task]:
    """The tasks of a row by deadline, once there are so many."""

    async def found() -> list[Task]:
        listed = await world.admin.ListTasks(
            task_pb2.ListTasksRequest(filter=f'series_id = "{series_id}"', order_by="due_time")
        )
        return list(listed.tasks) if len(listed.tasks) >= count else []

    return list(await until(found))


async def done(world: MeetingWorld, by: Person, id: str) -> Task:
    return await world.stub(by).CompleteTask(task_verbs_pb2.CompleteTaskRequest(id=id))


async def update(world: MeetingWorld, by: Person, id: str, **given: Any) -> Task:
    return await world.stub(by).UpdateTask(
        task_pb2.UpdateTaskRequest(
            task=Task(id=id, **given), update_mask=FieldMask(paths=list(given))
        )
    )


async def test_the_next_is_made_when_one_is_done_at_the_same_hour_over_the_change_of_the_clock(
    world: MeetingWorld,
) -> None:
    ana = await world.colleague()
    first = await world.make(ana, due_time=local("2030-03-25T09:00"), start_time=local("2030-03-24T09:00"), **WEEKLY)  # fmt: skip
    await done(world, ana, first.id)
    _, second = await row(world, first.id, 2)
    await done(world, ana, second.id)
    _, second, third = await row(world, first.id, 3)

    assert (first.series_id, first.recurrence) == (first.id, "FREQ=WEEKLY")
    assert [wall(t.due_time) for t in (second, third)] == ["2030-04-01T09:00", "2030-04-08T09:00"]
    assert [wall(t.start_time) for t in (second, third)] == ["2030-03-31T09:00", "2030-04-07T09:00"]
    assert (second.state, second.owner_id, third.subject) == (Task.STATE_DONE, ana.id, "Call back")
    assert (third.origin.rule, third.origin.effect_key) == ("series", f"series {second.id}")


async def test_the_next_is_made_when_the_deadline_passes_and_not_again_when_it_is_done_late(
    world: MeetingWorld,
) -> None:
    ana = await world.colleague()
    soon = to_timestamp(datetime.now(UTC) + timedelta(seconds=1))
    first = await world.make(ana, due_time=soon, recurrence="FREQ=DAILY;COUNT=3")

    found = await row(world, first.id, 2)
    await done(world, ana, first.id)

    assert [t.state for t in found] == [Task.STATE_OPEN, Task.STATE_OPEN]
    assert found[1].due_time.seconds - soon.seconds == 86_400
    assert len(await row(world, first.id, 2)) == 2


async def test_a_row_ends_with_its_count(world: MeetingWorld) -> None:
    ana = await world.colleague()
    first = await world.make(
        ana, due_time=local("2030-03-25T09:00"), recurrence="FREQ=DAILY;COUNT=2"
    )
    await done(world, ana, first.id)
    _, last = await row(world, first.id, 2)
    await done(world, ana, last.id)

    assert len(await row(world, first.id)) == 2


async def test_deadlines_that_passed_unheard_are_left_out(world: MeetingWorld) -> None:
    ana = await world.colleague()
    past = datetime.now(UTC).replace(microsecond=0) - timedelta(days=30, hours=1)
    first = await world.make(
        ana, due_time=to_timestamp(past), recurrence="FREQ=DAILY", due_zone="UTC"
    )

    found = await row(world, first.id, 2)

    assert len(found) == 2
    assert to_timestamp(past + timedelta(days=31)) == found[1].due_time


async def test_what_is_changed_in_one_stays_there_but_the_assignee_goes_on(
    world: MeetingWorld,
) -> None:
    ana, jan = await world.colleague(), await world.colleague()
    first = await world.make(
        ana,
        due_time=local("2030-03-25T09:00"),
        checklist=[task_pb2.ChecklistItem(text="Prices")],
        **WEEKLY,
    )
    await update(
        world, ana, first.id, subject="Only today", due_time=local("2030-03-26T15:00"),
        checklist=[task_pb2.ChecklistItem(text="Prices", done=True)],
    )  # fmt: skip
    await update(world, ana, first.id, owner_id=jan.id)
    await done(world, jan, first.id)
    _, second = await row(world, first.id, 2)

    assert (second.subject, wall(second.due_time)) == ("Call back", "2030-04-01T09:00")
    assert [(item.text, item.done) for item in second.checklist] == [("Prices", False)]
    assert second.owner_id == jan.id


async def test_a_visit_moves_along_with_its_departure(world: MeetingWorld) -> None:
    ana = await world.colleague()
    place = task_pb2.Visit(
        place="Lipowa 3", appointment_time=local("2030-03-25T09:00"), travel_minutes=30
    )
    first = await world.make(ana, visit=place, **WEEKLY)
    await done(world, ana, first.id)
    _, second = await row(world, first.id, 2)

    assert wall(second.visit.appointment_time) == "2030-04-01T09:00"
    assert wall(second.visit.departure_time) == "2030-04-01T08:30"


async def test_an_all_day_task_stays_on_its_weekday(world: MeetingWorld) -> None:
    ana = await world.colleague()
    first = await world.make(ana, due_time=local("2030-03-31T12:00"), all_day=True, **WEEKLY)
    await done(world, ana, first.id)
    _, second = await row(world, first.id, 2)

    assert [wall(t.due_time) for t in (first, second)] == ["2030-03-31T23:59", "2030-04-07T23:59"]


async def test_no_task_follows_once_the_rule_is_taken_away_or_the_task_deleted(
    world: MeetingWorld,
) -> None:
    ana = await world.colleague()
    ended = await world.make(ana, due_time=local("2030-03-25T09:00"), **WEEKLY)
    await update(world, ana, ended.id, recurrence="")
    await done(world, ana, ended.id)
    deleted = await world.make(ana, due_time=local("2030-03-25T09:00"), **WEEKLY)
    await world.stub(ana).DeleteTask(task_pb2.DeleteTaskRequest(id=deleted.id))

    assert len(await row(world, ended.id)) == 1
    assert await world.count("task_series") == 0
    timers = await world.running.rows(
        "tasks",
        "SELECT 1 FROM timers WHERE tenant_id = $1 AND kind = 'task-series'",
        world.tenant.id,
    )
    assert timers == []


async def test_a_cancelled_one_is_followed_by_the_next(world: MeetingWorld) -> None:
    ana = await world.colleague()
    first = await world.make(ana, due_time=local("2030-03-25T09:00"), **WEEKLY)
    await world.stub(ana).CancelTask(task_verbs_pb2.CancelTaskRequest(id=first.id))

    assert len(await row(world, first.id, 2)) == 2


async def test_done_from_many_devices_at_once_makes_one_next(world: MeetingWorld) -> None:
    ana = await world.colleague()
    first = await world.make(ana, due_time=local("2030-03-25T09:00"), **WEEKLY)

    await asyncio.gather(*(done(world, ana, first.id) for _ in range(10)), return_exceptions=True)
    found = await row(world, first.id, 2)

    assert len(found) == 2
    assert len(await world.events("TaskCreated", count=2)) == 2


async def test_the_next_of_somebody_who_left_goes_to_whoever_stands_in(world: MeetingWorld) -> None:
    jan = await world.colleague()
    ana = await world.colleague(delegate_id=jan.id)
    first = await world.make(ana, due_time=local("2030-03-25T09:00"), **WEEKLY)
    user = dict(world.running.process.directory.of(world.tenant.id).user(ana.id))
    await world.tenant.put("user", ana.id, {**user, "state": "deactivated"})
    await done(world, world.tenant.admin, first.id)
    _, second = await row(world, first.id, 2)

    assert second.owner_id == jan.id


async def test_a_rule_that_is_none_or_falls_too_often_is_refused(world: MeetingWorld) -> None:
    ana = await world.colleague()
    due = local("2030-03-25T09:00")
    for rule in ("weekly", "FREQ=DAILY;COUNT=1001", "FREQ=DAILY;UNTIL=20990101", "FREQ=HOURLY"):
        async with Refused(world, errors.InvalidArgument, "RECURRENCE_INVALID", "recurrence"):
            await world.make(ana, due_time=due, recurrence=rule)
    made = await world.make(ana, due_time=due, recurrence="FREQ=DAILY;COUNT=1000")
    async with Refused(world, errors.InvalidArgument, "RECURRENCE_INVALID", "recurrence"):
        await update(world, ana, made.id, recurrence="FREQ=DAILY;BYHOUR=9")
