"""What stands on a contact, company or request: on which one, and who may therefore read it."""

from collections.abc import Iterable
from typing import Any

from chassis.rights import Rights
from services.contacts import errors
from services.contacts.rules import parties


def subject_of(noun: str, record: Any) -> tuple[str, str]:
    """(object, id) of the record it stands on; SubjectMissing if there is none."""
    (oneof,) = record.DESCRIPTOR.oneofs or (None,)
    end = record.WhichOneof(oneof.name) if oneof else "contact_id"
    if end is None or not getattr(record, end):
        raise errors.SubjectMissing(noun, [field.name for field in oneof.fields])
    return end.removesuffix("_id"), getattr(record, end)


def keep_subject(noun: str, new: Any, old: Any) -> None:
    """Refuses to move it: what was written about one customer must not turn up on another's card."""
    object, id = subject_of(noun, old)
    end = f"{object}_id"
    (oneof,) = new.DESCRIPTOR.oneofs
    if new.WhichOneof(oneof.name) != end or getattr(new, end) != id:
        raise errors.SubjectFixed(noun, end, id)


def copy_scope(record: Any, subject: Any, *, also: Iterable[str] = ()) -> None:
    """Lets it be read by who may read the record it stands on; `also` are further readers."""
    record.owner_id, record.department_id = subject.owner_id, subject.department_id
    readers = parties.unique([*subject.follower_ids, *also])
    record.follower_ids[:] = [id for id in readers if id and id != subject.owner_id]


def require_hand(noun: str, record: Any, rights: Rights, own: Iterable[str], author: str) -> None:
    """NotYours unless the caller is one of `own` or may change the record it stands on."""
    if rights.user_id and rights.user_id in own:
        return
    object, _ = subject_of(noun, record)
    scope = (record.owner_id, record.department_id)
    if not rights.reaches(object, "update", *scope):
        raise errors.NotYours(noun, author)
