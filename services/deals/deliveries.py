"""Deliveries: what each creation and change passes. Those of one deal wait for each other, so that nothing is sent twice."""

from chassis.tx import Tx
from crm.deals.v1 import deal_pb2, delivery_pb2
from crm.deals.v1 import delivery_events_pb2 as events
from services.deals import errors, made_for, people, store
from services.deals.rules import deliveries as rules

Delivery = delivery_pb2.Delivery


async def check(tx: Tx, new: Delivery, old: Delivery | None) -> None:
    """Completes and checks a delivery before its save; a new one is told as DeliveryPlanned."""
    new.id = new.id or tx.new_id()
    if old is not None:
        if rules.keep(new, old):
            await _load(tx, new, await _deal(tx, new))
        return
    deal = await made_for.deal_of(tx, new.deal_id)
    made_for.belong(tx, new, deal)
    rules.begin(new, deal, by=people.user_of(tx.actor))
    await _load(tx, new, deal)
    tx.emit(events.DeliveryPlanned(delivery=new))


async def check_undelete(tx: Tx, delivery: Delivery) -> None:
    """It comes back unless what it carries went with another one meanwhile."""
    if delivery.state != Delivery.STATE_FAILED and delivery.items:
        await _load(tx, delivery, await _deal(tx, delivery))


async def _deal(tx: Tx, delivery: Delivery) -> deal_pb2.Deal:
    """Its deal, which whoever may change the delivery need not be able to read."""
    deal = await store.deals.find(tx, delivery.deal_id)
    if deal is None:  # deleted since
        raise errors.ReferenceUnknown([("deal_id", f"deal {delivery.deal_id}")])
    return deal


async def _load(tx: Tx, delivery: Delivery, deal: deal_pb2.Deal) -> None:
    await tx.lock(f"deliveries {deal.id}")
    others = await store.deliveries_of(tx, deal.id)
    rules.load(delivery, deal, rules.carried(others, besides=delivery.id))
