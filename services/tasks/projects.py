"""A project's tasks are read by who takes part in it, whosever they are.

They hold a copy of the project's people among their followers, made while the project is locked and made again when its people
change: a task that joins between waits for the lock, so no copy stays behind. Whoever leaves the project stops following its
tasks, unless he made or gave them; somebody who also follows such a task on his own account has to be added to it again.
"""

from chassis.call import Cause
from chassis.errors import NotFound
from chassis.kit import bulk
from chassis.kit.save import Conflict
from chassis.tx import Tx
from crm.tasks.v1 import project_pb2, task_pb2
from services.tasks import errors, people, store
from services.tasks.rules import projects as rules

Project = project_pb2.Project
Task = task_pb2.Task


async def join(tx: Tx, new: Task, old: Task | None) -> None:
    """A task that comes into a project gets its place at the end and its readers; one that leaves loses both.

    ReferenceUnknown unless the caller may read the project, ProjectWrongState unless it is open, ProjectFull if there is no
    room; ValuesInvalid for a section that the project has not.
    """
    if old is not None and old.project_id and old.project_id != new.project_id:
        await _leave(tx, new, old)
    if not new.project_id:
        new.section = ""
        return
    joins = old is None or old.project_id != new.project_id
    changed = joins or old is None or new.section != old.section
    if not changed and old is not None and _same_readers(new, old):
        return
    await lock(tx, new.project_id)
    project = await _project(tx, new) if joins else await store.projects.find(tx, new.project_id)
    if project is None:
        return
    if changed:
        rules.require_section(project, new.section)
    if joins:
        count, last = await store.project_extent(tx, project.id)
        if count >= rules.MOST_TASKS:
            raise errors.ProjectFull(rules.MOST_TASKS)
        new.position = new.position or rules.next_position(last)
    rules.let_read(new, rules.readers(project))


async def keep_readers(tx: Tx, task: Task, old: Task | None) -> bool:
    """After a verb gave the task to somebody: who takes part in its project reads it as before. True if that changed the task."""
    if not task.project_id or old is None or _same_readers(task, old):
        return False
    project = await store.projects.find(tx, task.project_id)
    if project is None:
        return False
    before = list(task.follower_ids)
    rules.let_read(task, rules.readers(project))
    return list(task.follower_ids) != before


async def follow(
    tx: Tx, project: Project, before: list[str], *, cause: Cause | None = None
) -> None:
    """Lets the project's people of now read its tasks, and no more those of `before` who left; `cause` if it is not the caller's."""
    now = rules.readers(project)
    if set(now) == set(before):
        return
    await lock(tx, project.id)
    writes = []
    for task, doc in await store.project_tasks_for_update(tx, project.id, deleted=True):
        rules.let_read(task, now, before)
        writes.append(bulk.Write(task, doc))
    outcome = await bulk.write(tx, store.tasks, writes, cause=cause)
    if outcome.lost:
        raise Conflict


async def lock(tx: Tx, project_id: str) -> None:
    """No task joins or moves, and nobody else changes the project's people, until the end of this transaction."""
    await tx.lock(f"project/{project_id}")


async def _project(tx: Tx, task: Task) -> Project | None:
    """The project that the task joins. A task that a rule makes goes without a project that is gone."""
    if not people.user_of(tx.actor):
        project = await store.projects.find(tx, task.project_id)
        if project is None:
            task.project_id, task.section = "", ""
        return project
    try:
        row = await store.projects.row(tx, task.project_id)
    except NotFound:
        raise errors.ReferenceUnknown([("project_id", f"project {task.project_id}")]) from None
    project = Project.FromString(row["doc"])
    if project.state != Project.STATE_OPEN:
        state = rules.state_name(project.state)
        raise errors.ProjectWrongState("given tasks", state, "open", "project_id")
    return project


async def _leave(tx: Tx, new: Task, old: Task) -> None:
    project = await store.projects.find(tx, old.project_id, deleted=True)
    if project is not None:
        rules.let_read(new, (), rules.readers(project))
    for field in ("position", "section"):
        if getattr(new, field) == getattr(old, field):
            new.ClearField(field)  # type: ignore[arg-type]


def _same_readers(new: Task, old: Task) -> bool:
    return new.owner_id == old.owner_id and list(new.follower_ids) == list(old.follower_ids)
