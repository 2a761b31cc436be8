"""Many tasks given to others or moved in one go: preview, run, stop and undo."""

from typing import Any

import pytest
from google.longrunning import operations_pb2

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.events import eventually
from chassis.testing.installation import Person
from crm.tasks.v1 import bulk_pb2 as pb
from crm.tasks.v1 import task_pb2
from crm.tasks.v1 import task_verbs_pb2 as verbs
from crm.tasks.v1.bulk_pb2 import Reassign, Reschedule, TaskChange, TaskChangeItem
from crm.tasks.v1.bulk_service_pb2_grpc import TaskChangesServiceStub
from tests.service.tasks.ladders import LadderStep, ladder, runs
from tests.service.tasks.world import WORKER, Refused, Task, World, at

CHANGER = [
    *WORKER,
    *({"object": "task_change", "action": a, "scope": "own"} for a in ("read", "create", "run")),
]
S = TaskChange


def stub(world: World, person: Person | None = None) -> Any:
    return (person or world.tenant.admin).stub(TaskChangesServiceStub)


async def preview(world: World, by: Person | None = None, **given: Any) -> TaskChange:
    request = pb.CreateTaskChangeRequest(task_change=TaskChange(**given))
    return await stub(world, by).CreateTaskChange(request)


async def get(world: World, id: str, by: Person | None = None) -> TaskChange:
    return await stub(world, by).GetTaskChange(pb.GetTaskChangeRequest(id=id))


async def ended(world: World, id: str, state: "S.State", by: Person | None = None) -> TaskChange:
    """The change once it is in this state."""

    async def there() -> bool:
        return (await get(world, id, by)).state == state

    await eventually(there, f"the change is {S.State.Name(state)}", 30)
    return await get(world, id, by)


async def run(world: World, change: TaskChange, by: Person | None = None) -> TaskChange:
    started = await stub(world, by).RunTaskChange(pb.RunTaskChangeRequest(id=change.id))
    assert isinstance(started, operations_pb2.Operation)
    return await ended(world, change.id, S.STATE_DONE, by)


async def undo(world: World, change: TaskChange, by: Person | None = None) -> TaskChange:
    await stub(world, by).UndoTaskChange(pb.UndoTaskChangeRequest(id=change.id))
    return await ended(world, change.id, S.STATE_UNDONE, by)


async def picture(world: World) -> dict[str, Task]:
    """Every task without what each write changes."""
    listed = await world.admin.ListTasks(task_pb2.ListTasksRequest(page_size=200))
    for task in listed.tasks:
        for field in ("etag", "update_time", "can"):
            task.ClearField(field)
    return {task.id: task for task in listed.tasks}


def reasons(items: Any) -> list[str]:
    return [TaskChangeItem.Reason.Name(item.reason).removeprefix("REASON_") for item in items]


# -- giving on -------------------------------------------------------------------------------------------------------------


async def test_preview_says_who_gets_what_and_changes_nothing(world: World) -> None:
    ola, jan = await world.worker(), await world.worker()
    made = [await world.make(subject=f"Task {n}") for n in range(5)]
    before = await picture(world)
    change = await preview(
        world, filter=f"owner_id = {world.tenant.admin.id}", reassign=Reassign(owner_ids=[ola.id, jan.id])
    )  # fmt: skip
    assert (change.state, change.matched_count, change.planned_count) == (S.STATE_PREVIEWED, 5, 5)
    assert {share.owner_id: share.count for share in change.received} == {ola.id: 3, jan.id: 2}
    assert [item.task_id for item in change.samples] == [task.id for task in made]
    first = change.samples[0]
    assert (first.before.owner_id, first.after.owner_id) == (world.tenant.admin.id, ola.id)
    assert await picture(world) == before


