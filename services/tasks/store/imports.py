"""Imports of tasks: which task has which id elsewhere, and by what files may name contacts and companies.

`task_keys` holds the ids of other systems of living tasks. `named_parties` and `party_keys` are a projection of contacts' events
without anything readable: a hash for each id elsewhere, phone and e-mail. Of somebody who was erased only the id is left, so that
what is heard late leaves no trace.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db import Statement
from chassis.kit.imports.store import declare
from chassis.tx import Tx
from services.tasks.store.schema import metadata
from services.tasks.store.task_types import TaskType, task_types
from services.tasks.store.tasks import Task

imports = declare(metadata)

_ERASED = 2**62
"""The version of what was erased: nothing comes after it."""

task_keys = Table(
    "task_keys",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("key", Text, primary_key=True),  # system/id
    Column("task_id", Uuid, nullable=False),
    Index("ix_task_keys_task", "tenant_id", "task_id"),
)
named_parties = Table(
    "named_parties",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("object", Text, primary_key=True),  # contact or company
    Column("id", Uuid, primary_key=True),
    Column("version", BigInteger, nullable=False),
)
party_keys = Table(
    "party_keys",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("object", Text, primary_key=True),
    Column("key", LargeBinary, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Index("ix_party_keys_party", "tenant_id", "object", "id"),
)

_TYPES: dict[str, Any] = {
    "ids": ARRAY(Uuid), "id": Uuid, "keys": ARRAY(Text), "hashes": ARRAY(LargeBinary), "version": BigInteger,
    "needles": ARRAY(LargeBinary), "imports": ARRAY(Uuid),
}  # fmt: skip


def _sql(sql: str, *names: str) -> Statement:
    binds = (bindparam(name, type_=_TYPES.get(name)) for name in ("tenant_id", *names))
    return Statement(text(sql).bindparams(*binds))


# -- which task has which id elsewhere ---------------------------------------------------------------------------------------

_HOLDERS = _sql(
    "SELECT v.doc FROM task_keys k JOIN tasks_of_tenant v ON v.tenant_id = k.tenant_id AND v.id = k.task_id"
    " WHERE k.tenant_id = :tenant_id AND k.key = any(CAST(:keys AS text[])) AND v.delete_time IS NULL",
    "keys",
)
_RELEASE = _sql(
    "DELETE FROM task_keys WHERE tenant_id = :tenant_id AND task_id = any(CAST(:ids AS uuid[]))",
    "ids",
)
# A key of a task that is deleted goes to the one that takes its place.
_CLAIM = _sql(
    "INSERT INTO task_keys (tenant_id, key, task_id) SELECT CAST(:tenant_id AS uuid), n.key, n.id"
    " FROM unnest(CAST(:keys AS text[]), CAST(:ids AS uuid[])) AS n(key, id)"
    " ON CONFLICT (tenant_id, key) DO UPDATE SET task_id = excluded.task_id",
    "keys", "ids",
)  # fmt: skip


async def holders(tx: Tx, keys: Sequence[str]) -> list[bytes]:
    """The docs of the living tasks that have one of these `system/id`."""
    return [row["doc"] for row in await tx.fetch(_HOLDERS, keys=list(keys))]


async def claim(tx: Tx, changed: Sequence[Task]) -> None:
    """Makes exactly these tasks' ids elsewhere theirs. The caller holds the locks of new keys."""
    await tx.execute(_RELEASE, ids=[task.id for task in changed])
    wanted = {f"{e.system}/{e.id}": task.id for task in changed if not task.HasField("delete_time")
              for e in task.external_ids}  # fmt: skip
    if wanted:
        await tx.execute(_CLAIM, keys=list(wanted), ids=list(wanted.values()))


_ALL_TYPES = task_types.select()


async def all_types(tx: Tx) -> list[TaskType]:
    """Every living type."""
    return [TaskType.FromString(row["doc"]) for row in await tx.fetch(_ALL_TYPES)]


# -- by what files name contacts and companies -------------------------------------------------------------------------------

# One statement; what an older event says changes nothing.
_PUT = _sql(
    "WITH put AS (INSERT INTO named_parties (tenant_id, object, id, version)"
    " VALUES (CAST(:tenant_id AS uuid), :object, CAST(:id AS uuid), CAST(:version AS bigint))"
    " ON CONFLICT (tenant_id, object, id) DO UPDATE SET version = excluded.version"
    " WHERE named_parties.version < excluded.version RETURNING id),"
    " gone AS (DELETE FROM party_keys p USING put WHERE p.tenant_id = :tenant_id AND p.object = :object AND p.id = put.id"
    " AND p.key <> all(CAST(:hashes AS bytea[])))"
    " INSERT INTO party_keys (tenant_id, object, key, id) SELECT CAST(:tenant_id AS uuid), :object, n, put.id"
    " FROM put, unnest(CAST(:hashes AS bytea[])) AS n ON CONFLICT DO NOTHING",
    "object", "id", "version", "hashes",
)  # fmt: skip
_KNOWN = _sql(
    "SELECT key, id FROM party_keys WHERE tenant_id = :tenant_id AND object = :object"
    " AND key = any(CAST(:hashes AS bytea[]))",
    "object", "hashes",
)  # fmt: skip


