"""Stays: through which stages deals went and when (S113). Plain rows; `saving.py` writes them with every change of stage."""

from typing import Any

from asyncpg import Record
from sqlalchemy import Column, Index, Integer, Table, Text, Uuid, bindparam, select, text, update

from chassis.db.statement import Statement
from chassis.kit.columns import reference
from chassis.kit.tables import Moment
from chassis.tx import Tx
from services.deals.store.schema import metadata

stays = Table(
    "deal_stays",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("deal_id", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("pipeline_id", Uuid, nullable=False),
    Column("stage_id", Uuid, nullable=False),
    Column("owner_id", Uuid),
    Column("department_id", Uuid),
    Column("enter_time", Moment, nullable=False),
    Column("leave_time", Moment),
    Column("user_id", Uuid),
    Column("skip_reason", Text, nullable=False),
    Index("ix_deal_stays_left", "tenant_id", "pipeline_id", "leave_time", postgresql_where=text("leave_time IS NOT NULL")),
    Index("ix_deal_stays_entered", "tenant_id", "pipeline_id", "enter_time"),
)  # fmt: skip

_COLUMNS = [column for column in stays.c if column.name != "tenant_id"]
_OF_DEAL = stays.c.deal_id == bindparam("of_deal", type_=Uuid)
_ALL = Statement(select(*_COLUMNS).where(_OF_DEAL).order_by(stays.c.number))
_ADD = Statement(
    stays.insert().values(
        {name: bindparam(name) for name in ("tenant_id", *(column.name for column in _COLUMNS))}
    )
)
_LEAVE = Statement(
    update(stays)
    .where(_OF_DEAL, stays.c.leave_time.is_(None))
    .values(leave_time=bindparam("left_at", type_=Moment))
)


async def stays_of(tx: Tx, deal_id: str) -> list[Record]:
    """The deal's stays, first to last."""
    return await tx.fetch(_ALL, of_deal=deal_id)


async def end_stay(tx: Tx, deal_id: str, at: Any) -> None:
    """The deal leaves its stage."""
    await tx.execute(_LEAVE, of_deal=deal_id, left_at=at)


async def add_stay(
    tx: Tx, deal: Any, number: int, at: Any, *, user_id: str, skip_reason: str = ""
) -> None:
    """The deal enters the stage in which it stands."""
    await tx.execute(
        _ADD, deal_id=deal.id, number=number, pipeline_id=deal.pipeline_id, stage_id=deal.stage_id,
        owner_id=reference(deal.owner_id), department_id=reference(deal.department_id),
        enter_time=at, leave_time=None, user_id=reference(user_id), skip_reason=skip_reason,
    )  # fmt: skip
