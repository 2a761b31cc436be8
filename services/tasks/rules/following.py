"""How a task or meeting follows a contact or company that went into another one, and comes back. Pure."""

from collections.abc import Collection
from typing import Any

from crm.tasks.v1 import meeting_pb2
from services.tasks.rules.meetings import replace

Meeting = meeting_pb2.Meeting


def follow(record: Any, party: str, ids: Collection[str], survivor_id: str) -> bytes:
    """Puts the survivor in the place of every merged contact or company (`party`); what was named before, in bytes."""
    field, before = f"{party}_id", _references(record)
    if getattr(record, field) in ids:
        setattr(record, field, survivor_id)
    if getattr(record.link, field) in ids:
        setattr(record.link, field, survivor_id)
    if party == "contact" and isinstance(record, Meeting):
        for each in record.participants:
            if each.contact_id in ids:
                each.contact_id = survivor_id
        _invite_once(record)
    return bytes(before.SerializeToString())


def come_back(
    record: Any, was: bytes, party: str, ids: Collection[str], survivor_ids: Collection[str]
) -> None:
    """Names the restored ones again wherever `was` named them and the survivor still stands in their place."""
    field, before = f"{party}_id", type(record).FromString(was)
    if getattr(before, field) in ids and getattr(record, field) in survivor_ids:
        setattr(record, field, getattr(before, field))
    if getattr(before.link, field) in ids and getattr(record.link, field) in survivor_ids:
        record.link.CopyFrom(before.link)
    if party == "contact" and isinstance(record, Meeting):
        _invite_again(record, before, ids, survivor_ids)
        _invite_once(record)


def named(record: Any, party: str) -> set[str]:
    """The contact or company that the record is for."""
    return {id} if (id := getattr(record, f"{party}_id")) else set()


def _references(record: Any) -> Any:
    """A record that says only whom it names."""
    named = type(record)(contact_id=record.contact_id, company_id=record.company_id)
    if record.HasField("link"):
        named.link.CopyFrom(record.link)
    if isinstance(record, Meeting):
        named.participants.extend(record.participants)
    return named


def _invite_again(
    meeting: Meeting, before: Meeting, ids: Collection[str], survivor_ids: Collection[str]
) -> None:
    """The survivor takes part on if he did himself; a second one that had become the same person is invited as he was."""
    own = any(each.contact_id in survivor_ids for each in before.participants)
    stands = next((each for each in meeting.participants if each.contact_id in survivor_ids), None)
    if stands is None:  # was disinvited since
        return
    for each in before.participants:
        if each.contact_id not in ids:
            continue
        if own:
            meeting.participants.add().CopyFrom(each)
        else:
            stands.contact_id, own = each.contact_id, True


def _invite_once(meeting: Meeting) -> None:
    """One invitation for each person, and all contacts concerned, as rules.meetings keeps them."""
    seen, kept = set[str](), []
    for each in meeting.participants:
        if not each.contact_id or each.contact_id not in seen:
            kept.append(each)
        seen.add(each.contact_id)
    replace(meeting.participants, kept)
    contacts = [meeting.contact_id, *(each.contact_id for each in meeting.participants)]
    replace(meeting.contact_ids, dict.fromkeys(id for id in contacts if id))