async def test_run_gives_in_turn_as_previewed_and_undo_restores_everything(world: World) -> None:
    home = await world.tenant.department()
    ola, jan = await world.worker(home), await world.worker()
    for n in range(5):
        await world.make(subject=f"Task {n}", follower_ids=[jan.id])
    before = await picture(world)
    change = await preview(world, filter="state = OPEN", reassign=Reassign(owner_ids=[ola.id, jan.id]))  # fmt: skip

    done = await run(world, change)

    assert (done.changed_count, done.planned_count, done.refused_count) == (5, 0, 0)
    now = await picture(world)
    assert {i.task_id: i.after.owner_id for i in change.samples} == {id: t.owner_id for id, t in now.items()}  # fmt: skip
    assert all(world.tenant.admin.id in task.follower_ids for task in now.values())
    told = await world.events("TaskUpdated", 5)
    assert {(e["change"]["cause"]["kind"], e["change"]["cause"]["id"]) for e in told} == {("rpc", change.id)}  # fmt: skip
    assert {e["change"]["actor"]["userId"] for e in told} == {world.tenant.admin.id}
    (event,) = await world.events("TaskChangeDone")
    assert event["taskChange"]["changedCount"] == 5

    undone = await undo(world, done)

    assert (undone.returned_count, undone.kept_count, undone.changed_count) == (5, 0, 0)
    assert await picture(world) == before
    told = await world.events("TaskUpdated", 10)
    assert {e["change"]["cause"]["kind"] for e in told[5:]} == {"undo"}
    await world.events("TaskChangeUndone")


async def test_into_a_queue_and_back(world: World) -> None:
    home = await world.tenant.department()
    task = await world.make()
    change = await preview(world, ids=[task.id], reassign=Reassign(department_id=home))
    done = await run(world, change)
    queued = await world.task(task.id)
    assert (queued.owner_id, queued.department_id) == ("", home)
    await undo(world, done)
    assert (await world.task(task.id)).owner_id == world.tenant.admin.id


async def test_what_it_may_not_change_is_named_with_the_reason(world: World) -> None:
    me, ola = await world.tenant.person(CHANGER), await world.worker()
    mine = await world.make(me)
    ended_ = await world.make(me)
    await world.stub(me).CompleteTask(verbs.CompleteTaskRequest(id=ended_.id))
    read_only = await world.make(follower_ids=[me.id])
    hidden = await world.make()
    ids = [mine.id, ended_.id, read_only.id, hidden.id, uuid7()]
    change = await preview(world, me, ids=ids, reassign=Reassign(owner_ids=[ola.id]))
    assert (change.planned_count, change.refused_count) == (1, 4)
    assert reasons(change.refused) == ["ENDED", "NOT_ALLOWED", "NOT_FOUND", "NOT_FOUND"]
    await run(world, change, me)
    assert (await world.task(read_only.id)).owner_id == world.tenant.admin.id
    assert (await world.task(mine.id)).owner_id == ola.id


async def test_what_changed_since_the_preview_is_judged_again(world: World) -> None:
    ola = await world.worker()
    kept, taken = await world.make(), await world.make()
    change = await preview(world, ids=[kept.id, taken.id], reassign=Reassign(owner_ids=[ola.id]))
    await world.admin.CompleteTask(verbs.CompleteTaskRequest(id=taken.id))
    done = await run(world, change)
    assert (done.changed_count, done.refused_count) == (1, 1)
    assert reasons(done.refused) == ["ENDED"]


async def test_undo_leaves_what_was_touched_since_and_says_why(world: World) -> None:
    ola, jan = await world.worker(), await world.worker()
    back, edited, given, over, gone = [await world.make(subject=s) for s in "ABCDE"]
    change = await preview(
        world, ids=[t.id for t in (back, edited, given, over, gone)], reassign=Reassign(owner_ids=[ola.id])
    )  # fmt: skip
    done = await run(world, change)
    request = task_pb2.UpdateTaskRequest(task=Task(id=edited.id, subject="Another"))
    request.update_mask.paths.append("subject")
    await world.admin.UpdateTask(request)
    await world.admin.AssignTask(verbs.AssignTaskRequest(id=given.id, owner_id=jan.id))
    await world.admin.CompleteTask(verbs.CompleteTaskRequest(id=over.id))
    await world.admin.DeleteTask(task_pb2.DeleteTaskRequest(id=gone.id))

    undone = await undo(world, done)

    assert (undone.returned_count, undone.kept_count) == (2, 3)
    assert {i.task_id: r for i, r in zip(undone.kept, reasons(undone.kept), strict=True)} == {
        given.id: "CHANGED_SINCE", over.id: "ENDED", gone.id: "DELETED",
    }  # fmt: skip
    assert (await world.task(edited.id)).subject == "Another"
    assert (await world.task(edited.id)).owner_id == world.tenant.admin.id
    assert (await world.task(given.id)).owner_id == jan.id


