"""The metadata that all of identity's tables join."""

from sqlalchemy import Column, DateTime, MetaData, Table

metadata = MetaData(info={"package": "crm.identity.v1"})

Moment = DateTime(timezone=True)


def view_of(table: Table) -> Table:
    """The tenant view of a plain table: lists read it, because under a policy some operators use no index."""
    return Table(
        f"{table.name}_of_tenant", MetaData(), *(Column(c.name, c.type) for c in table.columns)
    )
