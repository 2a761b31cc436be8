"""Projects: their life, who reads them and their tasks, the order of these, and how far they are (S59)."""

import asyncio
from typing import Any

import pytest

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Person
from crm.tasks.v1 import project_pb2 as pb
from crm.tasks.v1 import task_pb2
from crm.tasks.v1 import task_verbs_pb2 as verbs
from crm.tasks.v1.project_pb2 import Project, ProjectSection
from crm.tasks.v1.projects_service_pb2_grpc import ProjectsServiceStub
from tests.service.tasks.world import WORKER, Refused, Task, World, at

LEADER = [
    *WORKER,
    *({"object": "project", "action": a, "scope": "own"} for a in ("read", "update", "delete")),
    {"object": "project", "action": "create", "scope": "all"},
]


def stub(world: World, person: Person | None = None) -> Any:
    return (person or world.tenant.admin).stub(ProjectsServiceStub)


async def worker(world: World) -> Person:
    return await world.tenant.person(LEADER)


async def make(world: World, by: Person | None = None, **given: Any) -> Project:
    made = Project(**{"name": "House 7", **given})
    return await stub(world, by).CreateProject(pb.CreateProjectRequest(project=made))


async def update(world: World, project: Project, *paths: str, by: Person | None = None) -> Project:
    request = pb.UpdateProjectRequest(project=project, etag=project.etag)
    request.update_mask.paths.extend(paths)
    return await stub(world, by).UpdateProject(request)


async def change_task(world: World, task: Task, *paths: str, by: Person | None = None) -> Task:
    request = task_pb2.UpdateTaskRequest(task=task)
    request.update_mask.paths.extend(paths)
    return await world.stub(by or world.tenant.admin).UpdateTask(request)


async def move(world: World, project: Project, task: Task, after: str = "", by: Person | None = None, **more: Any) -> Task:  # fmt: skip
    request = pb.ReorderProjectRequest(id=project.id, task_id=task.id, after_task_id=after, **more)
    return await stub(world, by).ReorderProject(request)


async def row(world: World, project: Project, by: Person | None = None, size: int = 2) -> list[str]:
    """The subjects of the project's tasks in their order, read in pages."""
    found: list[str] = []
    token = ""
    while True:
        request = pb.ListProjectTasksRequest(id=project.id, page_size=size, page_token=token)
        page = await stub(world, by).ListProjectTasks(request)
        found += [task.subject for task in page.tasks]
        token = page.next_page_token
        if not token:
            return found


# -- life ------------------------------------------------------------------------------------------------------------------


async def test_a_project_is_its_makers_and_open(world: World) -> None:
    me, ola = await worker(world), await worker(world)
    made = await make(world, me, name="  House   7 ", member_ids=[ola.id, me.id, ola.id])
    assert (made.owner_id, made.name, made.state) == (me.id, "House 7", Project.STATE_OPEN)
    assert list(made.member_ids) == [ola.id] == list(made.follower_ids)
    (event,) = await world.events("ProjectCreated")
    assert event["project"]["memberIds"] == [ola.id]


@pytest.mark.parametrize(
    ("given", "kind", "reason", "fields"),
    [
        ({"name": "  "}, errors.InvalidArgument, "VALUES_INVALID", ["name"]),
        (
            {"start_time": at("2026-11-23T09:00"), "due_time": at("2026-11-23T08:00")},
            errors.InvalidArgument, "VALUES_INVALID", ["due_time"],
        ),
        (
            {"sections": [ProjectSection(key="a", name="A"), ProjectSection(key="a", name="B")]},
            errors.InvalidArgument, "VALUES_INVALID", ["sections[1].key"],
        ),
        ({"member_ids": [uuid7()]}, errors.FailedPrecondition, "ASSIGNEE_NOT_ACTIVE", ["member_ids[0]"]),
        ({"owner_id": uuid7()}, errors.FailedPrecondition, "ASSIGNEE_NOT_ACTIVE", ["owner_id"]),
        ({"department_id": uuid7()}, errors.InvalidArgument, "REFERENCE_UNKNOWN", ["department_id"]),
    ],
)  # fmt: skip
async def test_what_no_project_can_be_is_refused(
    world: World, given: dict[str, Any], kind: Any, reason: str, fields: list[str]
) -> None:
    async with Refused(world, kind, reason, *fields):
        await make(world, **given)
    assert await world.count("projects") == 0


