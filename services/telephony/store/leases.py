"""Which process speaks with which exchange, and what exchanges are asked to do: tables that are looked at over all tenants.

A process holds its exchanges by a lease that it renews; one that dies loses them when its lease is over. All times are the
database's, so that clocks of hosts have no say.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Column,
    Index,
    Table,
    Text,
    Uuid,
    bindparam,
    delete,
    func,
    insert,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db.statement import Statement
from chassis.kit.tables import Moment
from chassis.tx import Tx
from services.telephony.store.schema import metadata

if TYPE_CHECKING:
    from chassis.runtime import Runtime

LEASE_S = 6.0
"""So long after its death others take over what a process spoke with."""

leases = Table(
    "exchange_leases",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("connection_id", Uuid, primary_key=True),
    Column("stamp", Text, nullable=False),  # see Post
    Column("owner", Text, nullable=False, server_default=text("''")),
    Column("lease_until", Moment, nullable=False, server_default=text("'-infinity'")),
    info={"global": True, "grants": ("SELECT, INSERT, UPDATE, DELETE", "SELECT, UPDATE")},
)
commands = Table(
    "exchange_commands",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("connection_id", Uuid, nullable=False),
    Column("body", JSONB, nullable=False),  # pbx/facts.py: Command
    Index("ix_exchange_commands_connection", "connection_id"),
    info={"global": True, "grants": ("SELECT, INSERT, UPDATE, DELETE", "SELECT, DELETE")},
)


@dataclass(frozen=True, slots=True)
class Post:
    """An exchange that this process speaks with."""

    tenant: str
    connection_id: str
    stamp: str
    """What it is like, a slash, what its extensions are like."""


_L, _C = leases.c, commands.c
_TENANT, _CONNECTION = bindparam("tenant_id", type_=Uuid), bindparam("connection_id", type_=Uuid)
_put = upsert(leases).values(tenant_id=_TENANT, connection_id=_CONNECTION, stamp=bindparam("stamp", type_=Text))  # fmt: skip
_PUT = Statement(
    _put.on_conflict_do_update(
        index_elements=["tenant_id", "connection_id"], set_={"stamp": _put.excluded.stamp}
    )
)
_TOUCH = Statement(
    update(leases)
    .values(
        stamp=func.split_part(_L.stamp, "/", 1).concat("/").concat(bindparam("stamp", type_=Text))
    )
    .where(_L.tenant_id == _TENANT, _L.connection_id == _CONNECTION)
)
_DROP = Statement(delete(leases).where(_L.tenant_id == _TENANT, _L.connection_id == _CONNECTION))
_ASK = Statement(insert(commands).values({c.name: bindparam(c.name, type_=c.type) for c in commands.columns}))  # fmt: skip

_HOLD = f"""
UPDATE exchange_leases SET owner = $1, lease_until = clock_timestamp() + interval '{LEASE_S} seconds'
WHERE owner = $1 OR lease_until < clock_timestamp() RETURNING tenant_id, connection_id, stamp
"""
_RELEASE = "UPDATE exchange_leases SET lease_until = '-infinity' WHERE owner = $1"
# Taken before it is done: an exchange is rather not asked than asked twice, and a phone rings once.
_TAKE = """
DELETE FROM exchange_commands c USING exchange_leases l
WHERE l.owner = $1 AND c.tenant_id = l.tenant_id AND c.connection_id = l.connection_id
RETURNING c.tenant_id, c.connection_id, c.id, c.body
"""


async def put_in_use(tx: Tx, connection_id: str) -> None:
    """The exchange is spoken with, as it is from now on: whoever does so begins anew."""
    await tx.begin()
    await tx.execute(_PUT, connection_id=connection_id, stamp=f"{tx.new_id()}/")


async def extensions_changed(tx: Tx, connection_id: str) -> None:
    """The exchange has other extensions: whoever speaks with it goes on, and knows them."""
    await tx.begin()
    await tx.execute(_TOUCH, connection_id=connection_id, stamp=tx.new_id())


async def put_out_of_use(tx: Tx, connection_id: str) -> None:
    """Nobody speaks with the exchange any more."""
    await tx.begin()
    await tx.execute(_DROP, connection_id=connection_id)


async def ask(tx: Tx, connection_id: str, body: dict[str, Any]) -> None:
    """Asks the exchange to do something."""
    await tx.begin()
    await tx.execute(_ASK, id=tx.new_id(), connection_id=connection_id, body=body)


async def hold(runtime: "Runtime", owner: str) -> list[Post]:
    """Renews this process's leases and takes those that are over; what it speaks with from now on."""
    rows = await runtime.fetch_in_background(_HOLD, owner)
    return [Post(str(r["tenant_id"]), str(r["connection_id"]), r["stamp"]) for r in rows]


async def release(runtime: "Runtime", owner: str) -> None:
    """Lets others take over at once."""
    await runtime.fetch_in_background(_RELEASE, owner)


async def take_commands(runtime: "Runtime", owner: str) -> list[Any]:
    """tenant_id, connection_id, id and body of what the exchanges of this process are asked, each once."""
    return sorted(await runtime.fetch_in_background(_TAKE, owner), key=lambda row: row["id"])
