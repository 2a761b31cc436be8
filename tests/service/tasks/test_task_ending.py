"""Done, cancelled, opened again; attempts and the customer's clock."""

import asyncio
from typing import Any

import pytest

from chassis import errors
from chassis.call import Cause
from chassis.keys import uuid7
from chassis.testing.installation import Person
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.common.v1 import common_pb2 as common
from crm.tasks.v1 import task_pb2, task_type_pb2
from crm.tasks.v1 import task_verbs_pb2 as verbs
from services.tasks import saving
from tests.service.tasks.world import (
    Outcome,
    Refused,
    ResultField,
    Task,
    World,
    values,
)

SCHEMA: dict[str, Any] = {
    "outcomes": [Outcome(key="measured", label="M"), Outcome(key="nobody", label="N", without_result=True)],
    "result_fields": [
        ResultField(key="width_mm", label="Width", type=common.CUSTOM_FIELD_TYPE_NUMBER, required=True, min=100, max=6000),
        ResultField(key="photo", label="Photo", type=common.CUSTOM_FIELD_TYPE_FILE),
    ],
}  # fmt: skip


async def complete(
    world: World, task: Task, by: Person | None = None, result: Any = None, **more: Any
) -> Task:
    request = verbs.CompleteTaskRequest(id=task.id, result=values(**result or {}), **more)
    return await world.stub(by or world.tenant.admin).CompleteTask(request)


@pytest.fixture
async def measuring(world: World) -> Task:
    """An open task whose result has a schema."""
    type = await world.type(**SCHEMA)
    return await world.make(type_id=type.id)


async def test_a_done_task_tells_its_typed_result_once(world: World, measuring: Task) -> None:
    done = await complete(
        world, measuring, outcome="measured", result={"width_mm": 1200}, note="2nd floor"
    )
    assert (done.state, done.outcome, done.end_note) == (Task.STATE_DONE, "measured", "2nd floor")
    assert (done.result["width_mm"].number_value, done.ended_by_id) == (1200, world.tenant.admin.id)
    assert await world.task(measuring.id) == done
    (event,) = await world.events("TaskDone")
    assert (event["task"]["result"], event["task"]["outcome"]) == ({"width_mm": 1200}, "measured")
    assert await world.published() == 3  # the type, the task, its end


@pytest.mark.parametrize(
    ("outcome", "result", "field"),
    [
        ("measured", {}, "result.width_mm"),
        ("measured", {"width_mm": "wide"}, "result.width_mm"),
        ("measured", {"width_mm": 99}, "result.width_mm"),
        ("measured", {"width_mm": 500, "depth": 1}, "result.depth"),
        ("measured", {"width_mm": 500, "photo": uuid7()}, "result.photo"),
        ("gone", {"width_mm": 500}, "outcome"),
    ],
)
async def test_a_result_that_does_not_fit_is_refused_by_name(
    world: World, measuring: Task, outcome: str, result: Any, field: str
) -> None:
    async with Refused(world, errors.InvalidArgument, "RESULT_INVALID", field):
        await complete(world, measuring, outcome=outcome, result=result)


async def test_an_outcome_may_do_without_result(world: World, measuring: Task) -> None:
    assert (await complete(world, measuring, outcome="nobody")).state == Task.STATE_DONE


async def test_without_a_type_done_is_done(world: World) -> None:
    task = await world.make()
    assert (await complete(world, task)).state == Task.STATE_DONE
    other = await world.make()
    async with Refused(world, errors.InvalidArgument, "RESULT_INVALID", "outcome", "result.a"):
        await complete(world, other, outcome="x", result={"a": 1})


async def test_a_task_whose_type_was_deleted_still_ends_as_it_says(
    world: World, measuring: Task
) -> None:
    await world.admin.DeleteTaskType(task_type_pb2.DeleteTaskTypeRequest(id=measuring.type_id))
    async with Refused(world, errors.InvalidArgument, "RESULT_INVALID", "result.width_mm"):
        await complete(world, measuring, outcome="measured")


