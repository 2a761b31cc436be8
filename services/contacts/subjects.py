"""Notes, agreements, personal links and proposed changes are read by who may read the record they stand on.

They hold a copy of that record's owner, department and followers. It is made while the record is locked and made again
when its scope has changed, so no copy stays behind: a change that comes between waits for the lock.
"""

from typing import Any

from chassis.errors import NotFound
from chassis.tx import Tx
from services.contacts import errors, store
from services.contacts.rules import subjects as rules


async def stand(tx: Tx, noun: str, record: Any) -> Any:
    """Copies the scope of the record it stands on and returns that one; ReferenceUnknown if the caller may not read it."""
    object, id = rules.subject_of(noun, record)
    if object in store.PARTIES:  # an id that was merged means who survived
        id = await store.merges.survivor(tx, object, id)
        setattr(record, f"{object}_id", id)
    await _lock(tx, id)
    resource = store.SUBJECTS[object]
    try:
        row = await resource.row(tx, id)
    except NotFound:
        raise errors.ReferenceUnknown([(f"{object}_id", f"{object} {id}")]) from None
    subject = resource.message.FromString(row["doc"])
    rules.copy_scope(record, subject, also=further_readers(record))
    return subject


async def stand_still(tx: Tx, noun: str, record: Any) -> None:
    """As `stand` for a record that stands there already, whether or not the caller may read what it stands on."""
    object, id = rules.subject_of(noun, record)
    await _lock(tx, id)
    subject = await store.SUBJECTS[object].find(tx, id, deleted=True)
    if subject is not None:
        rules.copy_scope(record, subject, also=further_readers(record))


async def follow(tx: Tx, object: str, id: str) -> None:
    """Copies the scope again to all that stand on the record, whose owner, department or followers have changed."""
    await _lock(tx, id)
    subject = await store.SUBJECTS[object].find(tx, id, deleted=True)
    if subject is None:
        return
    for standing in store.STANDING:
        for record in await standing.on(tx, object, [id]):
            rules.copy_scope(record, subject, also=further_readers(record))
            standing.resource.save(tx, record)


def further_readers(record: Any) -> list[str]:
    """Who may read it besides those who may read the record it stands on."""
    return [record.assignee_id] if hasattr(record, "assignee_id") else []


async def _lock(tx: Tx, id: str) -> None:
    await tx.lock(f"subject/{id}")
