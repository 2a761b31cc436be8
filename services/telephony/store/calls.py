"""Calls, what is known of their legs, and by which keys exchanges know them."""

from datetime import datetime, timedelta
from typing import Any

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
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db.statement import Statement
from chassis.kit.columns import choice, moment, reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.telephony.v1 import call_pb2, parts_pb2
from services.telephony.store.schema import metadata

Call = call_pb2.Call


def _values(call: Call) -> dict[str, Any]:
    return {
        "owner_id": reference(call.owner_id),
        "department_id": reference(call.department_id),
        "follower_ids": list(call.follower_ids),
        "direction": call.direction,
        "state": call.state,
        "outcome": call.outcome,
        "missed_state": call.missed_state,
        "missed_reason": call.missed_reason,
        "number": call.number,
        "purpose": call.purpose,
        "line_id": reference(call.line_id),
        "connection_id": reference(call.connection_id),
        "contact_id": reference(call.contact_id),
        "company_id": reference(call.company_id),
        "deal_id": reference(call.deal_id),
        "task_id": reference(call.task_id),
        "disposition_id": reference(call.disposition_id),
        "spell_id": reference(call.spell_id),
        "start_time": to_datetime(call.start_time),
        "answer_time": moment(call, "answer_time"),
        "end_time": moment(call, "end_time"),
        "missed_end_time": moment(call, "missed_end_time"),
        "talk_seconds": call.talk_seconds,
        "wrap_up_seconds": _wrap_up_seconds(call),
        "imported": call.imported,
    }


def _wrap_up_seconds(call: Call) -> int:
    if not call.HasField("wrap_up_time") or not call.HasField("end_time"):
        return 0
    return max(0, call.wrap_up_time.seconds - call.end_time.seconds)


_LONGEST_RINGING = timedelta(days=1)
"""From the begin of a call until somebody answers it, at most: it bounds what is read of the index."""
_OPEN_MISSED = text(f"missed_state = {int(Call.MISSED_STATE_OPEN)}")
_LIVE = text(f"state <> {int(Call.STATE_ENDED)} AND delete_time IS NULL")

calls = Resource(
    Call,
    metadata,
    table="calls",
    columns=[
        Column("owner_id", Uuid), Column("department_id", Uuid), Column("follower_ids", ARRAY(Uuid), nullable=False),
        Column("direction", SmallInteger, nullable=False), Column("state", SmallInteger, nullable=False),
        Column("outcome", SmallInteger, nullable=False), Column("missed_state", SmallInteger, nullable=False),
        Column("missed_reason", SmallInteger, nullable=False), Column("number", Text, nullable=False),
        Column("purpose", SmallInteger, nullable=False), Column("line_id", Uuid), Column("connection_id", Uuid),
        Column("contact_id", Uuid), Column("company_id", Uuid), Column("deal_id", Uuid), Column("task_id", Uuid),
        Column("disposition_id", Uuid), Column("spell_id", Uuid), Column("start_time", Moment, nullable=False),
        Column("answer_time", Moment), Column("end_time", Moment),
        Column("missed_end_time", Moment), Column("talk_seconds", Integer, nullable=False),
        Column("wrap_up_seconds", Integer, nullable=False), Column("imported", Boolean, nullable=False),
    ],
    values=_values,
    items=[
        Index("ix_calls_number_start", "tenant_id", "number", "start_time"),
        Index("ix_calls_contact", "tenant_id", "contact_id", "start_time", postgresql_where=text("contact_id IS NOT NULL")),
        Index("ix_calls_company", "tenant_id", "company_id", "start_time", postgresql_where=text("company_id IS NOT NULL")),
        Index("ix_calls_deal", "tenant_id", "deal_id", postgresql_where=text("deal_id IS NOT NULL")),
        Index("ix_calls_open_missed", "tenant_id", "number", postgresql_where=_OPEN_MISSED),
        Index("ix_calls_spell", "tenant_id", "spell_id", postgresql_where=text("spell_id IS NOT NULL")),
        Index("ix_calls_live", "tenant_id", "connection_id", postgresql_where=_LIVE),
    ],
    fields={
        "direction": choice("direction", Call.Direction, "DIRECTION_"),
        "state": choice("state", Call.State, "STATE_"),
        "outcome": choice("outcome", Call.Outcome, "OUTCOME_"),
        "missed_state": choice("missed_state", Call.MissedState, "MISSED_STATE_"),
        "missed_reason": choice("missed_reason", Call.MissedReason, "MISSED_REASON_"),
        "number": Field("number", "text", sentinel=""),
        "purpose": choice("purpose", parts_pb2.Purpose, "PURPOSE_"),
        "line_id": Field("line_id", "uuid"),
        "connection_id": Field("connection_id", "uuid"),
        "contact_id": Field("contact_id", "uuid"),
        "company_id": Field("company_id", "uuid"),
        "deal_id": Field("deal_id", "uuid"),
        "task_id": Field("task_id", "uuid"),
        "disposition_id": Field("disposition_id", "uuid"),
        "spell_id": Field("spell_id", "uuid"),
        "start_time": Field("start_time", "timestamp", sortable=True),
        "end_time": Field("end_time", "timestamp"),
        "talk_seconds": Field("talk_seconds", "number"),
        "owner_id": Field("owner_id", "uuid"),
        "department_id": Field("department_id", "uuid"),
        "follower_ids": Field("follower_ids", "uuid_array"),
        "imported": Field("imported", "bool"),
    },
    search="number",
    default_order="start_time desc",
    default_owner=False,
)  # fmt: skip