async def test_a_photo_of_ones_own_becomes_the_tasks(world: World) -> None:
    jan, thief = await world.worker(), await world.worker()
    type = await world.type(**SCHEMA)
    task = await world.make(owner_id=jan.id, type_id=type.id)
    blobs = world.running.process.runtimes["tasks"].blobs
    mine, theirs = [await _photo(blobs, world.tenant.id, owner.id) for owner in (jan, thief)]
    async with Refused(world, errors.InvalidArgument, "RESULT_INVALID", "result.photo"):
        await complete(
            world, task, jan, outcome="measured", result={"width_mm": 500, "photo": theirs}
        )
    done = await complete(
        world, task, jan, outcome="measured", result={"width_mm": 500, "photo": mine}
    )
    assert list(done.file_ids) == [mine]


async def test_files_of_a_result_count_among_the_twenty_of_a_task(world: World) -> None:
    type = await world.type(**SCHEMA)
    blobs, owner = world.running.process.runtimes["tasks"].blobs, world.tenant.admin.id
    *had, photo = [await _photo(blobs, world.tenant.id, owner) for _ in range(21)]
    task = await world.make(type_id=type.id, file_ids=had)
    said: dict[str, Any] = {"outcome": "measured", "result": {"width_mm": 500, "photo": photo}}
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "file_ids") as refused:
        await complete(world, task, **said)
    assert "has 20 files, and the result brings 1 more" in refused.error.violations[0].description
    said["result"]["photo"] = had[0]
    assert list((await complete(world, task, **said)).file_ids) == had


async def test_an_old_etag_does_not_hinder_and_twice_changes_nothing(
    world: World, measuring: Task
) -> None:
    mask = {"update_mask": {"paths": ["subject"]}}
    await world.admin.UpdateTask(
        task_pb2.UpdateTaskRequest(task=Task(id=measuring.id, subject="Else"), **mask)
    )
    said: dict[str, Any] = {"outcome": "measured", "result": {"width_mm": 1200}, "etag": "1"}
    done = await complete(world, measuring, request_id="phone", **said)
    assert done.subject == "Else"
    before = await world.state()
    assert await complete(world, measuring, request_id="phone", **said) == done
    assert await complete(world, measuring, request_id="tablet", **said) == done
    assert await complete(world, measuring, **{**said, "etag": ""}) == done
    assert await world.state() == before


async def test_who_says_otherwise_hears_who_said_what_when(world: World) -> None:
    jan = await world.worker(name="Jan")
    type = await world.type(**SCHEMA)
    task = await world.make(owner_id=jan.id, type_id=type.id)
    done = await complete(world, task, jan, outcome="measured", result={"width_mm": 1200})
    async with Refused(
        world, errors.Aborted, "FIELDS_CHANGED", "outcome", "result.width_mm"
    ) as refused:
        await complete(world, task, outcome="nobody")
    when = to_datetime(done.end_time).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert [v.description for v in refused.error.violations] == [
        f"Jan said 'measured' at {when}, you sent 'nobody'",
        f"Jan said 1200 at {when}, you sent None",
    ]


async def test_twenty_finish_it_at_once_and_it_ends_once(world: World) -> None:
    task = await world.make()
    answers = await asyncio.gather(*(complete(world, task) for _ in range(20)))
    assert len({answer.SerializeToString(deterministic=True) for answer in answers}) == 1
    assert len(await world.events("TaskDone")) == 1
    assert await world.published() == 2


async def test_done_without_network_is_told_with_its_own_moment(world: World) -> None:
    made = await world.make(id=uuid7(world.running.process.clock.now().timestamp() - 7200))
    an_hour_ago = to_timestamp(to_datetime(made.create_time).replace(microsecond=0))
    an_hour_ago.seconds -= 3600
    done = await complete(world, made, done_time=an_hour_ago)
    assert done.end_time == an_hour_ago


@pytest.mark.parametrize("seconds", [-10, 360])
async def test_done_before_it_was_made_or_in_the_future_is_refused(
    world: World, seconds: int
) -> None:
    task = await world.make()
    moment = to_timestamp(to_datetime(task.create_time))
    moment.seconds += seconds
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "done_time"):
        await complete(world, task, done_time=moment)


# -- done before he learned that it is somebody else's (M24) ------------------------------------------------------------------


