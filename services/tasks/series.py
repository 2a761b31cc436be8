"""Repeated tasks: a row of tasks, of which each is made once, when the one before is over or its deadline has passed.

What somebody changes in one of them stays there: the following are made of the task as it was when its rule was said, and
their deadlines count by the rule from the first. Only whose it is and whom it concerns goes on from task to task.
"""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.handlers import timer
from chassis.stand_in import stand_in
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.tasks.v1 import task_pb2
from services.tasks import busy, checking, deadlines, errors, people, recurrence, store
from services.tasks.store.calendars import Place

Task = task_pb2.Task

_DUE = "task-series"
_COPIED = (
    "type_id", "subject", "description", "priority", "all_day", "due_zone", "estimated_minutes", "checklist", "file_ids", "visit",
    "reminders", "ladder_id", "project_id", "section", "position", "custom",
)  # fmt: skip
"""What the following tasks have of the one that said the rule."""
_HANDED_ON = ("department_id", "follower_ids", "link", "contact_id", "company_id", "recurrence")
"""What the next task has of the one before it."""


async def follow(tx: Tx, new: Task, old: Task | None) -> None:
    """Called in the transaction of every save, deletion or return of a task, once that is recorded; `old` is None for a new one.

    RecurrenceInvalid for a rule that cannot be kept.
    """
    if not new.recurrence or new.HasField("delete_time"):
        if old is not None and old.recurrence:
            await tx.cancel_timer(_DUE, new.id)
            await store.leave_row(tx, new.id)
        return
    if new.state == Task.STATE_OPEN:
        await _take_place(tx, new, old)
    elif old is not None and old.state == Task.STATE_OPEN:
        await tx.cancel_timer(_DUE, new.id)
        await _make_next(tx, new)


@timer(_DUE)
async def due_passed(payload: dict[str, Any], tx: Tx) -> None:
    """The next one is there when this one's deadline passes, done or not."""
    task = await store.tasks.find(tx, payload["task_id"])
    if task is not None and task.recurrence and to_datetime(task.due_time) <= tx.now:
        await _make_next(tx, task)


async def _take_place(tx: Tx, task: Task, old: Task | None) -> None:
    """Begins a row where the rule is new or another; in any case the deadline wakes the next one."""
    due = to_datetime(task.due_time)
    if old is None or old.recurrence != task.recurrence or old.HasField("delete_time"):
        try:
            task.recurrence = recurrence.settle(
                task.recurrence, due, ZoneInfo(task.due_zone), all_day=task.all_day, endless=True
            )
        except recurrence.RuleError as error:
            raise errors.RecurrenceInvalid(str(error)) from None
        task.series_id = task.series_id or task.id
        store.tasks.save(tx, task)
        await store.note_place(tx, task.id, Place(due, due, task.id, int(task.etag)))
    elif old.due_time == task.due_time and old.state == task.state:
        return
    await tx.set_timer(_DUE, task.id, due, {"task_id": task.id})


async def _make_next(tx: Tx, task: Task) -> None:
    place = await store.place_of(tx, task.id)
    if place is None or place.next_id:
        return
    planned = _following(task, place, after=max(place.planned_time, tx.now))
    owner_id = _whose(tx, task)
    if planned is None or not (owner_id or task.department_id):
        return
    following = _copy(await store.template_of(tx, place) or task, task)
    following.id, following.owner_id = tx.new_id(), owner_id
    _shift(following, place.first_time, planned)
    following.series_id = task.series_id or task.id
    following.origin.rule, following.origin.effect_key = "series", f"series {task.id}"
    if not await store.claim_next(tx, task.id, following.id):
        return
    await checking.check(tx, following, None)
    store.tasks.save(tx, following)
    await busy.hold_visits(tx, [(following, None)])
    await deadlines.follow(tx, following, None)
    row = Place(place.first_time, planned, place.template_id, place.template_version)
    await store.note_place(tx, following.id, row)
    await tx.set_timer(_DUE, following.id, planned, {"task_id": following.id})


def _following(task: Task, place: Place, *, after: datetime) -> datetime | None:
    """The next deadline by the rule; those that passed unheard are left out, so an outage makes no heap of tasks."""
    moments = recurrence.starts(
        recurrence.parse(task.recurrence), place.first_time, ZoneInfo(task.due_zone)
    )
    return next((moment for moment in moments if moment > after), None)


def _whose(tx: Tx, task: Task) -> str:
    """The assignee of the one before; if he left, whoever stands in for him; nobody for a task of a queue."""
    if not task.owner_id or people.is_active(tx, task.owner_id):
        return task.owner_id
    return "" if task.department_id else stand_in(tx.directory, task.owner_id, tx.now)


def _copy(template: Task, before: Task) -> Task:
    following = Task()
    for source, names in ((template, _COPIED), (before, _HANDED_ON)):
        chosen = Task()
        chosen.CopyFrom(source)
        for field, _ in source.ListFields():
            if field.name not in names:
                chosen.ClearField(field.name)  # type: ignore[arg-type]
        following.MergeFrom(chosen)
    for item in following.checklist:
        item.done = False
    if template.HasField("start_time"):
        following.start_time.CopyFrom(template.start_time)
    following.due_time.CopyFrom(template.due_time)
    return following


def _shift(task: Task, first: datetime, planned: datetime) -> None:
    """Gives the task its deadline; start and appointment are as far from it on the clock as those of the first were."""
    zone = ZoneInfo(task.due_zone)
    by = _wall(planned, zone) - _wall(first, zone)
    stamps: list[Timestamp] = [task.start_time] if task.HasField("start_time") else []
    if task.HasField("visit"):
        stamps.append(task.visit.appointment_time)
    for stamp in stamps:
        wall = _wall(to_datetime(stamp), zone) + by
        stamp.CopyFrom(to_timestamp(recurrence.at_wall(wall.date(), wall.time(), zone)))
    task.due_time.CopyFrom(to_timestamp(planned))


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)
