"""Deals, and what is made for them, follow the contacts and companies that are merged, and come back when a merge is undone.

Deals stay as many as they were: each has its own way and its own end.

A merge is noted first, so that what names a merged one later names the survivor at once (`resolve`). What is there already
follows in steps of one transaction each, led by a timer; the last step looks once more, for what was being written meanwhile.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from chassis.call import Cause
from chassis.handlers import on_any, timer
from chassis.kit import bulk
from chassis.tx import Tx
from crm.contacts.v1 import duplicate_events_pb2 as contacts
from services.deals.rules import following as rules
from services.deals.store import moves

_FOLLOW, _COME_BACK = "merge-follow", "merge-undo"
_WRITTEN_MEANWHILE = timedelta(seconds=10)
"""As long as a write may take that did not see the merge yet."""
_MERGED = {contacts.ContactMerged: "contact", contacts.CompanyMerged: "company"}
_UNMERGED = {contacts.ContactUnmerged: "contact", contacts.CompanyUnmerged: "company"}


def _concerns(event: Any) -> bool:
    return type(event) in (*_MERGED, *_UNMERGED) and not event.change.republished


@on_any(durable="deals-merges", services=("contacts",), wants=_concerns)
async def follow_merges(event: Any, tx: Tx) -> None:
    """One durable for merges and their undo, so that they are heard in their order."""
    if (party := _MERGED.get(type(event))) is not None:
        wanted = _wanted(event, party, event.merged_ids)
        survivor_id = wanted["survivor_id"]
        await moves.note_merge(tx, party, wanted["ids"], survivor_id, event.merge_id)
        await follow(wanted, tx)
    else:
        wanted = _wanted(event, _UNMERGED[type(event)], event.restored_ids)
        await moves.forget_merge(tx, event.merge_id)
        await come_back(wanted, tx)


async def resolve(tx: Tx, new: Any, old: Any) -> None:
    """Lets a record that newly names merged contacts or companies name those that stayed."""
    for party in ("contact", "company"):
        before = rules.named(old, party) if old is not None else set()
        if added := rules.named(new, party) - before:
            for id, survivor_id in (await moves.survivors(tx, party, sorted(added))).items():
                rules.follow(new, party, [id], survivor_id)


def _wanted(event: Any, party: str, ids: Any) -> dict[str, Any]:
    return {
        "merge_id": event.merge_id, "party": party, "ids": list(ids),
        "survivor_id": getattr(event, f"{party}_id"),
    }  # fmt: skip


def _naming(party: str) -> list[str]:
    return [object for object in moves.naming() if moves.names(object, party)]


# -- the steps ---------------------------------------------------------------------------------------------------------------


@timer(_FOLLOW)
async def follow(wanted: dict[str, Any], tx: Tx) -> None:
    """Lets the next records name the survivor; a merge that was undone meanwhile is left alone."""
    merge_id = wanted["merge_id"]
    await tx.lock(f"merge/{merge_id}")
    if not await moves.merge_stands(tx, merge_id):
        return
    survivor_id = await moves.survivor(tx, wanted["party"], wanted["survivor_id"])
    more = wanted.get("last") is None
    for object in _naming(wanted["party"]):
        rows = await moves.referring(tx, object, wanted["party"], wanted["ids"])
        befores: dict[str, bytes] = {}

        def change(record: Any, befores: dict[str, bytes] = befores) -> None:
            befores[record.id] = rules.follow(record, wanted["party"], wanted["ids"], survivor_id)

        written = await _write(tx, object, rows, change, merge_id)
        await moves.keep_moves(tx, merge_id, object, {id: befores[id] for id in written})
        if len(rows) == moves.AT_ONCE:
            return await tx.set_timer(_FOLLOW, merge_id, tx.now, wanted)
    if more:
        await tx.set_timer(_FOLLOW, merge_id, tx.now + _WRITTEN_MEANWHILE, {**wanted, "last": True})


@timer(_COME_BACK)
async def come_back(wanted: dict[str, Any], tx: Tx) -> None:
    """Lets the next records that followed the merge name again whom they named before it."""
    merge_id, party = wanted["merge_id"], wanted["party"]
    await tx.lock(f"merge/{merge_id}")
    await tx.cancel_timer(_FOLLOW, merge_id)
    stayed = {wanted["survivor_id"], await moves.survivor(tx, party, wanted["survivor_id"])}
    for object in _naming(party):
        before = await moves.moved(tx, merge_id, object)
        rows = await moves.rows_of(tx, object, list(before))

        def change(record: Any, before: dict[str, bytes] = before) -> None:
            rules.come_back(record, before[record.id], party, wanted["ids"], stayed)

        settled = await _write(tx, object, rows.values(), change, merge_id)
        settled |= before.keys() - rows.keys()  # erased since
        await moves.forget_moves(tx, merge_id, object, sorted(settled))
        if len(before) == moves.AT_ONCE or len(settled) < len(before):
            return await tx.set_timer(_COME_BACK, merge_id, tx.now, wanted)


async def _write(
    tx: Tx, object: str, rows: Any, change: Callable[[Any], None], merge_id: str
) -> set[str]:
    """Changes the records; the ids of those that are now as they shall be. Who lost a race is seen again."""
    resource, writes = moves.naming()[object], []
    for row in rows:
        record = resource.message.FromString(row["doc"])
        change(record)
        writes.append(bulk.Write(record, row["doc"], "deleted" if row["delete_time"] else ""))
    if not writes:
        return set()
    outcome = await bulk.write(tx, resource, writes, cause=Cause("merge", merge_id))
    return outcome.written | outcome.unchanged
