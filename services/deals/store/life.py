"""What happens around deals: their tasks, the last touch with the customer, and the types of tasks that do steps.

Plain rows by version, as their owners told them. What of it a deal shows stands in its row too, and changes neither its version
nor its etag: a call with the customer is no change of the deal.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from asyncpg import Record
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    LargeBinary,
    Table,
    Text,
    Uuid,
    bindparam,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from chassis import codec
from chassis.db.statement import Statement
from chassis.kit.columns import reference
from chassis.kit.tables import Moment
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from services.deals.store.deals import deals
from services.deals.store.schema import metadata

Deal = deal_pb2.Deal

tasks = Table(
    "deal_tasks",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("task_id", Uuid, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("deal_id", Uuid),
    Column("is_open", Boolean, nullable=False),
    Column("due_time", Moment),
    Index("ix_deal_tasks_open", "tenant_id", "deal_id", "due_time", postgresql_where=text("is_open")),
)  # fmt: skip
task_types = Table(
    "deal_task_types",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("type_id", Uuid, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
)
touches = Table(
    "deal_touches",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("deal_id", Uuid, primary_key=True),
    Column("way", Text, nullable=False),
    Column("time", Moment, nullable=False),
    Column("user_id", Uuid),
    Column("event_id", Uuid, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Touch:
    """What last happened between us and the customer of a deal."""

    way: str
    time: datetime
    user_id: str
    event_id: str


def _put(table: Table, key: str, *values: str, later: str) -> Statement:
    """Takes a row over if it is later than what is there."""
    new = insert(table).values({n: bindparam(n, type_=table.c[n].type) for n in ("tenant_id", key, *values)})  # fmt: skip
    return Statement(
        new.on_conflict_do_update(
            index_elements=["tenant_id", key],
            set_={name: new.excluded[name] for name in values},
            where=table.c[later] < new.excluded[later],
        )
    )


_TENANT = bindparam("tenant_id", type_=Uuid)
_DEAL = bindparam("of_deal", type_=Uuid)
_PUT_TASK = _put(tasks, "task_id", "version", "deal_id", "is_open", "due_time", later="version")
_TASK = Statement(
    select(tasks.c.deal_id)
    .where(tasks.c.tenant_id == _TENANT, tasks.c.task_id == bindparam("of_task", type_=Uuid))
    .with_for_update()
)
_NEXT = Statement(
    select(tasks.c.task_id, tasks.c.due_time)
    .where(tasks.c.tenant_id == _TENANT, tasks.c.deal_id == _DEAL, tasks.c.is_open)
    .order_by(tasks.c.due_time.nulls_last(), tasks.c.task_id)
    .limit(1)
)
_PUT_TYPE = _put(task_types, "type_id", "version", "key", later="version")
_TYPE = Statement(
    select(task_types.c.key).where(
        task_types.c.tenant_id == _TENANT,
        task_types.c.type_id == bindparam("of_type", type_=Uuid),
    )
)
_PUT_TOUCH = _put(touches, "deal_id", "way", "time", "user_id", "event_id", later="time")
_TOUCH = Statement(
    select(touches.c.way, touches.c.time, touches.c.user_id, touches.c.event_id).where(
        touches.c.tenant_id == _TENANT, touches.c.deal_id == _DEAL
    )
)


async def put_task(
    tx: Tx, task_id: str, version: int, *, deal_id: str, is_open: bool, due_time: datetime | None
) -> set[str]:
    """Takes over a version of a task; the deals that it belongs to or belonged to, none if it came late or twice."""
    await tx.begin()
    before = await tx.fetchrow(_TASK, of_task=task_id)
    if before is None and not deal_id:
        return set()
    written = await tx.execute(
        _PUT_TASK, task_id=task_id, version=version, deal_id=reference(deal_id), is_open=is_open,
        due_time=due_time,
    )  # fmt: skip
    was = str(before["deal_id"] or "") if before is not None else ""
    return {was, deal_id} - {""} if written else set()


async def next_task(tx: Tx, deal_id: str) -> Record | None:
    """(task_id, due_time) of the deal's open task that is due first."""
    return await tx.fetchrow(_NEXT, of_deal=deal_id)


async def put_task_type(tx: Tx, type_id: str, version: int, key: str) -> None:
    """Takes over a version of a type of tasks; what comes late or twice changes nothing."""
    await tx.execute(_PUT_TYPE, type_id=type_id, version=version, key=key)


