"""Re-index: columns and JSON of every record computed anew from its bytes, online, tenant by tenant, resumable.

It writes only where the version is still the one it read, and changes neither version nor etag. It can be stopped and
started at any time: a run begins where nothing is known to be done, and doing a record twice changes nothing.

A batch of updates is one pipelined exchange and one transaction: its rows are locked for some tens of milliseconds, in the
order of their ids.
"""

import sys
from typing import Any

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import dialect

from chassis import codec
from chassis import service as services
from chassis.db.names import database_of, roles_of
from chassis.db.pool import connect
from chassis.kit.resource import Resource
from chassis.settings import Settings

_NOBODY = "00000000-0000-0000-0000-000000000000"
_BATCH = 500
_DIALECT = dialect()


class UnknownResource(LookupError):
    """The name is not service.table of a resource."""


def find(name: str) -> Resource[Any]:
    """The resource named service.table."""
    service, _, table = name.partition(".")
    if service in services.names():
        metadata = services.load(service).metadata
        if (
            metadata is not None
            and table in metadata.tables
            and "resource" in metadata.tables[table].info
        ):
            return metadata.tables[table].info["resource"]  # type: ignore[no-any-return]
    raise UnknownResource(f"{name} is not a resource; name it as service.table")


async def reindex(
    raw: asyncpg.Connection, resource: Resource[Any], *, first_tenant: str = _NOBODY
) -> int:
    """Computes every row's columns and JSON anew, through the owner's connection; returns how many it wrote.

    Tenants come in the order of their ids, from `first_tenant` on.
    """
    table, types = resource.name, resource.table.columns
    names = [
        *resource.extra,
        *(["custom"] if resource.has_custom and "custom" not in resource.extra else []),
    ]
    sets = ", ".join(
        [f"{n} = ${i}::{types[n].type.compile(_DIALECT)}" for i, n in enumerate(names, 5)]
        + ["json = $4::text"]
    )
    update = (
        f"UPDATE {table} SET {sets} WHERE tenant_id = $1 AND id = $2 AND version = $3 RETURNING 1"
    )
    page = f"SELECT tenant_id, id, version, doc FROM {table} WHERE (tenant_id, id) > ($1, $2) ORDER BY tenant_id, id LIMIT $3"
    after, written = (first_tenant, _NOBODY), 0
    while rows := await raw.fetch(page, *after, _BATCH):
        try:
            written += len(await raw.fetchmany(update, [_values(resource, r, names) for r in rows]))
        except asyncpg.DeadlockDetectedError:
            continue  # with a write of several records: read and write this batch again
        after = (rows[-1]["tenant_id"], rows[-1]["id"])
    return written


def _values(resource: Resource[Any], row: asyncpg.Record, names: list[str]) -> list[Any]:
    """The arguments of the update for one record."""
    message = resource.message.FromString(row["doc"])
    values = resource.column_values(message)
    place = [row["tenant_id"], row["id"], row["version"]]
    return [*place, codec.to_json(message).decode(), *(values[name] for name in names)]


async def command(settings: Settings, name: str) -> int:
    """`python -m chassis reindex service.table`."""
    try:
        resource = find(name)
    except UnknownResource as error:
        print(f"akrab: {error}", file=sys.stderr)
        return 2
    service = name.partition(".")[0]
    raw = await connect(
        settings.database_url(database_of(service), roles_of(service)[0]), "akrab-reindex"
    )
    try:
        print(f"{await reindex(raw, resource)} records of {name} re-indexed")
    finally:
        await raw.close()
    return 0
