"""The task that a missed call makes: one for each spell, that is, for the missed calls of one number until somebody speaks with
the caller. Pure.
"""

from datetime import datetime

from chassis.tenant_view import TenantView
from chassis.times import to_datetime, to_timestamp
from crm.contacts.v1 import request_pb2
from crm.tasks.v1 import task_pb2, task_type_pb2
from crm.telephony.v1 import call_pb2
from services.tasks.rules import deadlines, ending, reactions, tasks

Call = call_pb2.Call
Request = request_pb2.Request
Task = task_pb2.Task

RULE = "missed_call"
"""The built-in rule, as Task.origin names it."""

_ENDS = {
    Call.MISSED_STATE_RETURNED: ("returned", "A colleague called back, and they spoke."),
    Call.MISSED_STATE_CAME_BACK: ("came_back", "The caller called again and was answered."),
    Call.MISSED_STATE_WRITTEN_OFF: ("written_off", "No call back is needed."),
}
"""How a spell ends: as Task.call_back names it, and as it reads in the task."""


def asks_for_one(call: Call) -> bool:
    """True if somebody outside waits to be called back, and can be: who hides his number cannot."""
    return (
        call.direction == Call.DIRECTION_INBOUND
        and call.missed_state == Call.MISSED_STATE_OPEN
        and bool(call.number)
        and not call.withheld
        and not call.HasField("delete_time")
    )


def is_made_good(call: Call) -> bool:
    """True if nobody has to call back any more."""
    return call.missed_state in _ENDS


def subject(count: int) -> str:
    """What is to be done; it names nobody, as whom to call is said by the call."""
    return "Call back" if count < 2 else f"Call back: {count} missed calls"


def call_back_task(
    call: Call,
    type: task_type_pb2.TaskType | None,
    people: TenantView,
    *,
    event_id: str,
    minutes: int,
    now: datetime,
) -> Task:
    """A task to call back, for whose call it was or its queue; due by the working hours of whoever must act."""
    task = Task(
        type_id=type.id if type else "", subject=subject(1),
        contact_id=call.contact_id, company_id=call.company_id,
    )  # fmt: skip
    if call.deal_id:
        task.link.deal_id = call.deal_id
    else:
        task.link.call_id = call.id
    tasks.begin(task, type, by="")
    is_active = (people.user(call.owner_id) or {}).get("state") == "active"
    owner_id = call.owner_id if is_active else ""
    queue = call.department_id if people.department(call.department_id) is not None else ""
    reactions.place(task, people, owner_id, queue, now=now)
    reactions.start_clock(task, people, start=_ended(call), minutes=minutes)
    task.origin.event_id, task.origin.rule = event_id, RULE
    task.origin.effect_key = f"{call.spell_id} call back"
    return task


def count(task: Task, call: Call, *, missed: int) -> None:
    """Notes that there are so many missed calls, this one the last; a subject that somebody has worded stays."""
    before = task.call_back.missed_count
    if not before or task.subject == subject(before):
        task.subject = subject(missed)
    task.call_back.spell_id, task.call_back.call_id = call.spell_id, call.id
    task.call_back.missed_count = missed
    task.call_back.last_missed_time.CopyFrom(to_timestamp(_ended(call)))


def answers_too(task: Task, request: Request) -> None:
    """A stranger's missed call became a request: calling back answers it, and the task goes its way from now on."""
    task.link.request_id = request.id
    if not (task.contact_id or task.company_id):
        task.contact_id, task.company_id = request.contact_id, request.company_id


def attempts(task: Task, number: int, *, at: datetime) -> None:
    """Counts calls back that nobody answered; the customer's clock runs on."""
    for _ in range(number):
        ending.attempt(task, at=at)


def end(task: Task, call: Call, *, by: str, at: datetime) -> None:
    """Ends an open task: done if they spoke, cancelled if no call is needed; `by` is who spoke or decided, if it is known."""
    how, note = _ENDS[call.missed_state]
    task.call_back.spell_id, task.call_back.ended_by = call.spell_id, how
    task.call_back.made_good_call_id = call.made_good_call_id
    if call.missed_state == Call.MISSED_STATE_WRITTEN_OFF:
        ending.cancel(task, note=note, by=by, at=at)
        return
    ending.stop_clock(task, at=at, by="call")
    ending.complete(task, outcome="", result={}, files=[], note=note, by=by, at=at)


def takes_party(task: Task, call: Call, changed: set[str]) -> bool:
    """True if the task gets the customer whom the call has found, or whom somebody chose, since."""
    unknown = not (task.contact_id or task.company_id)
    found = (call.contact_id, call.company_id)
    if found == (task.contact_id, task.company_id) or not any(found):
        return False
    return unknown or bool(changed & {"contact_id", "company_id"})


def made_good_at(call: Call, told: datetime) -> datetime:
    """When they spoke, or somebody decided that no call is needed."""
    return to_datetime(call.missed_end_time) if call.HasField("missed_end_time") else told


def answered_at(call: Call, told: datetime) -> datetime:
    """When they began to speak."""
    return to_datetime(call.answer_time) if call.HasField("answer_time") else told


def spoken_with(call: Call) -> list[str]:
    """Who was on the other end: the person, or everybody who has the number where nobody has said who it was."""
    return [call.contact_id] if call.contact_id else list(call.candidate_contact_ids)


def is_open(task: Task) -> bool:
    """True if somebody still has to call."""
    return deadlines.is_open(task)


def _ended(call: Call) -> datetime:
    return to_datetime(call.end_time if call.HasField("end_time") else call.start_time)
