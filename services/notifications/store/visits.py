"""Visits that lie ahead, as their tasks were last told: what the notice of the evening before is made of."""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    LargeBinary,
    Table,
    Uuid,
    any_,
    bindparam,
    delete,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db import Statement
from chassis.tx import Tx
from crm.tasks.v1 import task_pb2
from services.notifications.store.schema import metadata

Task = task_pb2.Task

visits = Table(
    "visits",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("task_id", Uuid, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("contact_id", Uuid),
    Column("doc", LargeBinary, nullable=False),
)

_v = visits.c
_TENANT = bindparam("tenant_id", type_=Uuid)
_put = upsert(visits).values({c.name: bindparam(c.name, type_=c.type) for c in visits.columns})
_PUT = Statement(
    _put.on_conflict_do_update(
        index_elements=["tenant_id", "task_id"],
        set_={name: _put.excluded[name] for name in ("version", "contact_id", "doc")},
        where=_v.version < _put.excluded.version,
    )
)
_OF_TASK = (_v.tenant_id == _TENANT, _v.task_id == bindparam("task_id", type_=Uuid))
_FIND = Statement(select(_v.doc).where(*_OF_TASK))
_REMOVE = Statement(
    delete(visits).where(*_OF_TASK, _v.version <= bindparam("of_version", type_=BigInteger))
)
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_FORGET = Statement(
    delete(visits).where(
        _v.tenant_id == _TENANT, or_(_v.task_id == any_(_IDS), _v.contact_id == any_(_IDS))
    )
)


async def note(tx: Tx, task: Task, *, version: int) -> bool:
    """Keeps the task; False if a later version of it is known."""
    done = await tx.execute(
        _PUT, task_id=task.id, version=version, contact_id=task.contact_id or None, doc=task.SerializeToString()
    )  # fmt: skip
    return done == 1


async def find(tx: Tx, task_id: str) -> Task | None:
    """The task as it was last told; None if it is over or has no visit."""
    doc = await tx.fetchval(_FIND, task_id=task_id)
    return Task.FromString(doc) if doc is not None else None


async def remove(tx: Tx, task_id: str, *, version: int) -> bool:
    """Forgets the task, unless a later version of it is known: False then, or if nothing was known."""
    return await tx.execute(_REMOVE, task_id=task_id, of_version=version) == 1


async def forget(tx: Tx, ids: Sequence[str]) -> int:
    """Forgets these tasks, and the tasks of these persons; the number of rows."""
    return await tx.execute(_FORGET, ids=list(ids))
