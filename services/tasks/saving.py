"""The one way by which tasks are saved: the record, then what follows from the change."""

from chassis.tx import Tx
from crm.tasks.v1 import task_pb2
from services.tasks import busy, checking, deadlines, projects, series, store

Task = task_pb2.Task


async def create(tx: Tx, task: Task) -> Task:
    """Makes a task for a rule, as CreateTask does for a caller; TaskCreated tells of it."""
    await checking.check(tx, task, None)
    return await save(tx, task)


async def save(tx: Tx, task: Task) -> Task:
    """Records a save and does what follows from it; without a fact of its own it is told as TaskUpdated."""
    store.tasks.save(tx, task)
    return await followed(tx, task)


async def followed(tx: Tx, task: Task) -> Task:
    """The task, after what follows from a save, deletion or return that is recorded and not yet flushed."""
    loaded = tx.loaded.get((store.tasks.name, task.id))
    old = Task.FromString(loaded[1]) if loaded else None
    if await projects.keep_readers(tx, task, old):
        store.tasks.save(tx, task)
    await busy.keep_visit(tx, task, old)
    await deadlines.follow(tx, task, old)
    await series.follow(tx, task, old)
    return task
