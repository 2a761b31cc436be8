"""Recordings, what is to be done with their sound, and who listened."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    Uuid,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db.statement import Statement
from chassis.kit.columns import choice, moment, reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.telephony.v1 import recording_pb2
from services.telephony.store.schema import metadata

if TYPE_CHECKING:
    from chassis.runtime import Runtime

Recording = recording_pb2.Recording


def _values(recording: Recording) -> dict[str, Any]:
    return {
        "owner_id": reference(recording.owner_id),
        "department_id": reference(recording.department_id),
        "follower_ids": list(recording.follower_ids),
        "call_id": reference(recording.call_id),
        "contact_id": reference(recording.contact_id),
        "company_id": reference(recording.company_id),
        "state": recording.state,
        "seconds": recording.seconds,
        "start_time": to_datetime(recording.start_time),
        "expire_time": moment(recording, "expire_time"),
        "held": recording.held,
    }


recordings = Resource(
    Recording,
    metadata,
    table="recordings",
    columns=[
        Column("owner_id", Uuid), Column("department_id", Uuid), Column("follower_ids", ARRAY(Uuid), nullable=False),
        Column("call_id", Uuid), Column("contact_id", Uuid), Column("company_id", Uuid),
        Column("state", SmallInteger, nullable=False), Column("seconds", Integer, nullable=False),
        Column("start_time", Moment, nullable=False), Column("expire_time", Moment), Column("held", Boolean, nullable=False),
    ],
    values=_values,
    items=[
        Index("ix_recordings_call", "tenant_id", "call_id"),
        Index("ix_recordings_contact", "tenant_id", "contact_id", postgresql_where=text("contact_id IS NOT NULL")),
        Index("ix_recordings_company", "tenant_id", "company_id", postgresql_where=text("company_id IS NOT NULL")),
    ],
    fields={
        "call_id": Field("call_id", "uuid"),
        "contact_id": Field("contact_id", "uuid"),
        "company_id": Field("company_id", "uuid"),
        "state": choice("state", Recording.State, "STATE_"),
        "seconds": Field("seconds", "number"),
        "start_time": Field("start_time", "timestamp", sortable=True),
        "held": Field("held", "bool"),
        "owner_id": Field("owner_id", "uuid"),
        "department_id": Field("department_id", "uuid"),
        "follower_ids": Field("follower_ids", "uuid_array"),
    },
    default_order="start_time desc",
    default_owner=False,
)  # fmt: skip

fetches = Table(
    "recording_fetches",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("recording_id", Uuid, primary_key=True),
    Column("connection_id", Uuid, nullable=False),
    # How the exchange calls it: a name there, or a provider's address; of no meaning where the sound is to be removed.
    Column("name", Text, nullable=False),
    Column("due_time", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Index("ix_recording_fetches_due", "due_time"),
    # The loop that fetches looks at all tenants at once.
    info={"global": True, "grants": ("SELECT, INSERT, UPDATE, DELETE", "SELECT, UPDATE")},
)
listenings = Table(
    "listenings",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("recording_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),  # UUIDv7: sorts by time
    Column("user_id", Uuid, nullable=False),
    Column("time", Moment, nullable=False),
)

_TENANT, _RECORDING = bindparam("tenant_id", type_=Uuid), bindparam("recording_id", type_=Uuid)
_F, _L, _V = fetches.c, listenings.c, recordings.view.c
_ONE = (_F.tenant_id == _TENANT, _F.recording_id == _RECORDING)
_DUE = bindparam("due_time", type_=Moment)
_OF_CALL = recordings.select(_V.call_id == bindparam("of_call", type_=Uuid), order=(_V.start_time, _V.id))  # fmt: skip
# What waits already is left alone: somebody may be at it, and will see what the recording has become.
_PUT = Statement(
    upsert(fetches)
    .values(
        tenant_id=_TENANT, recording_id=_RECORDING, connection_id=bindparam("connection_id", type_=Uuid),
        name=bindparam("name", type_=Text), due_time=_DUE, attempts=0,
    )
    .on_conflict_do_nothing()
)  # fmt: skip
_SOONER = Statement(
    update(fetches).where(*_ONE, _F.attempts == 0).values(due_time=func.least(_F.due_time, _DUE))
)
_LATER = Statement(update(fetches).where(*_ONE).values(due_time=_DUE))
_DROP = Statement(delete(fetches).where(*_ONE))
_LISTEN = Statement(insert(listenings).values({c.name: bindparam(c.name, type_=c.type) for c in listenings.columns}))  # fmt: skip
_OF_RECORDING = (_L.tenant_id == _TENANT, _L.recording_id == _RECORDING)
_LAST = Statement(
    select(func.max(_L.time)).where(*_OF_RECORDING, _L.user_id == bindparam("user_id", type_=Uuid))
)
_LISTENED = Statement(
    select(_L.id, _L.user_id, _L.time)
    .where(*_OF_RECORDING, _L.id < bindparam("before", type_=Uuid))
    .order_by(_L.id.desc())
    .limit(bindparam("many", type_=Integer))
)

# Claimed by moving it into the future: a process that dies in between gives it back by time. Only whoever speaks with an exchange
# can fetch from it; what nobody speaks with any more is anybody's.
_CLAIM = """
WITH due AS (
    SELECT tenant_id, recording_id FROM recording_fetches f
    WHERE due_time <= $1 AND NOT EXISTS (
        SELECT FROM exchange_leases l WHERE l.tenant_id = f.tenant_id AND l.connection_id = f.connection_id
        AND l.owner <> $4 AND l.lease_until >= clock_timestamp()
    ) ORDER BY due_time LIMIT $3 FOR UPDATE SKIP LOCKED
)
UPDATE recording_fetches f SET due_time = $2, attempts = attempts + 1 FROM due
WHERE (f.tenant_id, f.recording_id) = (due.tenant_id, due.recording_id)
RETURNING f.tenant_id, f.recording_id, f.connection_id, f.name, f.attempts
"""


async def claim(
    runtime: "Runtime", owner: str, now: datetime, again_at: datetime, many: int
) -> list[Any]:
    """Takes what is due and no other process's, of all tenants; what is not settled until `again_at` is claimed again."""
    return await runtime.fetch_in_background(_CLAIM, now, again_at, many, owner)


