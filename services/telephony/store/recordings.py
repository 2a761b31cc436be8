"""Recordings, what is to be fetched from exchanges, and who listened."""

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
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.kit.columns import Moment, choice, moment, reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.times import to_datetime
from crm.telephony.v1 import recording_pb2
from services.telephony.store.schema import metadata

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
    Column(
        "name", Text, nullable=False
    ),  # how the exchange calls it: a name there, or a provider's address
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
