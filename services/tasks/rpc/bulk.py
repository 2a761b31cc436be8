"""Changes of many tasks: preview, run, stop, undo."""

from google.longrunning import operations_pb2

from chassis.handlers import Servicer, writes
from chassis.kit.standard import refuse_unwritable, standard
from chassis.tx import Tx
from crm.tasks.v1 import bulk_pb2 as pb
from services.tasks import bulk_changes, errors, people, references, store
from services.tasks.rules import bulk as rules

TaskChange = pb.TaskChange


async def check(tx: Tx, new: TaskChange, old: TaskChange | None) -> None:
    """Keeps I71: a change says exactly which tasks and what, its caller may write these fields, and it is planned at once."""
    new.id = new.id or tx.new_id()
    rules.check(new, now=tx.now)
    refuse_unwritable(tx, store.tasks, rules.fields(new))
    await tx.require("task", rules.action(new), people.user_of(tx.actor))
    for at, id in enumerate(new.reassign.owner_ids):
        people.require_active(tx, id, f"reassign.owner_ids[{at}]")
    if new.reassign.department_id:
        references.require_department(tx, new.reassign.department_id, "reassign.department_id")
    await bulk_changes.plan(tx, new)


class TaskChangesRpcs(standard(store.bulk.changes, on_save=check), Servicer):  # type: ignore[misc]
    """`/v1/taskChanges`."""

    service = "crm.tasks.v1.TaskChangesService"

    @writes
    async def RunTaskChange(
        self, request: pb.RunTaskChangeRequest, tx: Tx
    ) -> operations_pb2.Operation:
        change = await _idle(tx, request.id, request.etag, "run")
        if change.state not in (
            TaskChange.STATE_PREVIEWED, TaskChange.STATE_STOPPED, TaskChange.STATE_RUNNING,
        ):  # fmt: skip
            raise errors.TaskChangeWrongState("run", _state(change), "make another one")
        change.state = TaskChange.STATE_RUNNING
        return await _started(tx, change, bulk_changes.RUN, request)

    @writes
    async def UndoTaskChange(
        self, request: pb.UndoTaskChangeRequest, tx: Tx
    ) -> operations_pb2.Operation:
        change = await _idle(tx, request.id, request.etag, "undone")
        if change.state in (
            TaskChange.STATE_PREVIEWED, TaskChange.STATE_UNDONE, TaskChange.STATE_CLOSED,
        ):  # fmt: skip
            hint = "only one that has changed tasks within the last 30 days is undone"
            raise errors.TaskChangeWrongState("undone", _state(change), hint)
        await bulk_changes.summarise(tx, change)
        change.state = TaskChange.STATE_UNDOING
        return await _started(tx, change, bulk_changes.UNDO, request)

    @writes
    async def CancelTaskChange(self, request: pb.CancelTaskChangeRequest, tx: Tx) -> TaskChange:
        change = await store.bulk.changes.get(tx, request.id)
        if not await bulk_changes.is_under_way(tx, change):
            hint = "nothing is under way that could be stopped"
            raise errors.TaskChangeWrongState("stopped", _state(change), hint)
        # The operation's row is held by its step: what is counted behind this is what stays.
        await tx.runtime.operations.cancel(tx, change.operation.rpartition("/")[2])
        forth = change.state == TaskChange.STATE_RUNNING
        change.state = TaskChange.STATE_STOPPED if forth else TaskChange.STATE_DONE
        await bulk_changes.summarise(tx, change)
        store.bulk.changes.save(tx, change)
        return change


async def _idle(tx: Tx, id: str, etag: str, verb: str) -> TaskChange:
    """The change, if nothing works on it; who presses twice is told so."""
    change = await store.bulk.changes.get(tx, id, etag=etag)
    if await bulk_changes.is_under_way(tx, change):
        raise errors.TaskChangeWrongState(verb, _state(change), "wait for its end or cancel it")
    return change


async def _started(
    tx: Tx, change: TaskChange, kind: str, request: object
) -> operations_pb2.Operation:
    started = await tx.start_operation(kind, request)  # type: ignore[arg-type]
    assert isinstance(started, operations_pb2.Operation)
    change.operation = started.name
    store.bulk.changes.save(tx, change)
    return started


def _state(change: TaskChange) -> str:
    return rules.state_name(change.state)
