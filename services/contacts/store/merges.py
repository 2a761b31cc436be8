"""Merges, and the ids that went into others. Plain rows without history."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from asyncpg import Record
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
    bindparam,
    delete,
    func,
    or_,
    select,
    text,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db import Statement
from chassis.kit.bulk import array_text
from chassis.kit.tables import Moment, view_of
from chassis.tx import Tx
from crm.contacts.v1 import merge_pb2
from services.contacts.store.schema import metadata

DONE, UNDONE = merge_pb2.Merge.STATE_DONE, merge_pb2.Merge.STATE_UNDONE

merges = Table(
    "merges",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("object", Text, nullable=False),
    Column("survivor_id", Uuid, nullable=False),
    Column("merged_ids", ARRAY(Uuid), nullable=False),
    Column("position", Integer, nullable=False),  # the how manieth merge into this survivor
    Column("state", SmallInteger, nullable=False),
    Column("choices", JSONB, nullable=False),
    Column("before", LargeBinary, nullable=False),  # the survivor with its first references
    Column("after", LargeBinary, nullable=False),
    Column("batch_id", Uuid),
    Column("actor", JSONB, nullable=False),
    Column("create_time", Moment, nullable=False),
    Column("undo_time", Moment),
    Column(
        "kept", LargeBinary
    ),  # what its undo left; of an undo of several at once, with the last of them
    Index("ix_merges_survivor", "tenant_id", "survivor_id", "position"),
    Index(
        "ix_merges_batch",
        "tenant_id",
        "batch_id",
        "id",
        postgresql_where=text("batch_id IS NOT NULL"),
    ),
    Index("ix_merges_merged", "merged_ids", postgresql_using="gin"),
)

merged_parties = Table(
    "merged_parties",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("object", Text, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("survivor_id", Uuid, nullable=False),
    Column("merge_id", Uuid, nullable=False),
    Index("ix_merged_parties_survivor", "tenant_id", "object", "survivor_id"),
)


@dataclass(slots=True)
class MergeRow:
    """One merge as it is kept; `before` and `after` are the survivor's documents with its first references."""

    id: str
    object: str
    survivor_id: str
    merged_ids: list[str]
    position: int
    create_time: datetime
    before: bytes
    after: bytes
    state: int = DONE
    choices: dict[str, str] = field(default_factory=dict)
    batch_id: str = ""
    actor: dict[str, str] = field(default_factory=dict)
    undo_time: datetime | None = None
    kept: bytes | None = None


_M, _P = merges.c, merged_parties.c
_TENANT, _OBJECT = bindparam("tenant_id", type_=Uuid), bindparam("object", type_=Text)
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_FIRST_ID, _LAST_ID = "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"

# -- who survived --------------------------------------------------------------------------------------


_TYPES: dict[str, Any] = {"actor": JSONB, "now": Moment}


def _sql(sql: str, *names: str) -> Statement:
    binds = (bindparam(name, type_=_TYPES.get(name)) for name in ("tenant_id", *names))
    return Statement(text(sql).bindparams(*binds))


# A merge never makes a cycle (the rows of both are locked), so both walks end.
_SURVIVORS = _sql(
    "WITH RECURSIVE up(id, survivor_id, depth) AS ("
    " SELECT id, survivor_id, 1 FROM merged_parties WHERE tenant_id = :tenant_id AND object = :object"
    " AND id = any(CAST(:ids AS uuid[]))"
    " UNION ALL SELECT up.id, m.survivor_id, up.depth + 1 FROM up JOIN merged_parties m"
    " ON m.tenant_id = :tenant_id AND m.object = :object AND m.id = up.survivor_id)"
    " SELECT DISTINCT ON (id) id, survivor_id FROM up ORDER BY id, depth DESC",
    "object", "ids",
)  # fmt: skip
_FAMILY = _sql(
    "WITH RECURSIVE down(id, survivor_id) AS ("
    " SELECT member, CAST(NULL AS uuid) FROM unnest(CAST(:ids AS uuid[])) AS member"
    " UNION SELECT m.id, m.survivor_id FROM down JOIN merged_parties m"
    " ON m.tenant_id = :tenant_id AND m.object = :object AND m.survivor_id = down.id)"
    " SELECT id, survivor_id FROM down",
    "object", "ids",
)  # fmt: skip


async def survivors(tx: Tx, object: str, ids: Iterable[str]) -> dict[str, str]:
    """Merged id -> the record under which it lives now; ids that were never merged are left out."""
    wanted = sorted(set(ids))
    rows = await tx.fetch(_SURVIVORS, object=object, ids=wanted) if wanted else []
    return {str(row["id"]): str(row["survivor_id"]) for row in rows}


