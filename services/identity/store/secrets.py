"""What never is in a record: password hashes, sessions, one-time links, hashes of API tokens. Plain rows, no history."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db import Statement
from chassis.kit.tables import Moment
from chassis.tx import Tx
from services.identity.store.schema import metadata

__all__ = [
    "add_link",
    "add_session",
    "add_token_hash",
    "drop_ended_links",
    "end_session",
    "end_sessions",
    "link_owner",
    "password_hash",
    "recently_ended_sessions",
    "session_for_update",
    "sessions_of",
    "set_generation",
    "set_password_hash",
    "token_hashes",
    "use_link",
    "void_links",
]

credentials = Table(
    "credentials",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("user_id", Uuid, primary_key=True),
    Column("password_hash", Text, nullable=False),
    Column("change_time", Moment, nullable=False),
)
sessions = Table(
    "sessions",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("user_id", Uuid, nullable=False),
    Column("create_time", Moment, nullable=False),
    Column("refresh_time", Moment, nullable=False),
    Column("expire_time", Moment, nullable=False),
    Column("revoke_time", Moment),
    Column("generation", Integer, nullable=False),
    Column("user_agent", Text, nullable=False),
    Column("peer", Text, nullable=False),
    Index("ix_sessions_user", "tenant_id", "user_id", "id"),
    Index("ix_sessions_revoked", "tenant_id", "revoke_time"),
)
links = Table(
    "links",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("hash", LargeBinary, primary_key=True),
    Column("user_id", Uuid, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("expire_time", Moment, nullable=False),
    Index("ix_links_user", "tenant_id", "user_id"),
)
api_token_hashes = Table(
    "api_token_hashes",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("token_id", Uuid, primary_key=True),
    Column("hash", Text, nullable=False),
)

_TENANT = bindparam("tenant_id", type_=Uuid)


def _row(table: Table) -> dict[str, Any]:
    return {c.name: bindparam(c.name, type_=c.type) for c in table.columns}


# --- passwords ------------------------------------------------------------------------------------------------------------

_C = credentials.c
_PASSWORD_HASH = Statement(
    select(_C.password_hash).where(
        _C.tenant_id == _TENANT, _C.user_id == bindparam("user_id", type_=Uuid)
    )
)
_new_password = upsert(credentials).values(_row(credentials))
_SET_PASSWORD_HASH = Statement(
    _new_password.on_conflict_do_update(
        index_elements=["tenant_id", "user_id"],
        set_={name: _new_password.excluded[name] for name in ("password_hash", "change_time")},
    )
)


async def password_hash(tx: Tx, user_id: str) -> str | None:
    """The user's argon2id hash; None before the first password."""
    found = await tx.fetchval(_PASSWORD_HASH, user_id=user_id)
    return None if found is None else str(found)


async def set_password_hash(tx: Tx, user_id: str, hash: str) -> None:
    """Replaces the user's hash."""
    await tx.execute(_SET_PASSWORD_HASH, user_id=user_id, password_hash=hash, change_time=tx.now)


# --- sessions -------------------------------------------------------------------------------------------------------------

_S = sessions.c
_ID, _USER = bindparam("id", type_=Uuid), bindparam("user_id", type_=Uuid)
_NOW = bindparam("now", type_=Moment)
_ADD_SESSION = Statement(
    insert(sessions).values({k: v for k, v in _row(sessions).items() if k != "revoke_time"})
)
_SESSION = Statement(
    select(sessions).where(_S.tenant_id == _TENANT, _S.id == _ID).with_for_update()
)
_SET_GENERATION = Statement(
    update(sessions)
    .where(_S.tenant_id == _TENANT, _S.id == _ID)
    .values(
        generation=bindparam("next_generation", type_=Integer),
        refresh_time=_NOW,
        expire_time=bindparam("ends", type_=Moment),
    )
)
_END = Statement(
    update(sessions)
    .where(_S.tenant_id == _TENANT, _S.id == _ID, _S.user_id == _USER, _S.revoke_time.is_(None))
    .values(revoke_time=_NOW)
    .returning(sessions)
)
_END_ALL = Statement(
    update(sessions)
    .where(
        _S.tenant_id == _TENANT, _S.user_id == _USER, _S.revoke_time.is_(None), _S.expire_time > _NOW,
        _S.id != bindparam("besides", type_=Uuid),
    )
    .values(revoke_time=_NOW)
    .returning(_S.id)
)  # fmt: skip
_SESSIONS_OF = Statement(
    select(sessions)
    .where(
        _S.tenant_id == _TENANT, _S.user_id == _USER, _S.revoke_time.is_(None), _S.expire_time > _NOW,
        _S.id < bindparam("before", type_=Uuid),
    )
    .order_by(_S.id.desc())
    .limit(bindparam("many", type_=Integer))
)  # fmt: skip
_RECENTLY_ENDED = Statement(
    select(_S.id, _S.revoke_time).where(
        _S.tenant_id == _TENANT, _S.revoke_time > bindparam("since", type_=Moment)
    )
)
LAST = "ffffffff-ffff-ffff-ffff-ffffffffffff"
NOBODY = "00000000-0000-0000-0000-000000000000"


