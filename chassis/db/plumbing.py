"""The tables that every service's database has for the chassis itself; they carry tenant_id but no policy."""

from sqlalchemy import (
    Column,
    DateTime,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
)

from chassis import operations, timers
from chassis.events import inbox, outbox


def answers_table(metadata: MetaData) -> Table:
    """Stored answers of requests with an idempotency key, for 24 hours."""
    return Table(
        "answers",
        metadata,
        Column("tenant_id", Uuid, nullable=False),
        Column("actor", Text, nullable=False),
        Column("method", Text, nullable=False),
        Column("request_id", Text, nullable=False),
        Column("request_hash", LargeBinary, nullable=False),
        Column("answer", LargeBinary, nullable=False),
        Column("expire_time", DateTime(timezone=True), nullable=False),
        PrimaryKeyConstraint("tenant_id", "actor", "method", "request_id"),
        Index("ix_answers_expire_time", "expire_time"),
    )


def plumbing() -> MetaData:
    """All of them, each with the rights of the service's role and of the background role."""
    metadata = MetaData()
    for table, grants in (
        (outbox.outbox_table(metadata), outbox.GRANTS),
        (inbox.inbox_table(metadata), inbox.GRANTS),
        (timers.timers_table(metadata), timers.GRANTS),
        (operations.operations_table(metadata), operations.GRANTS),
        (answers_table(metadata), ("SELECT, INSERT, UPDATE", "SELECT, DELETE")),
    ):
        table.info["grants"] = grants
    return metadata
