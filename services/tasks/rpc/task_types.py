"""Task types."""

from chassis.handlers import Servicer
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.tasks.v1 import task_type_pb2
from services.tasks import store
from services.tasks.rules import task_types as rules


async def check_type(
    tx: Tx, new: task_type_pb2.TaskType, old: task_type_pb2.TaskType | None
) -> None:
    """Keeps I2."""
    rules.keep_key(new, old)
    rules.normalise(new)
    rules.check(new)


class TaskTypes(standard(store.task_types, on_save=check_type), Servicer):  # type: ignore[misc]
    """`/v1/taskTypes`."""