async def add_session(tx: Tx, values: dict[str, Any]) -> None:
    """A new session with its first generation."""
    await tx.execute(_ADD_SESSION, **values)


async def session_for_update(tx: Tx, id: str) -> Any:
    """The session's row, locked until the end, or None."""
    await tx.begin()
    return await tx.fetchrow(_SESSION, id=id)


async def set_generation(
    tx: Tx, id: str, generation: int, *, now: datetime, ends: datetime
) -> None:
    """Renews a session that is locked by `session_for_update`."""
    await tx.execute(_SET_GENERATION, id=id, next_generation=generation, now=now, ends=ends)


async def end_session(tx: Tx, id: str, user_id: str, now: datetime) -> Any:
    """Ends a living session of this user and returns its row; None if there is no such session."""
    await tx.begin()
    return await tx.fetchrow(_END, id=id, user_id=user_id, now=now)


async def end_sessions(tx: Tx, user_id: str, now: datetime, besides: str = "") -> list[str]:
    """Ends the user's living sessions, except one, and returns their ids."""
    await tx.begin()
    rows = await tx.fetch(_END_ALL, user_id=user_id, now=now, besides=besides or NOBODY)
    return [str(row["id"]) for row in rows]


async def sessions_of(tx: Tx, user_id: str, now: datetime, *, before: str, many: int) -> list[Any]:
    """The user's living sessions with ids before the given one, newest first."""
    return await tx.fetch(_SESSIONS_OF, user_id=user_id, now=now, before=before or LAST, many=many)


async def recently_ended_sessions(tx: Tx, since: datetime) -> list[tuple[str, datetime]]:
    """(id, end) of the company's sessions that were ended since then."""
    return [
        (str(row["id"]), row["revoke_time"]) for row in await tx.fetch(_RECENTLY_ENDED, since=since)
    ]


# --- one-time links -------------------------------------------------------------------------------------------------------

_L = links.c
_HASH = bindparam("hash", type_=LargeBinary)
_ADD_LINK = Statement(insert(links).values(_row(links)))
_USE_LINK = Statement(
    delete(links)
    .where(
        _L.tenant_id == _TENANT, _L.hash == _HASH, _L.kind == bindparam("kind", type_=SmallInteger)
    )
    .returning(_L.user_id, _L.expire_time)
)
_VOID_LINKS = Statement(
    delete(links).where(_L.tenant_id == _TENANT, (_L.user_id == _USER) | (_L.expire_time < _NOW))
)
_LINK_OWNER = Statement(
    select(_L.user_id).where(
        _L.tenant_id == _TENANT, _L.hash == _HASH, _L.kind == bindparam("kind", type_=SmallInteger),
        _L.expire_time > _NOW,
    )
)  # fmt: skip
_DROP_ENDED = Statement(
    delete(links).where(_L.tenant_id == _TENANT, _L.user_id == _USER, _L.expire_time < _NOW)
)


async def add_link(tx: Tx, *, hash: bytes, user_id: str, kind: int, expire_time: datetime) -> None:
    """A new link; only its hash is kept."""
    await tx.execute(_ADD_LINK, hash=hash, user_id=user_id, kind=kind, expire_time=expire_time)


async def use_link(tx: Tx, *, hash: bytes, kind: int, now: datetime) -> str | None:
    """Takes the link away and returns whose it was; None if there is none or it has ended."""
    await tx.begin()
    row = await tx.fetchrow(_USE_LINK, hash=hash, kind=kind)
    return str(row["user_id"]) if row is not None and row["expire_time"] > now else None


async def link_owner(tx: Tx, *, hash: bytes, kind: int, now: datetime) -> str | None:
    """Whose link this is, left where it is; None if there is none or it has ended."""
    found = await tx.fetchval(_LINK_OWNER, hash=hash, kind=kind, now=now)
    return None if found is None else str(found)


async def drop_ended_links(tx: Tx, user_id: str, now: datetime) -> None:
    """Takes away the user's links that have ended."""
    await tx.execute(_DROP_ENDED, user_id=user_id, now=now)


async def void_links(tx: Tx, user_id: str, now: datetime) -> None:
    """Takes away the user's links, and everybody's that have ended."""
    await tx.execute(_VOID_LINKS, user_id=user_id, now=now)


# --- API tokens -----------------------------------------------------------------------------------------------------------

_A = api_token_hashes.c
_ADD_TOKEN_HASH = Statement(insert(api_token_hashes).values(_row(api_token_hashes)))
_TOKEN_HASHES = Statement(
    select(_A.token_id, _A.hash).where(
        _A.tenant_id == _TENANT, _A.token_id == func.any(bindparam("ids"))
    )
)


async def add_token_hash(tx: Tx, token_id: str, hash: str) -> None:
    """Keeps the sha256 of a new token's secret."""
    await tx.execute(_ADD_TOKEN_HASH, token_id=token_id, hash=hash)


async def token_hashes(tx: Tx, ids: list[str]) -> dict[str, str]:
    """The hashes of these tokens by id."""
    return {
        str(row["token_id"]): str(row["hash"]) for row in await tx.fetch(_TOKEN_HASHES, ids=ids)
    }
