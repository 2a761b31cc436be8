"""Payment providers, and the events that they told."""

import hashlib

from sqlalchemy import Column, Index, Table, Text, Uuid, bindparam, insert, select, text

from chassis.db.statement import Statement
from chassis.fold import search_key
from chassis.tx import Tx
from crm.deals.v1 import payment_provider_pb2
from services.deals.store.invoices import Invoice, invoices
from services.deals.store.schema import metadata
from services.deals.store.signers import Signers

provider_signers = Signers(
    payment_provider_pb2.PaymentProvider, table="payment_providers", seeds="payment_provider_seeds", signer="provider",
)  # fmt: skip
payment_providers = provider_signers.resource

events = Table(
    "payment_provider_events",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("provider_id", Uuid, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("payment_id", Uuid, nullable=False),
    # Of what was received: a hash, because a reference may name somebody.
    Column("reference_hash", Text, nullable=False),
    Index("ix_payment_provider_events_reference", "tenant_id", "provider_id", "reference_hash",
          postgresql_where=text("reference_hash <> ''")),
)  # fmt: skip

_TENANT, _PROVIDER = bindparam("tenant_id", type_=Uuid), bindparam("provider_id", type_=Uuid)
_I = invoices.view.c
_NUMBERED = invoices.select(
    _I.number_key == bindparam("of_number", type_=Text), _I.open_amount > 0,
    _I.currency == bindparam("of_currency", type_=Text), _I.number.is_not(None),
)  # fmt: skip
_E = events.c
_OF_PROVIDER = (_E.tenant_id == _TENANT, _E.provider_id == _PROVIDER)
_TOLD = Statement(select(_E.payment_id).where(*_OF_PROVIDER, _E.event_id == bindparam("event_id")))
_REFERRED = Statement(
    select(_E.payment_id)
    .where(*_OF_PROVIDER, _E.reference_hash == bindparam("reference_hash"), _E.reference_hash != text("''"))
    .order_by(_E.payment_id.desc())
    .limit(100)
)  # fmt: skip
_NOTE = Statement(
    insert(events).values({column.name: bindparam(column.name, type_=column.type) for column in events.columns})
)  # fmt: skip


async def open_invoices_numbered(tx: Tx, number: str, currency: str) -> list[Invoice]:
    """The invoices with exactly this number, however it is written in letters, of which something is open."""
    return await invoices.find_where(
        tx, _NUMBERED, of_number=search_key(number), of_currency=currency
    )


async def payment_told(tx: Tx, provider_id: str, event_id: str) -> str:
    """The payment that an event of the provider has become; empty if it was not taken yet."""
    found = await tx.fetchval(_TOLD, provider_id=provider_id, event_id=event_id)
    return str(found) if found else ""


async def payments_referred(tx: Tx, provider_id: str, reference: str) -> list[str]:
    """The payments received by the provider with this reference, the last one first."""
    rows = await tx.fetch(
        _REFERRED, provider_id=provider_id, reference_hash=reference_hash(reference)
    )
    return [str(row["payment_id"]) for row in rows]


async def note_event(
    tx: Tx, provider_id: str, event_id: str, payment_id: str, *, reference: str
) -> None:
    """The event has become this payment; `reference` is empty for a refund."""
    await tx.begin()
    await tx.execute(
        _NOTE, provider_id=provider_id, event_id=event_id, payment_id=payment_id,
        reference_hash=reference_hash(reference),
    )  # fmt: skip


def reference_hash(reference: str) -> str:
    """By which a payment is known again, however its reference is spaced; empty for none."""
    plain = "".join(reference.split())
    return hashlib.sha256(plain.encode()).hexdigest() if plain else ""
