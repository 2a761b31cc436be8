"""Ladders are planned by people's hours, absences and departments: when these change, they are planned anew."""

from typing import Any

from chassis.handlers import on
from chassis.tx import Tx
from crm.identity.v1 import absence_events_pb2 as absences
from crm.identity.v1 import events_pb2 as identity
from services.tasks import timers

_CONCERN = (
    identity.TenantUpdated,
    identity.UserCreated,
    identity.UserUpdated,
    identity.UserDeactivated,
    identity.UserReactivated,
    identity.DepartmentCreated,
    identity.DepartmentUpdated,
    identity.DepartmentDeleted,
    identity.DepartmentUndeleted,
    identity.RoleUpdated,
    absences.AbsenceCreated,
    absences.AbsenceUpdated,
    absences.AbsenceDeleted,
    absences.AbsenceStarted,
    absences.AbsenceEnded,
)


def _concerns(event: Any) -> bool:
    return not event.change.republished


@on(*_CONCERN, durable="tasks-people", wants=_concerns)
async def plan_again(event: Any, tx: Tx) -> None:
    """Whoever must act may be somebody else, or work at other hours."""
    await timers.plan_again(tx)