# -- moving ----------------------------------------------------------------------------------------------------------------


async def test_a_shift_moves_start_and_deadline_and_undo_brings_them_back(world: World) -> None:
    times = {"start_time": at("2030-03-01T08:00"), "due_time": at("2030-03-01T09:00")}
    task = await world.make(**times, due_zone="UTC")
    before = await picture(world)
    done = await run(world, await preview(world, ids=[task.id], reschedule=Reschedule(shift_minutes=90)))  # fmt: skip
    moved = await world.task(task.id)
    assert (moved.start_time, moved.due_time) == (at("2030-03-01T09:30"), at("2030-03-01T10:30"))
    await undo(world, done)
    assert await picture(world) == before


async def test_working_days_keep_the_hour_over_the_change_of_clocks(world: World) -> None:
    # On Sunday 31 March 2030 the clocks in Warsaw go forward; nobody said any hours, so every day is worked.
    task = await world.make(due_time=at("2030-03-30T08:00"), due_zone="Europe/Warsaw")
    await run(world, await preview(world, ids=[task.id], reschedule=Reschedule(shift_working_days=2)))  # fmt: skip
    assert (await world.task(task.id)).due_time == at("2030-04-01T07:00")


async def test_what_cannot_be_moved_is_named_with_the_reason(world: World) -> None:
    visit = task_pb2.Visit(place="Lipowa 5", appointment_time=at("2030-03-01T09:00"))
    none = await world.make()
    visited = await world.make(visit=visit)
    day = await world.make(due_time=at("2030-03-01T09:00"), due_zone="UTC", all_day=True)
    old = await world.make(due_time=at("2020-03-01T09:00"))
    ids = [none.id, visited.id, day.id, old.id]
    change = await preview(world, ids=ids, reschedule=Reschedule(shift_minutes=30))
    assert reasons(change.refused) == ["NO_DEADLINE", "VISIT", "ALL_DAY", "PAST"]
    late = await world.make(start_time=at("2030-03-02T09:00"), due_time=at("2030-03-02T10:00"))
    to = Reschedule(due_time=at("2030-03-01T10:00"))
    assert reasons((await preview(world, ids=[late.id], reschedule=to)).refused) == ["BEFORE_START"]


async def test_timers_and_ladders_follow(world: World) -> None:
    late = await ladder(world, (15, LadderStep.WHOM_OWNER))
    ola = await world.worker()
    task = await world.make(due_time=at("2030-03-01T09:00"), ladder_id=late.id)
    await run(world, await preview(world, ids=[task.id], reschedule=Reschedule(shift_minutes=60)))
    (newest, first) = await runs(world, task.id)
    assert (newest.start_time, first.start_time) == (at("2030-03-01T10:00"), at("2030-03-01T09:00"))
    sql = "SELECT kind, due_at FROM timers WHERE tenant_id = $1 AND kind = 'deadline'"
    (timer,) = await world.running.rows("tasks", sql, world.tenant.id)
    assert timer["due_at"].isoformat() == "2030-03-01T10:00:00+00:00"
    await run(world, await preview(world, ids=[task.id], reassign=Reassign(owner_ids=[ola.id])))
    assert len(await runs(world, task.id)) == 2  # given on, the clock goes on


# -- refusals and its own life ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({"reschedule": Reschedule(shift_minutes=5)}, ["filter"]),
        ({"filter": "state = OPEN", "ids": [uuid7()], "reschedule": Reschedule(shift_minutes=5)}, ["filter"]),
        ({"filter": "state = OPEN"}, ["reassign"]),
        ({"filter": "state = OPEN", "reassign": Reassign()}, ["reassign.owner_ids"]),
        ({"filter": "state = OPEN", "reassign": Reassign(owner_ids=[uuid7()], department_id=uuid7())}, ["reassign.owner_ids"]),
        ({"filter": "state = OPEN", "reschedule": Reschedule()}, ["reschedule.shift_minutes"]),
        ({"filter": "state = OPEN", "reschedule": Reschedule(shift_working_days=0)}, ["reschedule.shift_working_days"]),
        ({"filter": "state = OPEN", "reschedule": Reschedule(due_time=at("2020-01-01T00:00"))}, ["reschedule.due_time"]),
    ],
)  # fmt: skip
async def test_what_says_nothing_clear_is_refused(
    world: World, given: dict[str, Any], fields: list[str]
) -> None:
    await world.make()
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", *fields):
        await preview(world, **given)
    assert await world.count("task_changes") == await world.count("task_change_items") == 0


