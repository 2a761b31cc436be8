"""Comments stand on records of other services: who may read them follows those records, by their events.

Comments hold a copy of their record's owner, department and followers, and of the persons and companies it concerns. The copy is
made while the record is locked, and made again under the same lock when an event tells otherwise: no copy stays behind.
"""

from collections.abc import Sequence
from typing import Any

from chassis import contracts, erasure
from chassis.handlers import on
from chassis.kit.resource import SCOPE_COLUMNS
from chassis.tx import Tx
from crm.contacts.v1 import duplicate_events_pb2 as merges
from crm.notifications.v1 import comment_pb2
from services.notifications import store
from services.notifications.rules import comments as rules
from services.notifications.rules.comments import Record
from services.notifications.rules.happenings import ids_at

Comment = comment_pb2.Comment
OBJECT = "comment"


async def lock(tx: Tx, id: str) -> None:
    """Nobody comments on the record while its readers change, and the other way round."""
    await tx.lock(f"comments/{id}")


_STOOD_ON = tuple(
    object
    for object, record in contracts.resources().items()
    if not set(SCOPE_COLUMNS).isdisjoint(record.fields_by_name)
    and object not in (OBJECT, *contracts.personal_objects())
)
"""The objects whose records have an owner, a queue or followers."""


@on(
    *contracts.carrying(*_STOOD_ON),
    durable="notifications-comment-records",
    wants=lambda event: bool(event.change.version),  # as it was saved
)
async def follow(event: Any, tx: Tx) -> None:
    """What stands on the record is read by who may read it now."""
    heard = record_of(event)
    if not ids_at(event, [f"{_carrier(event)}.id"]):
        return
    await lock(tx, heard.id)
    known = await store.comments.find_record(tx, heard.object, heard.id)
    if known is not None and known.version >= heard.version:
        return
    await store.comments.put_record(tx, heard)
    if known is not None:  # before it was known, nothing could be said about it
        for comment in await store.comments.on(tx, heard.object, [heard.id]):
            rules.stand_on(comment, heard)
            store.comments.comments.save(tx, comment)


def _carrier(event: Any) -> str:
    option = contracts.event_option(event.DESCRIPTOR)
    return option.resource if option is not None else ""


def record_of(event: Any) -> Record:
    """The record that an event carries; whom it concerns is what the event's contract says of the record itself."""
    option = contracts.event_option(event.DESCRIPTOR)
    assert option is not None
    carried = getattr(event, option.resource)
    of = contracts.resource_option(carried.DESCRIPTOR)
    assert of is not None
    inside = f"{option.resource}."
    return Record(
        object=of.object, id=carried.id, version=event.change.version,
        owner_id=getattr(carried, "owner_id", ""), department_id=getattr(carried, "department_id", ""),
        follower_ids=tuple(dict.fromkeys(getattr(carried, "follower_ids", ()))),
        contact_ids=ids_at(event, [path for path in option.contact_ids if path.startswith(inside)]),
        company_ids=ids_at(event, [path for path in option.company_ids if path.startswith(inside)]),
        is_deleted=carried.HasField("delete_time"),
    )  # fmt: skip


# -- records that become one, and several again --------------------------------------------------------


@on(merges.ContactMerged, durable="notifications-comments-contact-merged")
async def contact_merged(event: merges.ContactMerged, tx: Tx) -> None:
    """What was said about the records that went is said about the one that stayed."""
    await _move(tx, "contact", event.contact_id, event.merged_ids)


@on(merges.CompanyMerged, durable="notifications-comments-company-merged")
async def company_merged(event: merges.CompanyMerged, tx: Tx) -> None:
    """As for contacts."""
    await _move(tx, "company", event.company_id, event.merged_ids)


@on(merges.ContactUnmerged, durable="notifications-comments-contact-unmerged")
async def contact_unmerged(event: merges.ContactUnmerged, tx: Tx) -> None:
    """What came with a record goes back with it; what was said since stays."""
    await _move_back(tx, "contact", event.contact_id, event.restored_ids)


@on(merges.CompanyUnmerged, durable="notifications-comments-company-unmerged")
async def company_unmerged(event: merges.CompanyUnmerged, tx: Tx) -> None:
    """As for contacts."""
    await _move_back(tx, "company", event.company_id, event.restored_ids)


async def _move(tx: Tx, object: str, survivor_id: str, merged_ids: Sequence[str]) -> None:
    survivor = await _known(tx, object, [survivor_id, *merged_ids])
    for comment in await store.comments.on(tx, object, merged_ids):
        rules.move(comment, survivor[survivor_id])
        store.comments.comments.save(tx, comment)


async def _move_back(tx: Tx, object: str, survivor_id: str, restored_ids: Sequence[str]) -> None:
    back = await _known(tx, object, [survivor_id, *restored_ids])
    for comment in await store.comments.on(tx, object, [survivor_id]):
        if comment.origin_id in restored_ids:
            rules.move_back(comment, back[comment.origin_id])
            store.comments.comments.save(tx, comment)


async def _known(tx: Tx, object: str, ids: Sequence[str]) -> dict[str, Record]:
    """The records, locked; one of which nothing was heard yet is nobody's until its event comes."""
    found = {}
    for id in sorted(set(ids)):  # in one order, so that two never wait for each other
        await lock(tx, id)
        known = await store.comments.find_record(tx, object, id)
        found[id] = known or Record(object=object, id=id, version=0)
        if known is None:
            await store.comments.put_record(tx, found[id])
    return found


# -- a person is erased, or asks for his data ----------------------------------------------------------


async def erase(tx: Tx, ids: Sequence[str]) -> tuple[erasure.Counts, list[str]]:
    """Takes away what was said about these persons and what stood on them: counts, and the comments' ids for the streams."""
    found = await store.comments.about(tx, ids)
    counts = await store.comments.remove(tx, found)
    counts["comment_records"] = await store.comments.forget_records(tx, ids)
    return counts, found


async def about(tx: Tx, ids: Sequence[str]) -> list[Comment]:
    """The living comments about these persons."""
    return await store.comments.comments.find_many(tx, await store.comments.about(tx, ids))
