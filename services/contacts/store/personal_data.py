"""What this service keeps of a person, read for an archive: records with their history, and plain rows."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from google.protobuf.json_format import MessageToDict
from sqlalchemy import Table, Uuid, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db import Statement
from chassis.kit.resource import Resource
from chassis.tx import Tx
from services.contacts.store import privacy

_TENANT, _IDS = bindparam("tenant_id", type_=Uuid), bindparam("ids", type_=ARRAY(Uuid))

_PRIVATE = {"tenant_id", "key_hash", "before", "after", "origin", "settled"}
"""Columns of plain rows that are ours alone, or bytes that the documents say better."""
_KEPT_ALL_THE_SAME = {"data_change_values": {"before", "after"}}
_OURS = {"duplicates", "match_keys", "timeline_guards", "displaced_references", "data_link_keys"}
"""Plumbing that holds nothing but ids and hashes of what is in the archive anyway, or names other people."""


@cache
def _present(resource: Resource[Any]) -> Statement:
    t = resource.table.c
    return Statement(select(t.doc).where(t.tenant_id == _TENANT, t.id == any_(_IDS)).order_by(t.id))


@cache
def _past(resource: Resource[Any]) -> Statement:
    h = resource.history.c
    return Statement(
        select(h.version, h.valid_from, h.action, h.actor, h.changed, h.doc)
        .where(h.tenant_id == _TENANT, h.id == any_(_IDS))
        .order_by(h.id, h.version)
    )


@cache
def _rows(table: Table) -> Statement:
    hidden = _PRIVATE - _KEPT_ALL_THE_SAME.get(table.name, set())
    return Statement(
        select(*(c for c in table.columns if c.name not in hidden)).where(
            table.c.tenant_id == _TENANT, privacy.rule(table)
        )
    )


async def present(tx: Tx, resource: Resource[Any], ids: Sequence[str]) -> list[Any]:
    """The records as they are."""
    rows = await tx.fetch(_present(resource), ids=list(ids)) if ids else []
    return [resource.message.FromString(row["doc"]) for row in rows]


async def past(tx: Tx, resource: Resource[Any], ids: Sequence[str]) -> list[dict[str, Any]]:
    """Every version with who made it."""
    rows = await tx.fetch(_past(resource), ids=list(ids)) if ids else []
    return [
        {**{n: row[n] for n in ("version", "action", "actor", "changed")}, "time": row["valid_from"].isoformat(),
         "record": MessageToDict(resource.message.FromString(row["doc"]))}
        for row in rows
    ]  # fmt: skip


async def rows_of(
    tx: Tx, ids: Sequence[str], of_requests: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """Table -> the person's plain rows."""
    values = {"ids": list(ids), "all_ids": [*ids, *of_requests]}
    found = {}
    for table in privacy.plain_tables():
        if table.name in _OURS:
            continue
        statement = _rows(table)
        rows = await tx.fetch(
            statement, **{n: v for n, v in values.items() if n in statement.names}
        )
        found[table.name] = [
            {name: _shown(value) for name, value in dict(row).items()} for row in rows
        ]
    return found


def _shown(value: Any) -> Any:
    """As JSON has it; documents of merges are in the histories."""
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, list):
        return [_shown(one) for one in value]
    return value if isinstance(value, str | int | float | bool | dict | None) else str(value)