async def test_it_is_done_when_none_of_its_tasks_is_open(world: World) -> None:
    project = await make(world)
    task = await world.make(project_id=project.id)
    async with Refused(world, errors.FailedPrecondition, "PROJECT_NOT_FINISHED") as refused:
        await stub(world).CompleteProject(pb.CompleteProjectRequest(id=project.id))
    assert refused.error.metadata == {"open": "1"}
    await world.admin.CompleteTask(verbs.CompleteTaskRequest(id=task.id))

    done = await stub(world).CompleteProject(pb.CompleteProjectRequest(id=project.id))

    assert done.state == Project.STATE_DONE
    assert done.HasField("done_time")
    (event,) = await world.events("ProjectDone")
    assert event["project"]["state"] == "STATE_DONE"
    async with Refused(world, errors.FailedPrecondition, "PROJECT_WRONG_STATE"):
        await stub(world).CompleteProject(pb.CompleteProjectRequest(id=project.id))


async def test_put_away_it_takes_no_task_until_it_is_opened_again(world: World) -> None:
    project = await make(world)
    away = await stub(world).ArchiveProject(pb.ArchiveProjectRequest(id=project.id))
    assert away.state == Project.STATE_ARCHIVED
    async with Refused(world, errors.FailedPrecondition, "PROJECT_WRONG_STATE", "project_id"):
        await world.make(project_id=project.id)
    async with Refused(world, errors.FailedPrecondition, "PROJECT_WRONG_STATE"):
        await stub(world).ArchiveProject(pb.ArchiveProjectRequest(id=project.id))
    again = await stub(world).ReopenProject(pb.ReopenProjectRequest(id=project.id))
    assert again.state == Project.STATE_OPEN
    assert (await world.make(project_id=project.id)).project_id == project.id
    async with Refused(world, errors.FailedPrecondition, "PROJECT_WRONG_STATE"):
        await stub(world).ReopenProject(pb.ReopenProjectRequest(id=project.id))


async def test_deleted_and_brought_back_it_has_its_tasks(world: World) -> None:
    project = await make(world)
    task = await world.make(project_id=project.id)
    await stub(world).DeleteProject(pb.DeleteProjectRequest(id=project.id))
    assert (await world.task(task.id)).project_id == project.id
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "project_id"):
        await world.make(project_id=project.id)
    await stub(world).UndeleteProject(pb.UndeleteProjectRequest(id=project.id))
    assert await row(world, project) == ["Call back"]


async def test_a_section_goes_only_when_it_is_empty(world: World) -> None:
    project = await make(world, sections=[ProjectSection(key="plan", name="Plan")])
    task = await world.make(project_id=project.id, section="plan")
    del project.sections[:]
    async with Refused(world, errors.FailedPrecondition, "SECTION_IN_USE", "sections"):
        await update(world, project, "sections")
    await move(world, project, task, section="")
    assert not (await update(world, project, "sections")).sections


async def test_a_task_names_a_section_that_there_is(world: World) -> None:
    project = await make(world, sections=[ProjectSection(key="plan", name="Plan")])
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "section"):
        await world.make(project_id=project.id, section="build")
    task = await world.make(project_id=project.id)
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "section"):
        await move(world, project, task, section="build")


# -- who reads -------------------------------------------------------------------------------------------------------------


async def test_members_read_the_project_and_its_tasks_and_strangers_neither(world: World) -> None:
    me, ola, stranger = [await worker(world) for _ in range(3)]
    project = await make(world, me, member_ids=[ola.id])
    task = await world.make(me, project_id=project.id)

    assert (await world.task(task.id, ola)).id == task.id
    assert await row(world, project, ola) == ["Call back"]
    with pytest.raises(errors.NotFound):
        await world.task(task.id, stranger)
    with pytest.raises(errors.NotFound):
        await row(world, project, stranger)
    with pytest.raises(errors.NotFound):
        await stub(world, stranger).GetProjectProgress(pb.GetProjectProgressRequest(id=project.id))
    project.name = "Mine"
    with pytest.raises(errors.PermissionDenied):  # a member reads and does not lead
        await update(world, project, "name", by=ola)


async def test_who_comes_and_goes_reads_the_tasks_there_are(world: World) -> None:
    me, ola, jan = [await worker(world) for _ in range(3)]
    project = await make(world, me, member_ids=[ola.id])
    mine = await world.make(me, project_id=project.id)
    olas = await world.make(ola, project_id=project.id)
    project.member_ids[:] = [jan.id]
    await update(world, project, "member_ids", by=me)
    assert await world.sees(jan, mine.id)
    assert await world.sees(jan, olas.id)
    assert not await world.sees(ola, mine.id)
    assert await world.sees(ola, olas.id)  # her own task
    assert await world.sees(me, olas.id)


async def test_a_task_that_leaves_takes_its_readers_and_place_away(world: World) -> None:
    me, ola, friend = [await worker(world) for _ in range(3)]
    project = await make(world, me, member_ids=[ola.id])
    task = await world.make(me, project_id=project.id, follower_ids=[friend.id])
    assert list(task.follower_ids) == [friend.id, ola.id]
    assert task.position
    task.project_id = ""
    left = await change_task(world, task, "project_id", by=me)
    assert (list(left.follower_ids), left.position) == ([friend.id], 0)


