"""Segments, who is in them, and the pages of audiences that are still to be told."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from asyncpg import Record
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    Uuid,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db import Statement
from chassis.fold import search_key, sort_key
from chassis.kit import counting
from chassis.kit.columns import reference
from chassis.kit.filter import Compiled, Field
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment, view_of
from chassis.rights import Rights
from chassis.tx import Tx
from crm.contacts.v1 import segment_pb2
from services.contacts.store.parties import PARTIES
from services.contacts.store.schema import metadata

segments = Resource(
    segment_pb2.Segment,
    metadata,
    table="segments",
    columns=[
        Column("owner_id", Uuid), Column("label_key", Text, nullable=False), Column("label_search", Text, nullable=False),
        Column("resource", Text, nullable=False), Column("shared", Boolean, nullable=False),
        Column("time_dependent", Boolean, nullable=False),
    ],
    values=lambda segment: {
        "owner_id": reference(segment.owner_id),
        "label_key": sort_key(segment.label),
        "label_search": search_key(segment.label),
        "resource": segment.resource,
        "shared": segment.shared,
        "time_dependent": segment.time_dependent,
    },
    items=[
        # How far entering and leaving are told: kept by the evaluation, beside the record.
        Column("told_version", BigInteger, nullable=False, server_default="0"), Column("told_time", Moment),
    ],
    fields={
        "label": Field("label_search", "text", fold=search_key, sentinel="", sortable=True, sort_column="label_key"),
        "resource": Field("resource", "text", sentinel=""),
        "owner_id": Field("owner_id", "uuid"),
        "shared": Field("shared", "bool"),
        "time_dependent": Field("time_dependent", "bool"),
    },
    search="label_search",
    default_order="label",
    shared_column="shared",
)  # fmt: skip

members = Table(
    "segment_members",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("segment_id", Uuid, primary_key=True),
    Column("party_id", Uuid, primary_key=True),
    Column("enter_time", Moment, nullable=False),
    Index("ix_segment_members_party", "tenant_id", "party_id"),
)

audience_pages = Table(
    "audience_pages",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("operation_id", Uuid, primary_key=True),
    Column("page", Integer, primary_key=True),
    Column("party_ids", ARRAY(Uuid), nullable=False),
)

_TENANT = bindparam("tenant_id", type_=Uuid)
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_SEGMENT = bindparam("segment_id", type_=Uuid)
_V, _S = segments.view.c, segments.table.c

# -- segments -------------------------------------------------------------------------------------------

_LIVING = Statement(
    select(_V.id, _V.version, _V.told_version, _V.doc)
    .where(_V.tenant_id == _TENANT, _V.resource == bindparam("resource"), _V.delete_time.is_(None))
    .order_by(_V.id)
)
_ONE = Statement(
    select(_S.id, _S.version, _S.told_version, _S.told_time, _S.delete_time, _S.doc)
    .where(_S.tenant_id == _TENANT, _S.id == _SEGMENT)
)  # fmt: skip
_STAY_TOLD = Statement(
    update(segments.table)
    .where(_S.tenant_id == _TENANT, _S.id == _SEGMENT, _S.told_version == _S.version)
    .values(told_version=_S.version + 1)
)
_TOLD = Statement(
    update(segments.table)
    .where(_S.tenant_id == _TENANT, _S.id == _SEGMENT, _S.version == bindparam("seen", type_=BigInteger))
    .values(told_version=bindparam("new_told", type_=BigInteger), told_time=bindparam("new_time", type_=Moment))
)  # fmt: skip


async def living(tx: Tx, plural: str) -> list[Record]:
    """(id, version, told_version, doc) of the living segments of a resource."""
    return await tx.fetch(_LIVING, resource=plural)


async def row_of(tx: Tx, segment_id: str) -> Record | None:
    """The same of one, deleted or not, with told_time and delete_time."""
    return await tx.fetchrow(_ONE, segment_id=segment_id)


async def stay_told(tx: Tx, segment_id: str) -> bool:
    """Before a change that concerns nobody's membership: what is told counts as told of the next version; False if it is not."""
    return await tx.execute(_STAY_TOLD, segment_id=segment_id) == 1


async def note_told(tx: Tx, segment_id: str, version: int, at: datetime) -> None:
    """Notes that entering and leaving are told for all records; a newer version of the segment stays untold."""
    await tx.execute(_TOLD, segment_id=segment_id, seen=version, new_told=version, new_time=at)


# -- who is in them ---------------------------------------------------------------------------------------

_PARTY = bindparam("party_id", type_=Uuid)
_pairs = (
    func.unnest(bindparam("segment_ids", type_=ARRAY(Uuid)), bindparam("party_ids", type_=ARRAY(Uuid)))
    .table_valued(Column("segment_id", Uuid), Column("party_id", Uuid), name="pairs")
    .render_derived()
)  # fmt: skip
_ENTER = Statement(
    upsert(members)
    .from_select(
        ["tenant_id", "segment_id", "party_id", "enter_time"],
        select(_TENANT, _pairs.c.segment_id, _pairs.c.party_id, bindparam("now", type_=Moment)),
    )
    .on_conflict_do_nothing()
    .returning(members.c.segment_id, members.c.party_id)
)
_LEAVE = Statement(
    delete(members)
    .where(
        members.c.tenant_id == _TENANT, members.c.segment_id == _pairs.c.segment_id, members.c.party_id == _pairs.c.party_id
    )
    .returning(members.c.segment_id, members.c.party_id)
)  # fmt: skip
_M = view_of(members).c
_OF_PARTIES = Statement(
    select(_M.segment_id, _M.party_id).where(_M.tenant_id == _TENANT, _M.party_id == _IDS.any_())
)
_PAGE = Statement(
    select(_M.party_id)
    .where(_M.tenant_id == _TENANT, _M.segment_id == _SEGMENT, _M.party_id > bindparam("after", type_=Uuid))
    .order_by(_M.party_id)
    .limit(bindparam("page_limit", type_=BigInteger))
)  # fmt: skip

