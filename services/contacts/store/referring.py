"""Who refers to contacts and companies, and the references that merges led to who survived. Plain rows without history."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from asyncpg import Record
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
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
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db import Statement
from chassis.kit.bulk import array_text
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment, view_of
from chassis.tx import Tx
from services.contacts.rules.references import Displaced, targets
from services.contacts.store.parties import PARTIES
from services.contacts.store.schema import metadata

displaced_references = Table(
    "displaced_references",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("object", Text, primary_key=True),
    Column("record_id", Uuid, primary_key=True),
    Column("field", Text, primary_key=True),
    Column("origin", LargeBinary, nullable=False),
    Column("settled", LargeBinary, nullable=False),
    Column("targets", ARRAY(Uuid), nullable=False),
    Index("ix_displaced_references_targets", "targets", postgresql_using="gin"),
)

_D = displaced_references.c
_TENANT, _OBJECT = bindparam("tenant_id", type_=Uuid), bindparam("object", type_=Text)
_IDS = bindparam("ids", type_=ARRAY(Uuid))

# -- who refers to a merged record -----------------------------------------------------------------------

MOST_REFERRING = 20_000
"""Records that one merge leads to the survivor: some ten seconds in one transaction."""


MOST_NAMED = 200
"""Records of one kind that an undo names as added since."""


@cache
def resources() -> dict[str, Resource[Any]]:
    """object -> every resource whose records refer to contacts or companies: the parties, and what stands on them."""
    found = dict(PARTIES)
    for table in metadata.tables.values():
        resource = table.info.get("resource")
        if resource is not None and {"contact_id", "company_id"} & set(resource.extra):
            found.setdefault(resource.object, resource)
    return found


_OTHER_ENDS = func.jsonb_path_query_array(text("json::jsonb"), text("'$.relations[*].*'"))


@cache
def _referring(object: str, to: str, *, since: bool = False) -> Statement | None:
    """Living records of `object` that refer to any of these ids of `to`; None if such records never do."""
    view = resources()[object].view
    ends = [
        view.c[name] == func.any(_IDS) for name in (f"{to}_id",) if name in view.c and object != to
    ]
    if object in PARTIES:
        ends.append(view.c.referrer_id == func.any(_IDS))
        related = _OTHER_ENDS.op("?|")(bindparam("texts", type_=ARRAY(Text)))
        ends.append(text("json LIKE '%\"relations\":%'") & related)
    if not ends:
        return None
    mine = [view.c.tenant_id == _TENANT, view.c.delete_time.is_(None)]
    if since:
        mine.append(view.c.create_time > bindparam("since", type_=Moment))
    limit = bindparam("page_limit", type_=BigInteger)
    columns = [view.c.id, view.c.create_time, view.c.doc] if since else [view.c.id]
    return Statement(select(*columns).where(*mine, or_(*ends)).order_by(view.c.id).limit(limit))


async def referring_ids(tx: Tx, object: str, to: str, ids: Sequence[str]) -> list[str]:
    """The living records of `object` that refer to one of these contacts (or companies), one more than allowed at most."""
    statement = _referring(object, to)
    if statement is None or not ids:
        return []
    texts = {"texts": list(ids)} if object in PARTIES else {}
    rows = await tx.fetch(statement, ids=list(ids), page_limit=MOST_REFERRING + 1, **texts)
    return [str(row["id"]) for row in rows]


async def added_since(tx: Tx, object: str, to: str, since: Mapping[str, datetime]) -> list[str]:
    """The living records of `object` that refer to one of these contacts (or companies) and were made after its moment."""
    statement = _referring(object, to, since=True)
    if statement is None:
        return []
    ids, message_class = sorted(since), resources()[object].message
    rows = await tx.fetch(
        statement, ids=ids, since=min(since.values()), page_limit=MOST_NAMED * len(ids),
        **({"texts": ids} if object in PARTIES else {}),
    )  # fmt: skip
    found = []
    for row in rows:
        ends = targets(object, message_class.FromString(row["doc"]))
        moments = [since[id] for end, id in ends if end == to and id in since]
        if moments and row["create_time"] > min(moments):
            found.append(str(row["id"]))
    return found


@cache
def _locking(object: str) -> Statement:
    t = resources()[object].table.c
    return Statement(
        select(t.id, t.delete_time, t.create_time, t.doc)
        .where(t.tenant_id == _TENANT, t.id == func.any(_IDS))
        .order_by(t.id)  # one order for all: two merges of the same records wait instead of dying
        .with_for_update()
    )


async def locked_rows(tx: Tx, object: str, ids: Iterable[str]) -> list[Record]:
    """The rows of these records, deleted ones too, locked in the order of their ids until the end."""
    await tx.begin()
    wanted = sorted(set(ids))
    return await tx.fetch(_locking(object), ids=wanted) if wanted else []


@cache
def _scopes(object: str) -> Statement:
    resource = resources()[object]
    t = resource.table.c
    return Statement(
        select(t.id, *(t[name] for name in resource.row_columns)).where(
            t.tenant_id == _TENANT, t.id == func.any(_IDS)
        )
    )


async def scopes(tx: Tx, object: str, ids: Iterable[str]) -> list[Record]:
    """What decides who may do what with these records, deleted ones too."""
    wanted = sorted(set(ids))
    return await tx.fetch(_scopes(object), ids=wanted) if wanted else []


# -- references that were led elsewhere ------------------------------------------------------------------

_OF_RECORDS = Statement(
    select(displaced_references).where(
        _D.tenant_id == _TENANT, _D.object == _OBJECT, _D.record_id == func.any(_IDS)
    )
)
_d = view_of(displaced_references).c
_TO = Statement(
    select(_d.object, _d.record_id)
    .where(_d.tenant_id == _TENANT, _d.targets.overlap(_IDS))
    .distinct()
)
_FORGET = Statement(
    delete(displaced_references).where(
        _D.tenant_id == _TENANT, _D.object == _OBJECT, _D.record_id == func.any(_IDS)
    )
)
# Targets are arrays as text: arrays of arrays cannot be unnested into rows.
_KEEP = Statement(
    text(
        "INSERT INTO displaced_references (tenant_id, object, record_id, field, origin, settled, targets)"
        " SELECT CAST(:tenant_id AS uuid), :object, n.record_id, n.field, n.origin, n.settled, CAST(n.targets AS uuid[])"
        " FROM unnest(CAST(:ids AS uuid[]), CAST(:fields AS text[]), CAST(:origins AS bytea[]), CAST(:settled AS bytea[]),"
        " CAST(:targets AS text[])) AS n(record_id, field, origin, settled, targets)"
    ).bindparams(*map(bindparam, ("tenant_id", "object", "ids", "fields", "origins", "settled", "targets")))
)  # fmt: skip


async def displaced_of(tx: Tx, object: str, ids: Iterable[str]) -> dict[str, list[Displaced]]:
    """Record -> its displaced fields; records without any are left out."""
    found: dict[str, list[Displaced]] = {}
    for row in await tx.fetch(_OF_RECORDS, object=object, ids=sorted(set(ids))):
        ends = tuple(str(id) for id in row["targets"])
        each = Displaced(row["field"], row["origin"], row["settled"], ends)
        found.setdefault(str(row["record_id"]), []).append(each)
    return found


async def displaced_to(tx: Tx, ids: Iterable[str]) -> dict[str, set[str]]:
    """object -> the records that referred to one of these ids at first."""
    found: dict[str, set[str]] = {}
    for row in await tx.fetch(_TO, ids=sorted(set(ids))):
        found.setdefault(row["object"], set()).add(str(row["record_id"]))
    return found


async def replace_displaced(tx: Tx, object: str, by_record: dict[str, list[Displaced]]) -> None:
    """Makes exactly these the displaced fields of these records."""
    await tx.execute(_FORGET, object=object, ids=sorted(by_record))
    rows = [(id, each) for id, fields in by_record.items() for each in fields]
    if rows:
        await tx.execute(
            _KEEP, object=object, ids=[id for id, _ in rows], fields=[each.field for _, each in rows],
            origins=[each.origin for _, each in rows], settled=[each.settled for _, each in rows],
            targets=[array_text(each.targets) for _, each in rows],
        )  # fmt: skip