async def test_members_still_read_a_task_that_is_given_on(world: World) -> None:
    me, ola, jan = [await worker(world) for _ in range(3)]
    project = await make(world, me, member_ids=[ola.id, jan.id])
    task = await world.make(me, project_id=project.id, owner_id=ola.id)
    given = await world.admin.AssignTask(verbs.AssignTaskRequest(id=task.id, owner_id=jan.id))
    assert set(given.follower_ids) == {me.id, ola.id, world.tenant.admin.id}
    (event,) = await world.events("TaskAssigned")
    assert set(event["task"]["followerIds"]) == set(given.follower_ids)


async def test_no_task_comes_into_a_project_that_its_maker_cannot_read(world: World) -> None:
    project, stranger = await make(world), await worker(world)
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "project_id"):
        await world.make(stranger, project_id=project.id)


async def test_a_task_that_joins_while_a_member_comes_is_read_by_him(world: World) -> None:
    jan = await worker(world)
    project = await make(world)
    project.member_ids.append(jan.id)
    joining = [world.make(project_id=project.id, subject=f"Task {n}") for n in range(12)]
    await asyncio.gather(*joining[:6], update(world, project, "member_ids"), *joining[6:])
    assert len(await row(world, project, jan, size=200)) == 12


# -- order -----------------------------------------------------------------------------------------------------------------


async def test_tasks_come_in_their_order_and_move_within_it(world: World) -> None:
    project = await make(world)
    tasks = {s: await world.make(project_id=project.id, subject=s) for s in "ABCDE"}
    assert await row(world, project) == list("ABCDE")
    await move(world, project, tasks["E"])
    await move(world, project, tasks["A"], after=tasks["C"].id)
    assert await row(world, project) == list("EBCAD")
    await move(world, project, tasks["B"], after=tasks["D"].id)
    assert await row(world, project) == list("ECADB")


async def test_twenty_movers_at_once_leave_one_order_of_all(world: World) -> None:
    project = await make(world)
    tasks = [await world.make(project_id=project.id, subject=str(n)) for n in range(6)]
    await asyncio.gather(
        *(move(world, project, tasks[n % 5 + 1], after=tasks[0].id) for n in range(20))
    )
    found = await row(world, project)
    assert sorted(found) == [str(n) for n in range(6)]
    assert found[0] == "0"
    positions = [(await world.task(task.id)).position for task in tasks]
    assert len(set(positions)) == 6


async def test_the_leader_moves_others_tasks_and_a_member_none(world: World) -> None:
    me, ola = await worker(world), await worker(world)
    project = await make(world, me, member_ids=[ola.id])
    first, second = [await world.make(ola, project_id=project.id, subject=s) for s in "AB"]
    await move(world, project, second, by=me)
    assert await row(world, project) == ["B", "A"]
    before = await world.state()
    with pytest.raises(errors.PermissionDenied):
        await move(world, project, first, by=ola)
    assert await world.state() == before


async def test_only_its_own_tasks_have_a_place(world: World) -> None:
    project = await make(world)
    own, other = await world.make(project_id=project.id), await world.make()
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "task_id"):
        await move(world, project, other)
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "after_task_id"):
        await move(world, project, own, after=other.id)
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await move(world, project, Task(id=uuid7()))


# -- progress --------------------------------------------------------------------------------------------------------------


async def test_progress_counts_all_by_person_and_section(world: World) -> None:
    ola = await worker(world)
    sections = [ProjectSection(key="plan", name="Plan"), ProjectSection(key="build", name="Build")]
    project = await make(world, sections=sections)
    first = await world.make(project_id=project.id, section="plan", estimated_minutes=30)
    await world.admin.CompleteTask(verbs.CompleteTaskRequest(id=first.id))
    overdue = {"due_time": at("2020-01-01T09:00"), "owner_id": ola.id}
    await world.make(project_id=project.id, section="build", estimated_minutes=45, **overdue)
    last = await world.make(project_id=project.id, owner_id=ola.id)
    await world.admin.CancelTask(verbs.CancelTaskRequest(id=last.id))

    found = await stub(world).GetProjectProgress(pb.GetProjectProgressRequest(id=project.id))

    total = pb.TaskCounts(open=1, done=1, overdue=1, cancelled=1, open_minutes=45, done_minutes=30)
    assert found.total == total
    assert [(m.user_id, m.counts.open, m.counts.done, m.counts.cancelled) for m in found.members] == [
        (ola.id, 1, 0, 1), (world.tenant.admin.id, 0, 1, 0),
    ]  # fmt: skip
    assert [(s.key, s.name, s.counts.open, s.counts.done) for s in found.sections] == [
        ("plan", "Plan", 0, 1), ("build", "Build", 1, 0), ("", "", 0, 0),
    ]  # fmt: skip
