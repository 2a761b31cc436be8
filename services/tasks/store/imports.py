"""Imports of tasks: which task has which id elsewhere. By what files name contacts and companies: chassis/kit/imports/named.py."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Index, Table, Text, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db import Statement
from chassis.kit.imports import named
from chassis.kit.imports.store import declare
from chassis.tx import Tx
from services.tasks.store.schema import metadata
from services.tasks.store.task_types import TaskType, task_types
from services.tasks.store.tasks import Task

imports = declare(metadata)
named.declare(metadata)

task_keys = Table(
    "task_keys",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("key", Text, primary_key=True),  # system/id
    Column("task_id", Uuid, nullable=False),
    Index("ix_task_keys_task", "tenant_id", "task_id"),
)
_TYPES: dict[str, Any] = {"ids": ARRAY(Uuid), "keys": ARRAY(Text)}


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


# -- erasing -----------------------------------------------------------------------------------------------------------------


async def release(tx: Tx, ids: Sequence[str]) -> None:
    """These tasks have no ids elsewhere any more."""
    await tx.execute(_RELEASE, ids=list(ids))
