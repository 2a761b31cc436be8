"""Identity providers, their client secrets, sign-ins under way, and the accounts by which people sign in."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    bindparam,
    delete,
    insert,
    select,
    update,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db import Statement
from chassis.fold import search_key, sort_key
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment, view_of
from chassis.tx import Tx
from crm.identity.v1 import oidc_pb2
from services.identity.store.schema import metadata
from services.identity.store.secrets import LAST

__all__ = [
    "add_linked_identity",
    "add_provider_sign_in",
    "client_secret",
    "drop_client_secret",
    "drop_linked_identity",
    "find_provider",
    "identity_providers",
    "linked_identities_of",
    "set_client_secret",
    "take_provider_sign_in",
    "use_linked_identity",
]

identity_providers: Resource[oidc_pb2.IdentityProvider] = Resource(
    oidc_pb2.IdentityProvider,
    metadata,
    table="identity_providers",
    columns=[
        Column("key", Text, nullable=False),
        Column("name_key", Text, nullable=False),
        Column("name_search", Text, nullable=False),
    ],
    items=[Index("uq_identity_providers_key", "tenant_id", "key", unique=True)],
    values=lambda p: {
        "key": p.key,
        "name_key": sort_key(p.name),
        "name_search": search_key(p.name),
    },
    fields={
        "name": Field(
            "name_search", "text", fold=search_key, sortable=True, sort_column="name_key"
        ),
    },
    search="name_search",
    default_order="name",
)
client_secrets = Table(
    "client_secrets",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("provider_id", Uuid, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)
sign_ins = Table(
    "provider_sign_ins",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("hash", LargeBinary, primary_key=True),
    Column("provider_id", Uuid, nullable=False),
    Column("browser_hash", LargeBinary, nullable=False),
    Column("return_path", Text, nullable=False),
    Column("expire_time", Moment, nullable=False),
    Index("ix_provider_sign_ins_expire", "tenant_id", "expire_time"),
)
linked_identities = Table(
    "linked_identities",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("user_id", Uuid, nullable=False),
    Column("provider_id", Uuid, nullable=False),
    # The issuer as it was: a provider that is given another issuer inherits nobody's account.
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("create_time", Moment, nullable=False),
    Column("use_time", Moment, nullable=False),
    Index("uq_linked_identities_subject", "tenant_id", "issuer", "subject", unique=True),
    Index("ix_linked_identities_user", "tenant_id", "user_id", "id"),
)

_TENANT = bindparam("tenant_id", type_=Uuid)
_PROVIDER = bindparam("provider_id", type_=Uuid)
_USER = bindparam("user_id", type_=Uuid)
_HASH = bindparam("hash", type_=LargeBinary)
_NOW = bindparam("now", type_=Moment)


def _row(table: Table) -> dict[str, Any]:
    return {c.name: bindparam(c.name, type_=c.type) for c in table.columns}


# --- providers ------------------------------------------------------------------------------------------------------------

_BY_KEY = identity_providers.select(identity_providers.view.c.key == bindparam("key"))
_C = client_secrets.c
_OF_PROVIDER = (_C.tenant_id == _TENANT) & (_C.provider_id == _PROVIDER)
_SECRET = Statement(select(_C.sealed).where(_OF_PROVIDER))
_DROP_SECRET = Statement(delete(client_secrets).where(_OF_PROVIDER))
_secret = upsert(client_secrets).values(_row(client_secrets))
_SET_SECRET = Statement(
    _secret.on_conflict_do_update(
        index_elements=["tenant_id", "provider_id"], set_={"sealed": _secret.excluded.sealed}
    )
)


async def find_provider(tx: Tx, key: str) -> oidc_pb2.IdentityProvider | None:
    """The living provider with this key."""
    found = await identity_providers.find_where(tx, _BY_KEY, key=key)
    return found[0] if found else None


async def client_secret(tx: Tx, provider_id: str) -> bytes | None:
    """The provider's client secret, sealed."""
    found = await tx.fetchval(_SECRET, provider_id=provider_id)
    return None if found is None else bytes(found)


