"""Deadlines: when reminders and the steps of ladders are due, and how a run of a ladder goes on.

A run counts the working time of whoever must act at a step. Its steps are told in their order and each once: a step is never
planned before the one above it. Pure: the directory and the moment come in as arguments.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from weakref import WeakKeyDictionary

from chassis.hours import department_hours, hours_of
from chassis.tenant_view import TenantView
from chassis.times import to_datetime, to_timestamp
from crm.tasks.v1 import ladder_pb2, task_pb2
from services.tasks.rules import ending, ladders
from services.tasks.rules.ladders import Duty

Task = task_pb2.Task
Ladder = ladder_pb2.Ladder
LadderRun = ladder_pb2.LadderRun
LadderStep = ladder_pb2.LadderStep
LadderRunStep = ladder_pb2.LadderRunStep
Told = ladder_pb2.Told

IN_TIME = timedelta(seconds=30)
"""What is told within this is not late: a timer may wait for its turn."""
_FAR = datetime.max.replace(tzinfo=UTC)
# Per tenant: the directory's revision, and the moments found in it.
_known: "WeakKeyDictionary[TenantView, tuple[int, Sequence[datetime]]]" = WeakKeyDictionary()


# -- what is watched -------------------------------------------------------------------------------------------------------


def is_open(task: Task) -> bool:
    """True if somebody still has to do it."""
    return task.state == Task.STATE_OPEN and not task.HasField("delete_time")


def just_reached(new: Task, old: Task | None) -> bool:
    """True if this change stopped the customer's clock."""
    return old is not None and ending.runs(old) and not ending.runs(new)


def moved(new: Task, old: Task) -> bool:
    """True if the deadline is another one."""
    return new.due_time != old.due_time or new.HasField("due_time") != old.HasField("due_time")


def reminded_otherwise(new: Task, old: Task) -> bool:
    """True if the reminders come at other times, although the deadline stays."""
    departures = [each.visit.departure_time for each in (new, old)]
    return list(new.reminders) != list(old.reminders) or departures[0] != departures[1]


def given_on(new: Task, old: Task) -> bool:
    """True if somebody else has to do it."""
    return ladders.duty_of(new) != ladders.duty_of(old)


def late_seconds(plan: datetime, now: datetime) -> int:
    """How late something is told; 0 within half a minute."""
    late = now - plan
    return int(late.total_seconds()) if late > IN_TIME else 0


# -- reminders and the deadline --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Alarm:
    """A moment at which a task has something to tell: a reminder, or (None) that its deadline has passed."""

    at: datetime
    minutes_before: int | None = None
    near: datetime | None = None
    """What comes near."""


def alarms(task: Task) -> list[Alarm]:
    """All moments of a task in order; before a visit one is reminded of the departure."""
    if not task.HasField("due_time"):
        return []
    due = to_datetime(task.due_time)
    leave = task.visit.HasField("departure_time")
    near = to_datetime(task.visit.departure_time) if leave else due
    found = {each.minutes_before for each in task.reminders}
    reminders = [Alarm(near - timedelta(minutes=m), m, near) for m in found]
    missed = [] if task.HasField("miss_time") else [Alarm(due)]
    # At one moment the reminder comes before the word that it is too late.
    return sorted([*reminders, *missed], key=lambda each: (each.at, each.minutes_before is None))


# -- when a step is due ----------------------------------------------------------------------------------------------------


def due_at(people: TenantView, duty: Duty, step: LadderStep, start: datetime) -> datetime:
    """The first moment at which whoever must act then has had so much working time since the start.

    Who acts changes when an absence begins or ends, so the stretches between these are looked at one after the other. On the
    clock on the wall for somebody whose calendar never opens.
    """
    after, changes = timedelta(minutes=step.after_minutes), _absences(people)
    begin = start
    for change in (*changes[bisect_right(changes, start) :], _FAR):
        acting = [each.user_id for each in ladders.told(people, duty, step, begin)]
        at = max(begin, _after(people, duty, acting, start, after))
        if at < change:
            break
        begin = change
    return at


