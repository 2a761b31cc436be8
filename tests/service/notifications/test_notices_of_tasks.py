"""tasks and notifications together: what tasks really publishes arrives in feeds, at the moment and once."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from chassis.testing.installation import Installation, Person, installation
from chassis.times import to_timestamp
from crm.tasks.v1 import task_pb2, task_verbs_pb2
from crm.tasks.v1.tasks_service_pb2_grpc import TasksServiceStub
from tests.e2e.bare_servers import bare_servers
from tests.service.notifications.world import HEAD, WORKER, Task, World, eventually

COLLEAGUE = [
    *WORKER,
    *({"object": "task", "action": a, "scope": "own"} for a in ("update", "assign", "complete")),
]
BOSS = [
    *HEAD,
    *({"object": "task", "action": a, "scope": "all"} for a in ("create", "assign", "update")),
]


@pytest_asyncio.fixture(scope="module")
async def both() -> AsyncIterator[Installation]:
    """On servers of their own: an installation of other tests, whose clock stands still, might fire the timers of tasks."""
    names = ["tasks", "notifications"]
    async with bare_servers() as own:
        with own.postgres, own.nats:
            urls = {"postgres_url": own.settings.postgres_url, "nats_url": own.settings.nats_url}
            async with installation(names, test_clock=True, **urls) as made:
                await made.process.nats.ensure_streams(["contacts", "identity"])
                yield made


@pytest.fixture
async def firm(both: Installation) -> World:
    world = World(both, await both.tenant())
    await world.begin()

    async def seeded() -> bool:
        rows = await both.rows(
            "tasks", "SELECT 1 FROM task_types WHERE tenant_id = $1", world.tenant.id
        )
        return len(rows) == 5

    await eventually(seeded, "the first types")
    return world


def tasks(person: Person) -> Any:
    return person.stub(TasksServiceStub)


async def codes(world: World, person: Person, many: int) -> list[str]:
    """The codes of his notices, the oldest first, once there are so many."""
    return [notice.code for notice in reversed(await world.told(person, many))]


async def test_a_tasks_life_is_told_to_who_has_to_do_it_and_to_his_head(firm: World) -> None:
    head = await firm.tenant.person(BOSS)
    sales = await firm.tenant.department(head_id=head.id)
    entry = dict(firm.running.process.directory.of(firm.tenant.id).user(head.id) or {})
    await firm.tenant.put("user", head.id, {**entry, "department_id": sales})
    ola = await firm.tenant.person(COLLEAGUE, department_id=sales)
    due = firm.now + timedelta(hours=3)

    made = await tasks(head).CreateTask(task_pb2.CreateTaskRequest(task=Task(
        subject="Send the offer", owner_id=ola.id, due_time=to_timestamp(due), reminders=[{"minutes_before": 30}],
    )))  # fmt: skip
    assert await codes(firm, ola, 1) == ["task_assigned"]
    moved = due + timedelta(hours=1)
    change = task_pb2.UpdateTaskRequest(task=Task(id=made.id, due_time=to_timestamp(moved)))
    change.update_mask.paths.append("due_time")
    await tasks(head).UpdateTask(change)
    assert await codes(firm, ola, 2) == ["task_assigned", "task_changed"]
    await firm.advance(moved - timedelta(minutes=30) - firm.now)
    assert await codes(firm, ola, 3) == ["task_assigned", "task_changed", "deadline_near"]
    await firm.advance(moved - firm.now)

    async def missed() -> bool:
        told = {n.code for p in (ola, head) for n in (await firm.feed(p)).notices}
        return {"deadline_missed", "team_deadline_missed"} <= told

    await eventually(missed, "both told of the missed deadline")
    (of_head,) = [n for n in (await firm.feed(head)).notices if n.code == "team_deadline_missed"]
    assert (of_head.object_id, of_head.headline, of_head.urgent) == (
        made.id,
        "Send the offer",
        True,
    )


async def test_who_gives_himself_a_task_is_not_told_and_the_next_owner_is(firm: World) -> None:
    ola = await firm.tenant.person(
        [*COLLEAGUE, {"object": "task", "action": "create", "scope": "all"}]
    )
    jan = await firm.tenant.person(COLLEAGUE)
    made = await tasks(ola).CreateTask(
        task_pb2.CreateTaskRequest(task=Task(subject="Mine", owner_id=ola.id))
    )
    await tasks(ola).AssignTask(task_verbs_pb2.AssignTaskRequest(id=made.id, owner_id=jan.id))

    assert await codes(firm, jan, 1) == ["task_assigned"]
    assert len((await firm.feed(ola)).notices) == 0


@pytest.mark.large
async def test_who_has_a_task_is_told_when_its_former_assignee_did_it(firm: World) -> None:
    ola = await firm.tenant.person(
        [*COLLEAGUE, {"object": "task", "action": "create", "scope": "all"}]
    )
    jan = await firm.tenant.person(COLLEAGUE)
    made = await tasks(ola).CreateTask(
        task_pb2.CreateTaskRequest(task=Task(subject="Measure", owner_id=ola.id))
    )
    await tasks(ola).AssignTask(task_verbs_pb2.AssignTaskRequest(id=made.id, owner_id=jan.id))
    await tasks(ola).CompleteTask(task_verbs_pb2.CompleteTaskRequest(id=made.id, etag=made.etag))

    assert await codes(firm, jan, 2) == ["task_assigned", "task_done_by_other"]
