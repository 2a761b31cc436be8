"""The built-in rule: a missed call makes a task to call back (S135); and a customer with whom somebody spoke waits no longer.

One durable hears what telephony tells of calls, but calls of one number are several records, and what is told of them comes in
any order: what is known of a spell stands in one row, under one lock, and says less than what comes late.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from chassis.handlers import on
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.tasks.v1 import events_pb2, task_pb2
from crm.telephony.v1 import call_pb2
from crm.telephony.v1 import events_pb2 as telephony_events
from services.tasks import deadlines, following, saving, store
from services.tasks.rules import call_backs as rules
from services.tasks.store.calls import Spell

Call = call_pb2.Call
Task = task_pb2.Task

_FORGOTTEN = timedelta(days=7)
"""Longer than any outage: where this service comes to an old company, it is told years of calls at once."""
_OF_SPELLS = (
    telephony_events.CallMissed, telephony_events.CallReturned, telephony_events.CallUpdated,
)  # fmt: skip


def _concerns_calls(event: Any) -> bool:
    """Not what an import writes down: it happened long ago. Not what is only told again."""
    call, change = event.call, event.change
    if change.republished or change.cause.kind == "import" or call.imported:
        return False
    return _is_answer(event) or (isinstance(event, _OF_SPELLS) and bool(call.spell_id))


@on(
    *_OF_SPELLS,
    telephony_events.CallAnswered,
    durable="tasks-calls",
    wants=_concerns_calls,
    ignores=["import"],
)
async def follow(event: Any, tx: Tx) -> None:
    """Makes, counts on or ends the task to call back; stops the clocks of customers with whom somebody spoke."""
    if tx.now - to_datetime(event.change.time) > _FORGOTTEN:
        return
    if _is_answer(event):
        await _answered(event, tx)
    if isinstance(event, _OF_SPELLS) and event.call.spell_id:
        await _follow_spell(event, tx)


def _is_answer(event: Any) -> bool:
    """True if it tells that somebody outside was spoken with, or that this was somebody else than was thought."""
    call = event.call
    if call.direction not in (Call.DIRECTION_INBOUND, Call.DIRECTION_OUTBOUND):
        return False
    if isinstance(event, telephony_events.CallAnswered):
        return True
    chosen = {"contact_id", "request_id"} & set(event.change.changed_fields)
    return isinstance(event, telephony_events.CallUpdated) and bool(
        chosen and call.HasField("answer_time")
    )


async def _answered(event: Any, tx: Tx) -> None:
    at = rules.answered_at(event.call, to_datetime(event.change.time))
    request_id = event.call.request_id
    if request_id and await deadlines.answered(tx, request_id, at, "call"):
        await tx.flush()  # the same task may answer another request of whom they spoke with
    for id in rules.spoken_with(event.call):
        await deadlines.reached(tx, id, at, "call")


async def _follow_spell(event: Any, tx: Tx) -> None:
    call = event.call
    spell = await store.calls.spell_for_update(tx, call.spell_id)
    task = await store.tasks.find(tx, spell.task_id) if spell.task_id else None
    if rules.is_made_good(call):
        spell.ended = True
        if task is not None and rules.is_open(task):
            await _end(event, tx, task)
    elif not spell.ended:
        counted = await _missed(event, tx, spell, task)
        task = counted or task
        noted = task is not None and rules.is_open(task) and await _note(event, tx, spell, task)
        if task is not None and (counted or noted):
            await saving.save(tx, task)
        spell.attempts = max(spell.attempts, call.attempts)
    await store.calls.put_spell(tx, spell)


async def _missed(event: Any, tx: Tx, spell: Spell, task: Task | None) -> Task | None:
    """The task that says so now, still to be saved; None if the event is no further missed call.

    Who calls in vain again has one task; he gets another one if somebody thought that he was called back already.
    """
    call = event.call
    number = max(call.spell_count, 1)
    is_missed = isinstance(event, telephony_events.CallMissed) and rules.asks_for_one(call)
    if not is_missed or number <= spell.missed_count:
        return None
    settings = await store.settings_of(tx)
    if not settings.call_back_task:
        return None
    if task is None or not rules.is_open(task):
        task = rules.call_back_task(
            call, await store.type_with_key(tx, "call"), tx.directory, event_id=tx.event.id if tx.event else "",
            minutes=settings.call_back_minutes, now=tx.now,
        )  # fmt: skip
        await following.parties.resolve(tx, task, None)
        task.id = spell.task_id = tx.new_id()
        rules.attempts(task, spell.attempts, at=to_datetime(event.change.time))
    rules.count(task, call, missed=number)
    spell.missed_count = number
    return task


async def _note(event: Any, tx: Tx, spell: Spell, task: Task) -> bool:
    """Calls back that nobody answered, and who it was that called; True if the task is to be saved for it."""
    call, more = event.call, event.call.attempts - spell.attempts
    takes = rules.takes_party(task, call, set(event.change.changed_fields))
    if takes:
        task.contact_id, task.company_id = call.contact_id, call.company_id
        await following.parties.resolve(tx, task, None)
    if more > 0:
        rules.attempts(task, more, at=to_datetime(event.change.time))
        tx.emit(events_pb2.TaskAttempted(task=task))
    return takes or more > 0


async def _end(event: Any, tx: Tx, task: Task) -> None:
    """In the name of who spoke or decided, so that he hears nothing of what he did himself."""
    actor = event.change.actor
    by = actor.user_id or (actor.id if actor.kind == "user" else "")
    at = rules.made_good_at(event.call, to_datetime(event.change.time))
    tx.actor = replace(tx.actor, user_id=by)
    rules.end(task, event.call, by=by, at=at)
    await saving.save(tx, task)
    is_done = task.state == Task.STATE_DONE
    tx.emit(events_pb2.TaskDone(task=task) if is_done else events_pb2.TaskCancelled(task=task))
