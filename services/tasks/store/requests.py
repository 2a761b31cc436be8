"""Which request is answered by which task, and the tasks for which customers wait."""

from typing import Any

from sqlalchemy import Boolean, Column, Index, Table, Uuid, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db.statement import Statement
from chassis.kit.columns import reference
from chassis.tx import Tx
from crm.tasks.v1 import task_pb2
from services.tasks.store.schema import metadata
from services.tasks.store.tasks import tasks

task_requests = Table(
    "task_requests",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("request_id", Uuid, primary_key=True),
    Column("task_id", Uuid, nullable=False),
    Column("form_id", Uuid),
    Column("source_id", Uuid),
    Column("closed", Boolean, nullable=False, server_default="false"),
    Index("ix_task_requests_task", "tenant_id", "task_id"),
)
"""One row per request that a task answers, or answered."""

_R = task_requests.c
_PUT = upsert(task_requests).values(
    {
        name: bindparam(name)
        for name in ("tenant_id", "request_id", "task_id", "form_id", "source_id", "closed")
    }
)
_ANSWERS = Statement(
    _PUT.on_conflict_do_update(
        index_elements=["tenant_id", "request_id"],
        set_={name: _PUT.excluded[name] for name in ("task_id", "form_id", "source_id", "closed")},
    )
)
_TASK_OF = Statement(select(_R.task_id).where(_R.request_id == bindparam("request_id", type_=Uuid)))
_ORIGIN = Statement(
    select(_R.form_id, _R.source_id).where(_R.request_id == bindparam("request_id", type_=Uuid))
)
_CLOSE = Statement(
    update(task_requests)
    .where(_R.request_id == bindparam("of_request_id", type_=Uuid))
    .values(closed=True)
)
_OPEN = Statement(
    select(func.count()).where(_R.task_id == bindparam("task_id", type_=Uuid), _R.closed.is_(False))
)


async def answers(tx: Tx, request: Any, task_id: str) -> None:
    """Notes that the task answers the request, and by which form and source that came."""
    await tx.execute(
        _ANSWERS, request_id=request.id, task_id=task_id, form_id=reference(request.form_id),
        source_id=reference(request.source_id), closed=False,
    )  # fmt: skip


async def task_answering(tx: Tx, request_id: str) -> str:
    """The id of the task that answers the request; empty if none does."""
    found = await tx.fetchval(_TASK_OF, request_id=request_id)
    return str(found) if found else ""


async def origin_of(tx: Tx, request_id: str) -> tuple[str, str]:
    """(form, source) of a request that a task answers; empty where there is none."""
    row = await tx.fetchrow(_ORIGIN, request_id=request_id)
    return ("", "") if row is None else (str(row[0] or ""), str(row[1] or ""))


async def close_request(tx: Tx, request_id: str, task_id: str) -> bool:
    """Notes that a request wants no answer any more; True if the task answers no other."""
    await tx.execute(_CLOSE, of_request_id=request_id)
    return not await tx.fetchval(_OPEN, task_id=task_id)


# A customer's own open tasks are few, also where he has asked a hundred times.
_WAITING = tasks.select(
    tasks.view.c.contact_id == bindparam("contact_id", type_=Uuid),
    tasks.view.c.state == int(task_pb2.Task.STATE_OPEN),
    select(_R.task_id).where(_R.task_id == tasks.view.c.id).exists(),
    order=tasks.view.c.create_time,
)


async def request_tasks(tx: Tx, contact_id: str) -> list[task_pb2.Task]:
    """The open tasks that answer requests of this person, the oldest first."""
    return await tasks.find_where(tx, _WAITING, contact_id=contact_id)
