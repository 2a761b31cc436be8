"""Whether what a record refers to exists. Asked only for references that a change adds, so that old ones never block."""

from typing import Any

from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2, pipeline_pb2
from services.deals import errors, people, store

OWN: dict[str, Resource[Any]] = {"method_id": store.sales_methods}
"""Field of a deal -> the resource of this service that it names."""


async def check(tx: Tx, new: deal_pb2.Deal, old: deal_pb2.Deal | None) -> None:
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
    known = set() if old is None else {each.user_id for each in old.participants}
    missing += [
        (f"participants[{at}].user_id", f"active user {each.user_id}")
        for at, each in enumerate(new.participants)
        if each.user_id and each.user_id not in known and not people.is_active(tx, each.user_id)
    ]
    if missing:
        raise errors.ReferenceUnknown(missing)


def check_movers(tx: Tx, new: pipeline_pb2.Pipeline, old: pipeline_pb2.Pipeline | None) -> None:
    """ReferenceUnknown with every role that may move deals and does not exist."""
    known = {id for stage in (old.stages if old else ()) for id in stage.mover_role_ids}
    missing = [
        (f"stages[{at}].mover_role_ids", f"role {id}")
        for at, stage in enumerate(new.stages)
        for id in stage.mover_role_ids
        if id not in known and tx.directory.role(id) is None
    ]
    if missing:
        raise errors.ReferenceUnknown(missing)
