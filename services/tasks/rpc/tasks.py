"""Tasks by the standard methods."""

from chassis.call import Raw
from chassis.handlers import Servicer, reads, writes
from chassis.kit.about import About, answer
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.tasks.v1 import task_pb2 as pb
from services.tasks import checking, saving, store

_FOR_PERSON = {
    "open_tasks": About(
        "/crm.tasks.v1.TasksService/ListTasks", store.tasks, 'contact_id = "{id}" AND state = OPEN', "due_time"
    )
}  # fmt: skip
StandardTask = standard(store.tasks, on_save=checking.check)


class Tasks(StandardTask, Servicer):  # type: ignore[misc, valid-type]
    """`/v1/tasks`."""

    @reads
    async def GetContactTasks(self, request: pb.GetContactTasksRequest, tx: Tx) -> Raw:
        return await answer(tx, pb.ContactTasks, request.contact_id, _FOR_PERSON)

    @writes
    async def CreateTask(self, request: pb.CreateTaskRequest, tx: Tx) -> pb.Task:
        return await saving.followed(tx, await super().CreateTask(request, tx))

    @writes
    async def UpdateTask(self, request: pb.UpdateTaskRequest, tx: Tx) -> pb.Task:
        return await saving.followed(tx, await super().UpdateTask(request, tx))

    @writes
    async def DeleteTask(self, request: pb.DeleteTaskRequest, tx: Tx) -> pb.Task:
        return await saving.followed(tx, await super().DeleteTask(request, tx))

    @writes
    async def UndeleteTask(self, request: pb.UndeleteTaskRequest, tx: Tx) -> pb.Task:
        return await saving.followed(tx, await super().UndeleteTask(request, tx))
