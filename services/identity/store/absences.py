"""Absences, and the look-ups that their rules need."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, SmallInteger, Uuid, bindparam, or_
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.identity.v1 import absence_pb2
from services.identity.store.schema import metadata

__all__ = ["absences", "absences_not_over", "delegations_to", "overlapping_absence"]

Absence = absence_pb2.Absence
_STATES = {"PLANNED": 1, "STARTED": 2, "ENDED": 3}
_KINDS = {"LEAVE": 1, "SICK": 2, "OTHER": 3}


def _enum(names: dict[str, int], prefix: str) -> dict[str, int]:
    return {**names, **{f"{prefix}_{name}": number for name, number in names.items()}}


def _values(absence: Absence) -> dict[str, Any]:
    return {
        "owner_id": absence.owner_id,
        "follower_ids": list(absence.follower_ids),
        "delegate_id": absence.delegate_id or None,
        "kind": absence.kind,
        "state": absence.state,
        "start_time": to_datetime(absence.start_time),
        "end_time": to_datetime(absence.end_time) if absence.HasField("end_time") else None,
    }


absences: Resource[Absence] = Resource(
    Absence,
    metadata,
    table="absences",
    columns=[
        Column("owner_id", Uuid, nullable=False),
        Column("follower_ids", ARRAY(Uuid), nullable=False),
        Column("delegate_id", Uuid),
        Column("kind", SmallInteger, nullable=False),
        Column("state", SmallInteger, nullable=False),
        Column("start_time", Moment, nullable=False),
        Column("end_time", Moment),
    ],
    items=[Index("ix_absences_delegate", "tenant_id", "delegate_id", "state")],
    values=_values,
    fields={
        "owner_id": Field("owner_id", "uuid"),
        "delegate_id": Field("delegate_id", "uuid"),
        "kind": Field("kind", "enum", enum=_enum(_KINDS, "KIND")),
        "state": Field("state", "enum", enum=_enum(_STATES, "STATE")),
        "start_time": Field("start_time", "timestamp", sortable=True),
        "end_time": Field("end_time", "timestamp"),
    },
    default_order="start_time desc",
)

_v = absences.view.c
_OWNER = bindparam("owner_id", type_=Uuid)
_NOT_OVER = _v.state != int(Absence.STATE_ENDED)
_OF_USER = absences.select(
    _v.owner_id == _OWNER, _NOT_OVER, order=(_v.start_time, _v.id), limit=200
)
_OVERLAPPING = absences.select(
    _v.owner_id == _OWNER,
    _v.id != bindparam("besides", type_=Uuid),
    or_(_v.end_time.is_(None), _v.end_time > bindparam("start", type_=Moment)),
    _v.start_time < bindparam("until", type_=Moment),
    order=(_v.start_time, _v.id),
    limit=1,
)
_DELEGATED = absences.select(
    _v.delegate_id == bindparam("delegate_id", type_=Uuid), _NOT_OVER, order=_v.id, limit=1000
)


async def absences_not_over(tx: Tx, owner_id: str) -> list[Absence]:
    """The absence that lasts now and those that lie ahead, in their order."""
    return await absences.find_where(tx, _OF_USER, owner_id=owner_id)


async def overlapping_absence(
    tx: Tx, owner_id: str, besides: str, start: datetime, until: datetime
) -> Absence | None:
    """Another absence of the user that shares a moment with this time; ask under `lock_people`."""
    found = await absences.find_where(
        tx, _OVERLAPPING, owner_id=owner_id, besides=besides, start=start, until=until
    )
    return found[0] if found else None


async def delegations_to(tx: Tx, user_id: str) -> list[Absence]:
    """Absences of others in which the user stands in, as long as they are not over."""
    return await absences.find_where(tx, _DELEGATED, delegate_id=user_id)
