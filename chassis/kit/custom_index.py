"""Indexes for lists in the order of a tenant's own field, made and dropped by the operator while the resource is in use.

    python -m chassis index-custom contacts.contacts TENANT KEY [--drop]

No index is made when a field is: every write of the table would pay for the fields of every tenant, and most are never sorted
by at size. Each index here holds the rows of one tenant only, so nobody else's writes know of it, and lists use it by
themselves, for they order by the same expression (`custom_values.order_in_sql`).
"""

import hashlib
import sys
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from chassis.db.names import database_of, roles_of
from chassis.db.pool import connect
from chassis.kit import custom_values
from chassis.kit.custom import Schema
from chassis.kit.reindex import UnknownResource, find
from chassis.kit.resource import Resource
from chassis.settings import Settings
from crm.common.v1 import common_pb2

_DIALECT = postgresql.dialect()


class NoSuchField(LookupError):
    """The tenant has no such field that lists could sort by; the text says what to do."""


async def make(raw: asyncpg.Connection, resource: Resource[Any], tenant_id: str, key: str) -> None:
    """Makes both indexes of the field, through the owner's connection and without blocking writes; NoSuchField.

    What an earlier try left half made is dropped first; what is there already stays.
    """
    expression = await _expression(raw, resource, tenant_id, key)
    for name, columns in _indexes(resource, tenant_id, key, expression).items():
        valid = await raw.fetchval(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)", name
        )
        if valid is False:
            await raw.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        if not valid:
            where = f"tenant_id = '{tenant_id}'::uuid"
            await raw.execute(
                f"CREATE INDEX CONCURRENTLY {name} ON {resource.name} {columns} WHERE {where}"
            )
    await raw.execute(f"ANALYZE {resource.name}")  # an expression has statistics only from here


async def drop(raw: asyncpg.Connection, resource: Resource[Any], tenant_id: str, key: str) -> None:
    """Drops both indexes of the field, also when the field is gone."""
    for name in _indexes(resource, tenant_id, key, ""):
        await raw.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


def _indexes(resource: Resource[Any], tenant_id: str, key: str, expression: str) -> dict[str, str]:
    """Name -> columns: the order as it is and, where records have owners, led by owner, as every sort of a list has them."""
    mark = hashlib.sha256(f"{tenant_id}/{key}".encode()).hexdigest()[:16]
    found = {f"ix_{resource.name}_by_{mark}": f"(({expression}), id)"}
    if "owner_id" in resource.scope_columns:
        found[f"ix_{resource.name}_owner_by_{mark}"] = (
            f"(owner_id, ({expression}), id) INCLUDE (delete_time)"
        )
    return found


async def _expression(
    raw: asyncpg.Connection, resource: Resource[Any], tenant_id: str, key: str
) -> str:
    if not resource.has_custom:
        raise NoSuchField(f"{resource.plural} have no custom fields")
    docs = await raw.fetch(
        "SELECT doc FROM custom_fields WHERE tenant_id = $1::uuid AND resource = $2 AND delete_time IS NULL",
        tenant_id,
        resource.plural,
    )  # fmt: skip
    fields = [common_pb2.CustomField.FromString(row["doc"]) for row in docs]
    known = Schema({field.key: field for field in fields}).filters
    if key not in known:
        have = ", ".join(sorted(known)) or "none"
        raise NoSuchField(
            f"{resource.plural} of tenant {tenant_id} have no filterable custom field {key!r}; they have {have}"
        )
    order = custom_values.order_in_sql(sa.column("custom", postgresql.JSONB), key, known[key].kind)
    return str(order.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True}))


async def command(settings: Settings, name: str, tenant_id: str, key: str, *, drops: bool) -> int:
    """`python -m chassis index-custom service.table TENANT KEY`; the exit code."""
    try:
        resource = find(name)
        service = name.partition(".")[0]
        url = settings.database_url(database_of(service), roles_of(service)[0])
        raw = await connect(url, "akrab-index-custom")
        try:
            await (drop if drops else make)(raw, resource, tenant_id, key)
        finally:
            await raw.close()
    except (UnknownResource, NoSuchField, asyncpg.DataError) as error:
        print(f"akrab: {error}", file=sys.stderr)
        return 2
    print(f"{name}: custom.{key} {'has no index any more' if drops else 'is indexed'}")
    return 0
