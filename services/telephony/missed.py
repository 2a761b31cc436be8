"""Missed calls: spells of one number, and how they are made good (S135).

A spell begins with the first missed call of a number and lasts until somebody speaks with the caller, or writes it off: called
back by any colleague, or calling again and being answered. A CallReturned tells of each call of the spell. Calls without a
number make no spell: each stands for itself.

Exchanges tell late: what counts is when they spoke, not when it was told. Who spoke with us after the missed call began needs no
call back, even if the missed call ended later; who was missed after we spoke needs one, even if that is told first.
"""

from collections.abc import Sequence
from datetime import datetime

from chassis.hours.resolving import department_hours
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.telephony.v1 import call_pb2
from crm.telephony.v1 import events_pb2 as events
from services.telephony import errors, people, store

Call = call_pb2.Call

_OUTBOUND_IN_VAIN = (Call.OUTCOME_BUSY, Call.OUTCOME_NO_ANSWER)
MISSED = (Call.OUTCOME_MISSED, Call.OUTCOME_ABANDONED_IN_QUEUE)


async def begin(tx: Tx, call: Call) -> None:
    """The call was missed: it opens a spell, is one more of the one that is open, or is made good already."""
    spell = await _spell(tx, call)
    began = to_datetime(call.start_time)
    by = await store.calls.answered_since(tx, call.number, began) if call.number else None
    call.spell_id, call.spell_count = call.id, 1
    if by is not None:  # another phone of ours was answered while this one rang
        people.act_as(tx, by.spoke_user_ids)
        _made_good(call, _state(by), by.id, to_datetime(by.answer_time))
        return
    call.missed_state = Call.MISSED_STATE_OPEN
    if spell:
        call.spell_id, call.spell_count = spell[0].spell_id, len(spell) + 1
    if call.missed_reason == Call.MISSED_REASON_OUT_OF_HOURS:
        hours = department_hours(tx.directory, call.department_id)
        opening = hours.next_open(to_datetime(call.end_time))
        if opening is not None:
            call.due_back_time.CopyFrom(to_timestamp(opening))


async def spoken(tx: Tx, call: Call) -> None:
    """They speak in this call: missed calls of its number that began before are made good, itself if it was taken for one."""
    open = await _spell(tx, call)
    answered = to_datetime(call.answer_time)
    spell = [each for each in open if to_datetime(each.start_time) <= answered]
    if spell and call.direction == Call.DIRECTION_OUTBOUND:
        call.returns_call_id = spell[0].id
    if call.missed_state == Call.MISSED_STATE_OPEN:
        spell = _in_order([*spell, call])
    if not spell:
        return
    _close(tx, spell, _state(call), call.id, answered)
    ended = {each.spell_id for each in spell}
    _begin_anew(tx, [each for each in open if each not in spell and each.spell_id in ended])


async def in_vain(tx: Tx, call: Call) -> None:
    """A colleague tried to reach the number, in vain: counted on the first call of its spell."""
    if call.outcome not in _OUTBOUND_IN_VAIN:
        return
    spell = await _spell(tx, call)
    if spell:
        spell[0].attempts += 1
        call.returns_call_id = spell[0].id
        store.calls.calls.save(tx, spell[0])
        tx.emit(events.CallUpdated(call=spell[0]))


async def write_off(tx: Tx, call: Call, reason: str) -> None:
    """The whole spell of this missed call needs no call back. CallWrongState if it is not open."""
    if call.missed_state != Call.MISSED_STATE_OPEN:
        state = Call.MissedState.Name(call.missed_state).removeprefix("MISSED_STATE_").lower()
        raise errors.CallWrongState("written off", state, "missed and not made good yet")
    spell = _in_order([*await _spell(tx, call), call])
    call.note = f"{call.note}\n{reason}".strip()
    _close(tx, spell, Call.MISSED_STATE_WRITTEN_OFF, "", tx.now)


async def _spell(tx: Tx, call: Call) -> list[Call]:
    """The other missed calls of its number that are not made good, the oldest first; calls that end at once see each other."""
    if not call.number:
        return []
    await tx.lock(f"missed {call.number}")
    return [each for each in await store.calls.open_missed(tx, call.number) if each.id != call.id]


def _in_order(spell: list[Call]) -> list[Call]:
    return sorted(spell, key=lambda each: (each.start_time.ToNanoseconds(), each.id))


def _state(by: Call) -> Call.MissedState:
    """How a call in which they speak makes good what was missed."""
    came = by.direction == Call.DIRECTION_INBOUND
    return Call.MISSED_STATE_CAME_BACK if came else Call.MISSED_STATE_RETURNED


def _close(tx: Tx, spell: Sequence[Call], state: Call.MissedState, by: str, time: datetime) -> None:
    for each in spell:
        _made_good(each, state, by, time)
        store.calls.calls.save(tx, each)
        tx.emit(events.CallReturned(call=each))


def _made_good(call: Call, state: Call.MissedState, by: str, time: datetime) -> None:
    call.missed_state, call.made_good_call_id = state, by
    # Not before it was missed: who spoke with us while it rang was never without an answer.
    call.missed_end_time.CopyFrom(to_timestamp(max(time, to_datetime(call.end_time))))


def _begin_anew(tx: Tx, spell: Sequence[Call]) -> None:
    """These were missed after the spell that they were counted to: they make one of their own, and it is told."""
    for at, each in enumerate(spell):
        each.spell_id, each.spell_count = spell[0].id, at + 1
        store.calls.calls.save(tx, each)
        tx.emit(events.CallUpdated(call=each) if at else events.CallMissed(call=each))
