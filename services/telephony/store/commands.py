"""What exchanges are asked to do, until the process that speaks with them has done it."""

from typing import Any

from sqlalchemy import Column, Index, Table, Uuid, bindparam, delete, insert, select
from sqlalchemy.dialects.postgresql import JSONB

from chassis.db.statement import Statement
from chassis.kit.columns import Moment
from chassis.tx import Tx
from services.telephony.store.schema import metadata

commands = Table(
    "commands",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("connection_id", Uuid, nullable=False),
    Column("call_id", Uuid, nullable=False),
    Column("body", JSONB, nullable=False),  # pbx/facts.py: Command
    Column("expire_time", Moment, nullable=False),  # nobody wants a phone to ring minutes later
    Index("ix_commands_connection", "tenant_id", "connection_id", "id"),
)

_C = commands.c
_TENANT = bindparam("tenant_id", type_=Uuid)
_ADD = Statement(insert(commands).values({c.name: bindparam(c.name, type_=c.type) for c in commands.columns}))  # fmt: skip
_NEXT = Statement(
    select(_C.id, _C.call_id, _C.body, _C.expire_time)
    .where(_C.tenant_id == _TENANT, _C.connection_id == bindparam("connection_id", type_=Uuid))
    .order_by(_C.id)
    .limit(50)
)
_DONE = Statement(delete(commands).where(_C.tenant_id == _TENANT, _C.id == bindparam("id", type_=Uuid)))  # fmt: skip


async def ask(tx: Tx, connection_id: str, call_id: str, body: dict[str, Any], expire_time: Any) -> None:  # fmt: skip
    """Asks the exchange to do something about the call, unless nobody has asked it by `expire_time`."""
    await tx.begin()
    await tx.execute(
        _ADD, id=tx.new_id(), connection_id=connection_id, call_id=call_id, body=body, expire_time=expire_time
    )  # fmt: skip


async def asked(tx: Tx, connection_id: str) -> list[Any]:
    """id, call_id, body, expire_time of what the exchange is asked, the oldest first; at most 50."""
    return await tx.fetch(_NEXT, connection_id=connection_id)


async def done(tx: Tx, id: str) -> bool:
    """Forgets a command; False if another process was quicker."""
    await tx.begin()
    return bool(await tx.execute(_DONE, id=id))
