"""Notes and agreements."""

from typing import Any

from chassis.handlers import Servicer, writes
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.contacts.v1 import agreement_pb2 as pb
from crm.contacts.v1 import note_events_pb2 as events
from crm.contacts.v1 import note_pb2
from services.contacts import errors, store, subjects
from services.contacts.rules import notes as rules
from services.contacts.rules import subjects as subject_rules
from services.contacts.rules.requests import user_of


async def check_note(tx: Tx, new: note_pb2.Note, old: note_pb2.Note | None) -> None:
    """Keeps I20: a note stands on one record for good, and is changed by its author or who may change that record."""
    rules.normalise_note(new)
    if old is None:
        new.author_id = user_of(tx.actor)
        await subjects.stand(tx, "note", new)
        return
    subject_rules.keep_subject("note", new, old)
    _require_hand(tx, "note", old)


async def delete_note(tx: Tx, note: note_pb2.Note) -> None:
    """Keeps I20."""
    _require_hand(tx, "note", note)


async def undelete_note(tx: Tx, note: note_pb2.Note) -> None:
    """It comes back to who may read the record now."""
    _require_hand(tx, "note", note)
    await subjects.stand(tx, "note", note)


async def check_agreement(tx: Tx, new: pb.Agreement, old: pb.Agreement | None) -> None:
    """Keeps I20 and I21; a new agreement is told as AgreementMade."""
    rules.normalise_agreement(new)
    if old is None:
        new.assignee_id = new.assignee_id or user_of(tx.actor)
    if new.assignee_id and (old is None or new.assignee_id != old.assignee_id):
        user = tx.directory.user(new.assignee_id)
        if user is None or user["state"] != "active":
            raise errors.AssigneeNotActive(new.assignee_id, "assignee_id")
    if old is not None:
        subject_rules.keep_subject("agreement", new, old)
        _require_hand(tx, "agreement", old)
        await subjects.stand_still(tx, "agreement", new)
        return
    await subjects.stand(tx, "agreement", new)
    new.id = new.id or tx.new_id()
    new.author_id, new.state = user_of(tx.actor), pb.Agreement.STATE_OPEN
    tx.emit(events.AgreementMade(agreement=new))


async def delete_agreement(tx: Tx, agreement: pb.Agreement) -> None:
    """Keeps I20."""
    _require_hand(tx, "agreement", agreement)


async def undelete_agreement(tx: Tx, agreement: pb.Agreement) -> None:
    """It comes back to who may read the party now."""
    _require_hand(tx, "agreement", agreement)
    await subjects.stand(tx, "agreement", agreement)


class Notes(standard(store.notes, check_note, delete_note, undelete_note), Servicer):  # type: ignore[misc]
    """`/v1/notes`."""


class Agreements(
    standard(store.agreements, check_agreement, delete_agreement, undelete_agreement),
    Servicer,  # type: ignore[misc]
):
    """`/v1/agreements`: their life by verbs."""

    @writes
    async def KeepAgreement(self, request: pb.KeepAgreementRequest, tx: Tx) -> pb.Agreement:
        agreement = await _settled(tx, request, pb.Agreement.STATE_KEPT)
        tx.emit(events.AgreementKept(agreement=agreement))
        return agreement

    @writes
    async def BreakAgreement(self, request: pb.BreakAgreementRequest, tx: Tx) -> pb.Agreement:
        agreement = await _settled(tx, request, pb.Agreement.STATE_BROKEN)
        tx.emit(events.AgreementBroken(agreement=agreement))
        return agreement

    @writes
    async def CancelAgreement(self, request: pb.CancelAgreementRequest, tx: Tx) -> pb.Agreement:
        agreement = await _settled(tx, request, pb.Agreement.STATE_CANCELLED)
        tx.emit(events.AgreementCancelled(agreement=agreement))
        return agreement

    @writes
    async def ReopenAgreement(self, request: pb.ReopenAgreementRequest, tx: Tx) -> pb.Agreement:
        agreement = await store.agreements.get(tx, request.id, etag=request.etag)
        _require_hand(tx, "agreement", agreement)
        rules.reopen(agreement)
        store.agreements.save(tx, agreement)
        tx.emit(events.AgreementReopened(agreement=agreement))
        return agreement


async def _settled(tx: Tx, request: Any, state: "pb.Agreement.State") -> pb.Agreement:
    agreement = await store.agreements.get(tx, request.id, etag=request.etag)
    _require_hand(tx, "agreement", agreement)
    rules.settle(agreement, state, outcome=request.outcome, at=tx.now)
    store.agreements.save(tx, agreement)
    return agreement


def _require_hand(tx: Tx, noun: str, record: Any) -> None:
    """Refuses a colleague who may only read the record behind it, unless it is his own matter."""
    author = tx.directory.user(record.author_id) if record.author_id else None
    own = [record.author_id, *subjects.further_readers(record)]
    name = author["name"] if author else "somebody else"
    subject_rules.require_hand(noun, record, tx.rights, own, name)


class NotesRpcs(Notes, Agreements):
    """Every RPC of the contract."""

    service = "crm.contacts.v1.NotesService"
