"""What tasks does when others' events arrive; each further piece has a file of its own."""

from chassis.handlers import on
from chassis.tx import Tx
from crm.identity.v1 import events_pb2 as identity_events
from services.tasks import store
from services.tasks.rules import task_types


@on(identity_events.TenantCreated, durable="tasks-first-types")
async def seed_types(event: identity_events.TenantCreated, tx: Tx) -> None:
    """A new tenant begins with five types; a key that somebody was quicker to use stays his."""
    for type in task_types.first_types():
        if await store.type_with_key(tx, type.key) is None:
            store.task_types.save(tx, type)
