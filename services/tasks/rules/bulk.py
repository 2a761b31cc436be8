"""What a change of many tasks does to each of them, what it leaves, and how it is taken back."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import Violation
from chassis.hours import Hours
from chassis.times import to_datetime, to_timestamp
from crm.tasks.v1 import bulk_pb2, task_pb2
from services.tasks import errors
from services.tasks.rules import assigning
from services.tasks.rules import tasks as task_rules

Task = task_pb2.Task
TaskChange = bulk_pb2.TaskChange
Reschedule = bulk_pb2.Reschedule
Item = bulk_pb2.TaskChangeItem
TaskPlacement = bulk_pb2.TaskPlacement

_DAY_MINUTES = 1440
_FARTHEST_DAYS = 3660  # as far as working hours are looked for: the search must end
_WHOSE = ("owner_id", "department_id", "assigner_id", "assign_time", "candidate_ids", "follower_ids")  # fmt: skip
_WHEN = ("start_time", "due_time", "due_zone")
_DECIDES = {"reassign": ("owner_id", "department_id", "assign_time"), "reschedule": ("start_time", "due_time")}  # fmt: skip
"""What must be as the change left it, so that the change is taken back."""


class Left(Exception):
    """A task that the change leaves as it is."""

    def __init__(self, reason: "Item.Reason") -> None:
        super().__init__(Item.Reason.Name(reason))
        self.reason = reason


# -- the change itself -----------------------------------------------------------------------------------------------------


def check(change: TaskChange, *, now: datetime) -> None:
    """ValuesInvalid unless it says which tasks, and one thing to do with them."""
    wrong = []
    if bool(change.filter.strip()) == bool(change.ids):
        wrong.append(Violation("filter", "or ids must say which tasks, not both"))
    kind = change.WhichOneof("change")
    if kind is None:
        wrong.append(Violation("reassign", "or reschedule must say what changes"))
    elif kind == "reassign" and bool(change.reassign.owner_ids) == bool(change.reassign.department_id):  # fmt: skip
        wrong.append(Violation("reassign.owner_ids", "or department_id must be given, not both"))
    elif kind == "reschedule":
        wrong += _wrong_time(change.reschedule, now)
    if wrong:
        raise errors.ValuesInvalid(wrong)


def _wrong_time(to: Reschedule, now: datetime) -> list[Violation]:
    kind = to.WhichOneof("to")
    if kind is None:
        text = "or shift_working_days or due_time is required"
        return [Violation("reschedule.shift_minutes", text)]
    if kind == "due_time" and to_datetime(to.due_time) <= now:
        text = f"is {to_datetime(to.due_time).isoformat()}, which has passed; name a time to come"
        return [Violation("reschedule.due_time", text)]
    if kind != "due_time" and not getattr(to, kind):
        return [Violation(f"reschedule.{kind}", "must not be 0: nothing would move")]
    return []


def action(change: TaskChange) -> str:
    """The right on each task that the change demands."""
    return "assign" if change.HasField("reassign") else "update"


def fields(change: TaskChange) -> tuple[str, ...]:
    """The fields of a task that it writes."""
    return _WHOSE[:2] if change.HasField("reassign") else _WHEN[:2]


def placement(task: Task, change: TaskChange) -> TaskPlacement:
    """Whose or when the task is, as far as the change has to do with it."""
    made = TaskPlacement()
    _copy(task, made, _WHOSE if change.HasField("reassign") else _WHEN)
    return made


def state_name(state: "TaskChange.State") -> str:
    """`done` of STATE_DONE."""
    return TaskChange.State.Name(state).removeprefix("STATE_").lower()


# -- forth -----------------------------------------------------------------------------------------------------------------


def demand_open(task: Task) -> None:
    """Left unless somebody still has to do it."""
    if task.HasField("delete_time"):
        raise Left(Item.REASON_DELETED)
    if task.state != Task.STATE_OPEN:
        raise Left(Item.REASON_ENDED)


def reassign(
    task: Task, owner_id: str, department_id: str, *, home: str, by: str, at: datetime
) -> None:
    """Gives the task to the user, whose department is `home`, or into the department's queue; nothing for who has it already."""
    if owner_id:
        if owner_id != task.owner_id:
            assigning.give(task, owner_id, home=home, by=by, at=at)
    elif task.owner_id or task.candidate_ids or task.department_id != department_id:
        assigning.queue(task, department_id, by=by)


