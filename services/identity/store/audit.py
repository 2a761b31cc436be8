"""The audit: plain rows that are only added (a trigger refuses changes), and beside them addresses, which are forgotten.

An address is personal and kept for a time only; so it has a table of its own, and the entries never change.
"""

import functools
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db import Statement
from chassis.kit.tables import Moment, view_of
from chassis.tx import Tx
from services.identity.store.schema import metadata
from services.identity.store.secrets import sessions

__all__ = [
    "add_audit_entry",
    "add_viewing",
    "audit_entries_before",
    "forget_addresses",
    "session_address",
    "viewings_of_living_sessions",
]

entries = Table(
    "audit_entries",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("time", Moment, nullable=False),
    Column("kind", Text, nullable=False),
    Column("actor", JSONB, nullable=False),
    Column("user_id", Uuid),  # who acted, himself or by a token
    Column("session_id", Uuid),
    Column("object", Text, nullable=False),
    Column("object_id", Uuid),
    Column("details", JSONB, nullable=False),
    Index("ix_audit_entries_time", "tenant_id", "time", "id"),
    Index("ix_audit_entries_user", "tenant_id", "user_id", "time", "id"),
    Index("ix_audit_entries_kind", "tenant_id", "kind", "time", "id"),
    Index("ix_audit_entries_object", "tenant_id", "object_id", "time", "id"),
)
addresses = Table(
    "audit_addresses",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("entry_id", Uuid, primary_key=True),
    Column("time", Moment, nullable=False),
    Column("address", Text, nullable=False),
    Index("ix_audit_addresses_time", "tenant_id", "time"),
)
viewings = Table(
    "viewings",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("session_id", Uuid, primary_key=True),
    Column("user_id", Uuid, primary_key=True),
    Column("create_time", Moment, nullable=False),
)

_TENANT = bindparam("tenant_id", type_=Uuid)
_NOW = bindparam("now", type_=Moment)


def _row(table: Table) -> dict[str, Any]:
    return {c.name: bindparam(c.name, type_=c.type) for c in table.columns}


# --- entries --------------------------------------------------------------------------------------------------------------

_ADD = Statement(insert(entries).values(_row(entries)))
_ADD_ADDRESS = Statement(insert(addresses).values(_row(addresses)))
_FORGET = Statement(
    delete(addresses).where(addresses.c.tenant_id == _TENANT, addresses.c.time < _NOW)
)
# What has ended, or could not be refreshed any more: a session that lives shows its owner from where it was opened.
_FORGET_SESSIONS = Statement(
    update(sessions)
    .values(peer="", user_agent="")
    .where(
        sessions.c.tenant_id == _TENANT,
        func.least(sessions.c.revoke_time, sessions.c.expire_time) < _NOW,
        or_(sessions.c.peer != "", sessions.c.user_agent != ""),
    )
)
_SESSION_ADDRESS = Statement(
    select(sessions.c.peer).where(
        sessions.c.tenant_id == _TENANT, sessions.c.id == bindparam("id", type_=Uuid)
    )
)
_entries, _addresses = view_of(entries), view_of(addresses)
_E = _entries.c
_CONDITIONS = {
    "user_id": _E.user_id == bindparam("user_id", type_=Uuid),
    "kinds": _E.kind == func.any(bindparam("kinds", type_=ARRAY(Text))),
    "since": _E.time >= bindparam("since", type_=Moment),
    "object": _E.object == bindparam("object", type_=Text),
    "object_id": _E.object_id == bindparam("object_id", type_=Uuid),
}


@functools.cache  # one statement per combination of filters, so that each gets its own plan: 32 at most
def _list(filters: tuple[str, ...]) -> Statement:
    place = tuple_(_E.time, _E.id) < tuple_(
        bindparam("time", type_=Moment), bindparam("id", type_=Uuid)
    )
    return Statement(
        select(_entries, _addresses.c.address)
        .join_from(
            _entries,
            _addresses,
            and_(_addresses.c.tenant_id == _TENANT, _addresses.c.entry_id == _E.id),
            isouter=True,
        )
        .where(_E.tenant_id == _TENANT, place, *(_CONDITIONS[name] for name in filters))
        .order_by(_E.time.desc(), _E.id.desc())
        .limit(bindparam("many", type_=Integer))
    )


async def add_audit_entry(tx: Tx, values: Mapping[str, Any], address: str) -> None:
    """One more entry; its address, if known, in the table of those that are forgotten."""
    await tx.execute(_ADD, **values)
    if address:
        await tx.execute(
            _ADD_ADDRESS, entry_id=values["id"], time=values["time"], address=address[:100]
        )


async def audit_entries_before(
    tx: Tx, filters: Mapping[str, Any], *, time: datetime, id: str, many: int
) -> list[Any]:
    """Up to `many` entries before this place, newest first; `filters` by the names in _CONDITIONS."""
    return await tx.fetch(_list(tuple(sorted(filters))), **filters, time=time, id=id, many=many)


async def forget_addresses(tx: Tx, before: datetime) -> int:
    """Takes away the addresses of entries from before then, and of sessions that ended before; returns how many."""
    return await tx.execute(_FORGET, now=before) + await tx.execute(_FORGET_SESSIONS, now=before)


async def session_address(tx: Tx, session_id: str) -> str:
    """The address from which a session was opened; empty if it is not known."""
    return str(await tx.fetchval(_SESSION_ADDRESS, id=session_id) or "")


# --- viewing as -----------------------------------------------------------------------------------------------------------

_ADD_VIEWING = Statement(upsert(viewings).values(_row(viewings)).on_conflict_do_nothing())
_VIEWINGS = Statement(
    select(viewings.c.session_id, viewings.c.user_id, viewings.c.create_time)
    .join_from(
        viewings,
        sessions,
        and_(sessions.c.tenant_id == viewings.c.tenant_id, sessions.c.id == viewings.c.session_id),
    )
    .where(
        viewings.c.tenant_id == _TENANT,
        sessions.c.revoke_time.is_(None),
        sessions.c.expire_time > _NOW,
    )
)


async def add_viewing(tx: Tx, session_id: str, user_id: str, now: datetime) -> bool:
    """Notes that the session looks as this user; False if it did before."""
    return bool(
        await tx.execute(_ADD_VIEWING, session_id=session_id, user_id=user_id, create_time=now)
    )


async def viewings_of_living_sessions(tx: Tx, now: datetime) -> list[tuple[str, str, datetime]]:
    """(session, user, since) of everybody who may look as somebody else at this moment."""
    return [
        (str(row["session_id"]), str(row["user_id"]), row["create_time"])
        for row in await tx.fetch(_VIEWINGS, now=now)
    ]
