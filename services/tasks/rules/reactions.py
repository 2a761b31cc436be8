"""The task that a request makes, and when it has to be done."""

from datetime import datetime

from chassis.hours import department_hours, hours_of
from chassis.tenant_view import TenantView
from chassis.times import to_timestamp
from crm.contacts.v1 import request_pb2
from crm.tasks.v1 import ladder_pb2, task_pb2, task_type_pb2
from services.tasks.rules import assigning, deadlines, ending, ladders, tasks
from services.tasks.rules.ladders import Duty

Request = request_pb2.Request
Task = task_pb2.Task
LadderStep = ladder_pb2.LadderStep

RULE = "request_call"
"""The built-in rule, as Task.origin names it."""
_SUBJECT = "Call"
_WAITING = (Request.STATE_NEW, Request.STATE_ASSIGNED, Request.STATE_IN_WORK)


def waits(request: Request) -> bool:
    """True if the customer has had no answer."""
    return request.state in _WAITING and not request.HasField("delete_time")


def is_waiting(task: Task) -> bool:
    """True if a customer waits, and somebody has to reach him by this task."""
    return deadlines.is_open(task) and ending.runs(task)


def is_made_for(task: Task, request: Request) -> bool:
    """True if the task was made for this request, and not joined by it later."""
    return task.link.request_id == request.id


def is_elsewhere(task: Task, request: Request) -> bool:
    """True if somebody else has the task than the request."""
    if request.owner_id or task.owner_id:
        return task.owner_id != request.owner_id
    return task.department_id != request.department_id


def call_task(
    request: Request,
    type: task_type_pb2.TaskType | None,
    people: TenantView,
    *,
    event_id: str,
    start: datetime,
    minutes: int,
    now: datetime,
) -> Task:
    """A task to call who asked, for the request's owner or its queue; due by the working hours of whoever must act.

    Its subject is that of the type and names nobody: who is to be called is said by contact_id alone.
    """
    task = Task(
        type_id=type.id if type else "", subject=type.name if type else _SUBJECT,
        contact_id=request.contact_id, company_id=request.company_id,
    )  # fmt: skip
    task.link.request_id = request.id
    tasks.begin(task, type, by="")
    place(task, people, request.owner_id, request.department_id, now=now)
    start_clock(task, people, start=start, minutes=minutes)
    task.reaction.request_ids.append(request.id)
    task.origin.event_id, task.origin.rule = event_id, RULE
    task.origin.effect_key = f"{event_id} call"
    return task


def place(
    task: Task, people: TenantView, owner_id: str, department_id: str, *, now: datetime
) -> None:
    """Makes a rule's task somebody's: the owner's, else that of the department's queue, else whichever administrator sees it first."""
    if owner_id:
        home = str((people.user(owner_id) or {}).get("department_id") or "")
        assigning.give(task, owner_id, home=home or department_id, by="", at=now)
    elif department_id:
        assigning.queue(task, department_id, by="")
    else:
        everywhere = LadderStep(whom=LadderStep.WHOM_ADMINISTRATORS)
        ids = [each.user_id for each in ladders.told(people, Duty(), everywhere, now)]
        assigning.offer(task, ids, by="")


def start_clock(task: Task, people: TenantView, *, start: datetime, minutes: int) -> None:
    """Starts the customer's clock, and sets the deadline by the working hours of whoever must act."""
    duty = ladders.duty_of(task)
    step = LadderStep(whom=LadderStep.WHOM_OWNER, after_minutes=minutes)
    task.due_time.CopyFrom(to_timestamp(deadlines.due_at(people, duty, step, start)))
    hours = (
        hours_of(people, duty.owner_id)
        if duty.owner_id
        else department_hours(people, duty.department_id)
    )
    task.due_zone = hours.calendar.zone.key
    task.reaction.start_time.CopyFrom(to_timestamp(start))
