"""Notes, and the life of an agreement.

OPEN ──keep──► KEPT ┐
 ├──break──► BROKEN ├──reopen──► OPEN
 └──cancel─► CANCELLED ┘
"""

from datetime import datetime

from chassis.errors import Violation
from chassis.times import to_timestamp
from crm.contacts.v1 import agreement_pb2, note_pb2
from services.contacts import errors
from services.contacts.rules import days, parties

Agreement, Note = agreement_pb2.Agreement, note_pb2.Note
State = Agreement.State


def normalise_note(note: Note) -> None:
    """Refuses a note that says nothing; names each file once."""
    if not note.text.strip():
        raise errors.ValuesInvalid([Violation("text", "must say something besides blanks")])
    parties.replace(note.file_ids, parties.unique(note.file_ids))


def normalise_agreement(agreement: Agreement) -> None:
    """Refuses an agreement without a subject or for a day that the calendar does not have."""
    agreement.subject = " ".join(agreement.subject.split())
    wrong = []
    if not agreement.subject:
        wrong.append(Violation("subject", "must say something besides blanks"))
    if days.day_of(agreement.date) is None:
        wrong.append(Violation("date", "must be a day of the calendar, with its year"))
    if wrong:
        raise errors.ValuesInvalid(wrong)


def settle(agreement: Agreement, state: "State", *, outcome: str, at: datetime) -> None:
    """Says what became of an open agreement."""
    if agreement.state != Agreement.STATE_OPEN:
        raise errors.AgreementWrongState(state_name(state), state_name(agreement.state), "open")
    agreement.state, agreement.outcome = state, outcome.strip()
    agreement.settle_time.CopyFrom(to_timestamp(at))


def reopen(agreement: Agreement) -> None:
    """Makes a settled agreement one that is still to be kept; what came of it is forgotten."""
    if agreement.state == Agreement.STATE_OPEN:
        raise errors.AgreementWrongState("reopened", "open", "kept, broken or cancelled")
    agreement.state, agreement.outcome = Agreement.STATE_OPEN, ""
    agreement.ClearField("settle_time")


def state_name(state: "State") -> str:
    """`kept` of STATE_KEPT."""
    return State.Name(state).removeprefix("STATE_").lower()
