"""Tasks by the standard methods."""

from chassis.handlers import Servicer, writes
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.tasks.v1 import task_pb2 as pb
from services.tasks import checking, saving, store

StandardTask = standard(store.tasks, on_save=checking.check)


class Tasks(StandardTask, Servicer):  # type: ignore[misc, valid-type]
    """`/v1/tasks`."""

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
