"""Missed calls: spells of one number, and how they are made good (S135).

A spell begins with the first missed call of a number and lasts until somebody speaks with the caller, or writes it off: called
back by any colleague, or calling again and being answered. One CallReturned tells of it, with the spell's first call. Calls
without a number make no spell: each stands for itself.
"""

from chassis.hours.resolving import department_hours
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.telephony.v1 import call_pb2
from crm.telephony.v1 import events_pb2 as events
from services.telephony import errors, store

Call = call_pb2.Call

_OUTBOUND_IN_VAIN = (Call.OUTCOME_BUSY, Call.OUTCOME_NO_ANSWER)
MISSED = (Call.OUTCOME_MISSED, Call.OUTCOME_ABANDONED_IN_QUEUE)


async def begin(tx: Tx, call: Call) -> None:
    """The call was missed: it opens a spell, or is one more of the one that is open."""
    await _lock(tx, call)
    spell = await store.calls.open_missed(tx, call.number) if call.number else []
    call.missed_state = Call.MISSED_STATE_OPEN
    call.spell_id = spell[0].spell_id if spell else call.id
    call.spell_count = len(spell) + 1
    if call.missed_reason == Call.MISSED_REASON_OUT_OF_HOURS:
        opening = department_hours(tx.directory, call.department_id).next_open(tx.now)
        if opening is not None:
            call.due_back_time.CopyFrom(to_timestamp(opening))


async def spoken(tx: Tx, call: Call) -> None:
    """They speak in this call: missed calls of its number are made good."""
    came = call.direction == Call.DIRECTION_INBOUND
    state = Call.MISSED_STATE_CAME_BACK if came else Call.MISSED_STATE_RETURNED
    await _lock(tx, call)
    spell = await store.calls.open_missed(tx, call.number) if call.number else []
    spell = [each for each in spell if each.id != call.id]
    if spell and not came:
        call.returns_call_id = spell[0].id
    _close(tx, spell, state, call.id)


async def in_vain(tx: Tx, call: Call) -> None:
    """A colleague tried to reach the number, in vain: counted on the first call of its spell."""
    if call.outcome not in _OUTBOUND_IN_VAIN or not call.number:
        return
    await _lock(tx, call)
    spell = await store.calls.open_missed(tx, call.number)
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
    await _lock(tx, call)
    spell = await store.calls.open_missed(tx, call.number) if call.number else []
    spell = [each for each in spell if each.id != call.id]
    spell.append(call)
    spell.sort(key=lambda each: each.start_time.ToNanoseconds())
    call.note = f"{call.note}\n{reason}".strip()
    _close(tx, spell, Call.MISSED_STATE_WRITTEN_OFF, "")


async def _lock(tx: Tx, call: Call) -> None:
    """Calls of one number that end at once see each other."""
    if call.number:
        await tx.lock(f"missed {call.number}")


def _close(tx: Tx, spell: list[Call], state: Call.MissedState, by: str) -> None:
    for at, each in enumerate(spell):
        each.missed_state, each.made_good_call_id = state, by
        each.missed_end_time.CopyFrom(to_timestamp(tx.now))
        store.calls.calls.save(tx, each)
        tx.emit(events.CallUpdated(call=each) if at else events.CallReturned(call=each))
