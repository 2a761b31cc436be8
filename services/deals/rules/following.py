"""How a record follows a contact or company that went into another one, and comes back. Pure."""

from collections.abc import Collection
from typing import Any


def follow(record: Any, party: str, ids: Collection[str], survivor_id: str) -> bytes:
    """Puts the survivor in the place of every merged contact or company (`party`); what was named before, in bytes."""
    field, before = f"{party}_id", _references(record)
    for each in _naming(record, field):
        if getattr(each, field) in ids:
            setattr(each, field, survivor_id)
    _take_part_once(record)
    return bytes(before.SerializeToString())


def come_back(
    record: Any, was: bytes, party: str, ids: Collection[str], survivor_ids: Collection[str]
) -> None:
    """Names the restored ones again wherever `was` named them and the survivor still stands in their place."""
    field, before = f"{party}_id", type(record).FromString(was)
    was_named = getattr(before, field, "") in ids
    if was_named and getattr(record, field) in survivor_ids:
        setattr(record, field, getattr(before, field))
    for each in getattr(before, "participants", ()):
        if getattr(each, field) in ids:
            _take_part_again(record, before, each, field, survivor_ids)
    _take_part_once(record)


def named(record: Any, party: str) -> set[str]:
    """The contacts or companies that the record is about, and those that take part."""
    field = f"{party}_id"
    return {id for each in _naming(record, field) if (id := getattr(each, field))}


def _naming(record: Any, field: str) -> list[Any]:
    """The record, where it has the field, and those who take part in it."""
    itself = [record] if field in record.DESCRIPTOR.fields_by_name else []
    return [*itself, *getattr(record, "participants", ())]


def _references(record: Any) -> Any:
    """A record that says only whom it names."""
    named = type(record)()
    for field in ("contact_id", "company_id"):
        if field in record.DESCRIPTOR.fields_by_name:
            setattr(named, field, getattr(record, field))
    if "participants" in record.DESCRIPTOR.fields_by_name:
        named.participants.extend(record.participants)
    return named


def _take_part_again(
    record: Any, before: Any, each: Any, field: str, survivor_ids: Collection[str]
) -> None:
    """The survivor stays what he was himself; in a role that was the other's, the other is named again."""

    def plays(one: Any) -> bool:
        return getattr(one, field) in survivor_ids and one.role == each.role

    stands = next((one for one in record.participants if plays(one)), None)
    if stands is None:  # was taken out since
        return
    if any(plays(one) for one in before.participants):
        record.participants.add().CopyFrom(each)
    else:
        setattr(stands, field, getattr(each, field))


def _take_part_once(record: Any) -> None:
    """Nobody takes part twice in one role."""
    seen, kept = set[tuple[str, str, str, str]](), []
    for each in getattr(record, "participants", ()):
        key = (each.contact_id, each.company_id, each.user_id, each.role)
        if key not in seen:
            kept.append(each)
        seen.add(key)
    if len(kept) < len(getattr(record, "participants", ())):
        del record.participants[:]
        record.participants.extend(kept)
