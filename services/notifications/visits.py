"""Keeps an eye on the visits of tasks, so that the evening before can be told."""

from typing import Any
from zoneinfo import ZoneInfo

from chassis.times import to_datetime
from chassis.tx import Tx
from crm.tasks.v1 import task_pb2
from services.notifications import store
from services.notifications.rules import visits as rules


async def follow(tx: Tx, event: Any) -> None:
    """Plans, moves or cancels the evening before, as a task's event says; an older event than the last changes nothing."""
    task = getattr(event, "task", None)
    # The eve's own event carries the task as it was known here, not as it is now.
    if not isinstance(task, task_pb2.Task) or event.DESCRIPTOR.file.package != "crm.tasks.v1":
        return
    version = event.change.version
    if not version:
        return  # a fact about the task that left it as it was
    if not rules.lies_ahead(task):
        if await store.visits.remove(tx, task.id, version=version):
            await tx.cancel_timer(rules.EVE, task.id)
        return
    if not await store.visits.note(tx, task, version=version):
        return
    user = tx.directory.user(task.owner_id) or {}
    zone = ZoneInfo(user.get("time_zone") or tx.directory.tenant().get("time_zone") or "UTC")
    due = rules.eve_of(to_datetime(task.visit.appointment_time), zone)
    if due > tx.now:
        await tx.set_timer(rules.EVE, task.id, due, {"task_id": task.id})
    else:  # whoever gets it now is told so, with its times
        await tx.cancel_timer(rules.EVE, task.id)
