"""Currency rates by day, and the one that holds on a day."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import Column, Date, Index, Numeric, Text, Uuid, bindparam, select, text

from chassis.db.statement import Statement
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment
from chassis.tx import Tx
from crm.deals.v1 import currency_rate_pb2
from services.deals import errors
from services.deals.store.schema import day, metadata

CurrencyRate = currency_rate_pb2.CurrencyRate

currency_rates = Resource(
    CurrencyRate,
    metadata,
    table="currency_rates",
    columns=[
        Column("currency", Text, nullable=False), Column("base_currency", Text, nullable=False),
        Column("rate_date", Date, nullable=False), Column("rate", Numeric, nullable=False),
    ],
    values=lambda rate: {
        "currency": rate.currency,
        "base_currency": rate.base_currency,
        "rate_date": day(rate, "date"),
        "rate": Decimal(rate.rate),
    },
    items=[
        Index("uq_currency_rates_day", "tenant_id", "base_currency", "currency", "rate_date", unique=True,
              postgresql_where=text("delete_time IS NULL")),
    ],
    fields={
        "currency": Field("currency", "text", sentinel=""),
        "base_currency": Field("base_currency", "text", sentinel=""),
        "date": Field("rate_date", "date", sortable=True),
    },
    default_order="date desc",
    constraints={"uq_currency_rates_day": lambda detail: errors.KeyTaken("rate of these currencies", "date")},
)  # fmt: skip

_v = currency_rates.view.c
_pair = (
    _v.base_currency == bindparam("base", type_=Text),
    _v.currency == bindparam("of_currency", type_=Text),
)
_on = bindparam("on_day", type_=Date)
_known = _v.create_time <= bindparam("known_at", type_=Moment)
_HOLDING = currency_rates.select(
    *_pair, _known, _v.rate_date <= _on, order=_v.rate_date.desc(), limit=1
)
_OF_DAY = currency_rates.select(*_pair, _v.rate_date == _on)
_t = currency_rates.table.c
_KNOWN = Statement(
    select(_t.currency, _t.rate_date, _t.rate)
    .where(
        _t.tenant_id == bindparam("tenant_id", type_=Uuid), _t.delete_time.is_(None),
        _t.base_currency == bindparam("base", type_=Text),
    )
    .order_by(_t.currency, _t.rate_date)
)  # fmt: skip


async def rate_on(
    tx: Tx, currency: str, base: str, on: date, *, known_at: datetime | None = None
) -> CurrencyRate | None:
    """The rate that holds on the day: the last one until then, as it was known at that moment; None if there is none."""
    found = await currency_rates.find_where(
        tx, _HOLDING, of_currency=currency, base=base, on_day=on, known_at=known_at or tx.now
    )
    if not found or known_at is None:
        return found[0] if found else None
    row = await tx.fetchrow(currency_rates.of_history.at, id=found[0].id, instant=known_at)
    return CurrencyRate.FromString(row["doc"]) if row is not None else None


async def known_rates(tx: Tx, base: str) -> list[tuple[str, date, Decimal]]:
    """Currency, first day and rate of all rates in this base currency, by currency, the earliest first."""
    return [tuple(row) for row in await tx.fetch(_KNOWN, base=base)]


async def rate_of_day(tx: Tx, currency: str, base: str, on: date) -> CurrencyRate | None:
    """The rate that begins on exactly this day."""
    found = await currency_rates.find_where(tx, _OF_DAY, of_currency=currency, base=base, on_day=on)
    return found[0] if found else None
