"""Sales plans, and what counts for them: sums of sales facts, and open deals by their probability."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from asyncpg import Record
from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Index,
    Numeric,
    SmallInteger,
    Text,
    Uuid,
    bindparam,
    case,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db.statement import Statement
from chassis.fold import search_key, sort_key
from chassis.kit.columns import choice, reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment
from chassis.tx import Tx
from crm.deals.v1 import sales_plan_pb2
from services.deals import errors
from services.deals.store import sales_facts as facts
from services.deals.store.schema import day, metadata

SalesPlan = sales_plan_pb2.SalesPlan


def _values(plan: SalesPlan) -> dict[str, Any]:
    first, last = day(plan, "from_date"), day(plan, "until_date")
    whose = plan.owner_id or plan.department_id or "company"
    return {
        "owner_id": reference(plan.owner_id),
        "department_id": reference(plan.department_id),
        "pipeline_id": reference(plan.pipeline_id),
        "from_date": first,
        "until_date": last,
        "measure": plan.measure,
        "target": Decimal(plan.target),
        "scope_key": f"{whose} {plan.pipeline_id} {plan.measure} {first} {last} {search_key(plan.name)}",
        "name_key": sort_key(plan.name),
        "name_search": search_key(plan.name),
    }


sales_plans = Resource(
    SalesPlan,
    metadata,
    table="sales_plans",
    columns=[
        Column("owner_id", Uuid), Column("department_id", Uuid), Column("pipeline_id", Uuid),
        Column("from_date", Date, nullable=False), Column("until_date", Date, nullable=False),
        Column("measure", SmallInteger, nullable=False), Column("target", Numeric, nullable=False),
        Column("scope_key", Text, nullable=False), Column("name_key", Text, nullable=False),
        Column("name_search", Text, nullable=False),
    ],
    values=_values,
    items=[
        Index("uq_sales_plans_scope", "tenant_id", "scope_key", unique=True,
              postgresql_where=text("delete_time IS NULL")),
        Index("ix_sales_plans_time", "tenant_id", "until_date", "from_date"),
    ],
    fields={
        "name": Field("name_search", "text", fold=search_key, sentinel="", sortable=True, sort_column="name_key"),
        "owner_id": Field("owner_id", "uuid"),
        "department_id": Field("department_id", "uuid"),
        "pipeline_id": Field("pipeline_id", "uuid"),
        "from_date": Field("from_date", "date", sortable=True),
        "until_date": Field("until_date", "date"),
        "measure": choice("measure", SalesPlan.Measure, "MEASURE_"),
    },
    search="name_search",
    default_order="from_date desc",
    default_owner=False,
    constraints={"uq_sales_plans_scope": lambda detail: errors.KeyTaken("plan of this scope, time and measure", "name")},
)  # fmt: skip

_p = sales_plans.view.c
_on = bindparam("on_day", type_=Date)
_COVERING = sales_plans.select(
    _p.owner_id == bindparam("of_owner", type_=Uuid), _p.from_date <= _on, _p.until_date >= _on,
    order=(_p.until_date - _p.from_date, _p.pipeline_id.is_(None), _p.id),
)  # fmt: skip
_BESIDE = sales_plans.select(
    _p.owner_id.is_not(None), _p.from_date == bindparam("first", type_=Date),
    _p.until_date == bindparam("last", type_=Date), _p.measure == bindparam("measure", type_=SmallInteger), limit=10_000,
)  # fmt: skip


async def plans_on(tx: Tx, owner_id: str, on: date) -> list[SalesPlan]:
    """The person's own plans that hold on the day: the shortest first, those of one pipeline before those of all."""
    return await sales_plans.find_where(tx, _COVERING, of_owner=owner_id, on_day=on)


