"""How tasks end: done with a result, cancelled, opened again; attempts, and the customer's clock."""

from chassis import errors as chassis_errors
from chassis.handlers import Servicer, writes
from chassis.kit.late import FieldsChanged
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.tasks.v1 import events_pb2 as events
from crm.tasks.v1 import task_pb2 as pb
from crm.tasks.v1 import task_type_pb2
from crm.tasks.v1 import task_verbs_pb2 as verbs
from services.tasks import errors, people, saving, store
from services.tasks.rules import assigning, ending, results
from services.tasks.rules.tasks import shown


class Ending(Servicer):
    """The verbs of a task's end."""

    @writes
    async def CompleteTask(self, request: verbs.CompleteTaskRequest, tx: Tx) -> pb.Task:
        files = await _uploaded(tx, results.possible_files(request.result))
        task = await _to_complete(tx, request)
        if task.state == pb.Task.STATE_DONE:
            _refuse_other_end(tx, task, request)
            return task
        found = (
            await store.task_types.find(tx, task.type_id, deleted=True) if task.type_id else None
        )
        by, type = people.user_of(tx.actor), found or task_type_pb2.TaskType()
        held = results.check(type, request.outcome, request.result, files | set(task.file_ids))
        said = to_datetime(request.done_time) if request.HasField("done_time") else None
        at = ending.end_time(task, said, now=tx.now)
        if not task.owner_id and by and task.state == pb.Task.STATE_OPEN:
            assigning.take(task, by, home=people.home_of(tx, by), at=tx.now)
        ending.complete(
            task, outcome=request.outcome, result=request.result, files=held, note=request.note, by=by, at=at
        )  # fmt: skip
        await saving.save(tx, task)
        tx.emit(events.TaskDone(task=task))
        return task

    @writes
    async def CancelTask(self, request: verbs.CancelTaskRequest, tx: Tx) -> pb.Task:
        task = await store.tasks.get(tx, request.id, etag=request.etag)
        ending.cancel(task, note=request.note, by=people.user_of(tx.actor), at=tx.now)
        await saving.save(tx, task)
        tx.emit(events.TaskCancelled(task=task))
        return task

    @writes
    async def ReopenTask(self, request: verbs.ReopenTaskRequest, tx: Tx) -> pb.Task:
        task = await store.tasks.get(tx, request.id, etag=request.etag)
        ending.reopen(task)
        await saving.save(tx, task)
        tx.emit(events.TaskReopened(task=task))
        return task

    @writes
    async def RecordTaskAttempt(self, request: verbs.RecordTaskAttemptRequest, tx: Tx) -> pb.Task:
        task = await store.tasks.get(tx, request.id)
        ending.attempt(task, at=tx.now)
        await saving.save(tx, task)
        tx.emit(events.TaskAttempted(task=task))
        return task

    @writes
    async def StopReactionClock(self, request: verbs.StopReactionClockRequest, tx: Tx) -> pb.Task:
        task = await store.tasks.get(tx, request.id)
        if not task.HasField("reaction"):
            raise errors.NoReactionClock
        if ending.stop_clock(task, at=tx.now, by="by_hand"):
            await saving.save(tx, task)
            tx.emit(events.ReactionClockStopped(task=task))
        return task


async def _to_complete(tx: Tx, request: verbs.CompleteTaskRequest) -> pb.Task:
    """The task, whatever etag, for who may complete it, and for who had it when he did (M24); he follows it from now on.

    TaskGivenOn for who had it and does not say so, or comes after somebody else who did it; for everybody else as for any record.
    """
    try:
        return await store.tasks.get(tx, request.id)
    except (chassis_errors.NotFound, chassis_errors.PermissionDenied):
        task, by = await store.tasks.find(tx, request.id), people.user_of(tx.actor)
        had = await store.versions_of_owner(tx, request.id, by) if task is not None and by else []
        had = [each for each in had if _may_complete(tx, each.task)]
        if task is None or not had:
            raise
    if task.state == pb.Task.STATE_DONE and task.ended_by_id == by:
        return task  # sent twice
    done = to_datetime(request.done_time) if request.HasField("done_time") else None
    in_time = any(
        ending.was_his(v.number, v.since, v.until, etag=request.etag, done=done) for v in had
    )
    if task.state == pb.Task.STATE_DONE or not in_time:
        raise errors.TaskGivenOn(_what_became_of(tx, task), shown(to_timestamp(had[0].until)))
    assigning.did_it(task, by)
    return task


def _may_complete(tx: Tx, task: pb.Task) -> bool:
    return tx.rights.reaches("task", "complete", *store.tasks.scope_of_message(task))


def _what_became_of(tx: Tx, task: pb.Task) -> str:
    if task.state == pb.Task.STATE_DONE:
        return f"{people.name_of(tx, task.ended_by_id)} did it at {shown(task.end_time)}"
    if not task.owner_id:
        return "it waits for somebody else who takes it"
    return f"{people.name_of(tx, task.owner_id)} has it, ask there"


def _refuse_other_end(tx: Tx, task: pb.Task, request: verbs.CompleteTaskRequest) -> None:
    """FieldsChanged unless this says the same again: a telephone that sends twice, or two that agree, disturb nobody."""
    name = people.name_of(tx, task.ended_by_id)
    if found := ending.differences(task, request.outcome, request.result, name=name):
        raise FieldsChanged(
            f"{name} has done this task already and says otherwise; reopen it, then send with etag {task.etag}",
            found,
            metadata={"etag": task.etag},
        )


async def _uploaded(tx: Tx, named: set[str]) -> set[str]:
    """Those of the files that the caller uploaded himself. Asked first: no transaction may wait for the blob store."""
    found: set[str] = set()
    if not tx.actor.user_id or tx.tenant is None:
        return found
    for id in named:
        try:
            blob = await tx.runtime.blobs.get(tx.tenant, id)
        except chassis_errors.NotFound:
            continue
        if blob.owner_id == tx.actor.user_id:
            found.add(id)
    return found
