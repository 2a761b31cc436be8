"""What a task must be: matter, times, visit, and the defaults of its type.

An all-day deadline is the last microsecond of its day in `due_zone`: the day of `due_time` in that zone is the day that was
meant, on days of 23 and 25 hours too, so whoever reads the instant alone need not know the rule.
"""

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import Violation
from chassis.times import to_datetime, to_timestamp
from crm.tasks.v1 import task_pb2, task_type_pb2
from services.tasks import errors
from services.tasks.rules import task_types

Task = task_pb2.Task

NO_MATTERS = ("task_id", "user_id")
"""Ends of a link that are no matter a task could belong to."""
_INSTANT = timedelta(microseconds=1)  # the smallest step that the database keeps


def normalise(task: Task) -> None:
    """One spelling of the subject; each follower, file and reminder once."""
    task.subject = " ".join(task.subject.split())
    if not task.subject:
        raise errors.ValuesInvalid([Violation("subject", "must say something besides blanks")])
    _replace(task.follower_ids, (id for id in task.follower_ids if id != task.owner_id))
    _replace(task.file_ids, task.file_ids)
    reminders = task_types.unique_reminders(task.reminders)
    del task.reminders[:]
    task.reminders.extend(reminders)


def begin(task: Task, type: task_type_pb2.TaskType | None, *, by: str) -> None:
    """Makes a new task open, with what its type says where it says nothing itself."""
    task.state, task.creator_id = Task.STATE_OPEN, by
    kind = type or task_type_pb2.TaskType()
    task.priority = task.priority or kind.priority or Task.PRIORITY_NORMAL
    task.estimated_minutes = task.estimated_minutes or kind.estimated_minutes
    if not task.reminders:
        task.reminders.extend(task_types.unique_reminders(kind.reminders))


def follow_link(new: Task, old: Task | None) -> None:
    """Copies the person and the company of the matter; a person or company beside another one's matter is refused.

    With another matter go the old one's person and company, unless the same change names them. Those of a deal are looked up
    (checking.py), those of a request or case come by whoever listens to these.
    """
    end = new.link.WhichOneof("target") or ""
    if end in NO_MATTERS:
        raise errors.ValuesInvalid(
            [
                Violation(
                    f"link.{end}",
                    "is no matter; link a contact, company, request, deal, case or call",
                )
            ]
        )
    if old is not None and old.HasField("link") and new.link != old.link:
        for field in ("contact_id", "company_id"):
            if getattr(new, field) == getattr(old, field):
                new.ClearField(field)  # type: ignore[arg-type]
    if end not in ("contact_id", "company_id"):
        return
    linked = getattr(new.link, end)
    if getattr(new, end) not in ("", linked):
        raise errors.ValuesInvalid(
            [
                Violation(
                    end,
                    f"is {getattr(new, end)}, but link.{end} is {linked}; leave one of them out",
                )
            ]
        )
    setattr(new, end, linked)


def keep_ended(new: Task, old: Task) -> None:
    """Refuses to move what is over: its owner, queue, times and row are facts; the rest may be corrected."""
    if old.state == Task.STATE_OPEN:
        return
    fixed = (
        "owner_id",
        "department_id",
        "start_time",
        "due_time",
        "visit",
        "recurrence",
        "type_id",
    )
    if any(getattr(new, field) != getattr(old, field) for field in fixed):
        hint = ": its assignee, times and type are facts; reopen it first"
        raise errors.TaskWrongState("moved", state_name(old.state), "open", hint=hint)


def set_times(new: Task, old: Task | None, *, zone: str) -> None:
    """Completes departure, deadline and its zone (`zone` where the task names none); refuses what contradicts itself."""
    _plan_visit(new, old)
    if new.HasField("due_time"):
        new.due_zone = new.due_zone or zone
        if new.all_day:
            new.due_time.CopyFrom(to_timestamp(end_of_day(_day_meant(new, old), new.due_zone)))
    wrong = []
    for field, needs in (("all_day", new.all_day), ("recurrence", bool(new.recurrence))):
        if needs and not new.HasField("due_time"):
            wrong.append(Violation(field, "needs a due_time"))
    if new.HasField("due_time") and new.HasField("start_time"):
        due, start = to_datetime(new.due_time), to_datetime(new.start_time)
        if due < start:
            wrong.append(
                Violation(
                    "due_time",
                    f"is {due.isoformat()}, before start_time, which is {start.isoformat()}",
                )
            )
    if wrong:
        raise errors.ValuesInvalid(wrong)


def _plan_visit(new: Task, old: Task | None) -> None:
    """Departure = appointment less the way; the appointment is the deadline too, as long as nobody says another one."""
    if not new.HasField("visit"):
        return
    visit = new.visit
    appointment = to_datetime(visit.appointment_time)
    visit.departure_time.CopyFrom(
        to_timestamp(appointment - timedelta(minutes=visit.travel_minutes))
    )
    was_deadline = (
        old is not None
        and old.HasField("visit")
        and old.due_time == old.visit.appointment_time
        and new.due_time == old.due_time
        and not new.all_day
    )
    if not new.HasField("due_time") or was_deadline:
        new.due_time.CopyFrom(visit.appointment_time)


def _day_meant(new: Task, old: Task | None) -> datetime:
    """A moment of the day, in the zone in which it was said: another zone alone does not shift the day."""
    said_in = new.due_zone
    if old is not None and old.all_day and old.due_zone and new.due_time == old.due_time:
        said_in = old.due_zone
    return to_datetime(new.due_time).astimezone(ZoneInfo(said_in))


def end_of_day(local: datetime, zone: str) -> datetime:
    """The last instant of this moment's calendar day, as it is lived in `zone`."""
    midnight = datetime.combine(local.date() + timedelta(days=1), time(), ZoneInfo(zone))
    # Where the clocks skip midnight, the offset of before (fold 0) still gives the instant at which the day ends.
    return midnight.astimezone(ZoneInfo("UTC")) - _INSTANT


def shown(stamp: Timestamp) -> str:
    """A moment for people, to the second."""
    return to_datetime(stamp).strftime("%Y-%m-%dT%H:%M:%SZ")


def state_name(state: "Task.State") -> str:
    """`done` of STATE_DONE."""
    return Task.State.Name(state).removeprefix("STATE_").lower()


def _replace(field: "object", ids: Iterable[str]) -> None:
    kept = list(dict.fromkeys(ids))
    del field[:]  # type: ignore[attr-defined]
    field.extend(kept)  # type: ignore[attr-defined]
