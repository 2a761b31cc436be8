"""The built-in rule: what a deal promised to its customer and comes near is a task of the deal's owner, until it is kept (S30).

The task has the promised moment as its deadline, so it is watched as any other: reminders of its type, the word that it is too late,
a ladder. One durable hears all that happens to deals with promises. Of versions that come late or twice only the newest counts; the
word that a promise comes near counts also late, as long as the promise stands.
"""

from typing import Any

from chassis import contracts
from chassis.call import Actor
from chassis.handlers import on
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from crm.deals.v1 import events_pb2 as deal_events
from crm.tasks.v1 import events_pb2, task_pb2
from services.tasks import following, people, saving, store
from services.tasks.consumers_requests import is_long_ago
from services.tasks.rules import assigning, deadlines, ending
from services.tasks.rules import promises as rules
from services.tasks.store.promises import Watch

Deal = deal_pb2.Deal
Task = task_pb2.Task


def _concerns_promises(event: Any) -> bool:
    """Deals that promise something, or did until this change."""
    return bool(event.deal.HasField("promise") or "promise" in event.change.changed_fields)


@on(*contracts.carrying("deal"), durable="tasks-promises", wants=_concerns_promises)
async def follow(event: Any, tx: Tx) -> None:
    """Makes, gives, moves, finishes or cancels the task of the deal's promise, as whoever changed the deal."""
    deal, by = event.deal, event.change.actor
    if by.kind:
        tx.actor = Actor(by.kind, by.id, by.user_id)
    await tx.lock(f"promise/{deal.id}")
    watch, said = await store.promises.watch_of(tx, deal.id), rules.said(deal)
    if said.version >= watch.version:
        await _keep_up(tx, watch, deal, said)
    stands = said.time is not None and said.time == watch.promise_time
    if stands and watch.task_time != said.time and rules.is_due(event):
        await _make(tx, watch, event)
    await store.promises.keep(tx, watch)


async def _keep_up(tx: Tx, watch: Watch, deal: Deal, said: rules.Said) -> None:
    """The task that is there follows what the deal says now."""
    task = await store.tasks.find(tx, watch.task_id) if watch.task_id else None
    if task is not None and deadlines.is_open(task):
        if said.kept_time is not None:
            await _finish(tx, task, said)
        elif said.time is None:
            ending.cancel(task, by=people.user_of(tx.actor), at=tx.now, note="")
            await saving.save(tx, task)
            tx.emit(events_pb2.TaskCancelled(task=task))
            watch.task_time = None
        else:
            await _go_along(tx, watch, task, deal, said)
    watch.version, watch.owner_id, watch.promise_time = said.version, said.owner_id, said.time


async def _go_along(tx: Tx, watch: Watch, task: Task, deal: Deal, said: rules.Said) -> None:
    """The promise was moved, or the deal was given to somebody else."""
    previous, owner_id = task.owner_id, said.owner_id
    moved = said.time != watch.task_time
    given = owner_id not in (watch.owner_id, task.owner_id) and people.is_active(tx, owner_id)
    if moved:
        rules.move(task, deal)
        watch.task_time = said.time
    if given:
        by = people.user_of(tx.actor)
        home = people.home_of(tx, owner_id)
        assigning.give(task, owner_id, home=home, by=by if by != owner_id else "", at=tx.now)
    if moved or given:
        await saving.save(tx, task)
    if given:
        tx.emit(events_pb2.TaskAssigned(task=task, previous_owner_id=previous))


async def _finish(tx: Tx, task: Task, said: rules.Said) -> None:
    """The promise was kept. A task whose type wants a result that nobody has said is cancelled instead."""
    assert said.kept_time is not None
    type = await store.task_types.find(tx, task.type_id, deleted=True) if task.type_id else None
    outcome, by = rules.outcome_without_result(type), people.user_of(tx.actor)
    at = rules.end_time(task, said.kept_time, tx.now)
    if outcome is None:
        ending.cancel(task, by=by, at=at, note="")
    else:
        ending.complete(task, outcome=outcome, result={}, files=[], note="", by=by, at=at)
    await saving.save(tx, task)
    ended = events_pb2.TaskCancelled if outcome is None else events_pb2.TaskDone
    tx.emit(ended(task=task))


async def _make(tx: Tx, watch: Watch, event: Any) -> None:
    """The first time that it is time for this promise; for whoever has the deal by now."""
    settings = await store.settings_of(tx)
    if not settings.promise_task or is_long_ago(event, tx):
        return
    id, deal = settings.promise_task_type_id, event.deal
    type = await store.task_types.find(tx, id) if id else None
    owner_id = watch.owner_id if people.is_active(tx, watch.owner_id) else ""
    task = rules.promise_task(
        deal, type, tx.directory, owner_id, event_id=tx.event.id if tx.event else "", now=tx.now
    )
    task.id = tx.new_id()
    task.due_zone = deal.promise.zone or people.zone_of(tx, owner_id)
    await following.parties.resolve(tx, task, None)
    await saving.save(tx, task)
    told = isinstance(event, deal_events.PromiseNear) and owner_id == deal.owner_id != ""
    tx.emit(events_pb2.TaskCreated(task=task, assignee_told=told))
    watch.task_id, watch.task_time = task.id, to_datetime(task.due_time)
