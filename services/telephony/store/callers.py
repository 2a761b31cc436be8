"""How many signed calls an address has made in this minute."""

from datetime import datetime

from sqlalchemy import Column, Integer, Table, Text, Uuid, bindparam, delete
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db.statement import Statement
from chassis.kit.tables import Moment
from chassis.tx import Tx
from services.telephony.store.schema import metadata

counts = Table(
    "webhook_counts",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("connection_id", Uuid, primary_key=True),
    Column("sender_hash", Text, primary_key=True),
    Column("minute", Moment, primary_key=True),
    Column("count", Integer, nullable=False),
)

_C = counts.c
_TENANT, _MINUTE = bindparam("tenant_id", type_=Uuid), bindparam("minute", type_=Moment)
_CONNECTION = bindparam("connection_id", type_=Uuid)
_first = upsert(counts).values(
    tenant_id=_TENANT, connection_id=_CONNECTION, sender_hash=bindparam("sender_hash"), minute=_MINUTE, count=1
)  # fmt: skip
_COUNT = Statement(
    _first.on_conflict_do_update(
        index_elements=["tenant_id", "connection_id", "sender_hash", "minute"],
        set_={"count": _C["count"] + 1},
    ).returning(_C["count"])
)
_FORGET = Statement(
    delete(counts).where(
        _C.tenant_id == _TENANT, _C.connection_id == _CONNECTION, _C.minute < _MINUTE
    )
)


async def count(tx: Tx, connection_id: str, sender_hash: str, minute: datetime) -> int:
    """Counts one more call of this sender in this minute; older minutes of the exchange are forgotten."""
    await tx.begin()
    calls: int = await tx.fetchval(
        _COUNT, connection_id=connection_id, sender_hash=sender_hash, minute=minute
    )
    if calls == 1:
        await tx.execute(_FORGET, connection_id=connection_id, minute=minute)
    return calls
