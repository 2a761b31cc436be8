"""Telephone exchanges, and what is secret about them."""

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
    bindparam,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db.statement import Statement
from chassis.fold import search_key, sort_key
from chassis.kit.columns import choice
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment
from chassis.strangers import Counts
from chassis.tx import Tx
from crm.telephony.v1 import connection_pb2
from services.telephony import errors
from services.telephony.store.schema import metadata

Connection = connection_pb2.Connection

webhook_counts = Counts("webhook_counts", metadata, door="connection_id")
"""How many signed calls each address has made."""

connections = Resource(
    Connection,
    metadata,
    table="connections",
    columns=[
        Column("name_key", Text, nullable=False), Column("name_search", Text, nullable=False),
        Column("kind", SmallInteger, nullable=False), Column("key", Text, nullable=False),
        Column("retired", Boolean, nullable=False),
    ],
    values=lambda connection: {
        "name_key": sort_key(connection.name),
        "name_search": search_key(connection.name),
        "kind": connection.kind,
        "key": connection.key,
        "retired": connection.retired,
    },
    items=[
        Index("uq_connections_name", "tenant_id", "name_search", unique=True, postgresql_where=text("delete_time IS NULL")),
        Index("uq_connections_key", "tenant_id", "key", unique=True),
    ],
    fields={
        "name": Field("name_search", "text", fold=search_key, sentinel="", sortable=True, sort_column="name_key"),
        "kind": choice("kind", Connection.Kind, "KIND_"),
        "retired": Field("retired", "bool"),
    },
    search="name_search",
    default_order="name",
    constraints={"uq_connections_name": lambda detail: errors.NameTaken("exchange", "name")},
)  # fmt: skip

secrets = Table(
    "connection_secrets",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("connection_id", Uuid, primary_key=True),
    Column("seed", LargeBinary, nullable=False),  # what a provider's secret is made of
    Column("password", LargeBinary, nullable=False),  # sealed; empty: none
)
status = Table(
    "connection_status",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("connection_id", Uuid, primary_key=True),
    Column("connected", Boolean, nullable=False),
    Column("since", Moment, nullable=False),
    Column("problem", Text, nullable=False),
)

_TENANT, _ID = bindparam("tenant_id", type_=Uuid), bindparam("connection_id", type_=Uuid)
_V, _S, _T = connections.view.c, secrets.c, status.c
_BY_KEY = connections.select(_V.key == bindparam("of_key", type_=Text))
_IN_USE = connections.select( _V.retired.is_(False), order=(_V.create_time, _V.id))  # fmt: skip
_SECRET = Statement(select(_S.seed, _S.password).where(_S.tenant_id == _TENANT, _S.connection_id == _ID))  # fmt: skip
_put_secret = upsert(secrets).values(
    tenant_id=_TENANT, connection_id=_ID, seed=bindparam("seed", type_=LargeBinary),
    password=bindparam("password", type_=LargeBinary),
)  # fmt: skip
_PUT_SECRET = Statement(
    _put_secret.on_conflict_do_update(
        index_elements=["tenant_id", "connection_id"],
        set_={"seed": _put_secret.excluded.seed, "password": _put_secret.excluded.password},
    )
)
_STATUS = Statement(select(_T.connected, _T.since, _T.problem).where(_T.tenant_id == _TENANT, _T.connection_id == _ID))  # fmt: skip
_put_status = upsert(status).values(
    tenant_id=_TENANT, connection_id=_ID, connected=bindparam("connected", type_=Boolean),
    since=bindparam("since", type_=Moment), problem=bindparam("problem", type_=Text),
)  # fmt: skip
_PUT_STATUS = Statement(
    _put_status.on_conflict_do_update(
        index_elements=["tenant_id", "connection_id"],
        set_={name: _put_status.excluded[name] for name in ("connected", "since", "problem")},
        where=(_T.connected != _put_status.excluded.connected) | (_T.problem != _put_status.excluded.problem),
    )
)  # fmt: skip

_ANY = connections.select(order=(_V.id,), limit=1)


async def has_connections(tx: Tx) -> bool:
    """True if the company has an exchange, retired or not."""
    return bool(await connections.find_where(tx, _ANY))


async def connection_with_key(tx: Tx, key: str) -> Connection | None:
    """The living exchange with this key, retired or not."""
    found = await connections.find_where(tx, _BY_KEY, of_key=key)
    return found[0] if found else None


async def connections_in_use(tx: Tx) -> list[Connection]:
    """The exchanges that are spoken with, the oldest first."""
    return await connections.find_where(tx, _IN_USE)


async def secret_of(tx: Tx, connection_id: str) -> tuple[bytes, bytes]:
    """(seed, sealed password) of an exchange; empty where it has none."""
    row = await tx.fetchrow(_SECRET, connection_id=connection_id)
    return (bytes(row["seed"]), bytes(row["password"])) if row else (b"", b"")


async def put_secret(tx: Tx, connection_id: str, *, seed: bytes, password: bytes) -> None:
    """Keeps both."""
    await tx.begin()
    await tx.execute(_PUT_SECRET, connection_id=connection_id, seed=seed, password=password)


async def status_of(tx: Tx, connection_id: str) -> connection_pb2.ConnectionStatus:
    """How the exchange is reached; not at all where nobody ever spoke with it."""
    row = await tx.fetchrow(_STATUS, connection_id=connection_id)
    if row is None:
        return connection_pb2.ConnectionStatus()
    said = connection_pb2.ConnectionStatus(connected=row["connected"], problem=row["problem"])
    said.since.FromDatetime(row["since"])
    return said


async def put_status(tx: Tx, connection_id: str, connected: bool, problem: str = "") -> None:
    """Notes how the exchange is reached, where that is new."""
    await tx.execute(
        _PUT_STATUS, connection_id=connection_id, connected=connected, since=tx.now, problem=problem
    )
