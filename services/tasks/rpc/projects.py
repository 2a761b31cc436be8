"""Projects, the order of their tasks, and how far they are (S59)."""

from chassis import errors as chassis_errors
from chassis.errors import Violation
from chassis.handlers import Servicer, reads, writes
from chassis.kit import bulk, showing
from chassis.kit.listing import PAGE, BadList
from chassis.kit.page_token import PageTokenError
from chassis.kit.save import Conflict
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.tasks.v1 import project_events_pb2 as events
from crm.tasks.v1 import project_pb2 as pb
from crm.tasks.v1 import task_pb2
from services.tasks import errors, people, projects, references, store
from services.tasks.rules import projects as rules

Task = task_pb2.Task

_COUNTED = ("owner_id", "section", "state", "due_time", "estimated_minutes")


async def check(tx: Tx, new: pb.Project, old: pb.Project | None) -> None:
    """Keeps I70: people are active when they come, sections have their tasks, and members read the tasks."""
    new.id = new.id or tx.new_id()
    rules.normalise(new)
    known = set() if old is None else {old.owner_id, *old.member_ids}
    if new.owner_id not in known:
        people.require_active(tx, new.owner_id)
    for at, id in enumerate(new.member_ids):
        if id not in known:
            people.require_active(tx, id, f"member_ids[{at}]")
    if new.department_id and (old is None or new.department_id != old.department_id):
        references.require_department(tx, new.department_id)
    if old is None:
        new.state = pb.Project.STATE_OPEN
        return
    await projects.lock(tx, new.id)
    if lost := rules.lost_sections(new, old):
        used = sorted(lost & await store.project_sections_in_use(tx, new.id))
        if used:
            raise errors.SectionInUse(used)
    await projects.follow(tx, new, rules.readers(old))


class StandardProjects(standard(store.projects, on_save=check), Servicer):  # type: ignore[misc]
    """`/v1/projects`."""

    @writes
    async def CompleteProject(self, request: pb.CompleteProjectRequest, tx: Tx) -> pb.Project:
        project = await store.projects.get(tx, request.id, etag=request.etag)
        await projects.lock(tx, project.id)
        open_tasks = await store.open_project_tasks(tx, project.id)
        rules.complete(project, open_tasks=open_tasks, at=tx.now)
        store.projects.save(tx, project)
        tx.emit(events.ProjectDone(project=project))
        return project

    @writes
    async def ArchiveProject(self, request: pb.ArchiveProjectRequest, tx: Tx) -> pb.Project:
        project = await store.projects.get(tx, request.id, etag=request.etag)
        rules.archive(project)
        store.projects.save(tx, project)
        return project

    @writes
    async def ReopenProject(self, request: pb.ReopenProjectRequest, tx: Tx) -> pb.Project:
        project = await store.projects.get(tx, request.id, etag=request.etag)
        rules.reopen(project)
        store.projects.save(tx, project)
        return project


class Order(Servicer):
    """The order of a project's tasks, and what they come to."""

    @writes
    async def ReorderProject(self, request: pb.ReorderProjectRequest, tx: Tx) -> Task:
        project = await store.projects.get(tx, request.id)
        await store.tasks.row(
            tx, request.task_id
        )  # NotFound for a task that the caller may not read
        await projects.lock(tx, project.id)
        rows = await store.project_tasks_for_update(tx, project.id)
        found = {task.id: (task, doc) for task, doc in rows}
        places = rules.place_after(
            [task for task, _ in found.values()], request.task_id, request.after_task_id
        )
        for id, position in places.items():
            found[id][0].position = position
        moved = found[request.task_id][0]
        if request.HasField("section"):
            rules.require_section(project, request.section)
            moved.section = request.section
        outcome = await bulk.write(tx, store.tasks, [bulk.Write(*found[id]) for id in places])
        if outcome.lost:
            raise Conflict
        return moved

    @reads
    async def ListProjectTasks(
        self, request: pb.ListProjectTasksRequest, tx: Tx
    ) -> pb.ListProjectTasksResponse:
        await store.projects.row(tx, request.id)
        fields = showing.checked_fields(tx, store.tasks, request.fields.paths)
        size, after = request.page_size or PAGE, _place(tx, request)
        rows = await store.ordered_project_tasks(tx, request.id, after, size)
        answer = pb.ListProjectTasksResponse()
        for row in rows[:size]:
            if store.tasks.reaches(tx, row, "read"):
                shown = showing.shown(tx, store.tasks, row, "doc", fields)
                answer.tasks.add().MergeFromString(shown)
        if len(rows) > size:
            last = [rows[size - 1]["position"], rows[size - 1]["id"]]
            tokens = tx.runtime.page_tokens
            answer.next_page_token = tokens.make(last, False, _shape(tx, request.id))
        return answer

    @reads
    async def GetProjectProgress(
        self, request: pb.GetProjectProgressRequest, tx: Tx
    ) -> pb.ProjectProgress:
        if not tx.rights.may("task", "read"):
            raise chassis_errors.PermissionDenied(
                "your role does not allow to read tasks; ask an administrator for task.read"
            )
        showing.refuse_unreadable(tx, store.tasks, _COUNTED)
        row = await store.projects.row(tx, request.id)
        project = pb.Project.FromString(row["doc"])
        return rules.progress(project, await store.project_counts(tx, project.id))


def _place(tx: Tx, request: pb.ListProjectTasksRequest) -> tuple[int, str]:
    """The place behind which the page begins."""
    if not request.page_token:
        return store.BEFORE_ALL_TASKS
    try:
        token = tx.runtime.page_tokens.read(request.page_token, shape=_shape(tx, request.id))
    except PageTokenError as error:
        raise BadList(str(error), [Violation("page_token", str(error))]) from None
    position, id = token.values
    return int(str(position)), str(id)


def _shape(tx: Tx, project_id: str) -> bytes:
    return f"{tx.tenant} project tasks {project_id}".encode()


class ProjectsRpcs(StandardProjects, Order):
    """Every RPC of the contract."""

    service = "crm.tasks.v1.ProjectsService"
