"""Carriers, and the events that they told."""

from sqlalchemy import Column, Table, Text, Uuid, bindparam, insert, select

from chassis.db.statement import Statement
from chassis.tx import Tx
from crm.deals.v1 import carrier_pb2
from services.deals.store.schema import metadata
from services.deals.store.signers import Signers

carrier_signers = Signers(
    carrier_pb2.Carrier, table="carriers", seeds="carrier_seeds", signer="carrier"
)
carriers = carrier_signers.resource

events = Table(
    "carrier_events",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("carrier_id", Uuid, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("delivery_id", Uuid, nullable=False),
)

_E = events.c
_TOLD = Statement(
    select(_E.delivery_id).where(
        _E.tenant_id == bindparam("tenant_id", type_=Uuid),
        _E.carrier_id == bindparam("carrier_id", type_=Uuid),
        _E.event_id == bindparam("event_id"),
    )
)
_NOTE = Statement(
    insert(events).values({column.name: bindparam(column.name, type_=column.type) for column in events.columns})
)  # fmt: skip


async def delivery_told(tx: Tx, carrier_id: str, event_id: str) -> str:
    """The delivery of which an event of the carrier told; empty if it was not taken yet."""
    found = await tx.fetchval(_TOLD, carrier_id=carrier_id, event_id=event_id)
    return str(found) if found else ""


async def note_delivery_event(tx: Tx, carrier_id: str, event_id: str, delivery_id: str) -> None:
    """The event told of this delivery."""
    await tx.begin()
    await tx.execute(_NOTE, carrier_id=carrier_id, event_id=event_id, delivery_id=delivery_id)
