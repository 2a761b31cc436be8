"""What telephony does when a company begins, and when people's profiles or the company's exchanges change."""

from typing import Any

from chassis import contracts, keys
from chassis.handlers import on
from chassis.tx import Tx
from crm.identity.v1 import events_pb2 as identity
from crm.identity.v1 import user_pb2
from crm.telephony.v1 import catalogue_events_pb2 as events
from crm.telephony.v1 import connection_pb2
from services.telephony import profiles, store
from services.telephony.rules import catalogues

Connection = connection_pb2.Connection


@on(identity.TenantCreated, durable="telephony-first-exchange")
async def seed(event: identity.TenantCreated, tx: Tx) -> None:
    """A new company begins with a simulated exchange and dispositions; what somebody was quicker to make stays his."""
    assert tx.tenant is not None
    if await store.has_connections(tx) or await store.has_dispositions(tx):
        return
    for disposition in catalogues.first_dispositions():
        disposition.id = tx.new_id()
        store.dispositions.save(tx, disposition)
        tx.emit(events.DispositionCreated(disposition=disposition))
    connection = Connection(
        id=tx.new_id(), name="Simulated exchange", kind=Connection.KIND_SIMULATOR, key=keys.new_key(tx.tenant),
    )  # fmt: skip
    store.connections.save(tx, connection)
    await store.leases.put_in_use(tx, connection.id)
    tx.emit(events.ConnectionCreated(connection=connection))


@on(*contracts.carrying("user"), durable="telephony-profiles")
async def follow_user(event: Any, tx: Tx) -> None:
    """By version: what comes late or twice changes nothing."""
    user = event.user
    if await store.numbers.is_newer(tx, "user", user.id, event.change.version):
        left = user.state == user_pb2.USER_STATE_DEACTIVATED
        await profiles.follow(tx, user.id, "" if left else user.extension)


@on(
    *contracts.carrying("telephone_connection"),
    durable="telephony-profiles-exchanges",
    wants=lambda event: not event.change.republished,
)
async def follow_exchanges(event: Any, tx: Tx) -> None:
    """Extensions from profiles are where the company is called."""
    await profiles.follow_everybody(tx)
