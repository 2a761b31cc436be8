"""Merges and their undo, each in one transaction. `rules/merging.py` says what becomes of a field; this says of whom.

A family is a living record with all that went into it, at any depth. Who merges or undoes locks the living one, so that
everything about a family happens in one order: two merges in opposite directions make no cycle, because the second finds
that its survivor is gone.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chassis.call import Cause
from chassis.kit.save import Conflict
from chassis.tx import Tx
from crm.contacts.v1 import duplicate_events_pb2 as events
from crm.contacts.v1 import merge_pb2
from services.contacts import errors, store
from services.contacts.merge_records import Kept, Records
from services.contacts.rules import merging as rules
from services.contacts.store.merges import DONE, UNDONE, MergeRow
from services.contacts.store.referring import MOST_REFERRING

MOST_AT_ONCE = 20
"""Records that go into one survivor at once: what a person can look through in a preview."""

MOST_KEPT = 200
"""So much of what an undo left is named; the rest is counted."""

_MERGED = {"contact": events.ContactMerged, "company": events.CompanyMerged}
_UNMERGED = {"contact": events.ContactUnmerged, "company": events.CompanyUnmerged}


@dataclass(frozen=True, slots=True)
class Group:
    """Records that shall be one."""

    survivor_id: str
    merged_ids: tuple[str, ...]
    choices: dict[str, str] = field(default_factory=dict)


# -- merging -------------------------------------------------------------------------------------------


async def resolved(tx: Tx, object: str, group: Group) -> Group:
    """The group under the ids that live now; MergeOfOne if that leaves only one record."""
    ids = (group.survivor_id, *group.merged_ids)
    now = await store.merges.survivors(tx, object, [*ids, *group.choices.values()])
    survivor_id = now.get(group.survivor_id, group.survivor_id)
    merged = dict.fromkeys(now.get(id, id) for id in group.merged_ids)
    merged.pop(survivor_id, None)
    if not merged:
        raise errors.MergeOfOne(object, survivor_id)
    choices = {path: now.get(id, id) for path, id in group.choices.items()}
    return Group(survivor_id, tuple(merged), choices)


async def load(tx: Tx, object: str, groups: Sequence[Group]) -> Records:
    """Locks the records of the groups; NotFound for one that does not live, Conflict if it was merged just now."""
    records = Records(tx)
    ids = sorted({id for group in groups for id in (group.survivor_id, *group.merged_ids)})
    # Nothing new is written down about them until the end.
    await tx.lock(*(f"subject/{id}" for id in ids))
    await records.load(object, ids)
    for id in ids:
        message = records.get(object, id)
        if message is None or message.HasField("delete_time"):
            if await store.merges.survivors(tx, object, [id]):
                raise Conflict
            raise store.PARTIES[object].not_found(id)
    return records


def united(records: Records, object: str, group: Group) -> Any:
    """The record that the group makes; refuses what cannot be."""
    survivor, *others = (records.get(object, id) for id in (group.survivor_id, *group.merged_ids))
    rules.check_choices([survivor, *others], group.choices)
    record = rules.union(survivor, others, group.choices)
    rules.check_size(record)
    return record


async def merge(
    tx: Tx, object: str, groups: Sequence[Group], records: Records, *, batch_id: str = ""
) -> list[MergeRow]:
    """Makes each group one record. The groups have no record in common, and their records are loaded.

    In an operation (`batch_id`) a group that would be too large is left as it is, else it is refused.
    """
    rows = []
    for group in groups:
        try:
            rows.append(_row(tx, object, group, records, batch_id))
        except errors.MergeTooLarge:
            if not batch_id:
                raise
    if not rows:
        return []
    tx.cause = Cause("merge", batch_id or rows[0].id)
    positions = await store.merges.last_positions(tx, [row.survivor_id for row in rows])
    merged_ids = [id for row in rows for id in row.merged_ids]
    referring = await records.referring(object, merged_ids)
    if (count := sum(map(len, referring.values()))) > MOST_REFERRING:
        raise errors.MergeTooWide(count, MOST_REFERRING)
    for kind, ids in referring.items():
        await records.load(kind, ids)
    for row in rows:
        row.position = positions.get(row.survivor_id, 0) + 1
        message_class = store.PARTIES[object].message
        records.messages[object, row.survivor_id] = message_class.FromString(row.after)
        for id in row.merged_ids:
            records.messages[object, id].delete_time.FromDatetime(tx.now)
    await store.merges.add_merges(tx, rows)
    await records.write()
    await store.duplicates.mark_merged(tx, object, [(r.survivor_id, *r.merged_ids) for r in rows])
    for row in rows:
        event = _MERGED[object](merge_id=row.id, merged_ids=row.merged_ids)
        setattr(event, f"{object}_id", row.survivor_id)
        tx.emit(event)
    return rows


def _row(tx: Tx, object: str, group: Group, records: Records, batch_id: str) -> MergeRow:
    survivor = records.messages[object, group.survivor_id]
    after = united(records, object, group)
    actor = {"kind": tx.actor.kind, "id": tx.actor.id, "user_id": tx.actor.user_id}
    return MergeRow(
        tx.new_id(), object, group.survivor_id, list(group.merged_ids), 0, tx.now, survivor.SerializeToString(),
        after.SerializeToString(), choices=group.choices, batch_id=batch_id, actor=actor,
    )  # fmt: skip


# -- undoing -------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Undone:
    """What undoing left as it was."""

    kept: list[Kept] = field(default_factory=list)
    rows: list[MergeRow] = field(default_factory=list)


async def undo(tx: Tx, ids: Sequence[str]) -> Undone:
    """Makes the records of these merges several again, whatever was merged or undone before or after.

    The merges are of one kind of record and in the order in which they shall be undone.
    """
    asked = await store.merges.find_merges(tx, ids)
    for row in asked:
        if row.state != DONE:
            raise errors.MergeUndone(row.id)
    undoing = _Undoing(tx, asked[0].object)
    await undoing.load([row.survivor_id for row in asked])
    for row in asked:
        undoing.take_out(row.id)
    await undoing.write()
    return Undone(undoing.kept, undoing.undone)


class _Undoing:
    """Families in memory: merges are taken out one by one, then everything is written."""

    def __init__(self, tx: Tx, object: str) -> None:
        self._tx, self._object, self._records = tx, object, Records(tx)
        self._into: dict[str, str] = {}  # merged id -> the record it went into
        self._stacks: dict[str, list[MergeRow]] = defaultdict(
            list
        )  # survivor -> its merges, in order
        self._changed: dict[str, MergeRow] = {}
        self.undone: list[MergeRow] = []
        self.kept: list[Kept] = []

    async def load(self, survivor_ids: Iterable[str]) -> None:
        """Locks the whole families of these records; Conflict if one changed before it was locked."""
        known = await self._families(survivor_ids)
        await self._tx.lock(*(f"subject/{id}" for id in known))
        await self._records.load(self._object, sorted(known))
        if await self._families(survivor_ids) != known:
            raise Conflict
        self._into = {id: into for id, into in known.items() if into}
        for row in await store.merges.standing_merges(self._tx, known):
            self._stacks[row.survivor_id].append(row)

    async def _families(self, survivor_ids: Iterable[str]) -> dict[str, str]:
        ids = set(survivor_ids)
        roots = await store.merges.survivors(self._tx, self._object, ids)
        return await store.merges.family(self._tx, self._object, {roots.get(id, id) for id in ids})

    def take_out(self, merge_id: str) -> None:
        """Undoes one merge: what it gave to its survivor goes, and from wherever that had gone on to."""
        row, at = self._find(merge_id)
        stack = self._stacks[row.survivor_id]
        members = [self._member(id) for id in row.merged_ids]
        self._rebase(
            row.survivor_id, at + 1, *(self._doc(row, doc) for doc in (row.after, row.before))
        )
        stack.remove(row)
        for member in members:
            del self._into[member.id]
            member.ClearField("delete_time")
        row.state, row.undo_time = UNDONE, self._tx.now
        self._changed[row.id] = row
        self.undone.append(row)

    def _find(self, merge_id: str) -> tuple[MergeRow, int]:
        for stack in self._stacks.values():
            for at, row in enumerate(stack):
                if row.id == merge_id:
                    return row, at
        raise Conflict  # somebody undid it between the first look and the lock

    def _rebase(self, survivor_id: str, start: int, old: Any, new: Any) -> None:
        """Lets the survivor and its later merges begin with `new` where they began with `old`; then whom it went into."""
        stack = self._stacks[survivor_id]
        for row in stack[start:]:
            before, _ = rules.three_way(old, new, self._doc(row, row.before))
            row.before, old = before.SerializeToString(), self._doc(row, row.after)
            new = self._again(row)
        record = self._member(survivor_id)
        now, left = rules.three_way(old, new, record)
        self._records.messages[self._object, survivor_id] = now
        into = self._into.get(survivor_id)
        if into is None:
            self.kept += [_kept(self._object, survivor_id, each) for each in left]
            return
        (at,) = (n for n, row in enumerate(self._stacks[into]) if survivor_id in row.merged_ids)
        row = self._stacks[into][at]
        old = self._doc(row, row.after)
        self._rebase(into, at + 1, old, self._again(row))

    def _again(self, row: MergeRow) -> Any:
        """The merge done again with what its parts are now; kept in the row."""
        others = [self._member(id) for id in row.merged_ids]
        after = rules.union(self._doc(row, row.before), others, row.choices)
        row.after = after.SerializeToString()
        self._changed[row.id] = row
        return after

    def _doc(self, row: MergeRow, doc: bytes) -> Any:
        return store.PARTIES[self._object].message.FromString(doc)

    def _member(self, id: str) -> Any:
        record = self._records.get(self._object, id)
        if record is None:
            raise errors.MergeErased(id)
        return record

    async def write(self) -> None:
        """Writes the families, and leads back what had been led to a survivor."""
        tx, object = self._tx, self._object
        restored = [id for row in self.undone for id in row.merged_ids]
        await store.merges.release_ids(tx, object, restored)
        own = set(self._records.messages)
        await self._records.load_displaced(await store.merges.family(tx, object, restored))
        moved = set(self._records.messages) - own
        for key in moved:
            self.kept += [_kept(*key, each) for each in self._records.left[key]]
        await self._records.write()
        self.kept += self._records.kept
        await self._note_added(moved)
        told = merge_pb2.UndoMergeResponse(kept=self.kept[:MOST_KEPT], kept_count=len(self.kept))
        self.undone[-1].kept = told.SerializeToString()
        await store.merges.save_merges(tx, self._changed.values())
        await store.duplicates.reopen_merged(tx, object, restored)
        for row in self.undone:
            event = _UNMERGED[object](merge_id=row.id, restored_ids=row.merged_ids)
            setattr(event, f"{object}_id", row.survivor_id)
            tx.emit(event)

    async def _note_added(self, moved: set[tuple[str, str]]) -> None:
        """Names what was attached to a survivor since: nobody can say whose it would have been."""
        since: dict[str, datetime] = {}
        for row in self.undone:  # of several merges into one, the first
            since[row.survivor_id] = min(
                row.create_time, since.get(row.survivor_id, row.create_time)
            )
        for kind in store.referring.resources():
            ids = await store.referring.added_since(self._tx, kind, self._object, since)
            self.kept += [
                Kept(object=kind, id=id, reason=Kept.REASON_ADDED_SINCE)
                for id in ids
                if (kind, id) not in moved
            ]


def _kept(object: str, id: str, left: rules.Left) -> Kept:
    return Kept(object=object, id=id, field=left.field, reason=left.reason)


# -- as callers see it ---------------------------------------------------------------------------------


def shown(row: MergeRow, survivor: Any | None = None) -> merge_pb2.Merge:
    """The merge as the API tells of it, with the survivor if it is given."""
    merge = merge_pb2.Merge(
        id=row.id, object=row.object, survivor_id=row.survivor_id, merged_ids=row.merged_ids,
        state=row.state, batch_id=row.batch_id,  # type: ignore[arg-type]
    )  # fmt: skip
    merge.actor.kind, merge.actor.id, merge.actor.user_id = (
        row.actor[name] for name in ("kind", "id", "user_id")
    )
    merge.create_time.FromDatetime(row.create_time)
    if row.undo_time is not None:
        merge.undo_time.FromDatetime(row.undo_time)
    if survivor is not None:
        getattr(merge, row.object).CopyFrom(survivor)
    return merge