async def _given_on(world: World) -> tuple[Person, Person, Task]:
    """Jan's task, as his telephone has it, which Ola has by now."""
    jan, ola = await world.worker(name="Jan"), await world.worker(name="Ola")
    two_hours_ago = world.running.process.clock.now().timestamp() - 7200
    task = await world.make(id=uuid7(two_hours_ago), owner_id=jan.id)
    await world.admin.AssignTask(verbs.AssignTaskRequest(id=task.id, owner_id=ola.id))
    return jan, ola, task


async def test_who_did_it_while_he_had_it_lands_though_somebody_else_has_it(world: World) -> None:
    jan, ola, task = await _given_on(world)

    done = await complete(world, task, jan, note="At the gate", done_time=task.create_time)

    assert (done.state, done.owner_id, done.ended_by_id) == (Task.STATE_DONE, ola.id, jan.id)
    assert done.end_time == task.create_time
    (event,) = await world.events("TaskDone")
    assert (event["task"]["ownerId"], event["task"]["endedById"]) == (ola.id, jan.id)
    assert (await world.task(task.id, jan)).end_note == "At the gate"  # what became of it
    assert (await world.task(task.id, ola)).state == Task.STATE_DONE
    assert await complete(world, task, jan, request_id="again") == done


async def test_the_etag_that_he_saw_says_that_it_was_his(world: World) -> None:
    jan, ola, task = await _given_on(world)
    done = await complete(world, task, jan, etag=task.etag)
    assert (done.owner_id, done.ended_by_id) == (ola.id, jan.id)


async def test_what_went_into_a_queue_meanwhile_is_his_again(world: World) -> None:
    jan, home = await world.worker(), await world.tenant.department()
    task = await world.make(owner_id=jan.id)
    await world.admin.AssignTask(verbs.AssignTaskRequest(id=task.id, department_id=home))
    done = await complete(world, task, jan, etag=task.etag)
    assert (done.owner_id, done.ended_by_id) == (jan.id, jan.id)


async def test_who_did_it_after_it_was_given_on_hears_who_has_it(world: World) -> None:
    jan, _, task = await _given_on(world)
    now = to_timestamp(world.running.process.clock.now())
    for said in ({}, {"done_time": now}, {"etag": "2"}):
        async with Refused(
            world, errors.FailedPrecondition, "TASK_GIVEN_ON", "done_time"
        ) as refused:
            await complete(world, task, jan, **said)
        assert "Ola has it, ask there" in str(refused.error)
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await complete(world, task, await world.worker(), etag=task.etag)


async def test_who_comes_after_the_present_assignee_hears_that_it_is_done(world: World) -> None:
    jan, ola, task = await _given_on(world)
    await complete(world, task, ola)
    async with Refused(world, errors.FailedPrecondition, "TASK_GIVEN_ON", "done_time") as refused:
        await complete(world, task, jan, etag=task.etag)
    assert "Ola did it at" in str(refused.error)


async def test_whose_role_may_not_complete_tasks_never_could(world: World) -> None:
    reader = await world.tenant.person([{"object": "task", "action": "read", "scope": "own"}])
    task = await world.make(owner_id=reader.id)
    await world.admin.AssignTask(
        verbs.AssignTaskRequest(id=task.id, owner_id=world.tenant.admin.id)
    )
    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await complete(world, task, reader, etag=task.etag)


async def test_who_finishes_a_queued_task_has_it(world: World) -> None:
    home = await world.tenant.department()
    mate = await world.worker(home)
    task = await world.make(department_id=home)
    done = await complete(world, task, mate)
    assert (done.owner_id, done.ended_by_id, done.department_id) == (mate.id, mate.id, home)


async def test_who_merely_reads_it_cannot_finish_it(world: World) -> None:
    jan, follower = await world.worker(), await world.worker()
    task = await world.make(jan, follower_ids=[follower.id])
    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await complete(world, task, follower)
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await complete(world, task, await world.worker())


async def test_a_cancelled_task_is_not_done_late(world: World) -> None:
    task = await world.make()
    over = await world.admin.CancelTask(verbs.CancelTaskRequest(id=task.id, note=" sold "))
    assert (over.state, over.end_note) == (Task.STATE_CANCELLED, "sold")
    assert len(await world.events("TaskCancelled")) == 1
    for again in (
        complete(world, task),
        world.admin.CancelTask(verbs.CancelTaskRequest(id=task.id)),
    ):
        async with Refused(world, errors.FailedPrecondition, "TASK_WRONG_STATE"):
            await again


