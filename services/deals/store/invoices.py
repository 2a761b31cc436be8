"""Invoices, and the counters that number them."""

from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Column,
    Date,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    Table,
    Text,
    Uuid,
    bindparam,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from chassis.db.statement import Statement
from chassis.fold import search_key
from chassis.kit.columns import choice, reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.deals.v1 import invoice_party_pb2, invoice_pb2
from services.deals import errors
from services.deals.store.schema import amount, day, metadata

Invoice = invoice_pb2.Invoice
InvoiceType = invoice_party_pb2.InvoiceType

NO_DAY = date(9999, 12, 31)
"""Stands in columns that are sorted or summed by, where the record has no such date: it comes after all others."""


def _values(invoice: Invoice) -> dict[str, Any]:
    open_parts = [part for part in invoice.instalments if (amount(part.open_amount) or 0) > 0]
    days = [day(part, "due_date") or NO_DAY for part in open_parts]
    return {
        "owner_id": reference(invoice.owner_id),
        "department_id": reference(invoice.department_id),
        "follower_ids": list(invoice.follower_ids),
        "type": invoice.type,
        "state": invoice.state,
        "number": invoice.number or None,
        "number_key": search_key(invoice.number),
        "legal_entity_id": reference(invoice.legal_entity_id),
        "deal_id": reference(invoice.deal_id),
        "quote_id": reference(invoice.quote_id),
        "contact_id": reference(invoice.contact_id),
        "company_id": reference(invoice.company_id),
        "credited_invoice_id": reference(invoice.credited_invoice_id),
        "currency": invoice.currency,
        "gross": amount(invoice.totals.gross) or Decimal(0),
        "open_amount": amount(invoice.open_amount) or Decimal(0),
        "overpaid_amount": amount(invoice.overpaid_amount) or Decimal(0),
        "issue_key": day(invoice, "issue_date") or NO_DAY,
        "due_key": min(days, default=NO_DAY),
        "due_dates": days,
        "due_amounts": [amount(part.open_amount) for part in open_parts],
        "search": search_key(f"{invoice.number} {invoice.buyer.name}"),
        "search_open": search_key(invoice.number),  # where the buyer is hidden from the caller
    }


invoices = Resource(
    Invoice,
    metadata,
    table="invoices",
    columns=[
        Column("owner_id", Uuid), Column("department_id", Uuid), Column("follower_ids", ARRAY(Uuid), nullable=False),
        Column("type", SmallInteger, nullable=False), Column("state", SmallInteger, nullable=False),
        Column("number", Text), Column("number_key", Text, nullable=False),
        Column("legal_entity_id", Uuid), Column("deal_id", Uuid), Column("quote_id", Uuid),
        Column("contact_id", Uuid), Column("company_id", Uuid), Column("credited_invoice_id", Uuid),
        Column("currency", Text, nullable=False), Column("gross", Numeric, nullable=False),
        Column("open_amount", Numeric, nullable=False), Column("overpaid_amount", Numeric, nullable=False),
        Column("issue_key", Date, nullable=False), Column("due_key", Date, nullable=False),
        Column("due_dates", ARRAY(Date), nullable=False), Column("due_amounts", ARRAY(Numeric), nullable=False),
        Column("search", Text, nullable=False), Column("search_open", Text, nullable=False),
    ],
    values=_values,
    items=[
        Index("uq_invoices_number", "tenant_id", "legal_entity_id", "number", unique=True,
              postgresql_where=text("number IS NOT NULL")),
        Index("ix_invoices_deal", "tenant_id", "deal_id", postgresql_where=text("deal_id IS NOT NULL")),
        Index("ix_invoices_quote", "tenant_id", "quote_id", postgresql_where=text("quote_id IS NOT NULL")),
        Index("ix_invoices_contact", "tenant_id", "contact_id", postgresql_where=text("contact_id IS NOT NULL")),
        Index("ix_invoices_company", "tenant_id", "company_id", postgresql_where=text("company_id IS NOT NULL")),
        Index("ix_invoices_credited", "tenant_id", "credited_invoice_id",
              postgresql_where=text("credited_invoice_id IS NOT NULL")),
        Index("ix_invoices_open", "tenant_id", "due_key", "id", postgresql_where=text("state IN (2, 3)")),
    ],
    fields={
        "type": choice("type", InvoiceType, "INVOICE_TYPE_"),
        "state": choice("state", Invoice.State, "STATE_"),
        "number": Field("number_key", "text", fold=search_key, sentinel="", sortable=True),
        "legal_entity_id": Field("legal_entity_id", "uuid"),
        "deal_id": Field("deal_id", "uuid"),
        "quote_id": Field("quote_id", "uuid"),
        "contact_id": Field("contact_id", "uuid"),
        "company_id": Field("company_id", "uuid"),
        "credited_invoice_id": Field("credited_invoice_id", "uuid"),
        "owner_id": Field("owner_id", "uuid"),
        "department_id": Field("department_id", "uuid"),
        "follower_ids": Field("follower_ids", "uuid_array"),
        "currency": Field("currency", "text", sentinel=""),
        "totals.gross": Field("gross", "number", sortable=True),
        "open_amount": Field("open_amount", "number", sortable=True),
        "overpaid_amount": Field("overpaid_amount", "number"),
        "issue_date": Field("issue_key", "date", sortable=True),
        "instalments.due_date": Field("due_key", "date", sortable=True),
    },
    search="search",
    open_search="search_open",
    search_reveals=("buyer",),
    default_order="issue_date desc",
    constraints={"uq_invoices_number": lambda detail: errors.InvoiceNumberTaken()},
)  # fmt: skip

# -- numbers -----------------------------------------------------------------------------------------------------------------

numbers = Table(
    "invoice_numbers",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("legal_entity_id", Uuid, primary_key=True),
    Column("type", SmallInteger, primary_key=True),
    Column("year", SmallInteger, primary_key=True),
    Column("last", Integer, nullable=False),
)

_FIRST = insert(numbers).values(
    {name: bindparam(name) for name in ("tenant_id", "legal_entity_id", "type", "year")}
    | {"last": text("1")}
)
_TAKE = Statement(
    _FIRST.on_conflict_do_update(
        index_elements=["tenant_id", "legal_entity_id", "type", "year"],
        set_={"last": numbers.c.last + text("1")},
    ).returning(numbers.c.last)
)


async def take_number(tx: Tx, legal_entity_id: str, type: int, year: int) -> int:
    """The next number of the series. Its row is locked until the end, so numbers have neither gaps nor twins.

    Whoever comes meanwhile waits; what is rolled back or killed gives its number to the next.
    """
    await tx.begin()
    taken = await tx.fetchval(_TAKE, legal_entity_id=legal_entity_id, type=type, year=year)
    return int(taken)


# -- which ones --------------------------------------------------------------------------------------------------------------

_V = invoices.view.c
_OF_DEAL = invoices.select(
    _V.deal_id == bindparam("deal", type_=Uuid), _V.number.is_not(None), order=(_V.issue_key, _V.id)
)
_NOTES = invoices.select(
    _V.credited_invoice_id == bindparam("of_invoice", type_=Uuid), order=_V.id
)  # fmt: skip


async def issued_of_deal(tx: Tx, deal_id: str) -> list[Invoice]:
    """The deal's documents that have a number, credit notes and proformas too, by date."""
    return await invoices.find_where(tx, _OF_DEAL, deal=deal_id)


async def credit_notes_of(tx: Tx, invoice_id: str) -> list[Invoice]:
    """The credit notes that took back parts of an invoice."""
    return await invoices.find_where(tx, _NOTES, of_invoice=invoice_id)