async def survivor(tx: Tx, object: str, id: str) -> str:
    """The id under which the record lives now: its own, unless it was merged."""
    return (await survivors(tx, object, [id])).get(id, id)


async def family(tx: Tx, object: str, ids: Iterable[str]) -> dict[str, str]:
    """Every record that went into these, at any depth -> into which one; and these themselves -> nothing."""
    wanted = sorted(set(ids))
    rows = await tx.fetch(_FAMILY, object=object, ids=wanted) if wanted else []
    found = {str(row["id"]): str(row["survivor_id"] or "") for row in rows if row["survivor_id"]}
    return {id: found.get(id, "") for id in [*wanted, *found]}


# -- rows of merges ------------------------------------------------------------------------------------

# All of a step in one statement. `merged` are arrays as text: arrays of arrays cannot be unnested into rows.
_INSERT = _sql(
    "INSERT INTO merges (tenant_id, id, object, survivor_id, merged_ids, position, state, choices, before, after, batch_id,"
    " actor, create_time) SELECT CAST(:tenant_id AS uuid), n.id, :object, n.survivor_id, CAST(n.merged AS uuid[]), n.position,"
    f" {int(DONE)}, CAST(n.choices AS jsonb), n.before, n.after, CAST(:batch_id AS uuid), CAST(:actor AS jsonb), :now"
    " FROM unnest(CAST(:ids AS uuid[]), CAST(:survivor_ids AS uuid[]), CAST(:merged AS text[]), CAST(:positions AS integer[]),"
    " CAST(:choices AS text[]), CAST(:befores AS bytea[]), CAST(:afters AS bytea[]))"
    " AS n(id, survivor_id, merged, position, choices, before, after)",
    "object", "batch_id", "actor", "now", "ids", "survivor_ids", "merged", "positions", "choices", "befores", "afters",
)  # fmt: skip
_SAVE = _sql(
    "UPDATE merges m SET state = n.state, before = n.before, after = n.after, undo_time = n.undo_time, kept = n.kept"
    " FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS smallint[]), CAST(:befores AS bytea[]), CAST(:afters AS bytea[]),"
    " CAST(:undo_times AS timestamptz[]), CAST(:kepts AS bytea[])) AS n(id, state, before, after, undo_time, kept)"
    " WHERE m.tenant_id = :tenant_id AND m.id = n.id",
    "ids", "states", "befores", "afters", "undo_times", "kepts",
)  # fmt: skip
_BY_ID = Statement(select(merges).where(_M.tenant_id == _TENANT, _M.id == func.any(_IDS)))
_STANDING = Statement(
    select(merges)
    .where(_M.tenant_id == _TENANT, _M.survivor_id == func.any(_IDS), _M.state == int(DONE))
    .order_by(_M.survivor_id, _M.position)
)
_COUNTS = Statement(
    select(_M.survivor_id, func.max(_M.position).label("last"))
    .where(_M.tenant_id == _TENANT, _M.survivor_id == func.any(_IDS))
    .group_by(_M.survivor_id)
)
_BATCH = Statement(
    select(_M.id)
    .where(
        _M.tenant_id == _TENANT,
        _M.batch_id == bindparam("batch_id", type_=Uuid),
        _M.state == int(DONE),
    )
    .order_by(_M.id.desc())
)
_OF_BATCH_IN = (_M.tenant_id == _TENANT, _M.batch_id == bindparam("batch_id", type_=Uuid))
_BATCH_COUNTS = Statement(
    select(func.count(), func.coalesce(func.sum(func.cardinality(_M.merged_ids)), 0)).where(
        *_OF_BATCH_IN
    )
)
_BATCH_KEPT = Statement(
    select(_M.kept).where(*_OF_BATCH_IN, _M.state == int(UNDONE)).order_by(_M.id.desc())
)
_ALIASES = Statement(
    upsert(merged_parties).from_select(
        ["tenant_id", "object", "merge_id", "id", "survivor_id"],
        select(_TENANT, _OBJECT, *(
            func.unnest(bindparam(name, type_=ARRAY(Uuid))) for name in ("merge_ids", "ids", "survivor_ids")
        )),
    )
)  # fmt: skip
_FREE = Statement(
    delete(merged_parties).where(
        _P.tenant_id == _TENANT, _P.object == _OBJECT, _P.id == func.any(_IDS)
    )
)


def _row(row: Record) -> MergeRow:
    values = dict(row)
    del values["tenant_id"]
    values["id"], values["survivor_id"] = str(row["id"]), str(row["survivor_id"])
    values["merged_ids"] = [str(id) for id in row["merged_ids"]]
    values["batch_id"] = str(row["batch_id"] or "")
    return MergeRow(**values)


