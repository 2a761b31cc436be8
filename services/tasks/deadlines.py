"""What follows from a task's deadline and from a customer who waits: reminders, the word that it is too late, ladders.

Each task has at most two timers. `deadline` (key: the task) leads from one reminder to the next and to the deadline;
`ladder` (key: the task and the number of its run) from step to step. A timer holds the deadline it was set for, and a moved
deadline sets new ones (U22), so what was told for the old deadline is told again for the new one.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from chassis.hours import path_up
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.tasks.v1 import deadline_events_pb2 as events
from crm.tasks.v1 import events_pb2, ladder_pb2, task_pb2
from services.tasks import people, store
from services.tasks.rules import deadlines as rules
from services.tasks.rules import ending, ladders, promises

Task = task_pb2.Task
Ladder = ladder_pb2.Ladder
LadderRun = ladder_pb2.LadderRun

DEADLINE, LADDER = "deadline", "ladder"
"""The kinds of timers."""


async def follow(tx: Tx, new: Task, old: Task | None) -> None:
    """Called in the transaction of every save of a task, once the save is recorded; `old` is None for a new task.

    A deleted task comes with `new.delete_time`, one that is brought back with `old.delete_time`. Giving a task to somebody
    else keeps the customer's clock; another deadline begins anew; the end of the task, and a customer who was reached, stop
    all that is still planned.
    """
    was_open = old is not None and rules.is_open(old)
    if not rules.is_open(new) or rules.just_reached(new, old):
        if was_open:
            await _stop(tx, new.id)
        return
    if old is None or not was_open or rules.moved(new, old):
        if was_open:
            await _stop(tx, new.id)
        await _begin(tx, new, old)
        return
    if rules.reminded_otherwise(new, old):
        await _set_alarm(tx, new, after=tx.now)
    if new.ladder_id != old.ladder_id:
        await _change_ladder(tx, new, old)
    elif rules.given_on(new, old):
        await replan(tx, new)


async def follow_many(tx: Tx, changes: Iterable[tuple[Task, Task]]) -> None:
    """As `follow` for each (new, old) of tasks that are written already, with the runs of ladders set by set.

    Whoever wrote them with another deadline has cleared `miss_time`.
    """
    moved: list[tuple[Task, Task]] = []
    given: list[Task] = []
    for new, old in changes:
        if not (rules.is_open(new) and rules.is_open(old)) or rules.just_reached(new, old):
            await follow(tx, new, old)
        elif rules.moved(new, old):
            moved.append((new, old))
        elif rules.reminded_otherwise(new, old) or new.ladder_id != old.ladder_id:
            await follow(tx, new, old)
        elif rules.given_on(new, old):
            given.append(new)
    if moved:
        await _begin_again(tx, moved)
    if given:
        await replan_many(tx, given)


async def reached(tx: Tx, contact_id: str, at: datetime, by: str) -> int:
    """Stops the clocks of this customer, whom somebody reached at that moment; the number of clocks.

    For consumers of connected calls and sent answers, whoever called or wrote. `by` says what it was: call, message or
    by_hand. What the customer asked after that moment still waits.
    """
    stopped = 0
    for task in await store.request_tasks(tx, contact_id):
        if ending.runs(task) and to_datetime(task.reaction.start_time) <= at:
            await stop_clock(tx, task, at, by)
            stopped += 1
    return stopped


async def answered(tx: Tx, request_id: str, at: datetime, by: str) -> bool:
    """As `reached`, for one request, whoever asked; True if its clock ran."""
    task_id = await store.task_answering(tx, request_id)
    task = await store.tasks.find(tx, task_id) if task_id else None
    if task is None or not rules.is_open(task) or not ending.runs(task):
        return False
    if to_datetime(task.reaction.start_time) > at:
        return False
    await stop_clock(tx, task, at, by)
    return True


async def stop_clock(tx: Tx, task: Task, at: datetime, by: str) -> None:
    """The customer of this task was reached: nobody is told any more; the task stays to be done."""
    before = Task()
    before.CopyFrom(task)
    ending.stop_clock(task, at=at, by=by)
    store.tasks.save(tx, task)
    tx.emit(events_pb2.ReactionClockStopped(task=task))
    await follow(tx, task, before)


async def replan(tx: Tx, task: Task) -> None:
    """Plans the steps of the task's ladder by the hours, absences and assignee of now."""
    run = await store.running(tx, task.id)
    if run is None:
        return
    if rules.plan(run, ladders.duty_of(task), tx.directory, now=tx.now):
        await store.save_run(tx, run)
        await set_step_timer(tx, run)