async def own_plans_beside(tx: Tx, first: date, last: date, measure: int) -> list[SalesPlan]:
    """People's own plans for exactly this time and measure."""
    return await sales_plans.find_where(tx, _BESIDE, first=first, last=last, measure=measure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which facts and deals count for a plan."""

    kinds: Collection[str]
    first: date
    last: date
    base: str
    owner_id: str = ""
    department_id: str = ""
    pipeline_id: str = ""

    def binds(self) -> dict[str, Any]:
        """The values of every statement over facts."""
        return {
            "kinds": list(self.kinds), "first": self.first, "last": self.last,
            "of_owner": reference(self.owner_id), "of_pipeline": reference(self.pipeline_id),
            "of_department": None if self.owner_id else reference(self.department_id),
        }  # fmt: skip


_f = facts.sales_facts.c
_owner, _department, _pipeline = (
    bindparam(name, type_=Uuid) for name in ("of_owner", "of_department", "of_pipeline")
)
_COUNTED = (
    _f.tenant_id == bindparam("tenant_id", type_=Uuid),
    _f.counts,
    _f.kind == bindparam("kinds", type_=ARRAY(Text)).any_(),
    _f.fact_date.between(bindparam("first", type_=Date), bindparam("last", type_=Date)),
    _owner.is_(None) | (_f.owner_id == _owner),
    _pipeline.is_(None) | (_f.pipeline_id == _pipeline),
    _department.is_(None) | (_department == _f.department_ids.any_()),  # type: ignore[attr-defined]
    _f.record_time <= bindparam("known_at", type_=Moment),
    _f.seq < bindparam("before", type_=BigInteger),
)
_base = bindparam("base", type_=Text)
_WAITING = _f.base_amount.is_(None) | (_f.base_currency != _base)
"""Facts that have no amount in this currency; they are converted when they are read, by the rates of then."""

_SUMS = Statement(
    select(
        _f.owner_id,
        func.sum(case((_WAITING, 0), else_=_f.base_amount)).label("amount"),
        func.sum(case((_WAITING, 0), else_=_f.base_cost)).label("cost"),
        func.sum(case((_f.kind == facts.WON, 1), (_f.kind == facts.REOPENED, -1), else_=0)).label("count"),
    )
    .where(*_COUNTED)
    .group_by(_f.owner_id)
)  # fmt: skip
_UNCONVERTED = Statement(
    select(_f.owner_id, _f.currency, _f.fact_date, func.sum(_f.amount).label("amount"), func.sum(_f.cost).label("cost"))
    .where(*_COUNTED, _WAITING)
    .group_by(_f.owner_id, _f.currency, _f.fact_date)
)  # fmt: skip
_seller = bindparam("of_seller", type_=Uuid)
_PAGE = Statement(
    select(*facts.COLUMNS)
    .where(
        *_COUNTED,
        _seller.is_(None) | (_f.owner_id == _seller),
        _f.seq > bindparam("after", type_=BigInteger),
    )
    .order_by(_f.seq)
    .limit(bindparam("most", type_=BigInteger))
)
_END = 1 << 62


async def sums(tx: Tx, scope: Scope, *, known_at: datetime, before: int = _END) -> list[Record]:
    """By person: amount and cost in the plan's currency, and how many deals."""
    binds = scope.binds()
    return await tx.fetch(_SUMS, **binds, base=scope.base, known_at=known_at, before=before)


async def unconverted(
    tx: Tx, scope: Scope, *, known_at: datetime, before: int = _END
) -> list[Record]:
    """By person, currency and day: what has no amount in the plan's currency."""
    binds = scope.binds()
    return await tx.fetch(_UNCONVERTED, **binds, base=scope.base, known_at=known_at, before=before)


async def page(
    tx: Tx, scope: Scope, *, known_at: datetime, after: int, most: int, user_id: str = ""
) -> list[Record]:
    """The facts themselves, in the order in which they were recorded; of one seller or of all."""
    return await tx.fetch(
        _PAGE, **scope.binds(), known_at=known_at, before=_END, after=after, most=most, of_seller=reference(user_id)
    )  # fmt: skip
