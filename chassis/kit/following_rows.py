"""Plain rows follow what is united as records do (chassis.kit.following): tables without versions, whose changes nobody is told of.

A row names one record of a kind in its column `<kind>_id`. What it named before is kept where that of records is, as text.
"""

import functools
from collections.abc import Sequence
from typing import Any

from sqlalchemy import LargeBinary, Table, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db.statement import Statement
from chassis.tx import Tx


def naming(tables: Sequence[Table], party: str) -> list[Table]:
    """Those of the tables whose rows name records of this kind."""
    return [table for table in tables if f"{party}_id" in table.c]


async def follow(
    tx: Tx, table: Table, party: str, merge_id: str, ids: Sequence[str], survivor_id: str, most: int
) -> int:
    """Lets the next rows that name one of `ids` name the survivor; how many did."""
    count: int = await tx.fetchval(
        _follow(table.name, f"{party}_id", most), merge_id=merge_id, object=table.name, ids=list(ids),
        survivor_id=survivor_id,
    )  # fmt: skip
    return count


async def come_back(
    tx: Tx,
    table: Table,
    party: str,
    merge_id: str,
    ids: Sequence[str],
    survivor_ids: Sequence[str],
    most: int,
) -> int:
    """Lets the next rows that followed name again whom they named, where that is restored; how many were looked at."""
    count: int = await tx.fetchval(
        _come_back(table.name, f"{party}_id", most), merge_id=merge_id, object=table.name, ids=list(ids),
        survivor_ids=list(survivor_ids),
    )  # fmt: skip
    return count


_TYPES: dict[str, Any] = {
    "ids": ARRAY(Uuid), "record_ids": ARRAY(Uuid), "survivor_ids": ARRAY(Uuid), "befores": ARRAY(LargeBinary),
    "survivor_id": Uuid, "merge_id": Uuid,
}  # fmt: skip


def statement(sql: str, *names: str) -> Statement:
    """The statement with these parameters besides the tenant's id."""
    binds = (bindparam(name, type_=_TYPES.get(name)) for name in ("tenant_id", *names))
    return Statement(text(sql).bindparams(*binds))


@functools.cache
def _follow(table: str, column: str, most: int) -> Statement:
    return statement(
        f"WITH found AS (SELECT id, {column} AS was FROM {table} WHERE tenant_id = :tenant_id"
        f" AND {column} = any(CAST(:ids AS uuid[])) ORDER BY id LIMIT {most} FOR UPDATE),"
        " kept AS (INSERT INTO merge_moves (tenant_id, merge_id, object, record_id, before)"
        " SELECT CAST(:tenant_id AS uuid), CAST(:merge_id AS uuid), :object, id, convert_to(CAST(was AS text), 'UTF8') FROM found"
        " ON CONFLICT (tenant_id, merge_id, object, record_id) DO NOTHING),"
        f" moved AS (UPDATE {table} AS row SET {column} = CAST(:survivor_id AS uuid) FROM found"
        " WHERE row.tenant_id = :tenant_id AND row.id = found.id RETURNING row.id)"
        " SELECT count(*) FROM moved",
        "merge_id", "object", "ids", "survivor_id",
    )  # fmt: skip


@functools.cache
def _come_back(table: str, column: str, most: int) -> Statement:
    was = "CAST(convert_from(kept.before, 'UTF8') AS uuid)"
    return statement(
        "WITH kept AS (DELETE FROM merge_moves WHERE tenant_id = :tenant_id AND merge_id = :merge_id"
        " AND object = :object AND record_id = any(ARRAY(SELECT record_id FROM merge_moves"
        " WHERE tenant_id = :tenant_id AND merge_id = :merge_id AND object = :object"
        f" ORDER BY record_id LIMIT {most})) RETURNING record_id, before),"
        f" back AS (UPDATE {table} AS row SET {column} = {was} FROM kept"
        " WHERE row.tenant_id = :tenant_id AND row.id = kept.record_id"
        f" AND row.{column} = any(CAST(:survivor_ids AS uuid[])) AND {was} = any(CAST(:ids AS uuid[])))"
        " SELECT count(*) FROM kept",
        "merge_id", "object", "ids", "survivor_ids",
    )  # fmt: skip
