"""Deliveries: the standard methods, :ship, :deliver and :fail."""

from datetime import datetime

from chassis.handlers import Servicer, writes
from chassis.kit.standard import standard
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.deals.v1 import delivery_events_pb2 as events
from crm.deals.v1 import delivery_pb2 as pb
from services.deals import deliveries, store
from services.deals.rules import deliveries as rules

StandardDelivery = standard(
    store.deliveries, on_save=deliveries.check, on_undelete=deliveries.check_undelete
)
_Verb = pb.ShipDeliveryRequest | pb.DeliverDeliveryRequest | pb.FailDeliveryRequest


class DeliveriesRpcs(StandardDelivery, Servicer):  # type: ignore[misc, valid-type]
    """Every RPC of deliveries_service.proto."""

    service = "crm.deals.v1.DeliveriesService"

    @writes
    async def ShipDelivery(self, request: pb.ShipDeliveryRequest, tx: Tx) -> pb.Delivery:
        delivery, at = await _taken(tx, request)
        rules.ship(delivery, at)
        for field in ("carrier", "tracking_number", "tracking_url"):
            if said := getattr(request, field):
                setattr(delivery, field, said)
        store.deliveries.save(tx, delivery)
        tx.emit(events.DeliveryShipped(delivery=delivery))
        return delivery

    @writes
    async def DeliverDelivery(self, request: pb.DeliverDeliveryRequest, tx: Tx) -> pb.Delivery:
        delivery, at = await _taken(tx, request)
        rules.deliver(delivery, at)
        store.deliveries.save(tx, delivery)
        tx.emit(events.DeliveryDelivered(delivery=delivery))
        return delivery

    @writes
    async def FailDelivery(self, request: pb.FailDeliveryRequest, tx: Tx) -> pb.Delivery:
        delivery, at = await _taken(tx, request)
        rules.fail(delivery, at, request.reason)
        store.deliveries.save(tx, delivery)
        tx.emit(events.DeliveryFailed(delivery=delivery))
        return delivery


async def _taken(tx: Tx, request: _Verb) -> tuple[pb.Delivery, datetime]:
    """The delivery that the caller changes, and when it happened."""
    delivery = await store.deliveries.get(tx, request.id, etag=request.etag)
    at = to_datetime(request.time) if request.HasField("time") else tx.now
    rules.check_time(delivery, at, tx.now)
    return delivery, at
