"""Projects: what one must be, how it ends, who reads its tasks, and the order of these.

A task's place is a number; places lie `APART` from each other, so that a task that moves changes alone. Where no number is
left between two, all places are given out anew.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from chassis.errors import Violation
from chassis.times import to_datetime, to_timestamp
from crm.tasks.v1 import project_pb2, task_pb2
from services.tasks import errors

Project = project_pb2.Project
Task = task_pb2.Task
TaskCounts = project_pb2.TaskCounts

MOST_TASKS = 5_000
"""Of one project: a change of its members writes each of its tasks in one transaction, in about two seconds."""
APART = 1024
_LOWEST, _HIGHEST = -(2**31), 2**31 - 1


# -- the project -----------------------------------------------------------------------------------------------------------


def normalise(project: Project) -> None:
    """One spelling of the name; each member once, without the leader; readers as members. ValuesInvalid for what contradicts itself."""
    project.name = " ".join(project.name.split())
    members = [id for id in dict.fromkeys(project.member_ids) if id and id != project.owner_id]
    project.member_ids[:] = members
    project.follower_ids[:] = members
    wrong = [] if project.name else [Violation("name", "must say something besides blanks")]
    if project.HasField("start_time") and project.HasField("due_time"):
        start, due = to_datetime(project.start_time), to_datetime(project.due_time)
        if due < start:
            text = f"is {due.isoformat()}, before start_time, which is {start.isoformat()}"
            wrong.append(Violation("due_time", text))
    seen = set[str]()
    for at, section in enumerate(project.sections):
        if section.key in seen:
            wrong.append(Violation(f"sections[{at}].key", f"{section.key} is there already"))
        seen.add(section.key)
    if wrong:
        raise errors.ValuesInvalid(wrong)


def lost_sections(new: Project, old: Project) -> set[str]:
    """The keys that the change takes away."""
    return {section.key for section in old.sections} - {section.key for section in new.sections}


def complete(project: Project, *, open_tasks: int, at: datetime) -> None:
    """The project reached its end."""
    _demand(project, "completed", Project.STATE_OPEN)
    if open_tasks:
        raise errors.ProjectNotFinished(open_tasks)
    project.state = Project.STATE_DONE
    project.done_time.CopyFrom(to_timestamp(at))


def archive(project: Project) -> None:
    """The project is put away, done or not."""
    _demand(project, "archived", Project.STATE_OPEN, Project.STATE_DONE)
    project.state = Project.STATE_ARCHIVED


def reopen(project: Project) -> None:
    """The project goes on."""
    _demand(project, "reopened", Project.STATE_DONE, Project.STATE_ARCHIVED)
    project.state = Project.STATE_OPEN
    project.ClearField("done_time")


def _demand(project: Project, verb: str, *states: "Project.State") -> None:
    if project.state not in states:
        allowed = " or ".join(state_name(state) for state in states)
        raise errors.ProjectWrongState(verb, state_name(project.state), allowed)


def state_name(state: "Project.State") -> str:
    """`done` of STATE_DONE."""
    return Project.State.Name(state).removeprefix("STATE_").lower()


# -- its tasks -------------------------------------------------------------------------------------------------------------


def require_section(project: Project, key: str) -> None:
    """ValuesInvalid unless the key is empty or one of the project's sections."""
    keys = [section.key for section in project.sections]
    if key and key not in keys:
        known = f"it has {', '.join(keys)}" if keys else "it has none"
        text = f"{key} is no section of the project; {known}"
        raise errors.ValuesInvalid([Violation("section", text)])


def readers(project: Project) -> list[str]:
    """Who reads the project's tasks, whosever these are."""
    return [id for id in dict.fromkeys([project.owner_id, *project.member_ids]) if id]