async def add_merges(tx: Tx, rows: Sequence[MergeRow]) -> None:
    """Keeps new merges of one moment and operation, and from now on leads the merged ids to their survivors."""
    first = rows[0]
    await tx.execute(
        _INSERT, object=first.object, batch_id=first.batch_id or None, actor=first.actor, now=first.create_time,
        ids=[row.id for row in rows], survivor_ids=[row.survivor_id for row in rows],
        merged=[array_text(row.merged_ids) for row in rows], positions=[row.position for row in rows],
        choices=[orjson.dumps(row.choices).decode() for row in rows],
        befores=[row.before for row in rows], afters=[row.after for row in rows],
    )  # fmt: skip
    pairs = [(row.id, id, row.survivor_id) for row in rows for id in row.merged_ids]
    merge_ids, ids, survivor_ids = ([pair[at] for pair in pairs] for at in range(3))
    await tx.execute(
        _ALIASES, object=first.object, merge_ids=merge_ids, ids=ids, survivor_ids=survivor_ids
    )


async def save_merges(tx: Tx, rows: Iterable[MergeRow]) -> None:
    """Keeps what an undo changed in merges: their own state, or what a later merge is based on."""
    saved = list(rows)
    await tx.execute(
        _SAVE, ids=[row.id for row in saved], states=[row.state for row in saved], befores=[row.before for row in saved],
        afters=[row.after for row in saved], undo_times=[row.undo_time for row in saved], kepts=[row.kept for row in saved],
    )  # fmt: skip


async def release_ids(tx: Tx, object: str, ids: Sequence[str]) -> None:
    """The ids stand for themselves again."""
    await tx.execute(_FREE, object=object, ids=list(ids))


async def find_merges(tx: Tx, ids: Sequence[str]) -> list[MergeRow]:
    """The merges of these ids, in their order."""
    found = {row.id: row for row in map(_row, await tx.fetch(_BY_ID, ids=list(ids)))}
    return [found[id] for id in ids if id in found]


async def standing_merges(tx: Tx, survivor_ids: Iterable[str]) -> list[MergeRow]:
    """The merges into these records that stand, in the order in which they were done."""
    return [_row(row) for row in await tx.fetch(_STANDING, ids=sorted(set(survivor_ids)))]


async def last_positions(tx: Tx, survivor_ids: Sequence[str]) -> dict[str, int]:
    """How many merges each of these survivors has seen."""
    rows = await tx.fetch(_COUNTS, ids=list(survivor_ids))
    return {str(row["survivor_id"]): row["last"] for row in rows}


async def merges_of_batch(tx: Tx, batch_id: str) -> list[str]:
    """The ids of an operation's merges that stand, the newest first."""
    return [str(row["id"]) for row in await tx.fetch(_BATCH, batch_id=batch_id)]


async def counts_of_batch(tx: Tx, batch_id: str) -> tuple[int, int]:
    """(merges, records that went into others) of an operation."""
    row = await tx.fetchrow(_BATCH_COUNTS, batch_id=batch_id)
    return (row[0], row[1]) if row is not None else (0, 0)


async def kept_of_batch(tx: Tx, batch_id: str) -> tuple[int, list[bytes]]:
    """(how many of an operation's merges are undone, what that left)."""
    rows = await tx.fetch(_BATCH_KEPT, batch_id=batch_id)
    return len(rows), [row["kept"] for row in rows if row["kept"]]


_v = view_of(merges).c


def _page(*conditions: Any) -> Statement:
    below = _v.id < bindparam("before", type_=Uuid)
    limit = bindparam("page_limit", type_=BigInteger)
    return Statement(
        select(*_v)
        .where(_v.tenant_id == _TENANT, below, *conditions)
        .order_by(_v.id.desc())
        .limit(limit)
    )


_party = bindparam("party_id", type_=Uuid)
_OF_PARTY = or_(
    _v.survivor_id == _party,
    _v.merged_ids.contains(func.array_append(text("'{}'::uuid[]"), _party)),
)
_OF_BATCH = _v.batch_id == bindparam("batch_id", type_=Uuid)
_PAGES = {
    (party, batch): _page(*([_OF_PARTY] if party else []), *([_OF_BATCH] if batch else []))
    for party in (False, True)
    for batch in (False, True)
}


async def read_merges(
    tx: Tx, *, party_id: str = "", batch_id: str = "", before: str = "", size: int
) -> list[MergeRow]:
    """The next merges, newest first, older than the id `before`."""
    values = {name: id for name, id in (("party_id", party_id), ("batch_id", batch_id)) if id}
    statement = _PAGES[bool(party_id), bool(batch_id)]
    rows = await tx.fetch(statement, before=before or _LAST_ID, page_limit=size, **values)
    return [_row(row) for row in rows]