async def test_a_reopened_task_keeps_its_result_in_its_history(
    world: World, measuring: Task
) -> None:
    await complete(world, measuring, outcome="measured", result={"width_mm": 1200})
    again = await world.admin.ReopenTask(verbs.ReopenTaskRequest(id=measuring.id))
    assert (again.state, again.outcome, dict(again.result)) == (Task.STATE_OPEN, "", {})
    assert not again.HasField("end_time")
    assert len(await world.events("TaskReopened")) == 1
    history = await world.admin.ListTaskHistory(task_pb2.ListTaskHistoryRequest(id=measuring.id))
    lost = {change.field: change.before for change in history.revisions[0].changes}
    assert lost["outcome"].string_value == "measured"
    async with Refused(world, errors.FailedPrecondition, "TASK_WRONG_STATE"):
        await world.admin.ReopenTask(verbs.ReopenTaskRequest(id=measuring.id))


async def test_verbs_with_an_old_etag_are_refused(world: World) -> None:
    task = await world.make()
    await world.admin.RecordTaskAttempt(verbs.RecordTaskAttemptRequest(id=task.id))
    for call in (
        world.admin.CancelTask(verbs.CancelTaskRequest(id=task.id, etag=task.etag)),
        world.admin.ReopenTask(verbs.ReopenTaskRequest(id=task.id, etag=task.etag)),
    ):
        async with Refused(world, errors.Aborted, "CHANGED_MEANWHILE"):
            await call


async def test_attempts_are_counted_told_and_stop_no_clock(world: World) -> None:
    task = await _answering(world)
    for key in ("a", "a", "b"):
        tried = await world.admin.RecordTaskAttempt(
            verbs.RecordTaskAttemptRequest(id=task.id, request_id=key)
        )
    assert tried.attempt_count == 2
    assert not tried.reaction.HasField("stop_time")
    assert len(await world.events("TaskAttempted", 2)) == 2
    await complete(world, task)
    async with Refused(world, errors.FailedPrecondition, "TASK_WRONG_STATE"):
        await world.admin.RecordTaskAttempt(verbs.RecordTaskAttemptRequest(id=task.id))


async def test_the_clock_stops_once_by_hand_and_the_task_stays(world: World) -> None:
    task = await _answering(world)
    request = verbs.StopReactionClockRequest(id=task.id)
    stopped = await world.admin.StopReactionClock(request)
    assert (stopped.state, stopped.reaction.stopped_by) == (Task.STATE_OPEN, "by_hand")
    before = await world.state()
    assert await world.admin.StopReactionClock(request) == stopped
    assert await world.state() == before
    assert len(await world.events("ReactionClockStopped")) == 1


async def test_where_nobody_asked_no_clock_runs(world: World) -> None:
    task = await world.make()
    async with Refused(world, errors.FailedPrecondition, "NO_REACTION_CLOCK"):
        await world.admin.StopReactionClock(verbs.StopReactionClockRequest(id=task.id))


async def test_done_stops_the_clock(world: World) -> None:
    task = await _answering(world)
    done = await complete(world, task)
    assert (done.reaction.stopped_by, done.reaction.stop_time) == ("done", done.end_time)


async def _answering(world: World) -> Task:
    """An open task that answers a request, as a rule makes one."""

    async def make(tx: Tx) -> Task:
        task = Task(subject="Call", owner_id=world.tenant.admin.id)
        task.reaction.start_time.CopyFrom(to_timestamp(tx.now))
        return await saving.create(tx, task)

    runtime = world.running.process.runtimes["tasks"]
    made: Task = await runtime.run_system(world.tenant.id, Cause("setup"), make)
    return await world.task(made.id)


async def _photo(blobs: Any, tenant: str, owner_id: str) -> str:
    async def read() -> Any:
        yield b"picture"

    blob = await blobs.put(
        tenant, read(), type="image/jpeg", name="p.jpg", owner_id=owner_id, max_bytes=1000
    )
    return str(blob.id)