async def of_call(tx: Tx, call_id: str) -> list[Recording]:
    """The recordings of a call, the oldest first."""
    return await recordings.find_where(tx, _OF_CALL, of_call=call_id)


async def put_fetch(
    tx: Tx, recording_id: str, connection_id: str, name: str, due_time: datetime
) -> None:
    """Something is to be done with the recording's sound, as its state says; nothing happens if that waits already."""
    await tx.begin()
    await tx.execute(
        _PUT, recording_id=recording_id, connection_id=connection_id, name=name, due_time=due_time
    )


async def fetch_sooner(tx: Tx, recording_id: str, due_time: datetime) -> None:
    """It is due at this time at the latest; what was tried already keeps its time."""
    await tx.begin()
    await tx.execute(_SOONER, recording_id=recording_id, due_time=due_time)


async def fetch_later(tx: Tx, recording_id: str, due_time: datetime) -> None:
    """It is tried again then."""
    await tx.begin()
    await tx.execute(_LATER, recording_id=recording_id, due_time=due_time)


async def drop_fetch(tx: Tx, recording_id: str) -> None:
    """Nothing more is to be done."""
    await tx.begin()
    await tx.execute(_DROP, recording_id=recording_id)


async def add_listening(tx: Tx, recording_id: str, user_id: str) -> None:
    """Somebody listens."""
    await tx.begin()
    await tx.execute(
        _LISTEN, recording_id=recording_id, id=tx.new_id(), user_id=user_id, time=tx.now
    )


async def last_listening(tx: Tx, recording_id: str, user_id: str) -> datetime | None:
    """When he listened to it last; None if he never did."""
    found: datetime | None = await tx.fetchval(_LAST, recording_id=recording_id, user_id=user_id)
    return found


async def listenings_before(tx: Tx, recording_id: str, before: str, many: int) -> list[Any]:
    """id, user_id and time of who listened, latest first, from before this id."""
    return await tx.fetch(_LISTENED, recording_id=recording_id, before=before, many=many)
