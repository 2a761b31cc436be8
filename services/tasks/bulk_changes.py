"""Many tasks given to others or moved in one go: what it would do, the change in steps, and its undo.

What a change is about is fixed when it is made: each task is an item, and says what became of it. A step is one transaction:
it takes the next items, writes their tasks, and notes what became of them; so a run that is killed goes on where it was, and no
task is changed twice. Histories and events of the tasks say why: cause `rpc` with the change's id, `undo` when put back.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from chassis.call import Cause
from chassis.handlers import operation, timer
from chassis.hours import department_hours, hours_of
from chassis.kit import bulk, listing
from chassis.kit.save import Conflict
from chassis.operation_runs import OperationRun
from chassis.rights import Rights
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.tasks.v1 import bulk_events_pb2 as events
from crm.tasks.v1 import bulk_pb2, task_pb2
from services.tasks import busy, deadlines, errors, people, series, store
from services.tasks.rules import bulk as rules
from services.tasks.rules import projects as project_rules
from services.tasks.store.bulk import (
    CHANGED,
    KEPT,
    PLANNED,
    REFUSED,
    RETURNED,
    UNCHANGED,
    Row,
)

Task = task_pb2.Task
TaskChange = bulk_pb2.TaskChange
Item = bulk_pb2.TaskChangeItem

RUN, UNDO = "task_change:run", "task_change:undo"
"""The kinds of operations."""
MOST = 20_000
"""Tasks of one change."""
LASTS = timedelta(days=30)
"""As long as a preview can be run, and a run undone."""

_BATCH = 500
_SAMPLES, _LISTED = 20, 100
_OVER = "task-change-over"
_UNDER_WAY = (TaskChange.STATE_RUNNING, TaskChange.STATE_UNDOING)


# -- what it would do ------------------------------------------------------------------------------------------------------


async def plan(tx: Tx, change: TaskChange) -> None:
    """Finds the tasks and judges each as it is now, for the caller; keeps the items and fills in the counts."""
    judge = _Judge(tx, change, tx.rights)
    rows: list[Row] = []
    found_count = turns = 0
    async for id, found in _matched(tx, change):
        if found_count == MOST:
            raise errors.TooManyTasks(MOST)
        row = Row(found_count, PLANNED, Item(task_id=id))
        row.state, _ = await judge.judged(row.item, found, _in_turn(change, turns))
        found_count, turns = found_count + 1, turns + (row.state in (PLANNED, UNCHANGED))
        rows.append(row)
        if len(rows) == _BATCH:
            await store.bulk.add(tx, change.id, rows)
            rows = []
    await store.bulk.add(tx, change.id, rows)
    change.state = TaskChange.STATE_PREVIEWED
    await _expire(tx, change)
    await summarise(tx, change)


async def _matched(tx: Tx, change: TaskChange) -> AsyncIterator[tuple[str, Any]]:
    """The tasks that the caller may read, with their rows; of ids also those that there are not, with none."""
    if change.ids:
        wanted = list(dict.fromkeys(change.ids))
        found = {str(row["id"]): row for row in await store.tasks.rows(tx, wanted)}
        for id in wanted:
            yield id, found.get(id)
        return
    asked = SimpleNamespace(
        filter=f"({change.filter}) AND state = OPEN", order_by="create_time", q="",
        page_size=listing.LARGEST_PAGE, page_token="", show_deleted=False,
    )  # fmt: skip
    query = listing.checked(tx, store.tasks, asked, tx.runtime.page_tokens)
    while True:
        rows = await listing.find(tx, store.tasks, query, "doc")
        for row in rows[: query.size]:
            yield str(row["id"]), row
        if len(rows) <= query.size:
            return
        last = rows[query.size - 1]
        query = replace(query, after=(last["key0"], last["id"]))


def _in_turn(change: TaskChange, turn: int) -> str:
    owners = change.reassign.owner_ids
    return owners[turn % len(owners)] if owners else ""


class _Judge:
    """What a change does to tasks, and why it leaves some, by these rights; what the tasks of a step share is read once."""

    def __init__(self, tx: Tx, change: TaskChange, rights: Rights) -> None:
        self._tx, self._change, self._rights = tx, change, rights
        self._readers: dict[str, list[str]] = {}

    async def judged(self, item: Item, row: Any, owner_id: str) -> tuple[int, Task | None]:
        """(state, the task as it would be), with what changes or why not noted in the item."""
        if row is None:
            item.reason = Item.REASON_NOT_FOUND
            return REFUSED, None
        change = self._change
        old, new = Task.FromString(row["doc"]), Task.FromString(row["doc"])
        try:
            rules.demand_open(new)
            scope = store.tasks.scope_of_message(new)
            if not self._rights.reaches("task", rules.action(change), *scope):
                raise rules.Left(Item.REASON_NOT_ALLOWED)
            self._apply(new, owner_id)
        except rules.Left as left:
            item.reason = left.reason
            return REFUSED, None
        before, after = rules.placement(old, change), rules.placement(new, change)
        if before == after:
            return UNCHANGED, None
        if change.HasField("reassign") and new.project_id:
            project_rules.let_read(new, await self._readers_of(new.project_id))
            after = rules.placement(new, change)
        item.before.CopyFrom(before)
        item.after.CopyFrom(after)
        return PLANNED, new

    def _apply(self, task: Task, owner_id: str) -> None:
        tx, change = self._tx, self._change
        if change.HasField("reassign"):
            if owner_id and not people.is_active(tx, owner_id):
                raise rules.Left(Item.REASON_NOT_ACTIVE)
            home, by = people.home_of(tx, owner_id), people.user_of(tx.actor)
            department_id = change.reassign.department_id
            rules.reassign(task, owner_id, department_id, home=home, by=by, at=tx.now)
            return
        owner, directory = task.owner_id, tx.directory
        hours = (
            hours_of(directory, owner) if owner else department_hours(directory, task.department_id)
        )
        zone = people.zone_of(tx, owner)
        rules.reschedule(task, change.reschedule, hours, zone=zone, now=tx.now)

    async def _readers_of(self, project_id: str) -> list[str]:
        """Who takes part in the project reads its tasks as before."""
        if project_id not in self._readers:
            project = await store.projects.find(self._tx, project_id)
            self._readers[project_id] = project_rules.readers(project) if project else []
        return self._readers[project_id]


# -- forth and back, in steps ----------------------------------------------------------------------------------------------


@operation(RUN)
async def carry_out(run: OperationRun) -> None:
    """Changes the tasks with the rights that the asker has at each step."""
    await _in_steps(run, TaskChange.STATE_RUNNING, _forth)


@operation(UNDO)
async def take_back(run: OperationRun) -> None:
    """Puts back what nobody changed since. Who may undo the change needs no right on the tasks that he gave away by it."""
    await _in_steps(run, TaskChange.STATE_UNDOING, _back)


Step = Callable[[Tx, TaskChange, OperationRun], Awaitable[int]]


async def _in_steps(run: OperationRun, state: "TaskChange.State", step: Step) -> None:
    request: Any = run.request

    async def one(tx: Tx) -> int:
        change = await store.bulk.changes.find(tx, request.id)
        if change is None or change.state != state:
            return 0  # stopped, or begun anew by another operation
        kind = "rpc" if state == TaskChange.STATE_RUNNING else "undo"
        tx.actor, tx.cause = run.actor, Cause(kind, change.id)
        if not run.total:
            run.total = change.planned_count if kind == "rpc" else change.changed_count
        done = await step(tx, change, run)
        if not done:
            await _finish(tx, change)
        return done

    while done := await run.write(one):
        run.done += done
    await run.progress(run.done)


async def _forth(tx: Tx, change: TaskChange, run: OperationRun) -> int:
    rows = await store.bulk.in_state(tx, change.id, PLANNED, _BATCH)
    rights = tx.runtime.authentication.rights_of(run.tenant, run.actor)
    tasks = await store.bulk.tasks_for_update(tx, [row.item.task_id for row in rows])
    judge, writes = _Judge(tx, change, rights), []
    for row in rows:
        found, owner_id = tasks.get(row.item.task_id), row.item.after.owner_id
        row.state, new = await judge.judged(row.item, found, owner_id)
        if new is not None:
            row.state = CHANGED
            writes.append(bulk.Write(new, tasks[new.id]["doc"]))
    await _write(tx, writes)
    await store.bulk.save(tx, change.id, rows)
    return len(rows)


async def _back(tx: Tx, change: TaskChange, run: OperationRun) -> int:
    rows = await store.bulk.in_state(tx, change.id, CHANGED, _BATCH)
    tasks = await store.bulk.tasks_for_update(tx, [row.item.task_id for row in rows])
    writes = []
    for row in rows:
        found, owner_id = tasks.get(row.item.task_id), row.item.before.owner_id
        try:
            if found is None:
                raise rules.Left(Item.REASON_NOT_FOUND)
            task = Task.FromString(found["doc"])
            rules.put_back(task, row.item, change)
            if owner_id and not people.is_active(tx, owner_id):
                raise rules.Left(Item.REASON_NOT_ACTIVE)
        except rules.Left as left:
            row.state, row.item.reason = KEPT, left.reason
        else:
            row.state = RETURNED
            writes.append(bulk.Write(task, found["doc"]))
    await _write(tx, writes)
    await store.bulk.save(tx, change.id, rows)
    return len(rows)


async def _write(tx: Tx, writes: list[bulk.Write]) -> None:
    """Writes the tasks, and what follows from it: timers of the new deadlines, steps of ladders for the new assignees."""
    outcome = await bulk.write(tx, store.tasks, writes)
    if outcome.lost:
        raise Conflict
    pairs = [
        (one.message, Task.FromString(one.old_doc))
        for one in writes
        if one.message.id in outcome.written
    ]
    await busy.hold_visits(tx, pairs)
    await deadlines.follow_many(tx, pairs)
    for new, old in pairs:
        await series.follow(tx, new, old)


async def _finish(tx: Tx, change: TaskChange) -> None:
    """Nothing is left to do: the change says what came of it, and it is told."""
    forth = change.state == TaskChange.STATE_RUNNING
    change.state = TaskChange.STATE_DONE if forth else TaskChange.STATE_UNDONE
    await summarise(tx, change)
    if forth:
        await _expire(tx, change)
    store.bulk.changes.save(tx, change)
    told = events.TaskChangeDone if forth else events.TaskChangeUndone
    tx.emit(told(task_change=change))


# -- what it says ----------------------------------------------------------------------------------------------------------


async def summarise(tx: Tx, change: TaskChange) -> None:
    """Fills in how many there are of each, and the first of those that people want to see."""
    counts = await store.bulk.counts(tx, change.id)
    change.matched_count = counts.total()
    change.planned_count, change.unchanged_count = counts[PLANNED], counts[UNCHANGED]
    change.refused_count, change.changed_count = counts[REFUSED], counts[CHANGED]
    change.returned_count, change.kept_count = counts[RETURNED], counts[KEPT]
    if change.state == TaskChange.STATE_PREVIEWED:
        await _list(tx, change, change.samples, PLANNED, _SAMPLES)
    await _list(tx, change, change.refused, REFUSED, _LISTED)
    await _list(tx, change, change.kept, KEPT, _LISTED)
    del change.received[:]
    if change.HasField("reassign"):
        received = await store.bulk.received(tx, change.id)
        for owner_id in sorted(received):
            change.received.add(owner_id=owner_id, count=received[owner_id])


async def _list(tx: Tx, change: TaskChange, target: Any, state: int, most: int) -> None:
    rows = await store.bulk.in_state(tx, change.id, state, most)
    del target[:]
    target.extend(row.item for row in rows)


async def is_under_way(tx: Tx, change: TaskChange) -> bool:
    """True if an operation works on it; one that failed or was cancelled leaves the change as it was then."""
    if change.state not in _UNDER_WAY:
        return False
    id = change.operation.rpartition("/")[2]
    return not (await tx.runtime.operations.get(tx, id)).done


# -- its end ---------------------------------------------------------------------------------------------------------------


async def _expire(tx: Tx, change: TaskChange) -> None:
    over = tx.now + LASTS
    change.expire_time.CopyFrom(to_timestamp(over))
    await tx.set_timer(_OVER, change.id, over, {"id": change.id})


@timer(_OVER)
async def close(payload: dict[str, Any], tx: Tx) -> None:
    """Too old to be run or undone: what it kept of each task goes."""
    change = await store.bulk.changes.find(tx, payload["id"])
    if change is None:
        return
    if await is_under_way(tx, change):
        await tx.set_timer(_OVER, change.id, tx.now + timedelta(days=1), payload)
        return
    await store.bulk.forget(tx, change.id)
    change.state = TaskChange.STATE_CLOSED
    for field in ("samples", "refused", "kept"):
        change.ClearField(field)  # type: ignore[arg-type]
    store.bulk.changes.save(tx, change)
