"""How a call or recording follows a contact or company that went into another one, and comes back. Pure."""

from collections.abc import Collection
from typing import Any

from crm.telephony.v1 import call_pb2

Call = call_pb2.Call


def follow(record: Any, party: str, ids: Collection[str], survivor_id: str) -> bytes:
    """Puts the survivor in the place of every merged contact or company (`party`); what was named before, in bytes."""
    field, before = f"{party}_id", _references(record)
    if getattr(record, field) in ids:
        setattr(record, field, survivor_id)
    if isinstance(record, Call):
        candidates = [survivor_id if id in ids else id for id in _candidates(record, party)]
        _put_candidates(record, party, candidates)
    return bytes(before.SerializeToString())


def come_back(
    record: Any, was: bytes, party: str, ids: Collection[str], survivor_ids: Collection[str]
) -> None:
    """Names the restored ones again wherever `was` named them and the survivor still stands in their place."""
    field, before = f"{party}_id", type(record).FromString(was)
    if getattr(before, field) in ids and getattr(record, field) in survivor_ids:
        setattr(record, field, getattr(before, field))
    if isinstance(record, Call):
        lost = [id for id in _candidates(before, party) if id in (*ids, *survivor_ids)]
        if lost:
            _put_candidates(record, party, [*_candidates(record, party), *lost])


def named(record: Any, party: str) -> set[str]:
    """The contact or company that the record is about, and those of whom it may be."""
    several = _candidates(record, party) if isinstance(record, Call) else []
    return {id for id in (getattr(record, f"{party}_id"), *several) if id}


def _references(record: Any) -> Any:
    """A record that says only whom it names."""
    named = type(record)(contact_id=record.contact_id, company_id=record.company_id)
    if isinstance(record, Call):
        named.candidate_contact_ids[:] = record.candidate_contact_ids
        named.candidate_company_ids[:] = record.candidate_company_ids
    return named


def _candidates(call: Call, party: str) -> list[str]:
    return list(getattr(call, f"candidate_{party}_ids"))


def _put_candidates(call: Call, party: str, ids: Collection[str]) -> None:
    """Each once; a single one is no choice, and it is his if it was nobody's."""
    kept = list(dict.fromkeys(ids))
    getattr(call, f"candidate_{party}_ids")[:] = kept if len(kept) > 1 else []
    if len(kept) == 1 and not getattr(call, f"{party}_id"):
        setattr(call, f"{party}_id", kept[0])
