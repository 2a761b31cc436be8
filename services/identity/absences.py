"""Absences begin and end by themselves: timers that the test clock moves; what was to be lent goes and returns with them."""

from typing import Any

from chassis.handlers import timer
from chassis.stand_in import stand_in
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.identity.v1 import absence_events_pb2 as events
from crm.identity.v1 import absence_pb2
from services.identity import absence_rules as rules
from services.identity import handovers, saving, store

Absence = absence_pb2.Absence
_TIMER = "absence"


async def planned(tx: Tx, absence: Absence) -> None:
    """After a change of an absence that is not over: begins it if it is time, sets its timer, tells the user's record."""
    if absence.state == Absence.STATE_PLANNED and to_datetime(absence.start_time) <= tx.now:
        await begin(tx, absence)
    due = absence.start_time if absence.state == Absence.STATE_PLANNED else absence.end_time
    if due.ByteSize():
        await tx.set_timer(_TIMER, absence.id, to_datetime(due), {"id": absence.id})
    else:
        await tx.cancel_timer(_TIMER, absence.id)
    await saving.tell_absences(tx, absence)


async def begin(tx: Tx, absence: Absence) -> None:
    """The user is away: both are told, and what is to be lent goes."""
    here = {"delegate_id": absence.delegate_id}
    rules.start(absence, stand_in(tx.directory, absence.owner_id, tx.now, absence=here))
    tx.emit(events.AbsenceStarted(absence=absence))
    await handovers.absence_began(tx, absence.id)


async def end(tx: Tx, absence: Absence) -> None:
    """The user is back: both are told, and what was lent and is not done returns."""
    rules.end(absence, at=tx.now)
    store.absences.save(tx, absence)
    tx.emit(events.AbsenceEnded(absence=absence))
    await tx.cancel_timer(_TIMER, absence.id)
    await saving.tell_absences(tx, absence)
    await handovers.absence_over(tx, absence.id)


async def taken_back(tx: Tx, absence: Absence) -> None:
    """A planned absence is not to be."""
    await tx.cancel_timer(_TIMER, absence.id)
    await saving.tell_absences(tx, absence, gone=True)
    await handovers.absence_over(tx, absence.id)


@timer(_TIMER)
async def due(payload: dict[str, Any], tx: Tx) -> None:
    """An absence begins or ends."""
    await store.lock_people(tx)
    absence = await store.absences.find(tx, payload["id"])
    if absence is None or absence.state == Absence.STATE_ENDED:
        return
    if absence.state == Absence.STATE_STARTED:
        await end(tx, absence)
        return
    await planned(tx, absence)
    store.absences.save(tx, absence)
