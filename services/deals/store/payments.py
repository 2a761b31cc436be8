"""Payments, found by what they pay, by whom, and by what told of them."""

import hashlib
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Numeric,
    SmallInteger,
    Text,
    Uuid,
    bindparam,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db.statement import Statement
from chassis.fold import search_key
from chassis.kit.columns import choice, moment, reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment
from chassis.tx import Tx
from crm.deals.v1 import payment_pb2
from services.deals import errors
from services.deals.store.deals import NEVER, deals
from services.deals.store.schema import amount, metadata

Payment = payment_pb2.Payment


def account_key(account: str) -> str:
    """By which an account is known again, however it is spaced: a hash, so that no index lists accounts."""
    plain = "".join(account.split()).upper()
    return hashlib.sha256(plain.encode()).hexdigest() if plain else ""


def _values(payment: Payment) -> dict[str, Any]:
    event = f"{payment.provider_key}:{payment.provider_event_id}"
    return {
        "owner_id": reference(payment.owner_id),
        "department_id": reference(payment.department_id),
        "follower_ids": list(payment.follower_ids),
        "direction": payment.direction,
        "source": payment.source,
        "way": payment.way,
        "currency": payment.currency,
        "amount": amount(payment.amount) or Decimal(0),
        "unallocated_amount": amount(payment.unallocated_amount) or Decimal(0),
        "over_paid": payment.over_paid,
        "time": moment(payment, "time") or NEVER,
        "deal_id": reference(payment.deal_id),
        "contact_id": reference(payment.contact_id),
        "company_id": reference(payment.company_id),
        "invoice_ids": [each.invoice_id for each in payment.allocations],
        "refunded_payment_id": reference(payment.refunded_payment_id),
        "statement_line_id": reference(payment.statement_line_id),
        "account_key": account_key(payment.payer_account),
        "provider_event": event if payment.provider_event_id else None,
        "search": search_key(f"{payment.payer_name} {payment.reference}"),
        "search_open": "",  # where the payer is hidden from the caller
    }


payments = Resource(
    Payment,
    metadata,
    table="payments",
    columns=[
        Column("owner_id", Uuid), Column("department_id", Uuid), Column("follower_ids", ARRAY(Uuid), nullable=False),
        Column("direction", SmallInteger, nullable=False), Column("source", SmallInteger, nullable=False),
        Column("way", SmallInteger, nullable=False), Column("currency", Text, nullable=False),
        Column("amount", Numeric, nullable=False), Column("unallocated_amount", Numeric, nullable=False),
        Column("over_paid", Boolean, nullable=False), Column("time", Moment, nullable=False),
        Column("deal_id", Uuid), Column("contact_id", Uuid), Column("company_id", Uuid),
        Column("invoice_ids", ARRAY(Uuid), nullable=False), Column("refunded_payment_id", Uuid),
        Column("statement_line_id", Uuid), Column("account_key", Text, nullable=False),
        Column("provider_event", Text), Column("search", Text, nullable=False), Column("search_open", Text, nullable=False),
    ],
    values=_values,
    items=[
        Index("ix_payments_deal", "tenant_id", "deal_id", postgresql_where=text("deal_id IS NOT NULL")),
        Index("ix_payments_contact", "tenant_id", "contact_id", postgresql_where=text("contact_id IS NOT NULL")),
        Index("ix_payments_company", "tenant_id", "company_id", postgresql_where=text("company_id IS NOT NULL")),
        Index("ix_payments_invoices", "invoice_ids", postgresql_using="gin"),
        Index("ix_payments_refunds", "tenant_id", "refunded_payment_id", postgresql_where=text("refunded_payment_id IS NOT NULL")),
        Index("ix_payments_account", "tenant_id", "account_key", postgresql_where=text("account_key <> ''")),
        Index("ix_payments_rest", "tenant_id", "time", "id", postgresql_where=text("unallocated_amount > 0")),
        Index("uq_payments_line", "tenant_id", "statement_line_id", unique=True,
              postgresql_where=text("statement_line_id IS NOT NULL AND delete_time IS NULL")),
        Index("uq_payments_provider_event", "tenant_id", "provider_event", unique=True,
              postgresql_where=text("provider_event IS NOT NULL")),
    ],
    fields={
        "direction": choice("direction", Payment.Direction, "DIRECTION_"),
        "source": choice("source", Payment.Source, "SOURCE_"),
        "way": choice("way", Payment.Way, "WAY_"),
        "currency": Field("currency", "text", sentinel=""),
        "amount": Field("amount", "number", sortable=True),
        "unallocated_amount": Field("unallocated_amount", "number"),
        "over_paid": Field("over_paid", "bool"),
        "time": Field("time", "timestamp", sortable=True),
        "deal_id": Field("deal_id", "uuid"),
        "contact_id": Field("contact_id", "uuid"),
        "company_id": Field("company_id", "uuid"),
        "owner_id": Field("owner_id", "uuid"),
        "department_id": Field("department_id", "uuid"),
        "follower_ids": Field("follower_ids", "uuid_array"),
        "allocations.invoice_id": Field("invoice_ids", "uuid_array"),
        "refunded_payment_id": Field("refunded_payment_id", "uuid"),
        "statement_line_id": Field("statement_line_id", "uuid"),
    },
    search="search",
    open_search="search_open",
    search_reveals=("payer_name", "reference"),
    default_order="time desc",
    constraints={
        "uq_payments_line": errors.KeyTaken("payment", "statement_line_id"),
        "uq_payments_provider_event": errors.KeyTaken("payment", "provider_event_id"),
    },
)  # fmt: skip


_D = deals.view.c
_WAITING = Statement(
    select(_D.id)
    .where(
        _D.tenant_id == bindparam("tenant_id", type_=Uuid),
        _D.party_ids.overlap(bindparam("parties", type_=ARRAY(Uuid))),
        _D.blocked_stage_id.is_not(None),
        _D.delete_time.is_(None),
    )
    .order_by(_D.id)
)


async def waiting_deals(tx: Tx, party_id: str) -> list[str]:
    """The deals of a contact or company with a move that waits for something to be filled."""
    return [str(row["id"]) for row in await tx.fetch(_WAITING, parties=[party_id])]
