"""Sales facts: what was won, lost again, received and paid back, whose it was then and what it was worth. Plain rows, only added.

Plans, commissions and reports of sales read them. A fact that no longer holds is answered by one of the other sign, so that the
past stays as it was recorded: `record_time <= as_of` is the picture of that moment. Only whose they are follows merges of
contacts and companies, and goes when a person is erased; no figure hangs on it.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, TypeAlias

from asyncpg import Record
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Identity,
    Index,
    LargeBinary,
    Numeric,
    Table,
    Text,
    Uuid,
    bindparam,
    func,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from chassis.db.statement import Statement
from chassis.kit.tables import Moment
from chassis.tx import Tx
from services.deals.store.schema import metadata

Fact: TypeAlias = Record
"""A row of this table, by the names of its columns."""

WON, REOPENED, CREDITED, RECEIVED, REFUNDED = "won", "reopened", "credited", "received", "refunded"
"""What a fact is; amounts of reopened, credited and refunded are negative, but for a credit that ends with its deal's win."""

sales_facts = Table(
    "sales_facts",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("seq", BigInteger, Identity(always=True), nullable=False),
    Column("effect", Text, nullable=False),  # what makes it: the same effect is recorded once
    Column("record_time", Moment, nullable=False),
    Column("fact_time", Moment, nullable=False),
    Column("fact_date", Date, nullable=False),  # that moment's day where the company is
    Column("kind", Text, nullable=False),
    Column("reverses_id", Uuid),  # the fact that it takes back
    Column("deal_id", Uuid),
    Column("pipeline_id", Uuid),
    Column("owner_id", Uuid),  # to whom it is credited for good
    Column("department_id", Uuid),
    Column("department_ids", ARRAY(Uuid), nullable=False),  # that one and all above it, as they were then
    Column("source_id", Uuid),
    Column("contact_id", Uuid),
    Column("company_id", Uuid),
    Column("currency", Text, nullable=False),
    Column("amount", Numeric, nullable=False),  # won: without tax; received: what was paid
    Column("cost", Numeric, nullable=False),
    Column("base_currency", Text, nullable=False),
    Column("base_amount", Numeric),  # none while no rate of that day is known
    Column("base_cost", Numeric),
    Column("cause", Text, nullable=False),
    Column("counts", Boolean, nullable=False),  # false for imported history that nobody asked to count
    Column("doc", LargeBinary, nullable=False),  # SaleBasis: what commissions are reckoned from
    Index("uq_sales_facts_effect", "tenant_id", "effect", unique=True),
    Index("ix_sales_facts_date", "tenant_id", "fact_date", "owner_id"),
    Index("ix_sales_facts_owner", "tenant_id", "owner_id", "fact_date"),
    Index("ix_sales_facts_deal", "tenant_id", "deal_id", "seq"),
    Index("ix_sales_facts_time", "tenant_id", "fact_time"),
    Index("ix_sales_facts_contact", "tenant_id", "contact_id", postgresql_where=text("contact_id IS NOT NULL")),
    Index("ix_sales_facts_company", "tenant_id", "company_id", postgresql_where=text("company_id IS NOT NULL")),
)  # fmt: skip

_f = sales_facts.c
_MINE = _f.tenant_id == bindparam("tenant_id", type_=Uuid)
COLUMNS = [column for column in sales_facts.c if column.name != "tenant_id"]
_GIVEN = ("tenant_id", *(column.name for column in COLUMNS if column.name != "seq"))
_ADD = Statement(
    insert(sales_facts)
    .values({name: bindparam(name) for name in _GIVEN})
    .on_conflict_do_nothing(index_elements=["tenant_id", "effect"])
    .returning(*COLUMNS)
)
_OF_DEAL = (_MINE, _f.deal_id == bindparam("of_deal", type_=Uuid))
_LAST_WON = Statement(
    select(*COLUMNS).where(*_OF_DEAL, _f.kind == WON).order_by(_f.seq.desc()).limit(1)
)
_PAID = Statement(
    select(func.coalesce(func.sum(_f.amount), 0)).where(
        *_OF_DEAL, or_(_f.kind == RECEIVED, _f.kind == REFUNDED)
    )
)
_CREDITS = Statement(
    select(*COLUMNS)
    .where(*_OF_DEAL, _f.kind == CREDITED, _f.reverses_id == bindparam("of_won", type_=Uuid))
    .order_by(_f.seq)
)
_BY_EFFECT = Statement(select(*COLUMNS).where(_MINE, _f.effect == bindparam("of_effect", type_=Text)))  # fmt: skip
_THESE = Statement(select(*COLUMNS).where(_MINE, _f.id == bindparam("ids", type_=ARRAY(Uuid)).any_()))  # fmt: skip

_first, _last = bindparam("first", type_=Date), bindparam("last", type_=Date)
_ANSWERED = select(_f.id).where(_MINE, _f.fact_date.between(_first, _last)).scalar_subquery()
_ANSWERED_AGAIN = select(_f.id).where(_MINE, _f.reverses_id.in_(_ANSWERED)).scalar_subquery()
_NEXT = Statement(
    select(*COLUMNS)
    .where(
        _MINE,
        _f.counts,
        or_(
            _f.fact_date.between(_first, _last),
            _f.reverses_id.in_(_ANSWERED),
            _f.reverses_id.in_(_ANSWERED_AGAIN),  # a credit note whose win is taken back
        ),
        _f.seq > bindparam("after", type_=BigInteger),
    )
    .order_by(_f.seq)
    .limit(bindparam("most", type_=BigInteger))
)
_UNCONVERTED = Statement(
    select(_f.seq)
    .where(
        _MINE,
        _f.currency == bindparam("of_currency", type_=Text),
        _f.base_amount.is_(None),
        _f.fact_date >= _first,
    )
    .limit(1)
)


async def add(tx: Tx, **values: Any) -> Fact | None:
    """Records a fact; None if its effect is recorded already."""
    await tx.begin()
    return await tx.fetchrow(_ADD, id=tx.new_id(), **values)


async def last_won(tx: Tx, deal_id: str) -> Fact | None:
    """The fact by which the deal was last won."""
    return await tx.fetchrow(_LAST_WON, of_deal=deal_id)


async def credits_of(tx: Tx, won: Fact) -> list[Fact]:
    """What credit notes took off this win."""
    return await tx.fetch(_CREDITS, of_deal=won["deal_id"], of_won=won["id"])


async def paid(tx: Tx, deal_id: str) -> Any:
    """What was received for the deal less what was paid back."""
    return await tx.fetchval(_PAID, of_deal=deal_id)


async def by_effect(tx: Tx, effect: str) -> Fact | None:
    """The fact that this made."""
    return await tx.fetchrow(_BY_EFFECT, of_effect=effect)


async def these(tx: Tx, ids: Sequence[str]) -> list[Fact]:
    """Those of the facts that are there."""
    return await tx.fetch(_THESE, ids=list(ids)) if ids else []


async def next_between(tx: Tx, first: date, last: date, *, after: int, most: int) -> list[Fact]:
    """Facts of these days, and those that take one of them back, in the order in which they were recorded."""
    return await tx.fetch(_NEXT, first=first, last=last, after=after, most=most)


async def is_unconverted(tx: Tx, currency: str, since: date) -> bool:
    """Whether a fact in this currency waits for a rate of that day or later."""
    return await tx.fetchval(_UNCONVERTED, of_currency=currency, first=since) is not None
