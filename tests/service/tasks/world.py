"""What the tests of tasks share: a tenant with its stubs, tasks, types and counts."""

from datetime import UTC, datetime
from typing import Any

from google.protobuf.struct_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.testing.installation import Person
from chassis.times import to_timestamp
from crm.tasks.v1 import task_pb2, task_type_pb2
from crm.tasks.v1.tasks_service_pb2_grpc import TasksServiceStub
from tests.service.worlds import BaseWorld
from tests.service.worlds import Refused as Refused

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


class World(BaseWorld):
    """A tenant of one test."""

    service = "tasks"
    tables = ("tasks_history", "task_types_history", "timers")

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
