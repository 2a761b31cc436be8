"""How a task ends, and the customer's clock.

OPEN ──complete(outcome, result)──► DONE ──────┐
 └───cancel──► CANCELLED ──────────────reopen──┴──► OPEN
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from google.protobuf.struct_pb2 import Value

from chassis.errors import Violation
from chassis.times import to_datetime, to_timestamp
from crm.tasks.v1 import task_pb2
from services.tasks import errors
from services.tasks.rules import results
from services.tasks.rules.tasks import shown, state_name

Task = task_pb2.Task

MOST_FILES = 20
"""Of a task, those of its result among them; the contract says the same."""
CLOCKS_DIFFER = timedelta(minutes=5)
"""How far the clock of a telephone may be ahead of ours."""


def end_time(task: Task, said: datetime | None, *, now: datetime) -> datetime:
    """When the task was done: as said, unless that was before it was made or after now."""
    if said is None:
        return now
    began = made_at(task)
    if said < began:
        limit = f"is {said.isoformat()}, before the task was made at {began.isoformat()}"
        raise errors.ValuesInvalid([Violation("done_time", limit)])
    if said > now + CLOCKS_DIFFER:
        limit = f"is {said.isoformat()}, more than 5 minutes after now, which is {now.isoformat()}"
        raise errors.ValuesInvalid([Violation("done_time", limit)])
    return min(said, now)


def made_at(task: Task) -> datetime:
    """When it was made: the client's moment, in an id that it offered, if the task reached us later (RFC 9562, 5.7)."""
    reached = to_datetime(task.create_time)
    milliseconds = UUID(task.id).int >> 80
    offered = datetime.fromtimestamp(milliseconds / 1000, reached.tzinfo)
    return min(offered, reached)


def was_his(
    version: int, since: datetime, until: datetime, *, etag: str, done: datetime | None
) -> bool:
    """Whether he saw this version, in which he had the task, or did it while it was the last one (M24)."""
    return etag == str(version) or (done is not None and since <= done < until)


def complete(
    task: Task, *, outcome: str, result: Mapping[str, Value], files: list[str], note: str, by: str, at: datetime
) -> None:  # fmt: skip
    """Makes an open task done, with a result that was checked; its files become the task's, so that its readers see them."""
    _demand_open(task, "done")
    task.state, task.outcome = Task.STATE_DONE, outcome
    for key in results.plain(result):
        task.result[key].CopyFrom(result[key])
    _join_files(task, files)
    _end(task, note=note, by=by, at=at)
    stop_clock(task, at=at, by="done")


def _join_files(task: Task, files: list[str]) -> None:
    had, joined = len(task.file_ids), list(dict.fromkeys([*task.file_ids, *files]))
    if len(joined) > max(had, MOST_FILES):
        text = (
            f"has {had} files, and the result brings {len(joined) - had} more; a task has at most {MOST_FILES}:"
            " take some out of file_ids first"
        )
        raise errors.ValuesInvalid([Violation("file_ids", text)])
    task.file_ids[:] = joined


def differences(
    task: Task, outcome: str, result: Mapping[str, Value], *, name: str
) -> list[Violation]:
    """What a second completion says otherwise than the first: who said what when, and what is said now."""
    told: dict[str, Any] = {"outcome": task.outcome, **_pathed(task.result)}
    said: dict[str, Any] = {"outcome": outcome, **_pathed(result)}
    when = shown(task.end_time)
    return [
        Violation(path, f"{name} said {told.get(path)!r} at {when}, you sent {said.get(path)!r}")
        for path in dict.fromkeys((*told, *said))
        if told.get(path) != said.get(path)
    ]


def cancel(task: Task, *, note: str, by: str, at: datetime) -> None:
    """Says that an open task is not to be done any more."""
    _demand_open(task, "cancelled")
    task.state = Task.STATE_CANCELLED
    _end(task, note=note, by=by, at=at)


def reopen(task: Task) -> None:
    """Makes a task that is over open again; a clock that only its end had stopped runs on."""
    if task.state == Task.STATE_OPEN:
        raise errors.TaskWrongState("reopened", "open", "done or cancelled")
    task.state = Task.STATE_OPEN
    for field in ("outcome", "result", "end_note", "end_time", "ended_by_id"):
        task.ClearField(field)  # type: ignore[arg-type]
    if task.reaction.stopped_by == "done":
        task.reaction.ClearField("stop_time")
        task.reaction.ClearField("stopped_by")


def attempt(task: Task, *, at: datetime) -> None:
    """Counts an attempt that reached nobody; the customer's clock runs on."""
    _demand_open(task, "attempted")
    task.attempt_count += 1
    task.last_attempt_time.CopyFrom(to_timestamp(at))


def stop_clock(task: Task, *, at: datetime, by: str) -> bool:
    """Stops the customer's clock, if one runs; `by` is done, call, message or by_hand. True if it ran."""
    if not runs(task):
        return False
    task.reaction.stop_time.CopyFrom(to_timestamp(at))
    task.reaction.stopped_by = by
    return True


def runs(task: Task) -> bool:
    """True if the customer waits."""
    return task.HasField("reaction") and not task.reaction.HasField("stop_time")


def _end(task: Task, *, note: str, by: str, at: datetime) -> None:
    task.end_note, task.ended_by_id = note.strip(), by
    task.end_time.CopyFrom(to_timestamp(at))


def _pathed(result: Mapping[str, Value]) -> dict[str, Any]:
    return {f"result.{key}": value for key, value in sorted(results.plain(result).items())}


def _demand_open(task: Task, verb: str) -> None:
    if task.state != Task.STATE_OPEN:
        since = f"; it is over since {shown(task.end_time)}: reopen it first"
        raise errors.TaskWrongState(verb, state_name(task.state), "open", hint=since)