Pair = tuple[str, str]
"""Segment, party."""


async def memberships(tx: Tx, party_ids: Collection[str]) -> set[Pair]:
    """In which segments these are, as it was told last."""
    rows = await tx.fetch(_OF_PARTIES, ids=sorted(party_ids))
    return {(str(row["segment_id"]), str(row["party_id"])) for row in rows}


async def members_after(tx: Tx, segment_id: str, after: str, limit: int) -> list[str]:
    """The next members in the order of ids, as it was told last."""
    rows = await tx.fetch(_PAGE, segment_id=segment_id, after=after, page_limit=limit)
    return [str(row["party_id"]) for row in rows]


async def enter(tx: Tx, pairs: Collection[Pair]) -> list[Pair]:
    """Writes these memberships; returns those that were not there, so that each is told once."""
    return await _change(tx, _ENTER, pairs, now=tx.now)


async def leave(tx: Tx, pairs: Collection[Pair]) -> list[Pair]:
    """Removes these memberships; returns those that were there."""
    return await _change(tx, _LEAVE, pairs)


async def _change(
    tx: Tx, statement: Statement, pairs: Collection[Pair], **values: Any
) -> list[Pair]:
    if not pairs:
        return []
    await tx.begin()
    ordered = sorted(pairs)  # one order for all writers: no deadlocks among them
    segment_ids, party_ids = [segment for segment, _ in ordered], [party for _, party in ordered]
    rows = await tx.fetch(statement, segment_ids=segment_ids, party_ids=party_ids, **values)
    return sorted((str(row["segment_id"]), str(row["party_id"])) for row in rows)


# -- what a filter sees of a record -------------------------------------------------------------------------


def _seeing(object: str, *, locks: bool) -> Statement:
    t = PARTIES[object].table.c
    names = {field.column for field in PARTIES[object].fields.values()} | {"custom", "delete_time"}
    statement = select(*(t[name] for name in sorted(names))).where(
        t.tenant_id == _TENANT, t.id == _IDS.any_()
    )
    return Statement(statement.order_by(t.id).with_for_update(read=True) if locks else statement)


_SEEN = {
    (object, locks): _seeing(object, locks=locks) for object in PARTIES for locks in (True, False)
}


async def seen(tx: Tx, object: str, ids: Collection[str], *, locks: bool = False) -> list[Record]:
    """Every column that filters know of those living records. `locks`: nobody changes them before this transaction ends."""
    if locks:
        await tx.begin()
    rows = await tx.fetch(_SEEN[object, locks], ids=sorted(ids)) if ids else []
    return [row for row in rows if row["delete_time"] is None]


# -- audiences ------------------------------------------------------------------------------------------------

_OPERATION = bindparam("operation_id", type_=Uuid)
_G = audience_pages.c
_which_page = and_(_G.tenant_id == _TENANT, _G.operation_id == _OPERATION)
_FORGET = Statement(delete(audience_pages).where(_which_page))
_TAKE = Statement(
    delete(audience_pages)
    .where(_which_page, _G.page == bindparam("page", type_=Integer))
    .returning(_G.party_ids)
)


async def lay_out(
    tx: Tx, operation_id: str, object: str, found: Compiled, rights: Rights | None, size: int
) -> int:
    """Keeps the ids that the filter selects at this moment, in pages of `size`; returns how many there are."""
    ids, values = counting.matching_ids(PARTIES[object], found, rights)
    which = ids.subquery("which")
    number = func.row_number().over(order_by=which.c.id) - 1
    page = cast(func.div(number, bindparam("size", type_=Numeric)), Integer).label("page")
    numbered = select(which.c.id, page).subquery()
    pages = select(
        _TENANT, _OPERATION, numbered.c.page + 1, func.array_agg(numbered.c.id)
    ).group_by(numbered.c.page)
    names = ["tenant_id", "operation_id", "page", "party_ids"]
    kept = (
        insert(audience_pages).from_select(names, pages).returning(func.cardinality(_G.party_ids))
    )
    await tx.execute(_FORGET, operation_id=operation_id)  # of an earlier try
    rows = await tx.fetch(Statement(kept), **values, operation_id=operation_id, size=size)
    return sum(row[0] for row in rows)


async def take_page(tx: Tx, operation_id: str, page: int) -> list[str]:
    """The ids of a page, which is kept no longer."""
    await tx.begin()
    rows = await tx.fetch(_TAKE, operation_id=operation_id, page=page)
    return sorted(str(id) for row in rows for id in row["party_ids"])