async def task_type_key(tx: Tx, type_id: str) -> str:
    """The key of the type; empty if it is not known here."""
    return await tx.fetchval(_TYPE, of_type=type_id) or "" if type_id else ""


async def put_touch(tx: Tx, deal_id: str, touch: Touch) -> bool:
    """Keeps the latest touch; False if a later one is known."""
    return bool(
        await tx.execute(
            _PUT_TOUCH, deal_id=deal_id, way=touch.way, time=touch.time,
            user_id=reference(touch.user_id), event_id=touch.event_id,
        )
    )  # fmt: skip


async def touch_of(tx: Tx, deal_id: str) -> Touch | None:
    """The deal's last touch."""
    row = await tx.fetchrow(_TOUCH, of_deal=deal_id)
    if row is None:
        return None
    return Touch(row["way"], row["time"], str(row["user_id"] or ""), str(row["event_id"]))


# -- whom it concerns --------------------------------------------------------------------------------------------------------

_V = deals.view.c
_CONCERNED = Statement(
    select(_V.id)
    .where(
        _V.tenant_id == _TENANT, _V.state == bindparam("state_open"), _V.delete_time.is_(None),
        or_(
            _V.party_ids.overlap(bindparam("parties", type_=ARRAY(Uuid))),
            _V.request_ids.overlap(bindparam("requests", type_=ARRAY(Uuid))),
        ),
    )
    .order_by(_V.id)
    .limit(bindparam("most", type_=BigInteger))
)  # fmt: skip
_MOST = 100
"""Open deals of one customer; a company that resells may have more, and none of them is idle for want of this call."""


async def open_deals_of(
    tx: Tx, party_ids: Collection[str], request_ids: Collection[str]
) -> list[str]:
    """The open deals of these customers, or to which these requests led, in the order of their ids."""
    rows = await tx.fetch(
        _CONCERNED, parties=list(party_ids), requests=list(request_ids),
        state_open=Deal.STATE_OPEN, most=_MOST,
    )  # fmt: skip
    return [str(row["id"]) for row in rows]


_OF_PIPELINE = Statement(
    select(_V.id)
    .where(
        _V.tenant_id == _TENANT, _V.pipeline_id == bindparam("of_pipeline", type_=Uuid),
        _V.state == bindparam("state_open"), _V.delete_time.is_(None),
        _V.id > bindparam("after", type_=Uuid),
    )
    .order_by(_V.id)
    .limit(bindparam("most", type_=BigInteger))
)  # fmt: skip


async def open_deals_after(tx: Tx, pipeline_id: str, after: str, most: int) -> list[str]:
    """The next open deals of the pipeline, in the order of their ids."""
    rows = await tx.fetch(
        _OF_PIPELINE, of_pipeline=pipeline_id, state_open=Deal.STATE_OPEN, after=after, most=most
    )
    return [str(row["id"]) for row in rows]


# -- what the deal shows of it -----------------------------------------------------------------------------------------------

_T = deals.table.c
_SHOWN = ("activity_time", "idle_key", "next_task_key", "next_task_id")
_THIS = (_T.tenant_id == _TENANT, _T.id == bindparam("of_deal", type_=Uuid))
_LOCK = Statement(select(_T.doc).where(*_THIS).with_for_update(key_share=True))
_SHOW = Statement(
    update(deals.table)
    .where(*_THIS)
    .values(
        doc=bindparam("new_doc", type_=LargeBinary),
        json=bindparam("new_json", type_=Text),
        **{name: bindparam(f"new_{name}", type_=_T[name].type) for name in _SHOWN},
    )
)


async def locked(tx: Tx, deal_id: str) -> Deal | None:
    """The deal as it is, also a deleted one; nobody writes it until the commit."""
    await tx.begin()
    doc = await tx.fetchval(_LOCK, of_deal=deal_id)
    return Deal.FromString(doc) if doc is not None else None


async def show(tx: Tx, deal: Deal) -> None:
    """Writes what happens around a deal that is locked into its row; version and etag stay."""
    values = deals.column_values(deal)
    await tx.execute(
        _SHOW, of_deal=deal.id, new_doc=deal.SerializeToString(),
        new_json=codec.to_json(deal).decode(), **{f"new_{name}": values[name] for name in _SHOWN},
    )  # fmt: skip
