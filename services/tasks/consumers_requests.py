"""The built-in rule: a request makes a task to call the customer, and his clock runs until somebody reaches him (S52, S62).

One durable hears all that happens to requests, so that what happens to one is heard in its order.
"""

from datetime import timedelta
from typing import Any

from chassis.handlers import on
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.contacts.v1 import events_pb2 as contacts_events
from crm.contacts.v1 import request_pb2
from crm.identity.v1 import events_pb2 as identity_events
from crm.tasks.v1 import events_pb2, task_pb2, task_settings_pb2
from services.tasks import deadlines, people, saving, store
from services.tasks.rules import assigning, call_backs, ending, ladders
from services.tasks.rules import reactions as rules

Task = task_pb2.Task
Request = request_pb2.Request
TaskSettings = task_settings_pb2.TaskSettings

_FORGOTTEN = timedelta(days=7)
"""Longer than any outage: where this service comes to an old company, it is told years of requests at once."""


@on(identity_events.TenantCreated, durable="tasks-first-ladder")
async def seed_ladder(event: identity_events.TenantCreated, tx: Tx) -> None:
    """A new company begins with one ladder, for requests."""
    if not await store.all_ladders(tx):
        store.ladders.save(tx, ladders.first_ladder())


def _concerns_requests(event: Any) -> bool:
    """Not what an import writes down: it happened long ago. Not what is only told again."""
    change = event.change
    return bool(change.cause.kind != "import" and not change.republished)


def is_long_ago(event: Any, tx: Tx) -> bool:
    """True for what a service that comes to an old company is told of its past."""
    return tx.now - to_datetime(event.change.time) > _FORGOTTEN


async def _received(event: Any, tx: Tx) -> None:
    """A customer waits, also if the request was thought to be spam or done with: his clock runs from this moment."""
    request, settings = event.request, await store.settings_of(tx)
    if not settings.request_task or not rules.waits(request) or is_long_ago(event, tx):
        return
    await tx.lock(f"reaction/{request.contact_id or request.id}")
    known = await _task_of(tx, request)
    if known is not None and rules.is_waiting(known):
        return
    spell = None
    if request.missed_spell_id and isinstance(event, contacts_events.RequestReceived):
        spell = await store.calls.spell_for_update(tx, request.missed_spell_id)
        if spell.ended:  # somebody has spoken with him meanwhile
            return
        task = await store.tasks.find(tx, spell.task_id) if spell.task_id else None
        if task is not None and rules.is_waiting(task):
            call_backs.answers_too(task, request)
            await _join(tx, task, request)
            return
    if request.contact_id:
        for task in await store.request_tasks(tx, request.contact_id):
            if rules.is_waiting(task):
                await _join(tx, task, request)
                return
    task = await _task_for(tx, event, settings, is_missed_call=spell is not None)
    if spell is not None:
        spell.task_id = task.id
        await store.calls.put_spell(tx, spell)
    await store.answers(tx, request, task.id)
    await saving.save(tx, task)


async def _task_for(tx: Tx, event: Any, settings: TaskSettings, *, is_missed_call: bool) -> Task:
    """A new task for a request; who called in vain waits no longer than by the rule for missed calls."""
    type = (
        await store.task_types.find(tx, settings.request_task_type_id)
        if settings.request_task_type_id
        else None
    )
    type = type or await store.type_with_key(tx, "call")
    minutes = settings.reaction_minutes
    if is_missed_call and settings.call_back_task:
        minutes = settings.call_back_minutes
    task = rules.call_task(
        event.request, type, tx.directory, event_id=tx.event.id if tx.event else "",
        start=to_datetime(event.change.time), minutes=minutes, now=tx.now,
    )  # fmt: skip
    task.id = tx.new_id()
    return task


async def _join(tx: Tx, task: Task, request: Request) -> None:
    """A customer who asks again before anybody has reached him has one task; the first deadline stands."""
    await store.answers(tx, request, task.id)
    task.reaction.request_ids.append(request.id)
    await saving.save(tx, task)


async def _assigned(event: Any, tx: Tx) -> None:
    """The task goes with the request that it was made for; the customer's clock goes on."""
    request, task = event.request, await _task_of(tx, event.request)
    if task is None or not rules.is_made_for(task, request) or task.state != Task.STATE_OPEN:
        return
    if not rules.is_elsewhere(task, request):
        return
    previous, by = task.owner_id, event.change.actor.user_id
    if request.owner_id:
        by = by if by != request.owner_id else ""
        home = people.home_of(tx, request.owner_id)
        assigning.give(task, request.owner_id, home=home, by=by, at=tx.now)
    elif request.department_id:
        assigning.queue(task, request.department_id, by=by)
    else:
        return
    await saving.save(tx, task)
    tx.emit(events_pb2.TaskAssigned(task=task, previous_owner_id=previous))


async def _moved(event: Any, tx: Tx) -> None:
    """A handover, an absence or the end of one gave the request to somebody else: its task goes along, there and back."""
    change = event.change
    if "owner_id" in change.changed_fields and change.cause.kind in ("handover", "absence", "undo"):
        await _assigned(event, tx)


async def _answered(event: Any, tx: Tx) -> None:
    """Somebody answered: by a message that the event follows from, else by hand."""
    task = await _task_of(tx, event.request)
    if task is not None and rules.is_waiting(task):
        by = event.way or ("message" if event.change.cause.kind == "event" else "by_hand")
        at = event.request.first_response_time if event.way and event.first else event.change.time
        await deadlines.stop_clock(tx, task, to_datetime(at), by)


async def _closed(event: Any, tx: Tx) -> None:
    """Nobody waits for an answer to this request; the task is over if it answers no other."""
    task = await _task_of(tx, event.request)
    if task is None:
        return
    none_left = await store.close_request(tx, event.request.id, task.id)
    if none_left and task.state == Task.STATE_OPEN:
        ending.cancel(task, by=event.change.actor.user_id, at=tx.now, note="")
        await saving.save(tx, task)
        tx.emit(events_pb2.TaskCancelled(task=task))


async def _chosen(event: Any, tx: Tx) -> None:
    """Another person asks."""
    request, task = event.request, await _task_of(tx, event.request)
    if task is None or not rules.is_made_for(task, request) or task.state != Task.STATE_OPEN:
        return
    task.contact_id, task.company_id = request.contact_id, request.company_id
    await saving.save(tx, task)


async def _task_of(tx: Tx, request: Request) -> Task | None:
    id = await store.task_answering(tx, request.id)
    return await store.tasks.find(tx, id) if id else None


_BODIES = {
    contacts_events.RequestReceived: _received,
    contacts_events.RequestReopened: _received,
    contacts_events.RequestAssigned: _assigned,
    contacts_events.RequestUpdated: _moved,
    contacts_events.RequestAnswered: _answered,
    contacts_events.RequestClosed: _closed,
    contacts_events.RequestDeleted: _closed,
    contacts_events.RequestContactChosen: _chosen,
}


@on(*_BODIES, durable="tasks-requests", wants=_concerns_requests)
async def follow_request(event: Any, tx: Tx) -> None:
    """Makes, moves, stops or cancels the task that answers the request."""
    await _BODIES[type(event)](event, tx)
