"""What stands beside tables: the history of a resource's, and the view through which a tenant's rows are read."""

from sqlalchemy import BigInteger, Column, DateTime, Index, LargeBinary, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

Moment = DateTime(timezone=True)


def view_of(table: Table) -> Table:
    """The tenant view of a table: lists read it, because under a policy some operators use no index."""
    return Table(
        f"{table.name}_of_tenant", MetaData(), *(Column(c.name, c.type) for c in table.columns)
    )


def history_table(table: str, metadata: MetaData) -> Table:
    """Every version of every record: who, why, which fields, and the bytes; valid from and to."""
    return Table(
        f"{table}_history",
        metadata,
        Column("tenant_id", Uuid, primary_key=True),
        Column("id", Uuid, primary_key=True),
        Column("version", BigInteger, primary_key=True),
        Column("valid_from", Moment, nullable=False),
        Column("valid_to", Moment),
        Column("action", Text, nullable=False),
        Column("actor", JSONB, nullable=False),
        Column("cause", JSONB, nullable=False),
        Column("changed", ARRAY(Text), nullable=False),
        Column("doc", LargeBinary, nullable=False),
        Index(f"ix_{table}_history_valid", "tenant_id", "valid_from", "valid_to"),
        info={"history": True},
    )