async def set_client_secret(tx: Tx, provider_id: str, sealed: bytes) -> None:
    """Keeps the provider's client secret."""
    await tx.execute(_SET_SECRET, provider_id=provider_id, sealed=sealed)


async def drop_client_secret(tx: Tx, provider_id: str) -> None:
    """Forgets the provider's client secret."""
    await tx.execute(_DROP_SECRET, provider_id=provider_id)


# --- sign-ins under way ---------------------------------------------------------------------------------------------------

_S = sign_ins.c
_ADD_SIGN_IN = Statement(insert(sign_ins).values(_row(sign_ins)))
_TAKE_SIGN_IN = Statement(
    delete(sign_ins).where(_S.tenant_id == _TENANT, _S.hash == _HASH).returning(sign_ins)
)
_DROP_ENDED = Statement(delete(sign_ins).where(_S.tenant_id == _TENANT, _S.expire_time < _NOW))


async def add_provider_sign_in(
    tx: Tx,
    *,
    hash: bytes,
    provider_id: str,
    browser_hash: bytes,
    return_path: str,
    expire_time: datetime,
    now: datetime,
) -> None:
    """A sign-in that waits for its browser to come back; those that ended unfinished go."""
    await tx.execute(_DROP_ENDED, now=now)
    await tx.execute(
        _ADD_SIGN_IN,
        hash=hash,
        provider_id=provider_id,
        browser_hash=browser_hash,
        return_path=return_path,
        expire_time=expire_time,
    )


async def take_provider_sign_in(tx: Tx, hash: bytes) -> Any:
    """The sign-in's row, taken away: it comes back once; None if there is no such sign-in."""
    await tx.begin()
    return await tx.fetchrow(_TAKE_SIGN_IN, hash=hash)


# --- accounts at providers ------------------------------------------------------------------------------------------------

_L = linked_identities.c
_USE = Statement(
    update(linked_identities)
    .where(
        _L.tenant_id == _TENANT,
        _L.issuer == bindparam("of_issuer"),
        _L.subject == bindparam("of_subject"),
    )
    .values(use_time=_NOW)
    .returning(_L.user_id)
)
_ADD = Statement(upsert(linked_identities).values(_row(linked_identities)).on_conflict_do_nothing())
_DROP = Statement(
    delete(linked_identities)
    .where(_L.tenant_id == _TENANT, _L.id == bindparam("id", type_=Uuid), _L.user_id == _USER)
    .returning(linked_identities)
)
_view = view_of(linked_identities)
_OF_USER = Statement(
    select(_view)
    .where(
        _view.c.tenant_id == _TENANT,
        _view.c.user_id == _USER,
        _view.c.id < bindparam("before", type_=Uuid),
    )
    .order_by(_view.c.id.desc())
    .limit(bindparam("many", type_=Integer))
)


async def use_linked_identity(tx: Tx, issuer: str, subject: str, now: datetime) -> str:
    """Whose account this is, noted as used; empty if it is nobody's."""
    await tx.begin()
    return str(await tx.fetchval(_USE, of_issuer=issuer, of_subject=subject, now=now) or "")


async def add_linked_identity(tx: Tx, **values: Any) -> bool:
    """Remembers a user's account at a provider; False if somebody was quicker with the same account."""
    return bool(await tx.execute(_ADD, **values))


async def drop_linked_identity(tx: Tx, id: str, user_id: str) -> Any:
    """Forgets one of the user's accounts and returns its row; None if there is no such account."""
    await tx.begin()
    return await tx.fetchrow(_DROP, id=id, user_id=user_id)


async def linked_identities_of(tx: Tx, user_id: str, *, before: str, many: int) -> list[Any]:
    """The user's accounts at providers with ids before the given one, newest first."""
    return await tx.fetch(_OF_USER, user_id=user_id, before=before or LAST, many=many)
