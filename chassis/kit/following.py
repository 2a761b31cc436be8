"""Records follow what they name in another service when that is united into one there, and come back when it is divided again.

A service declares the tables, says by which events it hears of it, which of its resources name such records, and by its rules how
one record follows and comes back:

    following.declare(metadata)                                                   # store
    parties = following.Following(                                                # the service's following.py
        "deals", united={ContactMerged: "contact"}, divided={ContactUnmerged: "contact"}, naming=store.naming, rules=rules
    )

and lists `parties.consumers` and `parties.timers` in its manifest. A kind of record (here "contact") is named by a field `<kind>_id`,
and among others by columns `<kind>_ids` or `party_ids`. `rows` are tables of plain rows that follow besides. What the events carry: `<kind>_id`, who stays; `merged_ids` or
`restored_ids`; `merge_id`.

A merge is noted first, so that what names a merged one later names the survivor at once (`resolve`). What is there already follows in
steps of one transaction each, led by a timer; the last step looks once more, for what was being written meanwhile.
"""

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

from asyncpg import Record
from google.protobuf.message import Message
from sqlalchemy import (
    Column,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    bindparam,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.call import Cause
from chassis.db.statement import Statement
from chassis.handlers import on, timer
from chassis.kit import bulk, following_rows
from chassis.kit.resource import Resource
from chassis.tx import Tx

MERGED, MOVES = "merged_parties", "merge_moves"
"""The tables: who went into whom, and what records named before they followed."""

AT_ONCE = 500
"""Records that follow in one transaction: some 0.2 s."""
_WRITTEN_MEANWHILE = timedelta(seconds=10)
"""As long as a write may take that did not see the merge yet."""
_FOLLOW, _COME_BACK = "merge-follow", "merge-undo"


def declare(metadata: MetaData) -> None:
    """Declares both tables in a service's metadata."""
    Table(
        MERGED,
        metadata,
        Column("tenant_id", Uuid, primary_key=True),
        Column("object", Text, primary_key=True),
        Column("id", Uuid, primary_key=True),
        Column("survivor_id", Uuid, nullable=False),
        Column("merge_id", Uuid, nullable=False),
        Index(f"ix_{MERGED}_merge", "tenant_id", "merge_id"),
    )
    Table(
        MOVES,
        metadata,
        Column("tenant_id", Uuid, primary_key=True),
        Column("merge_id", Uuid, primary_key=True),
        Column("object", Text, primary_key=True),
        Column("record_id", Uuid, primary_key=True),
        Column("before", LargeBinary, nullable=False),  # the record's references as they were
    )


class Rules(Protocol):
    """How one record follows; pure. A module of the service will do."""

    def named(self, record: Any, party: str) -> set[str]:
        """The ids of this kind that the record names by itself."""

    def follow(self, record: Any, party: str, ids: Collection[str], survivor_id: str) -> bytes:
        """Puts the survivor in the place of every one of `ids`; what was named before, in bytes."""

    def come_back(
        self,
        record: Any,
        was: bytes,
        party: str,
        ids: Collection[str],
        survivor_ids: Collection[str],
    ) -> None:
        """Names the restored ones again wherever `was` named them and the survivor still stands in their place."""


Naming = Callable[[], Mapping[str, Resource[Any]]]
"""Object -> resource of everything that follows."""


class Following:
    """How the records of one service follow."""

    def __init__(
        self,
        service: str,
        *,
        united: Mapping[type[Message], str],
        divided: Mapping[type[Message], str],
        naming: Naming,
        rules: Rules,
        rows: Sequence[Table] = (),
    ) -> None:
        self._united, self._divided, self._naming, self._rules = united, divided, naming, rules
        self._rows = rows
        hear = on(
            *united,
            *divided,
            durable=f"{service}-merges",
            wants=lambda event: not event.change.republished,
        )
        # A method cannot be marked; a partial can.
        self.consumers = (hear(functools.partial(self.hear)),)
        self.timers = (
            timer(_FOLLOW)(functools.partial(self.follow)),
            timer(_COME_BACK)(functools.partial(self.come_back)),
        )

    async def resolve(self, tx: Tx, new: Any, old: Any) -> None:
        """Lets a record that newly names merged ones name those that stayed."""
        for party in dict.fromkeys(self._united.values()):
            before = self._rules.named(old, party) if old is not None else set()
            if added := self._rules.named(new, party) - before:
                for id, survivor_id in (await survivors(tx, party, sorted(added))).items():
                    self._rules.follow(new, party, [id], survivor_id)

    async def hear(self, event: Any, tx: Tx) -> None:
        """One durable for merges and their undo, so that they are heard in their order."""
        if (party := self._united.get(type(event))) is not None:
            wanted = _wanted(event, party, event.merged_ids)
            survivor_id = wanted["survivor_id"]
            await _note(tx, party, wanted["ids"], survivor_id, event.merge_id)
            await self.follow(wanted, tx)
        else:
            wanted = _wanted(event, self._divided[type(event)], event.restored_ids)
            await tx.execute(_UNMERGE, merge_id=event.merge_id)
            await self.come_back(wanted, tx)

    async def follow(self, wanted: dict[str, Any], tx: Tx) -> None:
        """Lets the next records name the survivor; a merge that was undone meanwhile is left alone."""
        merge_id, party = wanted["merge_id"], wanted["party"]
        await tx.lock(f"merge/{merge_id}")
        if not await tx.fetchval(_STANDS, merge_id=merge_id):
            return
        survivor_id = await survivor(tx, party, wanted["survivor_id"])
        more = wanted.get("last") is None
        for object, resource in self._naming_party(party).items():
            rows = await tx.fetch(_referring(resource, party), ids=wanted["ids"])
            befores: dict[str, bytes] = {}

            def change(record: Any, befores: dict[str, bytes] = befores) -> None:
                befores[record.id] = self._rules.follow(record, party, wanted["ids"], survivor_id)

            written = await _write(tx, resource, rows, change, merge_id)
            await _keep(tx, merge_id, object, {id: befores[id] for id in written})
            if len(rows) == AT_ONCE:
                return await tx.set_timer(_FOLLOW, merge_id, tx.now, wanted)
        for table in following_rows.naming(self._rows, party):
            moved = await following_rows.follow(
                tx, table, party, merge_id, wanted["ids"], survivor_id, AT_ONCE
            )
            if moved == AT_ONCE:
                return await tx.set_timer(_FOLLOW, merge_id, tx.now, wanted)
        if more:
            last = {**wanted, "last": True}
            await tx.set_timer(_FOLLOW, merge_id, tx.now + _WRITTEN_MEANWHILE, last)

    async def come_back(self, wanted: dict[str, Any], tx: Tx) -> None:
        """Lets the next records that followed the merge name again whom they named before it."""
        merge_id, party = wanted["merge_id"], wanted["party"]
        await tx.lock(f"merge/{merge_id}")
        await tx.cancel_timer(_FOLLOW, merge_id)
        stayed = {wanted["survivor_id"], await survivor(tx, party, wanted["survivor_id"])}
        for object, resource in self._naming_party(party).items():
            before = await _moved(tx, merge_id, object)
            rows = await _rows_of(tx, resource, list(before))

            def change(record: Any, before: dict[str, bytes] = before) -> None:
                self._rules.come_back(record, before[record.id], party, wanted["ids"], stayed)

            settled = await _write(tx, resource, rows.values(), change, merge_id)
            settled |= before.keys() - rows.keys()  # erased since
            await tx.execute(
                _RETURNED, merge_id=merge_id, object=object, record_ids=sorted(settled)
            )
            if len(before) == AT_ONCE or len(settled) < len(before):
                return await tx.set_timer(_COME_BACK, merge_id, tx.now, wanted)
        for table in following_rows.naming(self._rows, party):
            seen = await following_rows.come_back(
                tx, table, party, merge_id, wanted["ids"], sorted(stayed), AT_ONCE
            )
            if seen == AT_ONCE:
                return await tx.set_timer(_COME_BACK, merge_id, tx.now, wanted)

    def _naming_party(self, party: str) -> dict[str, Resource[Any]]:
        return {o: one for o, one in self._naming().items() if names(one, party)}


def _wanted(event: Any, party: str, ids: Any) -> dict[str, Any]:
    return {
        "merge_id": event.merge_id, "party": party, "ids": list(ids),
        "survivor_id": getattr(event, f"{party}_id"),
    }  # fmt: skip


async def _write(
    tx: Tx, resource: Resource[Any], rows: Any, change: Callable[[Any], None], merge_id: str
) -> set[str]:
    """Changes the records; the ids of those that are now as they shall be. Who lost a race is seen again."""
    writes = []
    for row in rows:
        record = resource.message.FromString(row["doc"])
        change(record)
        writes.append(bulk.Write(record, row["doc"], "deleted" if row["delete_time"] else ""))
    if not writes:
        return set()
    outcome = await bulk.write(tx, resource, writes, cause=Cause("merge", merge_id))
    return outcome.written | outcome.unchanged


# -- who went into whom ------------------------------------------------------------------------------------------------------

_MERGE = following_rows.statement(
    "INSERT INTO merged_parties (tenant_id, object, id, survivor_id, merge_id)"
    " SELECT CAST(:tenant_id AS uuid), :object, id, CAST(:survivor_id AS uuid), CAST(:merge_id AS uuid)"
    " FROM unnest(CAST(:ids AS uuid[])) AS id ON CONFLICT (tenant_id, object, id)"
    " DO UPDATE SET survivor_id = excluded.survivor_id, merge_id = excluded.merge_id",
    "object", "survivor_id", "merge_id", "ids",
)  # fmt: skip
_UNMERGE = following_rows.statement(
    "DELETE FROM merged_parties WHERE tenant_id = :tenant_id AND merge_id = :merge_id", "merge_id"
)
_STANDS = following_rows.statement(
    "SELECT EXISTS (SELECT FROM merged_parties WHERE tenant_id = :tenant_id AND merge_id = :merge_id)",
    "merge_id",
)
# Merges make no cycle; the depth ends the walk even if its events came in another order.
_SURVIVORS = following_rows.statement(
    "WITH RECURSIVE up(id, survivor_id, depth) AS ("
    " SELECT id, survivor_id, 1 FROM merged_parties WHERE tenant_id = :tenant_id AND object = :object"
    " AND id = any(CAST(:ids AS uuid[]))"
    " UNION ALL SELECT up.id, m.survivor_id, up.depth + 1 FROM up JOIN merged_parties m"
    " ON m.tenant_id = :tenant_id AND m.object = :object AND m.id = up.survivor_id WHERE up.depth < 100)"
    " SELECT DISTINCT ON (id) id, survivor_id FROM up ORDER BY id, depth DESC",
    "object", "ids",
)  # fmt: skip


async def _note(tx: Tx, object: str, ids: Sequence[str], survivor_id: str, merge_id: str) -> None:
    """From now on these are the survivor."""
    await tx.execute(
        _MERGE, object=object, ids=list(ids), survivor_id=survivor_id, merge_id=merge_id
    )


async def survivor(tx: Tx, object: str, id: str) -> str:
    """The id under which the record lives now: its own, unless it was merged."""
    return (await survivors(tx, object, [id])).get(id, id)


async def survivors(tx: Tx, object: str, ids: Sequence[str]) -> dict[str, str]:
    """Of those that were merged: id -> the id under which they live now."""
    rows = await tx.fetch(_SURVIVORS, object=object, ids=list(ids))
    return {str(row["id"]): str(row["survivor_id"]) for row in rows}


# -- what followed -----------------------------------------------------------------------------------------------------------

_KEEP = following_rows.statement(
    "INSERT INTO merge_moves (tenant_id, merge_id, object, record_id, before)"
    " SELECT CAST(:tenant_id AS uuid), CAST(:merge_id AS uuid), :object, n.id, n.before"
    " FROM unnest(CAST(:record_ids AS uuid[]), CAST(:befores AS bytea[])) AS n(id, before)"
    " ON CONFLICT (tenant_id, merge_id, object, record_id) DO NOTHING",
    "merge_id", "object", "record_ids", "befores",
)  # fmt: skip
_MOVED = following_rows.statement(
    "SELECT record_id, before FROM merge_moves WHERE tenant_id = :tenant_id AND merge_id = :merge_id"
    f" AND object = :object ORDER BY record_id LIMIT {AT_ONCE}",
    "merge_id", "object",
)  # fmt: skip
_RETURNED = following_rows.statement(
    "DELETE FROM merge_moves WHERE tenant_id = :tenant_id AND merge_id = :merge_id AND object = :object"
    " AND record_id = any(CAST(:record_ids AS uuid[]))",
    "merge_id", "object", "record_ids",
)  # fmt: skip


def names(resource: Resource[Any], party: str) -> bool:
    """True if such records may name one of this kind."""
    return bool({f"{party}_id", "party_ids"}.intersection(resource.extra))


@functools.cache
def _referring(resource: Resource[Any], party: str) -> Statement:
    """id, doc and delete_time of the next records that name one of these, deleted ones too."""
    t, ids = resource.table.c, bindparam("ids", type_=ARRAY(Uuid))
    ends = [t[f"{party}_id"] == ids.any_()] if f"{party}_id" in t else []
    ends += [t[several].overlap(ids) for several in (f"{party}_ids", "party_ids") if several in t]
    mine = t.tenant_id == bindparam("tenant_id", type_=Uuid)
    return Statement(
        select(t.id, t.doc, t.delete_time).where(mine, or_(*ends)).order_by(t.id).limit(AT_ONCE)
    )


@functools.cache
def _by_ids(resource: Resource[Any]) -> Statement:
    t = resource.table.c
    mine = t.tenant_id == bindparam("tenant_id", type_=Uuid)
    wanted = t.id == bindparam("ids", type_=ARRAY(Uuid)).any_()
    return Statement(select(t.id, t.doc, t.delete_time).where(mine, wanted))


async def _rows_of(tx: Tx, resource: Resource[Any], ids: Sequence[str]) -> dict[str, Record]:
    """Id -> id, doc and delete_time of these records, deleted ones too."""
    rows = await tx.fetch(_by_ids(resource), ids=list(ids))
    return {str(row["id"]): row for row in rows}


async def _keep(tx: Tx, merge_id: str, object: str, befores: dict[str, bytes]) -> None:
    """Keeps what these records named before, for the merge's undo."""
    await tx.execute(
        _KEEP, merge_id=merge_id, object=object, record_ids=list(befores), befores=list(befores.values())
    )  # fmt: skip


async def _moved(tx: Tx, merge_id: str, object: str) -> dict[str, bytes]:
    """The next records that followed this merge -> what they named before."""
    rows = await tx.fetch(_MOVED, merge_id=merge_id, object=object)
    return {str(row["record_id"]): row["before"] for row in rows}