def reschedule(task: Task, to: Reschedule, hours: Hours, *, zone: str, now: datetime) -> None:
    """Moves deadline and start; `hours` are those of whoever has the task. Left where that cannot be."""
    old = Task()
    old.CopyFrom(task)
    kind = to.WhichOneof("to")
    if task.HasField("visit"):
        raise Left(Item.REASON_VISIT)
    if kind == "due_time":
        task.due_time.CopyFrom(to.due_time)
    elif not task.HasField("due_time"):
        raise Left(Item.REASON_NO_DEADLINE)
    elif kind == "shift_working_days":
        local = _local(task.due_time, task.due_zone).date()
        _shift_days(task, _working_days(hours, local, to.shift_working_days))
    elif task.all_day:
        days, rest = divmod(to.shift_minutes, _DAY_MINUTES)
        if rest:
            raise Left(Item.REASON_ALL_DAY)
        _shift_days(task, days)
    else:
        by = timedelta(minutes=to.shift_minutes)
        for stamp in _stamps(task):
            stamp.CopyFrom(to_timestamp(to_datetime(stamp) + by))
    try:
        task_rules.set_times(task, old, zone=zone)
    except errors.ValuesInvalid:
        raise Left(Item.REASON_BEFORE_START) from None
    if to_datetime(task.due_time) <= now:
        raise Left(Item.REASON_PAST)
    if task.due_time != old.due_time:
        task.ClearField("miss_time")  # the new deadline is not missed


def _stamps(task: Task) -> list[Timestamp]:
    return [task.due_time, *([task.start_time] if task.HasField("start_time") else [])]


def _shift_days(task: Task, days: int) -> None:
    """So many days later at the same hour on the clock, as it is lived in the deadline's zone."""
    for stamp in _stamps(task):
        local = _local(stamp, task.due_zone)
        moved = (local.replace(tzinfo=None) + timedelta(days)).replace(tzinfo=local.tzinfo)
        stamp.CopyFrom(to_timestamp(moved.astimezone(UTC)))


def _local(stamp: Timestamp, zone: str) -> datetime:
    return to_datetime(stamp).astimezone(ZoneInfo(zone or "UTC"))


def _working_days(hours: Hours, start: date, count: int) -> int:
    """How many days it is from the date to the count-th working day after it, or before it for a negative count."""
    step = 1 if count > 0 else -1
    left = abs(count)
    for days in range(1, _FARTHEST_DAYS):
        if hours.day(start + timedelta(days * step)).spans:
            left -= 1
        if not left:
            return days * step
    raise Left(Item.REASON_NEVER_WORKS)


# -- and back --------------------------------------------------------------------------------------------------------------


def put_back(task: Task, item: Item, change: TaskChange) -> None:
    """Makes the task as it was before the change; Left if it is over, or if somebody gave it on or moved it since."""
    demand_open(task)
    kind = str(change.WhichOneof("change"))
    if any(getattr(task, f) != getattr(item.after, f) for f in _DECIDES[kind]):
        raise Left(Item.REASON_CHANGED_SINCE)
    if kind == "reschedule":
        _copy(item.before, task, _WHEN)
        if task.due_time != item.after.due_time:
            task.ClearField("miss_time")
        return
    followers = _followers_back(list(task.follower_ids), item)
    _copy(item.before, task, _WHOSE)
    task.follower_ids[:] = followers


def _followers_back(now: list[str], item: Item) -> list[str]:
    """The followers before, with those who came since and without those who went since."""
    before, after = list(item.before.follower_ids), list(item.after.follower_ids)
    came = [id for id in now if id not in after]
    went = {id for id in after if id not in now}
    kept = [id for id in before if id not in went]
    found = dict.fromkeys([*kept, *came])
    return [id for id in found if id != item.before.owner_id]


def _copy(source: Any, target: Any, names: tuple[str, ...]) -> None:
    """Makes the named fields of the target those of the source, absent ones absent."""
    for name in names:
        target.ClearField(name)
        value = getattr(source, name)
        if isinstance(value, str):
            setattr(target, name, value)
        elif isinstance(value, Timestamp):
            if source.HasField(name):
                getattr(target, name).CopyFrom(value)
        else:
            getattr(target, name).extend(value)
