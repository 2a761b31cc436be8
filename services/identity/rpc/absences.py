"""Absences: the standard methods with their rules, and coming back early."""

from chassis.errors import Violation
from chassis.handlers import Servicer, writes
from chassis.hours import hours_of
from chassis.kit.standard import standard
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.identity.v1 import absence_events_pb2 as events
from crm.identity.v1 import absence_pb2 as pb
from crm.identity.v1 import user_pb2
from services.identity import absence_rules as rules
from services.identity import absences, errors, store


async def check_absence(tx: Tx, new: pb.Absence, old: pb.Absence | None) -> None:
    """Keeps I11: one absence at a time for one user; it begins at once if it is time."""
    await store.lock_people(tx)
    new.id = new.id or tx.new_id()
    await _check_people(tx, new)
    zone = hours_of(tx.directory, new.owner_id).calendar.zone
    rules.absence(new, old, zone=zone, now=tx.now)
    start, until = to_datetime(new.start_time), rules.end_of(new)
    rules.refuse_overlap(await store.overlapping_absence(tx, new.owner_id, new.id, start, until))
    rules.readers(new)
    tx.emit(
        events.AbsenceCreated(absence=new) if old is None else events.AbsenceUpdated(absence=new)
    )
    await absences.planned(tx, new)


async def _check_people(tx: Tx, new: pb.Absence) -> None:
    found = {
        u.id: u
        for u in await store.users.find_many(tx, [i for i in (new.owner_id, new.delegate_id) if i])
    }
    named = {"owner_id": new.owner_id, "delegate_id": new.delegate_id}
    if unknown := {field: id for field, id in named.items() if id and id not in found}:
        raise errors.ReferenceUnknown(unknown)
    if new.delegate_id == new.owner_id:
        raise errors.ValueInvalid([Violation("delegate_id", "must be somebody else")])
    if new.delegate_id and found[new.delegate_id].state != user_pb2.USER_STATE_ACTIVE:
        raise errors.RecipientNotActive({"delegate_id": new.delegate_id})


async def take_back(tx: Tx, absence: pb.Absence) -> None:
    """Only what has not begun can be taken back; what has begun is ended."""
    await store.lock_people(tx)
    rules.require_state(absence, pb.Absence.STATE_PLANNED)
    await absences.taken_back(tx, absence)


class Absences(standard(store.absences, on_save=check_absence, on_delete=take_back), Servicer):  # type: ignore[misc]
    """`/v1/absences`."""

    service = "crm.identity.v1.AbsencesService"

    @writes
    async def EndAbsence(self, request: pb.EndAbsenceRequest, tx: Tx) -> pb.Absence:
        await store.lock_people(tx)
        absence = await store.absences.get(tx, request.id, etag=request.etag)
        rules.require_state(absence, pb.Absence.STATE_STARTED)
        await absences.end(tx, absence)
        return absence
