"""Commission plans, and the ledger of commissions: entries are only added, never saved again."""

from collections.abc import Collection
from datetime import date
from decimal import Decimal
from typing import Any

from asyncpg import Record
from sqlalchemy import (
    Column,
    Date,
    Index,
    Numeric,
    SmallInteger,
    Text,
    Uuid,
    bindparam,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db.statement import Statement
from chassis.fold import search_key, sort_key
from chassis.kit.columns import choice, moment, reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment
from chassis.tx import Tx
from crm.deals.v1 import commission_pb2, commission_plan_pb2
from services.deals import errors
from services.deals.store.schema import day, metadata

Commission = commission_pb2.Commission
CommissionPlan = commission_plan_pb2.CommissionPlan

commission_plans = Resource(
    CommissionPlan,
    metadata,
    table="commission_plans",
    columns=[Column("name_key", Text, nullable=False), Column("name_search", Text, nullable=False)],
    values=lambda plan: {"name_key": sort_key(plan.name), "name_search": search_key(plan.name)},
    items=[
        Index("uq_commission_plans_name", "tenant_id", "name_search", unique=True,
              postgresql_where=text("delete_time IS NULL")),
    ],
    fields={"name": Field("name_search", "text", fold=search_key, sentinel="", sortable=True, sort_column="name_key")},
    search="name_search",
    default_order="name",
    constraints={"uq_commission_plans_name": lambda detail: errors.KeyTaken("commission plan", "name")},
)  # fmt: skip


def _values(entry: Commission) -> dict[str, Any]:
    return {
        "owner_id": reference(entry.owner_id),
        "department_id": reference(entry.department_id),
        "kind": entry.kind,
        "deal_id": reference(entry.deal_id),
        "fact_id": reference(entry.fact_id),
        "plan_id": reference(entry.plan_id),
        "fact_time": moment(entry, "fact_time"),
        "fact_date": day(entry, "fact_date"),
        "currency": entry.currency,
        "amount": Decimal(entry.amount),
    }


commissions = Resource(
    Commission,
    metadata,
    table="commissions",
    columns=[
        Column("owner_id", Uuid), Column("department_id", Uuid), Column("kind", SmallInteger, nullable=False),
        Column("deal_id", Uuid), Column("fact_id", Uuid, nullable=False), Column("plan_id", Uuid),
        Column("fact_time", Moment, nullable=False), Column("fact_date", Date, nullable=False),
        Column("currency", Text, nullable=False), Column("amount", Numeric, nullable=False),
    ],
    values=_values,
    items=[
        Index("ix_commissions_fact", "tenant_id", "fact_id"),
        Index("ix_commissions_deal", "tenant_id", "deal_id"),
        Index("ix_commissions_date", "tenant_id", "fact_date", "owner_id"),
    ],
    fields={
        "kind": choice("kind", Commission.Kind, "KIND_"),
        "owner_id": Field("owner_id", "uuid"),
        "department_id": Field("department_id", "uuid"),
        "deal_id": Field("deal_id", "uuid"),
        "fact_id": Field("fact_id", "uuid"),
        "plan_id": Field("plan_id", "uuid"),
        "fact_time": Field("fact_time", "timestamp", sortable=True),
        "fact_date": Field("fact_date", "date"),
        "currency": Field("currency", "text", sentinel=""),
        "amount": Field("amount", "number"),
    },
    default_order="fact_time desc",
    default_owner=False,
)  # fmt: skip

MOST_PLANS = 1000
_ALL_PLANS = commission_plans.select(
    order=(commission_plans.view.c.create_time, commission_plans.view.c.id), limit=MOST_PLANS
)
_c = commissions.table.c
_MINE = _c.tenant_id == bindparam("tenant_id", type_=Uuid)
_OF_FACT = Statement(
    select(_c.owner_id, func.sum(_c.amount).label("amount"))
    .where(_MINE, _c.fact_id == bindparam("of_fact", type_=Uuid))
    .group_by(_c.owner_id)
    .order_by(_c.owner_id)
)
_v = commissions.view.c
_SUMS = {
    limited: Statement(
        select(_v.owner_id, _v.currency, func.sum(_v.amount).label("amount"), func.count().label("entries"))
        .where(
            _v.fact_date.between(bindparam("first", type_=Date), bindparam("last", type_=Date)),
            *([_v.owner_id == bindparam("owners", type_=ARRAY(Uuid)).any_()] if limited else []),
        )
        .group_by(_v.owner_id, _v.currency)
        .order_by(_v.owner_id, _v.currency)
    )
    for limited in (False, True)
}  # fmt: skip


async def all_commission_plans(tx: Tx) -> list[CommissionPlan]:
    """Every living plan, the oldest first."""
    return await commission_plans.find_where(tx, _ALL_PLANS)


async def earned_by_fact(tx: Tx, fact_id: str) -> dict[str, Decimal]:
    """What each person has earned by the fact, all its entries together."""
    return {
        str(row["owner_id"]): row["amount"] for row in await tx.fetch(_OF_FACT, of_fact=fact_id)
    }


async def sum_commissions(
    tx: Tx, first: date, last: date, owners: Collection[str] | None
) -> list[Record]:
    """What people earned between two days, by person and currency; of everybody where `owners` is None."""
    if owners is None:
        return await tx.fetch(_SUMS[False], first=first, last=last)
    return await tx.fetch(_SUMS[True], first=first, last=last, owners=list(owners))
