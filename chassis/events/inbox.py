"""The inbox: which events a consumer has processed. Its row is written in the transaction of the effect, so an event that
arrives twice has one effect."""

import asyncio

from sqlalchemy import (
    Column,
    DateTime,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    bindparam,
    text,
)
from sqlalchemy.dialects.postgresql import insert

from chassis.db.statement import Statement
from chassis.events.leader import Lease
from chassis.tx import Tx
from chassis.waits import first_of


def inbox_table(metadata: MetaData) -> Table:
    """Which events a consumer has processed."""
    return Table(
        "inbox",
        metadata,
        Column("tenant_id", Uuid, nullable=False),
        Column("consumer", Text, nullable=False),
        Column("event_id", Uuid, nullable=False),
        Column(
            "at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")
        ),
        PrimaryKeyConstraint("tenant_id", "consumer", "event_id"),
        # Rows come in the order of time, so a few pages of index find the old ones.
        Index("ix_inbox_at", "at", postgresql_using="brin"),
    )


# rights of the service's role, rights of its background role
GRANTS = ("SELECT, INSERT", "SELECT, DELETE")

_FIRST = Statement(
    insert(inbox_table(MetaData()))
    .values(
        tenant_id=bindparam("tenant_id"),
        consumer=bindparam("consumer"),
        event_id=bindparam("event_id"),
    )
    .on_conflict_do_nothing()
)

_FIRSTS = Statement(
    text(
        "INSERT INTO inbox (tenant_id, consumer, event_id)"
        " SELECT :tenant_id, :consumer, unnest(CAST(:event_ids AS uuid[]))"
        " ON CONFLICT DO NOTHING RETURNING event_id"
    ).bindparams(*(bindparam(name) for name in ("tenant_id", "consumer", "event_ids")))
)

# Streams keep events for 30 days, so nothing older than 35 can be delivered again.
_PURGE = """
WITH old AS (SELECT ctid FROM inbox WHERE at < clock_timestamp() - interval '35 days' LIMIT 5000)
DELETE FROM inbox USING old WHERE inbox.ctid = old.ctid RETURNING 1
"""
_PURGE_EVERY_S = 3600.0


async def first_time(tx: Tx, durable: str, event_id: str) -> bool:
    """Note in this transaction that the consumer has processed the event; False if it had before.

    Waits for another transaction that is just processing the same event.
    """
    return await tx.execute(_FIRST, consumer=durable, event_id=event_id) == 1


async def first_times(tx: Tx, durable: str, event_ids: list[str]) -> set[str]:
    """As `first_time` for several events, with one statement: those that the consumer had not processed."""
    rows = await tx.fetch(_FIRSTS, consumer=durable, event_ids=event_ids)
    return {str(row["event_id"]) for row in rows}


async def purge(lease: Lease, stop: asyncio.Event) -> None:
    """Remove rows that no delivery can need any more, each hour until `stop`. Run it under the database's Leader."""
    while not stop.is_set():
        while await lease.fetch(_PURGE) and not stop.is_set():
            pass  # the next 5,000: no statement holds locks for long
        await first_of(stop, timeout_s=_PURGE_EVERY_S)