async def test_who_is_to_get_them_must_be_there(world: World) -> None:
    task = await world.make()
    async with Refused(world, errors.FailedPrecondition, "ASSIGNEE_NOT_ACTIVE", "reassign.owner_ids[0]"):  # fmt: skip
        await preview(world, ids=[task.id], reassign=Reassign(owner_ids=[uuid7()]))
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "reassign.department_id"):  # fmt: skip
        await preview(world, ids=[task.id], reassign=Reassign(department_id=uuid7()))


async def test_a_filter_that_cannot_be_followed_is_refused(world: World) -> None:
    async with Refused(world, errors.InvalidArgument, "BAD_LIST", "filter"):
        await preview(world, filter="nonsense = 1", reschedule=Reschedule(shift_minutes=5))


async def test_a_change_is_run_once_and_undone_once(world: World) -> None:
    ola = await world.worker()
    task = await world.make()
    change = await preview(world, ids=[task.id], reassign=Reassign(owner_ids=[ola.id]))
    async with Refused(world, errors.FailedPrecondition, "TASK_CHANGE_WRONG_STATE"):
        await stub(world).UndoTaskChange(pb.UndoTaskChangeRequest(id=change.id))
    async with Refused(world, errors.FailedPrecondition, "TASK_CHANGE_WRONG_STATE"):
        await stub(world).CancelTaskChange(pb.CancelTaskChangeRequest(id=change.id))
    await run(world, change)
    async with Refused(world, errors.FailedPrecondition, "TASK_CHANGE_WRONG_STATE"):
        await stub(world).RunTaskChange(pb.RunTaskChangeRequest(id=change.id))
    await undo(world, change)
    async with Refused(world, errors.FailedPrecondition, "TASK_CHANGE_WRONG_STATE"):
        await stub(world).UndoTaskChange(pb.UndoTaskChangeRequest(id=change.id))


async def test_stopped_it_says_what_was_done_and_goes_on_or_back(world: World) -> None:
    ola = await world.worker()
    made = [await world.make(subject=f"Task {n}") for n in range(3)]
    before = await picture(world)
    change = await preview(world, ids=[t.id for t in made], reassign=Reassign(owner_ids=[ola.id]))
    await stub(world).RunTaskChange(pb.RunTaskChangeRequest(id=change.id))
    try:
        stopped = await stub(world).CancelTaskChange(pb.CancelTaskChangeRequest(id=change.id))
    except errors.FailedPrecondition:  # it was quicker
        stopped = await get(world, change.id)
    assert stopped.state in (S.STATE_STOPPED, S.STATE_DONE)
    assert stopped.changed_count + stopped.planned_count == 3
    moved = [t for t in (await picture(world)).values() if t.owner_id == ola.id]
    assert len(moved) == stopped.changed_count
    if stopped.state == S.STATE_STOPPED:
        await run(world, stopped)
    assert (await get(world, change.id)).changed_count == 3
    await undo(world, change)
    assert await picture(world) == before


async def test_a_change_is_its_makers_own(world: World) -> None:
    me, ola = await world.tenant.person(CHANGER), await world.tenant.person(CHANGER)
    task = await world.make(me)
    change = await preview(world, me, ids=[task.id], reassign=Reassign(owner_ids=[ola.id]))
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await get(world, change.id, ola)
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await stub(world, ola).RunTaskChange(pb.RunTaskChangeRequest(id=change.id))
    listed = await stub(world, me).ListTaskChanges(pb.ListTaskChangesRequest())
    assert [each.id for each in listed.task_changes] == [change.id]
    done = await run(world, change, me)
    with pytest.raises(errors.NotFound):  # he gave it away, out of his sight
        await world.stub(me).GetTask(task_pb2.GetTaskRequest(id=uuid7()))
    await undo(world, done, me)
    assert (await world.task(task.id)).owner_id == me.id
