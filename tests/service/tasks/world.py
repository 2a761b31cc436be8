"""What the tests of tasks share: a tenant with its stubs, tasks, types and counts."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp

from chassis import errors
from chassis.testing.installation import Installation, Person, Tenant
from chassis.times import to_timestamp
from chassis.waits import first_of
from crm.tasks.v1 import task_pb2, task_type_pb2
from crm.tasks.v1.tasks_service_pb2_grpc import TasksServiceStub

Task = task_pb2.Task
TaskType = task_type_pb2.TaskType
ResultField = task_type_pb2.ResultField
Outcome = task_type_pb2.Outcome

WORKER = [
    *({"object": "task", "action": a, "scope": "own"} for a in ("read", "update", "complete", "take", "assign", "delete")),
    {"object": "task", "action": "create", "scope": "all"},
    {"object": "task_type", "action": "read", "scope": "all"},
]  # fmt: skip
"""What a salesperson may do."""


def at(text: str) -> Timestamp:
    """`2026-11-23T09:00` in UTC."""
    return to_timestamp(datetime.fromisoformat(text).replace(tzinfo=UTC))


def values(**given: Any) -> dict[str, Value]:
    """Result values: texts, numbers, booleans and lists of texts."""
    made = {}
    for key, each in given.items():
        value = made[key] = Value()
        if isinstance(each, bool):
            value.bool_value = each
        elif isinstance(each, str):
            value.string_value = each
        elif isinstance(each, list):
            value.list_value.extend(each)
        else:
            value.number_value = each
    return made


@dataclass
class World:
    """A tenant of one test."""

    running: Installation
    tenant: Tenant

    @property
    def admin(self) -> Any:
        return self.stub(self.tenant.admin)

    def stub(self, person: Person, **metadata: str) -> Any:
        return person.stub(TasksServiceStub, **metadata)

    async def worker(self, department_id: str = "", **user: Any) -> Person:
        """Somebody who does tasks."""
        return await self.tenant.person(WORKER, department_id=department_id, **user)

    async def make(self, by: Person | None = None, **given: Any) -> Task:
        """A new task with these values, made by the administrator or somebody else."""
        task = Task(**{"subject": "Call back", **given})
        stub = self.stub(by or self.tenant.admin)
        return await stub.CreateTask(task_pb2.CreateTaskRequest(task=task))

    async def task(self, id: str, reader: Person | None = None) -> Task:
        return await self.stub(reader or self.tenant.admin).GetTask(task_pb2.GetTaskRequest(id=id))

    async def sees(self, person: Person, id: str) -> bool:
        """Whether a list shows the person this task."""
        listed = await self.stub(person).ListTasks(task_pb2.ListTasksRequest(page_size=200))
        return id in {task.id for task in listed.tasks}

    async def type(self, **given: Any) -> TaskType:
        made = TaskType(**{"key": "measure", "name": "Measure", **given})
        return await self.admin.CreateTaskType(task_type_pb2.CreateTaskTypeRequest(task_type=made))

    async def events(self, name: str, count: int = 1) -> list[dict[str, Any]]:
        return await self.running.events(self.tenant, name, count=count)

    async def count(self, table: str) -> int:
        rows = await self.running.rows(
            "tasks", f"SELECT count(*) AS n FROM {table} WHERE tenant_id = $1", self.tenant.id
        )
        return int(rows[0]["n"])

    async def state(self) -> dict[str, int]:
        """How much there is of everything that a refusal must leave unchanged."""
        found = {
            table: await self.count(table)
            for table in ("tasks_history", "task_types_history", "timers")
        }
        return found | {"outbox_sequence": await self.published()}

    async def published(self) -> int:
        """How many events were published, once nothing waits to be: a row is for a moment in both places."""
        async with asyncio.timeout(20):
            while await self.count("outbox"):
                await first_of(asyncio.Event(), timeout_s=0.02)
        stream = await self.running.process.nats.js.stream_info(
            "TASKS", subjects_filter=f"crm.{self.tenant.id}.>"
        )
        return sum((stream.state.subjects or {}).values())


class Refused:
    """`async with Refused(world, errors.NotFound, "REASON")`: asserts class, reason and that nothing changed."""

    def __init__(
        self, world: World, kind: type[errors.CrmError], reason: str, *fields: str
    ) -> None:
        self.world, self.kind, self.reason, self.fields = world, kind, reason, fields
        self.error: errors.CrmError

    async def __aenter__(self) -> "Refused":
        self.before = await self.world.state()
        return self

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if error is None:
            pytest.fail(f"not refused with {self.reason}")
        if not isinstance(error, errors.CrmError):
            return False
        self.error = error
        assert (error.code, error.reason) == (self.kind.code, self.reason), error
        if self.fields:
            assert [violation.field for violation in error.violations] == list(self.fields)
        assert await self.world.state() == self.before
        return True
