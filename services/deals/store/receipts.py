"""What is open of invoices and what open deals are worth, day by day: sums over what the caller may read."""

from typing import Any

from asyncpg import Record
from sqlalchemy import Date, Numeric, Uuid, bindparam, column, exists, func, literal_column, select
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db.statement import Statement
from chassis.kit import counting
from chassis.kit.filter import compile_filter, parse
from chassis.tx import Tx
from crm.deals.v1 import invoice_party_pb2, invoice_pb2
from services.deals.store.deals import deals
from services.deals.store.invoices import invoices

_LIVING: Any = literal_column("i.state IN (2, 3)")
"""Issued and partly paid; literal, because a partial index is used for nothing else."""
_OWED = "type = INVOICE OR type = ADVANCE"
_TENANT = bindparam("tenant_id", type_=Uuid)


def _filter(*conditions: str) -> str:
    return " AND ".join(f"({condition})" for condition in conditions if condition)


def whose(owner_id: str, department_id: str) -> str:
    """A filter for the records of a user, a department, or both."""
    owner = f'owner_id = "{owner_id}"' if owner_id else ""
    return _filter(owner, f'department_id = "{department_id}"' if department_id else "")


async def open_instalments(tx: Tx, of: str) -> list[Record]:
    """(currency, day, amount, count) of what is open of invoices and advances that the filter selects."""
    found = compile_filter(parse(_filter(_OWED, of)), invoices.fields, {})
    ids, values = counting.matching_ids(invoices, found, tx.rights)
    i = invoices.view.alias("i")
    part = (
        func.unnest(i.c.due_dates, i.c.due_amounts)
        .table_valued(column("day", Date), column("open", Numeric), name="part")
        .render_derived()
    )
    statement = (
        select(i.c.currency, part.c.day, func.sum(part.c.open).label("amount"), func.count().label("count"))
        .select_from(i.join(part, part.c.open > 0))
        .where(i.c.tenant_id == _TENANT, _LIVING, i.c.id.in_(ids))
        .group_by(i.c.currency, part.c.day)
    )  # fmt: skip
    return await tx.fetch(Statement(statement), **values)


async def open_deals(tx: Tx, of: str) -> list[Record]:
    """(currency, day, pipeline_id, stage_id, probability, amount, count) of open deals that no issued invoice names."""
    found = compile_filter(parse(_filter("state = OPEN", of)), deals.fields, {})
    ids, values = counting.matching_ids(deals, found, tx.rights)
    d, i = deals.view.alias("d"), invoices.view.alias("i")
    owed = bindparam("owed", type_=ARRAY(i.c.type.type)).any_()  # type: ignore[attr-defined]
    invoiced = exists().where(
        i.c.tenant_id == _TENANT, i.c.deal_id == d.c.id, i.c.number.is_not(None), i.c.type == owed,
        i.c.state != bindparam("cancelled", type_=i.c.state.type),
    )  # fmt: skip
    day = d.c.expected_key.label("day")
    keys = (d.c.currency, day, d.c.pipeline_id, d.c.stage_id, d.c.probability)
    statement = (
        select(*keys, func.sum(d.c.amount).label("amount"), func.count().label("count"))
        .where(d.c.tenant_id == _TENANT, d.c.id.in_(ids), ~invoiced)
        .group_by(*keys)
    )
    kinds = invoice_party_pb2.InvoiceType
    return await tx.fetch(
        Statement(statement), **values, cancelled=invoice_pb2.Invoice.STATE_CANCELLED,
        owed=[kinds.INVOICE_TYPE_INVOICE, kinds.INVOICE_TYPE_ADVANCE],
    )  # fmt: skip
