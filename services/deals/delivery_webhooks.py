"""What carriers tell lets deliveries go on, each event once."""

from chassis.rpc import shape
from chassis.tx import Tx
from crm.deals.v1 import carrier_pb2, delivery_pb2
from crm.deals.v1 import delivery_events_pb2 as events
from services.deals import store
from services.deals.rules import delivery_webhooks as rules
from services.deals.rules.delivery_webhooks import Event

Carrier = carrier_pb2.Carrier
Delivery = delivery_pb2.Delivery

_TOLD = {
    rules.SHIPPED: events.DeliveryShipped,
    rules.DELIVERED: events.DeliveryDelivered,
    rules.FAILED: events.DeliveryFailed,
}


async def take(tx: Tx, carrier: Carrier, event: Event) -> str:
    """The id of the delivery that the event is about; what was taken before, comes late or is known changes nothing."""
    await tx.lock(f"carrier {carrier.id} {event.id}")
    if known := await store.delivery_told(tx, carrier.id, event.id):
        return known
    delivery = await _meant(tx, event)
    before = Delivery()
    before.CopyFrom(delivery)
    moved = rules.follow(delivery, event, carrier=carrier.name, now=tx.now)
    if delivery != before:
        shape.check(delivery, writes=True)
        store.deliveries.save(tx, delivery)
    if moved:
        tx.emit(_TOLD[event.type](delivery=delivery))
    await store.note_delivery_event(tx, carrier.id, event.id, delivery.id)
    return delivery.id


async def _meant(tx: Tx, event: Event) -> Delivery:
    """The delivery with our id, else with the carrier's number."""
    if id := rules.named(event):
        delivery = await store.deliveries.find(tx, id)
        if delivery is not None:
            return delivery
    tracked = await store.deliveries_tracked(tx, event.tracking_number)
    return rules.choose(tracked, event)
