"""Figures of pipelines and of sales, reckoned from the deals that the caller may read, their stays and their sales facts."""

from datetime import date, datetime
from typing import Any

from asyncpg import Record
from sqlalchemy import (
    BigInteger,
    Date,
    Select,
    SmallInteger,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    null,
    or_,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import INTERVAL

from chassis.db.statement import Statement
from chassis.kit import counting, listing
from chassis.kit.tables import Moment, view_of
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from services.deals.store.deals import NO_DAY, deals
from services.deals.store.sales_facts import sales_facts
from services.deals.store.stays import stays

Deal = deal_pb2.Deal


_D, _STAYS, _FACTS = deals.view, view_of(stays), view_of(sales_facts)
_SINCE, _UNTIL = bindparam("the_since", type_=Moment), bindparam("the_until", type_=Moment)
_COUNT = func.count().label("count")
_VALUE = func.sum(_D.c.amount).label("amount")
_BASE = func.coalesce(func.sum(_D.c.base_amount), literal_column("0")).label("base_amount")
_UNCONVERTED = func.count().filter(_D.c.base_amount.is_(None)).label("unconverted")


def _state(state: "Deal.State") -> Any:
    return _D.c.state == literal_column(str(state), SmallInteger)


def _during(moment: Any) -> Any:
    return and_(moment >= _SINCE, moment < _UNTIL)


async def _rows(
    tx: Tx, filter: str, columns: list[Any], keys: list[Any], *where: Any, source: Any = None, **values: Any
) -> list[Record]:  # fmt: skip
    """The columns, grouped by keys, over the deals that the filter finds for the caller."""
    statement, given = _select(tx, filter, columns, keys, *where, source=source)
    return await tx.fetch(Statement(statement), **given, **values)


def _select(
    tx: Tx, filter: str, columns: list[Any], keys: list[Any], *where: Any, source: Any = None
) -> tuple[Select[Any], dict[str, Any]]:
    asked = deal_pb2.ListDealsRequest(filter=filter)
    query = listing.checked(tx, deals, asked, tx.runtime.page_tokens)
    found, values = counting.matching_ids(deals, query.filter, tx.rights)
    statement = found.with_only_columns(*keys, *columns)
    if source is not None:
        statement = statement.select_from(source)
    return statement.where(*where).group_by(*keys), dict(values)


def _one_of(column: Any, *values: str) -> Any:
    return or_(*(column == value for value in values))


# -- what is expected ------------------------------------------------------------------------------------------------------


async def expected(tx: Tx, filter: str, *, today: date, first: date, end: date) -> list[Record]:
    """Open deals by whether they are late, month, owner, currency, stage and likelihood."""
    key, now = _D.c.expected_key, bindparam("the_today", type_=Date)
    undated = key == bindparam("the_undated", NO_DAY, type_=Date)  # to the driver it is infinity
    late = (key < now).label("late")
    month = case(
        (or_(key < now, undated), null()), else_=cast(func.date_trunc("month", key), Date)
    ).label("month")
    asked = and_(key >= bindparam("the_first", type_=Date), key < bindparam("the_end", type_=Date))
    keys = [late, month, _D.c.owner_id, _D.c.currency, _D.c.stage_id, _D.c.probability]
    return await _rows(
        tx, filter, [_COUNT, _VALUE, _UNCONVERTED], keys, _state(Deal.STATE_OPEN), or_(key < now, undated, asked),
        the_today=today, the_first=first, the_end=end,
    )  # fmt: skip


async def won_by_month(
    tx: Tx, filter: str, *, zone: str, since: datetime, until: datetime
) -> list[Record]:
    """Deals that were won, by month in the zone, who won them, and currency."""
    local = func.timezone(bindparam("the_zone", type_=Text), _D.c.end_time)
    month = cast(func.date_trunc("month", local), Date).label("month")
    keys = [month, _D.c.credit_owner_id, _D.c.currency]
    return await _rows(
        tx, filter, [_COUNT, _VALUE], keys, _state(Deal.STATE_WON), _during(_D.c.end_time),
        the_zone=zone, the_since=since, the_until=until,
    )  # fmt: skip


# -- what went through -----------------------------------------------------------------------------------------------------


_JOINED = _D.join(_STAYS, and_(_STAYS.c.tenant_id == _D.c.tenant_id, _STAYS.c.deal_id == _D.c.id))


def _beside(step: int) -> tuple[Any, Any]:
    """(the stay after or before each, what joins both)."""
    other = _STAYS.alias("other")
    same = and_(
        other.c.tenant_id == _STAYS.c.tenant_id, other.c.deal_id == _STAYS.c.deal_id, other.c.number == _STAYS.c.number + step
    )  # fmt: skip
    return other, _JOINED.outerjoin(other, same)


async def passages(
    tx: Tx, filter: str, pipeline_id: str, since: datetime, until: datetime
) -> list[Record]:
    """How often deals came into each stage of the pipeline and left it, and how many seconds they had been there."""
    entered, left = _during(_STAYS.c.enter_time), _during(_STAYS.c.leave_time)
    seconds = func.extract("epoch", cast(_STAYS.c.leave_time - _STAYS.c.enter_time, INTERVAL))
    columns = [
        func.count().filter(entered).label("entered"),
        func.count().filter(left).label("left"),
        func.percentile_cont(0.5).within_group(seconds).filter(left).label("median_s"),
        func.percentile_cont(0.9).within_group(seconds).filter(left).label("p90_s"),
    ]
    here = _STAYS.c.pipeline_id == bindparam("the_pipeline")
    return await _rows(
        tx, filter, columns, [_STAYS.c.stage_id], here, or_(entered, left), source=_JOINED,
        the_pipeline=pipeline_id, the_since=since, the_until=until,
    )  # fmt: skip


async def departures(
    tx: Tx, filter: str, pipeline_id: str, since: datetime, until: datetime
) -> list[Record]:
    """Where deals went that left a stage: the next stage in the same pipeline if there is one, and how they stand today."""
    other, source = _beside(1)
    same = other.c.pipeline_id == _STAYS.c.pipeline_id
    following = case((same, other.c.stage_id)).label("next_stage_id")
    goes_on = other.c.number.is_not(None).label("goes_on")
    keys = [_STAYS.c.stage_id, following, goes_on, _D.c.state]
    here = _STAYS.c.pipeline_id == bindparam("the_pipeline")
    return await _rows(
        tx, filter, [_COUNT], keys, here, _during(_STAYS.c.leave_time), source=source,
        the_pipeline=pipeline_id, the_since=since, the_until=until,
    )  # fmt: skip


async def arrivals(
    tx: Tx, filter: str, pipeline_id: str, since: datetime, until: datetime
) -> list[Record]:
    """From which stage of the same pipeline deals came into each."""
    other, source = _beside(-1)
    keys = [other.c.stage_id.label("previous_stage_id"), _STAYS.c.stage_id]
    here = _STAYS.c.pipeline_id == bindparam("the_pipeline")
    return await _rows(
        tx, filter, [_COUNT], keys, here, _during(_STAYS.c.enter_time), other.c.pipeline_id == _STAYS.c.pipeline_id,
        source=source, the_pipeline=pipeline_id, the_since=since, the_until=until,
    )  # fmt: skip


async def endings(tx: Tx, filter: str, since: datetime, until: datetime) -> list[Record]:
    """Deals that ended, by the stage in which they were and how."""
    keys = [_D.c.end_stage_id, _D.c.state]
    return await _rows(
        tx,
        filter,
        [_COUNT, _BASE, _UNCONVERTED],
        keys,
        _during(_D.c.end_time),
        the_since=since,
        the_until=until,
    )


async def standing(tx: Tx, filter: str, now: datetime) -> list[Record]:
    """Open deals by stage, and how many of them are idle."""
    idle = func.count().filter(_D.c.idle_key <= bindparam("the_now", type_=Moment)).label("idle")
    return await _rows(
        tx,
        filter,
        [_COUNT, _BASE, _UNCONVERTED, idle],
        [_D.c.stage_id],
        _state(Deal.STATE_OPEN),
        the_now=now,
    )


async def refusals(
    tx: Tx, filter: str, since: datetime, until: datetime, most: int
) -> list[Record]:
    """Lost deals by stage, last touch, reason and owner, the most frequent first."""
    keys = [_D.c.end_stage_id, _D.c.touch_way, _D.c.reason_id, _D.c.credit_owner_id]
    statement, values = _select(
        tx,
        filter,
        [_COUNT, _BASE, _UNCONVERTED],
        keys,
        _state(Deal.STATE_LOST),
        _during(_D.c.end_time),
    )
    statement = statement.order_by(_COUNT.desc(), *keys).limit(
        bindparam("the_most", type_=BigInteger)
    )
    return await tx.fetch(Statement(statement), **values, the_since=since, the_until=until, the_most=most)  # fmt: skip


# -- what was sold ---------------------------------------------------------------------------------------------------------

_BY_FACT = {
    "owner": _FACTS.c.owner_id, "department": _FACTS.c.department_id, "pipeline": _FACTS.c.pipeline_id,
    "source": _FACTS.c.source_id,
}  # fmt: skip


_KIND = _FACTS.c.kind
_SOLD = _one_of(_KIND, "won", "reopened", "credited")
_DEALS_SOLD = (
    func.count().filter(_KIND == "won") - func.count().filter(_KIND == "reopened")
).label("deals")
_IS_BASE = _FACTS.c.base_currency == bindparam("the_base", type_=Text)
_WAITING = and_(_SOLD, or_(_FACTS.c.base_amount.is_(None), ~_IS_BASE))
"""Facts that have no amount in the base currency; they are converted when they are read, by the rates of then."""
_OF_DEALS = _D.join(_FACTS, and_(_FACTS.c.tenant_id == _D.c.tenant_id, _FACTS.c.deal_id == _D.c.id))


def _by(names: list[str]) -> list[Any]:
    """The columns by which facts are told apart, the currency last."""
    keys: list[Any] = [
        (_BY_FACT[name] if name in _BY_FACT else cast(func.date_trunc(name, _FACTS.c.fact_date), Date)).label(f"by_{name}")
        for name in names
    ]  # fmt: skip
    return [*keys, _FACTS.c.currency]


async def sold(
    tx: Tx, filter: str, by: list[str], since: datetime, until: datetime, base: str, most: int
) -> list[Record]:
    """What was won and received by these dimensions and currency, and how many facts have no amount in the base currency.

    Facts that are not to count are left out.
    """
    columns = [
        _DEALS_SOLD,
        func.sum(_FACTS.c.amount).filter(_SOLD).label("sold"),
        func.sum(_FACTS.c.base_amount).filter(_SOLD, _IS_BASE).label("base"),
        func.count().filter(_WAITING).label("waiting"),
        func.sum(_FACTS.c.amount).filter(_one_of(_KIND, "received", "refunded")).label("received"),
    ]
    keys = _by(by)
    statement, values = _select(
        tx, filter, columns, keys, _during(_FACTS.c.fact_time), _FACTS.c.counts, source=_OF_DEALS
    )
    statement = statement.order_by(*keys).limit(bindparam("the_most", type_=BigInteger))
    return await tx.fetch(
        Statement(statement), **values, the_since=since, the_until=until, the_base=base, the_most=most
    )  # fmt: skip


async def sold_waiting(
    tx: Tx, filter: str, by: list[str], since: datetime, until: datetime, base: str
) -> list[Record]:
    """What was won and has no amount in the base currency: so many facts and deals of these dimensions, day and amount."""
    keys = [*_by(by), _FACTS.c.fact_date, _FACTS.c.amount]
    return await _rows(
        tx, filter, [_COUNT, _DEALS_SOLD], keys, _during(_FACTS.c.fact_time), _FACTS.c.counts, _WAITING,
        source=_OF_DEALS, the_since=since, the_until=until, the_base=base,
    )  # fmt: skip