async def replan_many(tx: Tx, tasks: Iterable[Task]) -> None:
    """As `replan` for each."""
    by_id = {task.id: task for task in tasks}
    changed = [
        run
        for run in await store.running_of(tx, by_id)
        if rules.plan(run, ladders.duty_of(by_id[run.task_id]), tx.directory, now=tx.now)
    ]
    await store.save_runs(tx, changed)
    for run in changed:
        await set_step_timer(tx, run)


# -- timers ----------------------------------------------------------------------------------------------------------------


async def ring(tx: Tx, task: Task, due: datetime | None, at: datetime) -> None:
    """Tells what the task has to tell at the moment `at` for this deadline, and sets the timer for the next."""
    if not rules.is_open(task) or due != _due(task):
        return
    for alarm in rules.alarms(task):
        if alarm.at != at:
            continue
        late = rules.late_seconds(at, tx.now)
        if alarm.minutes_before is None:
            task.miss_time.CopyFrom(to_timestamp(at))
            store.tasks.save(tx, task)
            tx.emit(await _missed(tx, task, late))
        else:
            assert alarm.near is not None
            near = to_timestamp(alarm.near)
            minutes = alarm.minutes_before
            tx.emit(
                events.DeadlineNear(
                    task=task, minutes_before=minutes, near_time=near, late_seconds=late
                )
            )
    await _set_alarm(tx, task, after=at)


async def _missed(tx: Tx, task: Task, late: int) -> events.DeadlineMissed:
    """What is told of a deadline that has passed: also what the task's ladder or deals tells, so that nobody hears it twice."""
    due = to_datetime(task.due_time)
    run = next(iter(await store.runs_of(tx, task.id)), None)
    promised = await _is_promised(tx, task, due)
    return events.DeadlineMissed(
        task=task,
        late_seconds=late,
        owner_reminded=promised or (run is not None and rules.reminds_owner(run, due)),
        escalates=promised or (run is not None and rules.escalates(run)),
    )


async def _is_promised(tx: Tx, task: Task, due: datetime) -> bool:
    """True if deals tells at the same moment that a promise was missed: to the deal's owner and his head."""
    if task.origin.rule != promises.RULE:
        return False
    watch = await store.promises.watch_of(tx, task.link.deal_id)
    return (watch.task_id, watch.promise_time, watch.owner_id) == (task.id, due, task.owner_id)


async def step(tx: Tx, task_id: str, number: int) -> None:
    """Tells the next step of the run, if its time has come by the hours and absences of now, and sets the timer for the next."""
    run = await store.running(tx, task_id)
    if run is None or run.number != number:
        return
    task = await store.tasks.find(tx, task_id)
    if task is None or not rules.is_open(task):
        rules.stop(run)
        await store.save_run(tx, run)
        return
    told = rules.fire(run, task, tx.directory, now=tx.now)
    if told is not None:
        _let_read(tx, task, [each.user_id for each in told.told])
        tx.emit(
            events.Escalated(
                task=task,
                ladder_id=run.ladder_id,
                run_number=run.number,
                step=told,
                start_time=run.start_time,
            )
        )
    await store.save_run(tx, run)
    await set_step_timer(tx, run)


def _let_read(tx: Tx, task: Task, user_ids: list[str]) -> None:
    """Whoever is told may open the task: as a follower, if his rights do not reach it, e.g. a deputy who sees his own only."""
    scope = (task.owner_id, task.department_id, list(task.follower_ids))
    shut_out = [
        id
        for id in user_ids
        if id not in (task.owner_id, *task.follower_ids)
        and not people.rights_of(tx, id).reaches("task", "read", *scope)
    ]
    if shut_out:
        task.follower_ids.extend(shut_out)
        store.tasks.save(tx, task)


async def set_step_timer(tx: Tx, run: LadderRun) -> None:
    """Sets the timer of the run's next step; one that is due already fires at once, so steps come one after the other."""
    following = rules.next_step(run)
    if following is not None:
        payload = {"task_id": run.task_id, "run": run.number}
        await tx.set_timer(LADDER, _key(run), to_datetime(following.plan_time), payload)


def _key(run: LadderRun) -> str:
    return f"{run.task_id}/{run.number}"


def _due(task: Task) -> datetime | None:
    return to_datetime(task.due_time) if task.HasField("due_time") else None


# -- beginning and stopping ------------------------------------------------------------------------------------------------


async def _begin(tx: Tx, task: Task, old: Task | None) -> None:
    """A new task, another deadline, or a task that is open again: the reminders to come, and a ladder."""
    if old is not None and task.HasField("miss_time") and rules.moved(task, old):
        task.ClearField("miss_time")
        store.tasks.save(tx, task)
    # A reminder that would have come before the deadline was known is none; a deadline that has passed is told.
    await _set_alarm(tx, task, after=tx.now)
    await _begin_ladder(tx, task, old)