def _absences(people: TenantView) -> Sequence[datetime]:
    """The moments, in order, at which somebody leaves or returns; found once per revision of the directory."""
    revision, known = _known.get(people, (-1, ()))
    if revision != people.revision:
        moments: set[float] = set()
        for user in people.users().values():
            for absence in user.get("absences") or ():
                moments |= {absence.get("from") or 0.0, absence.get("until") or 0.0}
            moments |= {user.get("away_from") or 0.0, user.get("away_until") or 0.0}
        known = [datetime.fromtimestamp(each, UTC) for each in sorted(moments) if each]
        _known[people] = (people.revision, known)
    return known


def _after(
    people: TenantView, duty: Duty, acting: Sequence[str], start: datetime, after: timedelta
) -> datetime:
    if acting:
        calendars = [hours_of(people, id) for id in acting]
    else:
        calendars = [department_hours(people, duty.department_id)]
    ends = [end for hours in calendars if (end := hours.add(start, after)) is not None]
    return min(ends, default=start + after)


# -- a run -----------------------------------------------------------------------------------------------------------------


def begin(
    ladder: Ladder,
    task: Task,
    people: TenantView,
    *,
    clock: "Ladder.Clock",
    start: datetime,
    earliest: datetime | None = None,
) -> LadderRun:
    """A run of the ladder with all steps planned, none before `earliest` (the start unless it is said).

    What would have been told already, had we known, is late from the beginning.
    """
    run = LadderRun(
        task_id=task.id, ladder_id=ladder.id, ladder_version=int(ladder.etag), clock=clock,
        start_time=to_timestamp(start), state=LadderRun.STATE_RUNNING,
    )  # fmt: skip
    if task.HasField("due_time"):
        run.due_time.CopyFrom(task.due_time)
    duty, before = ladders.duty_of(task), earliest or start
    for number, step in enumerate(ladder.steps, start=1):
        before = max(before, due_at(people, duty, step, start))
        run.steps.add(number=number, step=step, plan_time=to_timestamp(before))
    return run


def next_step(run: LadderRun) -> LadderRunStep | None:
    """The first step that is not told yet; None if the run is over."""
    if run.state != LadderRun.STATE_RUNNING:
        return None
    return next((step for step in run.steps if not step.HasField("fire_time")), None)


def plan(run: LadderRun, duty: Duty, people: TenantView, *, now: datetime) -> bool:
    """Plans what is not told yet by the hours and absences of now; True if that changed anything.

    What has been due stays due: it is late by an outage and not by a new plan. What would have been due earlier by the new
    plan is due now.
    """
    changed, before, start = False, to_datetime(run.start_time), to_datetime(run.start_time)
    for step in run.steps:
        was = to_datetime(step.plan_time)
        if not step.HasField("fire_time"):
            at = max(before, due_at(people, duty, step.step, start))
            if at != was and at <= now:
                at = min(was, now)
            if at != was:
                changed = True
                step.plan_time.CopyFrom(to_timestamp(at))
            was = at
        before = max(before, was)
    return changed


def fire(run: LadderRun, task: Task, people: TenantView, *, now: datetime) -> LadderRunStep | None:
    """Tells the next step if its time has come, and says so in the run; None if there is nothing to tell yet."""
    duty = ladders.duty_of(task)
    plan(run, duty, people, now=now)
    step = next_step(run)
    if step is None or to_datetime(step.plan_time) > now:
        return None
    step.fire_time.CopyFrom(to_timestamp(now))
    step.late_seconds = late_seconds(to_datetime(step.plan_time), now)
    step.told.extend(ladders.told(people, duty, step.step, now))
    step.ways[:] = step.step.ways
    step.task_state = task.state
    if next_step(run) is None:
        run.state = LadderRun.STATE_ENDED
    return step


def reminds_owner(run: LadderRun, at: datetime) -> bool:
    """True if a step tells the assignee at this moment."""
    return any(
        step.step.whom == LadderStep.WHOM_OWNER and abs(to_datetime(step.plan_time) - at) <= IN_TIME
        for step in run.steps
    )


def escalates(run: LadderRun) -> bool:
    """True if the run tells, or told, others than the assignee."""
    return any(step.step.kind == LadderStep.KIND_ESCALATION for step in run.steps)


def stop(run: LadderRun) -> None:
    """Nobody is told any more; what was told stays."""
    if run.state != LadderRun.STATE_RUNNING:
        return
    run.state = LadderRun.STATE_STOPPED
    kept = [step for step in run.steps if step.HasField("fire_time")]
    del run.steps[:]
    run.steps.extend(kept)
