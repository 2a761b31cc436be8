"""The keys under which twins meet, and a walk through the whole base. Numbers: nothing of a person can be read from them."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    bindparam,
    delete,
    func,
    select,
    text,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db import Statement
from chassis.kit.resource import Resource
from chassis.tx import Tx
from services.contacts.rules.duplicates import MOST_SHARING
from services.contacts.store.parties import PARTIES
from services.contacts.store.schema import metadata

match_keys = Table(
    "match_keys",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("object", Text, primary_key=True),
    Column("key", BigInteger, primary_key=True),
    Column("record_id", Uuid, primary_key=True),
    Index("ix_match_keys_record", "tenant_id", "object", "record_id"),
)

_K = match_keys.c
_TENANT, _OBJECT = bindparam("tenant_id", type_=Uuid), bindparam("object", type_=Text)
_IDS = bindparam("ids", type_=ARRAY(Uuid))


_FORGET = Statement(
    delete(match_keys).where(
        _K.tenant_id == _TENANT, _K.object == _OBJECT, _K.record_id == func.any(_IDS)
    )
)
_KEEP = Statement(
    upsert(match_keys).from_select(
        ["tenant_id", "object", "key", "record_id"],
        select(
            _TENANT,
            _OBJECT,
            func.unnest(bindparam("keys", type_=ARRAY(BigInteger))),
            func.unnest(_IDS),
        ),
    )
)


async def replace_keys(tx: Tx, object: str, by_record: Mapping[str, Iterable[int]]) -> None:
    """Makes exactly these the keys of these records."""
    await tx.execute(_FORGET, object=object, ids=sorted(by_record))
    rows = [(key, id) for id, keys in by_record.items() for key in keys]
    if rows:
        await tx.execute(
            _KEEP, object=object, keys=[k for k, _ in rows], ids=[id for _, id in rows]
        )


_BINDS = (*map(bindparam, ("tenant_id", "object", "keys")), bindparam("most", type_=Integer))
# For each key its own short index scan: a join would be planned by statistics, which a base just filled does not have yet.
# The order is that of the primary key, so that the planner takes it even where it believes the table to be empty: through
# the other index a scan of 5,500 contacts read every key again for each key, 7.5 s for a page.
_GROUPS = Statement(
    text(
        "SELECT sharing.ids FROM unnest(CAST(:keys AS bigint[])) AS wanted(key) CROSS JOIN LATERAL ("
        " SELECT array_agg(record_id) AS ids FROM ("
        " SELECT record_id FROM match_keys WHERE tenant_id = :tenant_id AND object = :object AND key = wanted.key"
        " ORDER BY record_id LIMIT :most + 1) AS few) AS sharing WHERE cardinality(sharing.ids) BETWEEN 2 AND :most"
    ).bindparams(*_BINDS)
)
# The rarest keys first: of those who share a frequent one only some are read, and the best twin also shares a rare one.
_UNDER = Statement(
    text(
        "SELECT sharing.ids FROM unnest(CAST(:keys AS bigint[])) AS wanted(key) CROSS JOIN LATERAL ("
        " SELECT array_agg(record_id) AS ids FROM ("
        " SELECT record_id FROM match_keys WHERE tenant_id = :tenant_id AND object = :object AND key = wanted.key"
        " ORDER BY record_id LIMIT :most + 1) AS few) AS sharing WHERE sharing.ids IS NOT NULL"
        " ORDER BY cardinality(sharing.ids)"
    ).bindparams(*_BINDS)
)


async def sharing(tx: Tx, object: str, keys: Iterable[int]) -> list[list[str]]:
    """For each of these keys under which several records meet, but not more than MOST_SHARING: those records."""
    rows = await tx.fetch(_GROUPS, object=object, keys=sorted(keys), most=MOST_SHARING)
    return [[str(id) for id in row["ids"]] for row in rows]


async def under_keys(tx: Tx, object: str, keys: Iterable[int]) -> list[str]:
    """Some records that have one of these keys, at most MOST_SHARING: first those under the keys that the fewest share."""
    rows = await tx.fetch(_UNDER, object=object, keys=sorted(keys), most=MOST_SHARING)
    found = dict.fromkeys(str(id) for row in rows for id in row["ids"])
    return list(found)[:MOST_SHARING]


# -- the whole base ------------------------------------------------------------------------------------


def _records(resource: Resource[Any]) -> Statement:
    t = resource.view.c
    return Statement(
        select(t.id, t.doc)
        .where(
            t.tenant_id == _TENANT, t.delete_time.is_(None), t.id > bindparam("after", type_=Uuid)
        )
        .order_by(t.id)
        .limit(bindparam("page_limit", type_=BigInteger))
    )


_RECORDS = {object: _records(resource) for object, resource in PARTIES.items()}
_DOCS = {
    object: Statement(select(r.view.c.id, r.view.c.doc).where(
        r.view.c.tenant_id == _TENANT, r.view.c.id == func.any(_IDS), r.view.c.delete_time.is_(None)
    ))
    for object, r in PARTIES.items()
}  # fmt: skip


async def records_after(tx: Tx, object: str, after: str, limit: int) -> list[tuple[str, bytes]]:
    """The next living records in the order of their ids, as documents."""
    rows = await tx.fetch(_RECORDS[object], after=after, page_limit=limit)
    return [(str(row["id"]), row["doc"]) for row in rows]


async def documents(tx: Tx, object: str, ids: Iterable[str]) -> list[tuple[str, bytes]]:
    """The documents of those of these records that live."""
    rows = await tx.fetch(_DOCS[object], ids=sorted(set(ids)))
    return [(str(row["id"]), row["doc"]) for row in rows]
