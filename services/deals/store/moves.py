"""What handovers moved (the kit writes it), which contacts and companies went into others, and what followed them."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from asyncpg import Record
from sqlalchemy import (
    Column,
    Index,
    LargeBinary,
    Table,
    Text,
    Uuid,
    bindparam,
    cast,
    func,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from chassis.db import Statement
from chassis.kit import handover_moves
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from services.deals.store.deals import deals
from services.deals.store.schema import metadata, saved_views

AT_ONCE = 500
"""Records that follow a merge or an owner in one statement: some 0.2 s."""

_PARTIES = ("contact_id", "company_id", "party_ids")

# -- handovers ---------------------------------------------------------------------------------------------------------------

handover_moves.tables(metadata)

OPEN_DEALS = deals.view.c.state == int(deal_pb2.Deal.STATE_OPEN)
SHARED_VIEWS = saved_views.view.c.shared.is_(True)
# Colleagues who take part stand in the same column: they may read the deal, and stay named as who took part.
FOLLOWED_DEALS = func.jsonb_exists(
    cast(deals.view.c.json, JSONB)["followerIds"], cast(bindparam("user_id", type_=Uuid), Text)
)


def resources() -> list[Resource[Any]]:
    """Every resource of this service."""
    return [t.info["resource"] for t in metadata.sorted_tables if "resource" in t.info]


@cache
def _of_deals(resource: Resource[Any]) -> Statement:
    t = resource.table.c
    mine = (t.tenant_id == bindparam("tenant_id", type_=Uuid), t.delete_time.is_(None))
    of_them = t.deal_id == bindparam("ids", type_=ARRAY(Uuid)).any_()
    beyond = t.id > bindparam("after", type_=Uuid)
    return Statement(
        select(t.id, t.doc).where(*mine, of_them, beyond).order_by(t.id).limit(AT_ONCE)
    )


async def of_deals(tx: Tx, resource: Resource[Any], ids: Sequence[str], after: str) -> list[Record]:
    """id and doc of the next living records that were made for these deals."""
    return await tx.fetch(_of_deals(resource), ids=list(ids), after=after)


# -- who went into whom ------------------------------------------------------------------------------------------------------

merged_parties = Table(
    "merged_parties",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("object", Text, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("survivor_id", Uuid, nullable=False),
    Column("merge_id", Uuid, nullable=False),
    Index("ix_merged_parties_merge", "tenant_id", "merge_id"),
)
merge_moves = Table(
    "merge_moves",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("merge_id", Uuid, primary_key=True),
    Column("object", Text, primary_key=True),
    Column("record_id", Uuid, primary_key=True),
    Column("before", LargeBinary, nullable=False),  # the record's references as they were
)

_TYPES: dict[str, Any] = {
    "ids": ARRAY(Uuid), "record_ids": ARRAY(Uuid), "befores": ARRAY(LargeBinary), "survivor_id": Uuid,
    "merge_id": Uuid,
}  # fmt: skip


def _sql(sql: str, *names: str) -> Statement:
    binds = (bindparam(name, type_=_TYPES.get(name)) for name in ("tenant_id", *names))
    return Statement(text(sql).bindparams(*binds))


_MERGE = _sql(
    "INSERT INTO merged_parties (tenant_id, object, id, survivor_id, merge_id)"
    " SELECT CAST(:tenant_id AS uuid), :object, id, CAST(:survivor_id AS uuid), CAST(:merge_id AS uuid)"
    " FROM unnest(CAST(:ids AS uuid[])) AS id ON CONFLICT (tenant_id, object, id)"
    " DO UPDATE SET survivor_id = excluded.survivor_id, merge_id = excluded.merge_id",
    "object", "survivor_id", "merge_id", "ids",
)  # fmt: skip
_UNMERGE = _sql(
    "DELETE FROM merged_parties WHERE tenant_id = :tenant_id AND merge_id = :merge_id", "merge_id"
)
_STANDS = _sql(
    "SELECT EXISTS (SELECT FROM merged_parties WHERE tenant_id = :tenant_id AND merge_id = :merge_id)",
    "merge_id",
)
# contacts never makes a cycle; the depth ends the walk even if its events came in another order.
_SURVIVORS = _sql(
    "WITH RECURSIVE up(id, survivor_id, depth) AS ("
    " SELECT id, survivor_id, 1 FROM merged_parties WHERE tenant_id = :tenant_id AND object = :object"
    " AND id = any(CAST(:ids AS uuid[]))"
    " UNION ALL SELECT up.id, m.survivor_id, up.depth + 1 FROM up JOIN merged_parties m"
    " ON m.tenant_id = :tenant_id AND m.object = :object AND m.id = up.survivor_id WHERE up.depth < 100)"
    " SELECT DISTINCT ON (id) id, survivor_id FROM up ORDER BY id, depth DESC",
    "object", "ids",
)  # fmt: skip


async def note_merge(
    tx: Tx, object: str, ids: Sequence[str], survivor_id: str, merge_id: str
) -> None:
    """From now on these contacts or companies are the survivor."""
    await tx.execute(
        _MERGE, object=object, ids=list(ids), survivor_id=survivor_id, merge_id=merge_id
    )


async def forget_merge(tx: Tx, merge_id: str) -> None:
    """The merged ones stand for themselves again."""
    await tx.execute(_UNMERGE, merge_id=merge_id)


async def merge_stands(tx: Tx, merge_id: str) -> bool:
    """True if the merge was noted and is not undone."""
    return bool(await tx.fetchval(_STANDS, merge_id=merge_id))


async def survivor(tx: Tx, object: str, id: str) -> str:
    """The id under which the contact or company lives now: its own, unless it was merged."""
    return (await survivors(tx, object, [id])).get(id, id)


async def survivors(tx: Tx, object: str, ids: Sequence[str]) -> dict[str, str]:
    """Of those that were merged: id -> the id under which they live now."""
    rows = await tx.fetch(_SURVIVORS, object=object, ids=list(ids))
    return {str(row["id"]): str(row["survivor_id"]) for row in rows}


# -- what followed -----------------------------------------------------------------------------------------------------------

_KEEP = _sql(
    "INSERT INTO merge_moves (tenant_id, merge_id, object, record_id, before)"
    " SELECT CAST(:tenant_id AS uuid), CAST(:merge_id AS uuid), :object, n.id, n.before"
    " FROM unnest(CAST(:record_ids AS uuid[]), CAST(:befores AS bytea[])) AS n(id, before)"
    " ON CONFLICT (tenant_id, merge_id, object, record_id) DO NOTHING",
    "merge_id", "object", "record_ids", "befores",
)  # fmt: skip
_MOVED = _sql(
    "SELECT record_id, before FROM merge_moves WHERE tenant_id = :tenant_id AND merge_id = :merge_id"
    f" AND object = :object ORDER BY record_id LIMIT {AT_ONCE}",
    "merge_id", "object",
)  # fmt: skip
_RETURNED = _sql(
    "DELETE FROM merge_moves WHERE tenant_id = :tenant_id AND merge_id = :merge_id AND object = :object"
    " AND record_id = any(CAST(:record_ids AS uuid[]))",
    "merge_id", "object", "record_ids",
)  # fmt: skip


@cache
def naming() -> dict[str, Resource[Any]]:
    """Object -> resource of everything that names contacts or companies."""
    return {one.object: one for one in resources() if set(one.extra).intersection(_PARTIES)}


@cache
def _referring(resource: Resource[Any], party: str) -> Statement:
    t, ids = resource.table.c, bindparam("ids", type_=ARRAY(Uuid))
    ends = [t[f"{party}_id"] == ids.any_()] if f"{party}_id" in t else []
    if "party_ids" in t:
        ends.append(t.party_ids.overlap(ids))
    mine = t.tenant_id == bindparam("tenant_id", type_=Uuid)
    return Statement(
        select(t.id, t.doc, t.delete_time).where(mine, or_(*ends)).order_by(t.id).limit(AT_ONCE)
    )


@cache
def _by_ids(resource: Resource[Any]) -> Statement:
    t = resource.table.c
    mine = t.tenant_id == bindparam("tenant_id", type_=Uuid)
    wanted = t.id == bindparam("ids", type_=ARRAY(Uuid)).any_()
    return Statement(select(t.id, t.doc, t.delete_time).where(mine, wanted))


def names(object: str, party: str) -> bool:
    """True if such records may name a contact, or a company."""
    extra = naming()[object].extra
    return f"{party}_id" in extra or "party_ids" in extra


async def referring(tx: Tx, object: str, party: str, ids: Sequence[str]) -> list[Record]:
    """id, doc and delete_time of the next records that name one of these contacts or companies, deleted ones too."""
    return await tx.fetch(_referring(naming()[object], party), ids=list(ids))


async def rows_of(tx: Tx, object: str, ids: Sequence[str]) -> dict[str, Record]:
    """Id -> id, doc and delete_time of these records, deleted ones too."""
    rows = await tx.fetch(_by_ids(naming()[object]), ids=list(ids))
    return {str(row["id"]): row for row in rows}


async def keep_moves(tx: Tx, merge_id: str, object: str, befores: dict[str, bytes]) -> None:
    """Keeps what these records named before, for the merge's undo."""
    await tx.execute(
        _KEEP, merge_id=merge_id, object=object, record_ids=list(befores), befores=list(befores.values())
    )  # fmt: skip


async def moved(tx: Tx, merge_id: str, object: str) -> dict[str, bytes]:
    """The next records that followed this merge -> what they named before."""
    rows = await tx.fetch(_MOVED, merge_id=merge_id, object=object)
    return {str(row["record_id"]): row["before"] for row in rows}


async def forget_moves(tx: Tx, merge_id: str, object: str, record_ids: Sequence[str]) -> None:
    """These records are back, or have gone elsewhere since."""
    await tx.execute(_RETURNED, merge_id=merge_id, object=object, record_ids=list(record_ids))