def let_read(task: Task, now: Iterable[str], before: Iterable[str] = ()) -> None:
    """The readers of `now` follow the task; those of `before` who left the project do no more, unless they made or gave it.

    The assignee reads it anyway, and whom it is offered to until somebody has it.
    """
    wanted = list(now)
    stays = {task.creator_id, task.assigner_id, *task.candidate_ids, *wanted}
    leaves = set(before) - stays
    kept = [id for id in task.follower_ids if id not in leaves]
    task.follower_ids[:] = [
        id for id in dict.fromkeys([*kept, *wanted]) if id and id != task.owner_id
    ]


# -- their order -----------------------------------------------------------------------------------------------------------


def place_after(tasks: Sequence[Task], task_id: str, after_id: str) -> dict[str, int]:
    """New positions by which the task comes right behind `after_id` (first if empty): its own, or all if there is no room.

    `tasks` are all of the project in any order. ValuesInvalid for a task that is not among them.
    """
    row = sorted(tasks, key=lambda task: (task.position, task.id))
    known = {task.id for task in row}
    for field, id in (("task_id", task_id), ("after_task_id", after_id)):
        if id and id not in known:
            raise errors.ValuesInvalid([Violation(field, "is no task of this project")])
    if task_id == after_id:
        raise errors.ValuesInvalid([Violation("after_task_id", "must be another task")])
    others = [task for task in row if task.id != task_id]
    at = next((n for n, task in enumerate(others, 1) if task.id == after_id), 0)
    before = others[at - 1].position if at else None
    behind = others[at].position if at < len(others) else None
    position = _between(before, behind)
    if position is not None:
        return {task_id: position}
    ids = [task.id for task in others]
    ids.insert(at, task_id)
    return {id: n * APART for n, id in enumerate(ids, 1)}


def next_position(last: int) -> int:
    """The position behind the last."""
    return min(last + APART, _HIGHEST)


def _between(before: int | None, behind: int | None) -> int | None:
    """A number between two places, None if there is none; 0 stands for no place."""
    if before is None:
        before = max((behind or 0) - 2 * APART, _LOWEST) if behind is not None else 0
    if behind is None:
        behind = min(before + 2 * APART, _HIGHEST)
    middle = (before + behind) // 2
    middle = middle or middle + 1
    return middle if before < middle < behind else None


# -- how far it is ---------------------------------------------------------------------------------------------------------


def progress(project: Project, counted: Iterable[dict[str, Any]]) -> project_pb2.ProjectProgress:
    """The counts of all tasks put together, by person and by section."""
    made = project_pb2.ProjectProgress(project_id=project.id)
    members: dict[str, TaskCounts] = {}
    sections = {section.key: TaskCounts() for section in project.sections}
    for row in counted:
        owner_id = str(row["owner_id"] or "")
        parts = (
            members.setdefault(owner_id, TaskCounts()),
            sections.setdefault(row["section"], TaskCounts()),
        )
        for counts in (made.total, *parts):
            _add(counts, row)
    most_first = sorted(members.items(), key=lambda each: (-_size(each[1]), each[0]))
    made.members.extend(
        project_pb2.MemberProgress(user_id=id, counts=counts) for id, counts in most_first
    )
    names = {section.key: section.name for section in project.sections}
    made.sections.extend(
        project_pb2.SectionProgress(key=key, name=names.get(key, ""), counts=sections[key])
        for key in sorted(sections, key=lambda key: list(names).index(key) if key in names else len(names))
    )  # fmt: skip
    return made


def _add(counts: TaskCounts, row: dict[str, Any]) -> None:
    if row["state"] == Task.STATE_OPEN:
        counts.open += row["count"]
        counts.overdue += row["overdue"]
        counts.open_minutes += row["minutes"]
    elif row["state"] == Task.STATE_DONE:
        counts.done += row["count"]
        counts.done_minutes += row["minutes"]
    else:
        counts.cancelled += row["count"]


def _size(counts: TaskCounts) -> int:
    return counts.open + counts.done + counts.cancelled
