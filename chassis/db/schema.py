"""Tenancy of tables: row-level security, tenant views, grants. Used by migrations.

The owner role owns the tables and only migrates; the service's role reads and writes rows; the background role (relay,
timers, operations' queue) touches the plumbing tables only. Policies are not FORCEd: FORCE would make the owner's own
migrations see no rows, silently (BLUEPRINT.md section 5).
"""

from collections.abc import Iterator

from sqlalchemy import MetaData, Table
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.schema import CreateIndex, CreateTable

_DIALECT = dialect()
TENANT = "nullif(current_setting('app.tenant', true), '')::uuid"


def ddl(metadata: MetaData) -> Iterator[str]:
    """Every statement that makes the tables of `metadata` in an empty database, with views, policies and grants."""
    for table in metadata.sorted_tables:
        yield from table_ddl(table)


def table_ddl(table: Table) -> Iterator[str]:
    """The statements that make one table with its indexes and what `tenancy_ddl` adds."""
    yield str(CreateTable(table).compile(dialect=_DIALECT)).strip()
    for index in sorted(table.indexes, key=lambda i: str(i.name)):
        yield str(CreateIndex(index).compile(dialect=_DIALECT)).strip()
    yield from tenancy_ddl(table)
    yield from table.info.get("views", ())  # of its own, each with its grant


def tenancy_ddl(table: Table) -> Iterator[str]:
    """Grants of a table; for a business table also its policy, and for a resource its tenant view.

    {role} and {background} stand for the roles of the database at hand.
    """
    grants = table.info.get("grants")
    if grants is not None:
        for role, rights in zip(("{role}", "{background}"), grants, strict=True):
            if rights:
                yield f"GRANT {rights} ON {table.name} TO {role}"
        return
    yield f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table.name} TO {{role}}"
    if "tenant_id" not in table.columns or table.info.get("global"):
        return
    yield f"ALTER TABLE {table.name} ENABLE ROW LEVEL SECURITY"
    yield f"CREATE POLICY tenant ON {table.name} USING (tenant_id = {TENANT}) WITH CHECK (tenant_id = {TENANT})"
    if not table.info.get("history"):
        yield f"CREATE VIEW {table.name}_of_tenant AS SELECT * FROM {table.name} WHERE tenant_id = {TENANT}"
        yield f"GRANT SELECT ON {table.name}_of_tenant TO {{role}}"
