"""What waits to be handed to a way beside the feed. One row a notice and way, without any text.

The loop that hands it over looks at all tenants at once, so this table is granted to the background role like the chassis's own.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Column,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    Uuid,
    any_,
    bindparam,
    delete,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db import Statement
from chassis.kit.tables import Moment
from chassis.tx import Tx
from services.notifications.store.schema import metadata

if TYPE_CHECKING:
    from chassis.runtime import Runtime

deliveries = Table(
    "deliveries",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("notice_id", Uuid, primary_key=True),
    Column("way", SmallInteger, primary_key=True),
    Column("owner_id", Uuid, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'waiting'")),  # waiting, over, dead
    Column("due_time", Moment, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("problem", Text, nullable=False, server_default=text("''")),
    Index("ix_deliveries_waiting", "due_time", postgresql_where=text("state = 'waiting'")),
    info={"global": True, "grants": ("SELECT, INSERT, UPDATE, DELETE", "SELECT, UPDATE")},
)

# Claimed by moving it into the future: a process that dies in between gives it back by time. SKIP LOCKED: several loops at
# once never wait for each other.
_CLAIM = """
WITH due AS (
    SELECT tenant_id, notice_id, way FROM deliveries
    WHERE state = 'waiting' AND due_time <= $1 ORDER BY due_time LIMIT $3 FOR UPDATE SKIP LOCKED
)
UPDATE deliveries d SET due_time = $2, attempts = attempts + 1, problem = '' FROM due
WHERE (d.tenant_id, d.notice_id, d.way) = (due.tenant_id, due.notice_id, due.way)
RETURNING d.tenant_id, d.notice_id, d.way, d.owner_id, d.attempts
"""

_d = deliveries.c
_TENANT = bindparam("tenant_id", type_=Uuid)
_ADD = Statement(
    upsert(deliveries)
    .values({n: bindparam(n) for n in ("tenant_id", "notice_id", "way", "owner_id", "due_time")})
    .on_conflict_do_nothing()
)
_ONE = (
    _d.tenant_id == _TENANT,
    _d.notice_id == bindparam("of_notice_id", type_=Uuid),
    _d.way == bindparam("of_way"),
)
_SETTLE = Statement(
    update(deliveries)
    .where(*_ONE, _d.state == "waiting")
    .values(state=bindparam("state"), due_time=bindparam("due_time"), problem=bindparam("problem"))
)
_END_OF_USER = Statement(
    update(deliveries)
    .where(_d.tenant_id == _TENANT, _d.owner_id == bindparam("of_owner_id", type_=Uuid), _d.state == "waiting")
    .values(state="over", problem="USER_NOT_ACTIVE")
)  # fmt: skip
_FORGET = Statement(
    delete(deliveries).where(
        _d.tenant_id == _TENANT, _d.notice_id == any_(bindparam("ids", type_=ARRAY(Uuid)))
    )
)


async def claim(runtime: "Runtime", now: datetime, again_at: datetime, many: int) -> list[Any]:
    """Takes what is due, of all tenants; what is not settled until `again_at` is claimed again."""
    return await runtime.fetch_in_background(_CLAIM, now, again_at, many)


async def add(tx: Tx, notice_id: str, way: int, owner_id: str, due_time: datetime) -> None:
    """Puts a notice into the queue of a way, once."""
    await tx.execute(_ADD, notice_id=notice_id, way=way, owner_id=owner_id, due_time=due_time)


async def settle(
    tx: Tx, notice_id: str, way: int, *, state: str, due_time: datetime, problem: str
) -> bool:
    """Says how it stands now: over, dead, or waiting until `due_time`; False if it does not wait any more."""
    done = await tx.execute(
        _SETTLE, of_notice_id=notice_id, of_way=way, state=state, due_time=due_time, problem=problem
    )
    return done == 1


async def end_of_user(tx: Tx, owner_id: str) -> int:
    """Takes everything of this user out of the queues."""
    return await tx.execute(_END_OF_USER, of_owner_id=owner_id)


async def forget(tx: Tx, notice_ids: Sequence[str]) -> int:
    """Removes the rows of these notices."""
    return await tx.execute(_FORGET, ids=list(notice_ids))
