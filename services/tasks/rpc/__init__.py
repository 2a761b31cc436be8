"""The RPCs of tasks and their types, by what they are about."""

from chassis.kit.shared_rpcs import OperationRpcs, custom_field_rpcs, saved_view_rpcs
from services.tasks import store
from services.tasks.rpc.assigning import Assigning
from services.tasks.rpc.ending import Ending
from services.tasks.rpc.task_types import TaskTypes
from services.tasks.rpc.tasks import Tasks


class TasksRpcs(
    Tasks, Assigning, Ending, TaskTypes,
    custom_field_rpcs(store.custom_fields), saved_view_rpcs(store.saved_views), OperationRpcs,  # type: ignore[misc]
):  # fmt: skip
    """Every RPC of the core's contract; each further piece has a gRPC service of its own."""

    service = "crm.tasks.v1.TasksService"
