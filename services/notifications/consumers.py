"""What notifications does when others' events arrive."""

from typing import Any

from chassis import contracts
from chassis.handlers import on, on_any
from chassis.tx import Tx
from crm.identity.v1 import events_pb2 as identity_events
from services.notifications import shipped, store, telling, visits
from services.notifications.rules import happenings


@on(identity_events.TenantCreated, durable="notifications-first-rules")
async def seed_rules(event: identity_events.TenantCreated, tx: Tx) -> None:
    """A new tenant begins with the shipped rules, and with the nightly cleaning."""
    await shipped.seed(tx)


@on_any(durable="notifications-notices", wants=happenings.concerns)
async def hear(event: Any, tx: Tx) -> None:
    """Who may read the record from now on, whether a visit lies ahead, and who is told."""
    assert tx.event is not None
    happening = happenings.of_event(event, id=tx.event.id, time=tx.event.time)
    option = contracts.event_option(event.DESCRIPTOR)
    assert option is not None
    if option.resource and happening.guard is not None and happening.object_id:
        await store.guards.note(
            tx, happening.object, happening.object_id, happening.guard, version=event.change.version
        )
    await visits.follow(tx, event)
    await telling.tell(tx, happening)


@on(identity_events.UserDeactivated, durable="notifications-leavers")
async def end_ways(event: identity_events.UserDeactivated, tx: Tx) -> None:
    """Nothing goes to who has left; his feed stays for the day he may come back, and goes with its age."""
    await store.deliveries.end_of_user(tx, event.user.id)
