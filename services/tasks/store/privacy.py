"""Where tasks keeps something of a person, and the statements that read and take it away.

    tasks and meetings        bare ones stay (rules/privacy.py); their old versions go, and those of others that named him
    OF_PERSONS                plain tables with rows of persons: these go
    NOT_PERSONAL              hold ids of users, tasks and requests alone; a test fails for a table that is in none of these

What the day plan knows of contacts (day_parties, day_agreements, day_matters) is forgotten by its own consumer, and so are the hashes by which
files name them (named_records, named_record_keys).
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from asyncpg import Record
from sqlalchemy import LargeBinary, Text, Uuid, bindparam, func, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db import Statement
from chassis.kit import following
from chassis.kit.imports import erased, named
from chassis.kit.resource import Resource
from chassis.tx import Tx
from services.tasks.store.moves import FOLLOWING
from services.tasks.store.schema import metadata
from services.tasks.store.tasks import tasks

OF_PERSONS = {
    following.MOVES, following.MERGED, *erased.TABLES, "task_keys",
}  # fmt: skip
OF_THE_DAY = {"day_parties", "day_agreements", "day_matters"}
OF_FILES = {named.NAMED, named.KEYS}
NOT_PERSONAL = {
    "calendar_links", "call_spells", "day_mornings", "day_price_lists", "handover_moves", "handover_stages", "ladder_runs",
    "task_change_items", "task_promises", "task_requests", "task_series",
}  # fmt: skip

_TENANT, _IDS = bindparam("tenant_id", type_=Uuid), bindparam("ids", type_=ARRAY(Uuid))
_REQUESTS = bindparam("request_ids", type_=ARRAY(Uuid))


def unplaced() -> list[str]:
    """Tables of which nobody has said what they hold of a person."""
    known = OF_PERSONS | OF_THE_DAY | OF_FILES | NOT_PERSONAL
    return [
        table.name
        for table in metadata.sorted_tables
        if "resource" not in table.info
        and not table.info.get("history")
        and table.name not in known
    ]


# -- reading -----------------------------------------------------------------------------------------------------------------


@cache
def _concerning(resource: Resource[Any]) -> Statement:
    t = resource.table.c
    ends = [t.contact_id == _IDS.any_()]
    if "contact_ids" in t:
        ends.append(t.contact_ids.overlap(_IDS))
    if resource is tasks:
        ends.append(t.request_id == _REQUESTS.any_())
    return Statement(
        select(t.id, t.doc, t.delete_time)
        .where(t.tenant_id == _TENANT, or_(*ends)).order_by(t.id).with_for_update()
    )  # fmt: skip


@cache
def _versions(resource: Resource[Any]) -> Statement:
    h = resource.history.c
    mine = (h.tenant_id == _TENANT, h.id == _IDS.any_())
    return Statement(select(h.doc).where(*mine).order_by(h.id, h.version))


async def concerning(
    tx: Tx, object: str, ids: Sequence[str], request_ids: Sequence[str]
) -> list[Record]:
    """id, doc and delete_time of the records that have to do with these contacts or requests, locked."""
    await tx.begin()
    values = {"ids": list(ids)}
    if object == "task":
        values["request_ids"] = list(request_ids)
    return await tx.fetch(_concerning(FOLLOWING[object]), **values)


async def versions(tx: Tx, object: str, ids: Sequence[str]) -> list[Any]:
    """Every version of these records, the oldest first, as messages."""
    resource = FOLLOWING[object]
    rows = await tx.fetch(_versions(resource), ids=list(ids)) if ids else []
    return [resource.message.FromString(row["doc"]) for row in rows]


@cache
def _held(resource: Resource[Any]) -> Statement:
    t = resource.table.c
    file_id = func.unnest(bindparam("file_ids", type_=ARRAY(Text))).column_valued("file_id")
    named = select(t.id).where(t.tenant_id == _TENANT, t.json.contains(file_id)).exists()
    return Statement(select(file_id).where(named))


async def held_files(tx: Tx, ids: Sequence[str]) -> set[str]:
    """Those of the files that some record still names; few are ever asked for."""
    found: set[str] = set()
    for resource in FOLLOWING.values() if ids else ():
        found |= {row["file_id"] for row in await tx.fetch(_held(resource), file_ids=list(ids))}
    return found


# -- taking away -------------------------------------------------------------------------------------------------------------


def _sql(sql: str) -> Statement:
    types: dict[str, Any] = {
        "needles": ARRAY(LargeBinary),
        "ids": ARRAY(Uuid),
        "records": ARRAY(Uuid),
    }
    names = [name for name in ("tenant_id", "ids", "records", "needles") if f":{name}" in sql]
    return Statement(text(sql).bindparams(*(bindparam(n, type_=types.get(n)) for n in names)))


@cache
def _forget(resource: Resource[Any]) -> Statement:
    return _sql(
        f"DELETE FROM {resource.history.name} h WHERE tenant_id = :tenant_id AND valid_to IS NOT NULL"
        " AND (id = any(CAST(:records AS uuid[])) OR EXISTS (SELECT FROM unnest(CAST(:needles AS bytea[])) AS n"
        " WHERE position(n IN h.doc) > 0))"
    )


_FORGET_MERGES = _sql(
    "DELETE FROM merged_parties WHERE tenant_id = :tenant_id"
    " AND (id = any(CAST(:ids AS uuid[])) OR survivor_id = any(CAST(:ids AS uuid[])))"
)
_FORGET_MOVES = _sql(
    "DELETE FROM merge_moves m WHERE tenant_id = :tenant_id AND (record_id = any(CAST(:records AS uuid[]))"
    " OR EXISTS (SELECT FROM unnest(CAST(:needles AS bytea[])) AS n WHERE position(n IN m.before) > 0))"
)


async def forget(tx: Tx, ids: Sequence[str], records: dict[str, list[str]]) -> dict[str, int]:
    """Takes old versions of these records and of others that named the contacts, and the rows of merges."""
    needles, everything = (
        [id.encode() for id in ids],
        [id for each in records.values() for id in each],
    )
    counts = {
        str(resource.history.name): await tx.execute(
            _forget(resource), records=records[object], needles=needles
        )
        for object, resource in FOLLOWING.items()
    }
    counts[following.MERGED] = await tx.execute(_FORGET_MERGES, ids=list(ids))
    counts[following.MOVES] = await tx.execute(_FORGET_MOVES, records=everything, needles=needles)
    return counts