call_keys = Table(
    "call_keys",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("connection_id", Uuid, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("call_id", Uuid, nullable=False),
    Index("ix_call_keys_call", "tenant_id", "call_id"),
)
call_legs = Table(
    "call_legs",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("call_id", Uuid, primary_key=True),
    Column("leg_id", Text, primary_key=True),
    Column("known", JSONB, nullable=False),  # rules/calls.py: LegState
)

_TENANT, _CALL = bindparam("tenant_id", type_=Uuid), bindparam("call_id", type_=Uuid)
_CONNECTION = bindparam("connection_id", type_=Uuid)
_V, _K, _L = calls.view.c, call_keys.c, call_legs.c
_OF_KEY = Statement(
    select(_K.call_id).where(_K.tenant_id == _TENANT, _K.connection_id == _CONNECTION, _K.key == bindparam("key"))
)  # fmt: skip
_ADD_KEY = Statement(
    upsert(call_keys)
    .values(tenant_id=_TENANT, connection_id=_CONNECTION, key=bindparam("key", type_=Text), call_id=_CALL)
    .on_conflict_do_nothing()
)  # fmt: skip
_KEYS_OF = Statement(select(_K.key).where(_K.tenant_id == _TENANT, _K.call_id == _CALL).order_by(_K.key))  # fmt: skip
_LEGS = Statement(select(_L.leg_id, _L.known).where(_L.tenant_id == _TENANT, _L.call_id == _CALL))
_put = upsert(call_legs).values(
    tenant_id=_TENANT, call_id=_CALL, leg_id=bindparam("leg_id", type_=Text), known=bindparam("known", type_=JSONB)
)  # fmt: skip
_PUT_LEG = Statement(
    _put.on_conflict_do_update(
        index_elements=["tenant_id", "call_id", "leg_id"], set_={"known": _put.excluded.known}
    )
)
_LIVE_AT = calls.select(
    _V.connection_id == bindparam("of_connection", type_=Uuid),
    _V.state != int(Call.STATE_ENDED), order=(_V.start_time, _V.id),
)  # fmt: skip
_MISSED_OF = calls.select(
    _V.number == bindparam("of_number", type_=Text),
    _V.missed_state == int(Call.MISSED_STATE_OPEN), order=(_V.start_time, _V.id),
)  # fmt: skip
_RECENT_OF = calls.select(
    _V.number == bindparam("of_number", type_=Text), _V.start_time >= bindparam("since", type_=Moment),
    order=(_V.start_time.desc(), _V.id), limit=20,
)  # fmt: skip
_ANSWERED_SINCE = calls.select(
    _V.number == bindparam("of_number", type_=Text), _V.start_time >= bindparam("began", type_=Moment),
    _V.answer_time >= bindparam("since", type_=Moment), order=(_V.answer_time, _V.id), limit=1,
)  # fmt: skip


async def call_of_key(tx: Tx, connection_id: str, key: str) -> str:
    """The id of the call that the exchange knows by this key; empty if it is new."""
    found = await tx.fetchval(_OF_KEY, connection_id=connection_id, key=key)
    return str(found) if found else ""


async def add_key(tx: Tx, connection_id: str, key: str, call_id: str) -> None:
    """The exchange knows the call by this key, too."""
    await tx.begin()
    await tx.execute(_ADD_KEY, connection_id=connection_id, key=key, call_id=call_id)


async def keys_of(tx: Tx, call_id: str) -> list[str]:
    """By which keys its exchange knows the call."""
    return [str(row["key"]) for row in await tx.fetch(_KEYS_OF, call_id=call_id)]


async def legs_of(tx: Tx, call_id: str) -> dict[str, dict[str, Any]]:
    """Leg id -> what is known of it."""
    return {row["leg_id"]: row["known"] for row in await tx.fetch(_LEGS, call_id=call_id)}


async def put_leg(tx: Tx, call_id: str, leg_id: str, known: dict[str, Any]) -> None:
    """Keeps what is known of a leg."""
    await tx.begin()
    await tx.execute(_PUT_LEG, call_id=call_id, leg_id=leg_id, known=known)


async def live_calls(tx: Tx, connection_id: str) -> list[Call]:
    """The calls of an exchange that are not over, the oldest first."""
    return await calls.find_where(tx, _LIVE_AT, of_connection=connection_id)


async def open_missed(tx: Tx, number: str) -> list[Call]:
    """The missed calls of a number that were not made good, the oldest first."""
    return await calls.find_where(tx, _MISSED_OF, of_number=number)


async def recent_of(tx: Tx, number: str, since: datetime) -> list[Call]:
    """The latest calls of a number, at most 20."""
    return await calls.find_where(tx, _RECENT_OF, of_number=number, since=since)


async def answered_since(tx: Tx, number: str, since: datetime) -> Call | None:
    """The first call of a number in which they began to speak since then."""
    began = since - _LONGEST_RINGING
    found = await calls.find_where(tx, _ANSWERED_SINCE, of_number=number, began=began, since=since)
    return found[0] if found else None
