"""What is left of a call or recording about a person who is erased: its times, its way and its end, so that every count stays. Pure."""

from collections.abc import Collection
from datetime import datetime

from chassis.times import to_timestamp
from crm.telephony.v1 import call_pb2, recording_pb2

Call = call_pb2.Call
Recording = recording_pb2.Recording

_OF_PERSON = ("number", "contact_id", "note", "next_step", "next_step_time", "candidate_contact_ids")  # fmt: skip


def is_about(record: Call | Recording, ids: Collection[str], request_ids: Collection[str]) -> bool:
    """True if it is with one of these contacts or answers their requests, and he is not only one of those who have the number."""
    return record.contact_id in ids or getattr(record, "request_id", "") in request_ids


def anonymised_call(call: Call, *, at: datetime) -> Call:
    """The call without number, names and texts; a missed one that was still open is written off: there is nobody to call back."""
    bare = Call()
    bare.CopyFrom(call)
    for field in _OF_PERSON:
        bare.ClearField(field)  # type: ignore[arg-type]
    if bare.missed_state == Call.MISSED_STATE_OPEN:
        bare.missed_state = Call.MISSED_STATE_WRITTEN_OFF
        bare.missed_end_time.CopyFrom(to_timestamp(at))
    return bare


def anonymised_recording(recording: Recording, *, at: datetime) -> Recording:
    """The recording without its sound; one that is held for a legal reason keeps it."""
    bare = Recording()
    bare.CopyFrom(recording)
    for field in ("contact_id", "problem"):
        bare.ClearField(field)  # type: ignore[arg-type]
    if recording.held:
        return bare
    for field in ("sound_id", "hold_reason", "expire_time"):
        bare.ClearField(field)  # type: ignore[arg-type]
    if recording.state != Recording.STATE_DELETED:
        bare.state = Recording.STATE_DELETED
        bare.sound_delete_time.CopyFrom(to_timestamp(at))
    return bare


def without(call: Call, ids: Collection[str]) -> None:
    """Takes these contacts from those who have the number."""
    rest = [id for id in call.candidate_contact_ids if id not in ids]
    call.candidate_contact_ids[:] = rest
