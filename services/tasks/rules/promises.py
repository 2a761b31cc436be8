"""The task by which somebody keeps what a deal promised: what the deal says, when it is time, and how the task ends. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chassis.tenant_view import TenantView
from chassis.times import to_datetime
from crm.deals.v1 import deal_pb2
from crm.deals.v1 import events_pb2 as deal_events
from crm.tasks.v1 import task_pb2, task_type_pb2
from services.tasks.rules import reactions, tasks

Deal = deal_pb2.Deal
Task = task_pb2.Task
TaskType = task_type_pb2.TaskType

RULE = "promise"
"""The built-in rule, as Task.origin names it."""
_SUBJECT = "Keep what was promised"
_NEAR_MINUTES = 24 * 60
"""How long before it a promise is near that does not say, as deals has it."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a version of a deal says of its promise."""

    version: int
    time: datetime | None
    """By when, while it can still be kept; a promise that was missed can."""
    kept_time: datetime | None
    owner_id: str
    department_id: str


def said(deal: Deal) -> Said:
    """What this version of the deal says; a deal that is lost or deleted promises nothing."""
    promise = deal.promise
    kept = to_datetime(promise.kept_time) if promise.HasField("kept_time") else None
    lives = deal.state != Deal.STATE_LOST and not deal.HasField("delete_time")
    waits = deal.HasField("promise") and lives and kept is None
    time = to_datetime(promise.time) if waits else None
    return Said(int(deal.etag or 0), time, kept, deal.owner_id, deal.department_id)


def is_due(event: Any) -> bool:
    """True if the event says that it is time: PromiseNear, or a promise for which that moment had passed when it was given."""
    if isinstance(event, deal_events.PromiseNear):
        return True
    at, promise = to_datetime(event.change.time), event.deal.promise
    if event.change.republished or not promise.HasField("time"):
        return False
    due = to_datetime(promise.time)
    return due - timedelta(minutes=promise.near_minutes or _NEAR_MINUTES) <= at < due


def promise_task(
    deal: Deal, type: TaskType | None, people: TenantView, owner_id: str, *, event_id: str, now: datetime
) -> Task:  # fmt: skip
    """A task to keep the promise, for this user or else the deal's queue; due when it was promised.

    Its subject is that of the type: what was promised to whom is said in the deal, to those who may read it there.
    """
    task = Task(
        type_id=type.id if type else "", subject=type.name if type else _SUBJECT,
        contact_id=deal.contact_id, company_id=deal.company_id,
    )  # fmt: skip
    task.link.deal_id = deal.id
    tasks.begin(task, type, by="")
    reactions.place(task, people, owner_id, deal.department_id, now=now)
    move(task, deal)
    task.origin.event_id, task.origin.rule = event_id, RULE
    task.origin.effect_key = f"{deal.id} {RULE} {task.due_time.ToJsonString()}"
    return task


def move(task: Task, deal: Deal) -> None:
    """The task is due when the deal promises."""
    promise = deal.promise
    task.due_time.CopyFrom(promise.time)
    task.due_zone, task.all_day = promise.zone or task.due_zone or "UTC", False
    if task.HasField("start_time") and to_datetime(task.start_time) > to_datetime(promise.time):
        task.ClearField("start_time")


def end_time(task: Task, kept: datetime, now: datetime) -> datetime:
    """When it was done by a promise that was kept then: not before the task was made, and not in the future."""
    return max(to_datetime(task.create_time), min(kept, now))


def outcome_without_result(type: TaskType | None) -> str | None:
    """With which outcome such a task is done where nobody says a result; None if its type wants one."""
    kind = type or TaskType()
    wanted = any(field.required for field in kind.result_fields)
    if not kind.outcomes:
        return None if wanted else ""
    return next((each.key for each in kind.outcomes if each.without_result or not wanted), None)
