"""Handovers, and the look-ups of what a leaver holds here. What they moved here lies in the kit's tables."""

from sqlalchemy import Column, Index, SmallInteger, Uuid, bindparam, literal_column

from chassis.kit import handover_moves
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.identity.v1 import department_pb2, handover_pb2
from services.identity.store.records import departments
from services.identity.store.schema import metadata

__all__ = [
    "handovers",
    "handovers_of_absence",
    "handovers_under_way",
    "led_departments",
]

Handover = handover_pb2.Handover
UNDER_WAY = (
    Handover.STATE_PROPOSED,
    Handover.STATE_PREVIEWED,
    Handover.STATE_SCHEDULED,
    Handover.STATE_MOVING,
    Handover.STATE_FAILED,
    Handover.STATE_RETURNING,
)
"""States in which a second handover of the same person would cross the first."""

_UNDER_WAY = ",".join(str(int(state)) for state in UNDER_WAY)

handover_moves.tables(metadata)

_STATES = {name.removeprefix("STATE_"): number for name, number in Handover.State.items() if number}
_KINDS = {name.removeprefix("KIND_"): number for name, number in Handover.Kind.items() if number}

handovers: Resource[Handover] = Resource(
    Handover,
    metadata,
    table="handovers",
    columns=[
        Column("owner_id", Uuid, nullable=False),
        Column("absence_id", Uuid),
        Column("kind", SmallInteger, nullable=False),
        Column("state", SmallInteger, nullable=False),
    ],
    items=[Index("ix_handovers_absence", "tenant_id", "absence_id")],
    values=lambda h: {
        "owner_id": h.owner_id,
        "absence_id": h.absence_id or None,
        "kind": h.kind,
        "state": h.state,
    },
    fields={
        "owner_id": Field("owner_id", "uuid"),
        "absence_id": Field("absence_id", "uuid"),
        "kind": Field("kind", "enum", enum=_KINDS | {f"KIND_{k}": n for k, n in _KINDS.items()}),
        "state": Field(
            "state", "enum", enum=_STATES | {f"STATE_{k}": n for k, n in _STATES.items()}
        ),
    },
    default_owner=False,
)

_h, _d = handovers.view.c, departments.view.c
_OF_USER = handovers.select(
    _h.owner_id == bindparam("owner_id", type_=Uuid),
    _h.state == literal_column(f"any('{{{_UNDER_WAY}}}'::smallint[])"),
    order=_h.id,
    limit=10,
)
_OF_ABSENCE = handovers.select(
    _h.absence_id == bindparam("absence_id", type_=Uuid), order=_h.id, limit=100
)
_USER = bindparam("user_id", type_=Uuid)
_HEADED = departments.select(_d.head_id == _USER, order=_d.id, limit=1000)


async def handovers_under_way(tx: Tx, owner_id: str) -> list[Handover]:
    """The user's handovers that are neither done nor given back."""
    return await handovers.find_where(tx, _OF_USER, owner_id=owner_id)


async def handovers_of_absence(tx: Tx, absence_id: str) -> list[Handover]:
    """The handovers that begin and end with this absence."""
    return await handovers.find_where(tx, _OF_ABSENCE, absence_id=absence_id)


async def led_departments(tx: Tx, user_id: str) -> list[department_pb2.Department]:
    """The departments of which the user is head or, as far as the directory knows, deputy."""
    headed = {d.id: d for d in await departments.find_where(tx, _HEADED, user_id=user_id)}
    deputed = [
        id
        for id, department in sorted(tx.directory.departments().items())
        if department.get("deputy_id") == user_id and id not in headed
    ]
    others = await departments.find_many(tx, deputed)
    return [*headed.values(), *(d for d in others if d.deputy_id == user_id)]
