"""Whether what a record refers to exists. Asked only for references that a change adds, so that old ones never block."""

from typing import Any

from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.tasks.v1 import task_pb2
from services.tasks import errors, store

OWN: dict[str, Resource[Any]] = {"type_id": store.task_types}
"""Field of a task -> the resource of this service that it names."""


async def check(tx: Tx, new: task_pb2.Task, old: task_pb2.Task | None) -> None:
    """ReferenceUnknown with every reference that `new` adds and that leads nowhere."""
    missing = []
    for field, resource in OWN.items():
        id = getattr(new, field)
        added = id and (old is None or id != getattr(old, field))
        if added and await resource.find(tx, id) is None:
            missing.append((field, f"{resource.object} {id}"))
    department = new.department_id
    added = department and (old is None or department != old.department_id)
    if added and tx.directory.department(department) is None:
        missing.append(("department_id", f"department {department}"))
    if missing:
        raise errors.ReferenceUnknown(missing)


def require_department(tx: Tx, id: str, field: str = "department_id") -> None:
    """ReferenceUnknown unless the department exists: in a queue that nobody sees, tasks get lost."""
    if tx.directory.department(id) is None:
        raise errors.ReferenceUnknown([(field, f"department {id}")])