async def _set_alarm(tx: Tx, task: Task, *, after: datetime) -> None:
    """Sets the timer for the next reminder after this moment, or for the deadline, also if that has passed."""
    for alarm in rules.alarms(task):
        if alarm.at > after or alarm.minutes_before is None:
            payload = {"task_id": task.id, "due": _text(_due(task)), "at": _text(alarm.at)}
            await tx.set_timer(DEADLINE, task.id, alarm.at, payload)
            return
    await tx.cancel_timer(DEADLINE, task.id)


def _text(moment: datetime | None) -> str:
    return moment.isoformat() if moment is not None else ""


async def _begin_again(tx: Tx, changes: Sequence[tuple[Task, Task]]) -> None:
    """Open tasks that have another deadline: what was planned for the old one stops, and it begins anew."""
    stopped = await store.running_of(tx, [task.id for task, _ in changes])
    for run in stopped:
        rules.stop(run)
        await tx.cancel_timer(LADDER, _key(run))
    await store.save_runs(tx, stopped)
    choice, begun = _Choice(tx), list[LadderRun]()
    for task, old in changes:
        await _set_alarm(tx, task, after=tx.now)
        if (new := await _run_for(tx, task, old, choice)) is not None:
            begun.append(new)
    await store.add_runs(tx, begun)
    for run in begun:
        await set_step_timer(tx, run)


async def _begin_ladder(tx: Tx, task: Task, old: Task | None) -> None:
    run = await _run_for(tx, task, old, _Choice(tx))
    if run is not None:
        await store.add_run(tx, run, first=old is None)
        await set_step_timer(tx, run)


async def _run_for(tx: Tx, task: Task, old: Task | None, choice: "_Choice") -> LadderRun | None:
    """From the customer's request; from the deadline, or from now, where that is later, if nobody waits or it was moved."""
    waits = ending.runs(task)
    if waits and (old is None or not rules.moved(task, old)):
        asked = to_datetime(task.reaction.start_time)
        clock, start = Ladder.CLOCK_REACTION, asked if old is None else max(asked, tx.now)
    elif task.HasField("due_time"):
        clock, start = Ladder.CLOCK_DEADLINE, max(to_datetime(task.due_time), tx.now)
    else:
        return None
    ladder = await choice.of(task, Ladder.CLOCK_REACTION if waits else Ladder.CLOCK_DEADLINE)
    if ladder is None:
        return None
    return rules.begin(ladder, task, tx.directory, clock=clock, start=start)


async def _change_ladder(tx: Tx, task: Task, old: Task) -> None:
    """Another ladder counts from where the one before did; what it would have told by now is due now."""
    await _stop_ladder(tx, task.id)
    before = await store.runs_of(tx, task.id)
    ladder = await _Choice(tx).of(task, before[0].clock) if before else None
    if ladder is None:
        await _begin_ladder(tx, task, old)
        return
    run = rules.begin(
        ladder, task, tx.directory,
        clock=before[0].clock, start=to_datetime(before[0].start_time), earliest=tx.now,
    )  # fmt: skip
    await store.add_run(tx, run, first=False)
    await set_step_timer(tx, run)


class _Choice:
    """Which ladders tasks get; what the tasks of one transaction have in common is read once."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._conditional: list[Ladder] | None = None
        self._named: dict[str, Ladder | None] = {}

    async def of(self, task: Task, clock: "Ladder.Clock") -> Ladder | None:
        """The task's own ladder, else the one whose conditions hold, else the default of tasks that answer a request."""
        if task.ladder_id and (own := await self._find(task.ladder_id)) is not None:
            return own
        form_id, source_id = "", ""
        if clock == Ladder.CLOCK_REACTION and task.reaction.request_ids:
            form_id, source_id = await store.origin_of(self._tx, task.reaction.request_ids[0])
        people = self._tx.directory
        departments = path_up(people, ladders.home_of(people, ladders.duty_of(task)))
        matter = ladders.Matter(clock, task.type_id, departments, form_id, source_id)
        if self._conditional is None:
            self._conditional = await store.all_ladders(self._tx)
        found = ladders.chosen(self._conditional, matter)
        if found is None and clock == Ladder.CLOCK_REACTION:
            default = (await store.settings_of(self._tx)).default_ladder_id
            found = await self._find(default) if default else None
        return found

    async def _find(self, id: str) -> Ladder | None:
        if id not in self._named:
            self._named[id] = await store.ladders.find(self._tx, id)
        return self._named[id]


async def _stop(tx: Tx, task_id: str) -> None:
    await tx.cancel_timer(DEADLINE, task_id)
    await _stop_ladder(tx, task_id)


async def _stop_ladder(tx: Tx, task_id: str) -> None:
    run = await store.running(tx, task_id)
    if run is None:
        return
    rules.stop(run)
    await store.save_run(tx, run)
    await tx.cancel_timer(LADDER, _key(run))