async def put_party(
    tx: Tx, object: str, id: str, version: int, hashes: Collection[bytes] = ()
) -> None:
    """From now on these and no others find the contact or company."""
    await tx.execute(_PUT, object=object, id=id, version=version, hashes=sorted(hashes))


async def forget_parties(tx: Tx, contact_ids: Iterable[str]) -> None:
    """Nothing finds these people any more; for good."""
    for id in sorted(contact_ids):
        await put_party(tx, "contact", id, _ERASED)


async def parties_named(tx: Tx, object: str, hashes: Collection[bytes]) -> list[tuple[bytes, str]]:
    """(hash, id) of the contacts or companies that one of these finds."""
    rows = await tx.fetch(_KNOWN, object=object, hashes=sorted(hashes)) if hashes else []
    return [(row["key"], str(row["id"])) for row in rows]


# -- erasing -----------------------------------------------------------------------------------------------------------------

# Failed lines have no record: those of an import in which the person stands go too, because one of them may be about him.
_OF_PERSON = _sql(
    "SELECT DISTINCT import_id FROM import_rows WHERE tenant_id = :tenant_id"
    " AND (record_id = any(CAST(:ids AS uuid[])) OR linked_id = any(CAST(:ids AS uuid[])))",
    "ids",
)
_TAKE_ROWS = _sql(
    "DELETE FROM import_rows WHERE tenant_id = :tenant_id AND import_id = any(CAST(:imports AS uuid[]))"
    " AND (record_id IS NULL OR record_id = any(CAST(:ids AS uuid[])) OR linked_id = any(CAST(:ids AS uuid[])))",
    "imports", "ids",
)  # fmt: skip
_TAKE_RECORDS = _sql(
    "DELETE FROM import_records WHERE tenant_id = :tenant_id AND (record_id = any(CAST(:ids AS uuid[]))"
    " OR EXISTS (SELECT FROM unnest(CAST(:needles AS bytea[])) AS n WHERE position(n IN doc) > 0))",
    "ids", "needles",
)  # fmt: skip
_TAKE_KEYS = _sql(
    "DELETE FROM import_keys WHERE tenant_id = :tenant_id AND record_id = any(CAST(:ids AS uuid[]))",
    "ids",
)
_OLD_VERSIONS = _sql(
    "DELETE FROM imports_history WHERE tenant_id = :tenant_id AND id = any(CAST(:imports AS uuid[]))"
    " AND valid_to IS NOT NULL",
    "imports",
)
_DOCS = _sql(
    "SELECT doc, delete_time FROM imports_of_tenant WHERE tenant_id = :tenant_id"
    " AND id = any(CAST(:imports AS uuid[]))",
    "imports",
)


async def of_person(tx: Tx, ids: Sequence[str]) -> list[str]:
    """The imports with lines about these contacts or tasks."""
    return [str(row["import_id"]) for row in await tx.fetch(_OF_PERSON, ids=list(ids))]


async def docs(tx: Tx, import_ids: Sequence[str]) -> list[tuple[bytes, bool]]:
    """(document, is deleted) of these imports."""
    rows = await tx.fetch(_DOCS, imports=list(import_ids)) if import_ids else []
    return [(row["doc"], row["delete_time"] is not None) for row in rows]


async def take_lines(tx: Tx, import_ids: Sequence[str], ids: Sequence[str]) -> int:
    """Takes what these imports remember of the contacts or tasks, and their failed lines; how many lines went."""
    needles = [id.encode() for id in ids]
    await tx.execute(_TAKE_RECORDS, ids=list(ids), needles=needles)
    await tx.execute(_TAKE_KEYS, ids=list(ids))
    await tx.execute(_RELEASE, ids=list(ids))
    if not import_ids:
        return 0
    return int(await tx.execute(_TAKE_ROWS, imports=list(import_ids), ids=list(ids)))


async def forget_versions(tx: Tx, import_ids: Sequence[str]) -> None:
    """What these imports were before now."""
    if import_ids:
        await tx.execute(_OLD_VERSIONS, imports=list(import_ids))
