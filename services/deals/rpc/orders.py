"""`/v1/orders`: what shops tell of their orders, and what they read back."""

from chassis.errors import Violation
from chassis.handlers import Servicer, reads, writes
from chassis.kit import showing
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from crm.deals.v1 import events_pb2 as events
from crm.deals.v1 import order_pb2 as pb
from services.deals import checking, errors, people, saving, store
from services.deals.rules import ending, moving, pipelines
from services.deals.rules import orders as rules

Deal = deal_pb2.Deal


class OrdersRpcs(Servicer):
    """Every RPC of orders_service.proto."""

    service = "crm.deals.v1.OrdersService"

    @writes
    async def PutOrder(self, request: pb.PutOrderRequest, tx: Tx) -> pb.OrderStatus:
        rules.check(request, tx.now)
        key = rules.key(request.order)
        await tx.lock(f"order {key}")
        deal = await store.deal_of_order(tx, key)
        if deal is None:
            if rules.is_cancelled(request):
                told = "is not known here; nothing is to be cancelled"
                raise errors.ValuesInvalid([Violation("order.id", f"{request.order.id!r} {told}")])
            deal = await _create(tx, request)
        else:
            await tx.require("deal", "update", *store.deals.scope_of_message(deal))
            if rules.is_cancelled(request):
                await _cancel(tx, deal, request.cancel_reason)
            else:
                await _update(tx, deal, request)
        return await _status(tx, deal)

    @reads
    async def GetOrder(self, request: pb.GetOrderRequest, tx: Tx) -> pb.OrderStatus:
        wanted = deal_pb2.ShopOrder(system=request.system, id=request.id)
        deal = await store.deal_of_order(tx, rules.key(wanted))
        if deal is None or not _readable(tx, deal):
            raise errors.OrderUnknown(request.system, request.id)
        return await _status(tx, deal)


async def _create(tx: Tx, order: pb.PutOrderRequest) -> Deal:
    deal = Deal(pipeline_id=order.pipeline_id)
    deal.title = order.title or f"{order.order.system} {order.order.id}"
    rules.fill(deal, order)
    if order.HasField("place_time"):
        deal.request_time.CopyFrom(order.place_time)
    await checking.check(tx, deal, None)
    await tx.require("deal", "create", *store.deals.scope_of_message(deal))
    return await saving.save(tx, deal)


async def _update(tx: Tx, deal: Deal, order: pb.PutOrderRequest) -> None:
    """Nothing is saved for an order that says nothing new."""
    old = Deal()
    old.CopyFrom(deal)
    rules.fill(deal, order)
    if deal == old:
        return
    await checking.check(tx, deal, old)
    await saving.save(tx, deal)


async def _cancel(tx: Tx, deal: Deal, reason: str) -> None:
    """The deal is lost where it stands; one that is lost already stays as it is."""
    if deal.state == Deal.STATE_LOST:
        return
    moving.require_open(deal, "cancelled")
    note = reason or f"cancelled in {deal.order.system}"
    by = people.user_of(tx.actor)
    ending.end(deal, Deal.STATE_LOST, reason=None, note=note, competitor="", at=tx.now, by=by)
    await saving.save(tx, deal)
    tx.emit(events.DealLost(deal=deal))


def _readable(tx: Tx, deal: Deal) -> bool:
    return tx.rights.reaches("deal", "read", *store.deals.scope_of_message(deal))


async def _status(tx: Tx, deal: Deal) -> pb.OrderStatus:
    """What the caller may read of the deal, its stage and its deliveries."""
    pipeline = await store.pipelines.find(tx, deal.pipeline_id)
    stage = pipelines.stage_of(pipeline, deal.stage_id) if pipeline is not None else None
    copied = Deal()
    copied.CopyFrom(deal)  # what is saved keeps what the caller may not see
    shown = showing.limited(tx, store.deals, copied)
    status = pb.OrderStatus(
        order=shown.order, deal_id=deal.id, state=shown.state, currency=shown.currency, amount=shown.amount,
        paid_amount=shown.paid_amount, paid=rules.is_paid(shown), unknown_skus=rules.unknown(shown.lines),
    )  # fmt: skip
    if stage is not None and shown.stage_id:
        assert pipeline is not None
        status.pipeline_key, status.stage_key, status.stage_name = pipeline.key, stage.key, stage.name  # fmt: skip
    for delivery in await store.deliveries_of(tx, deal.id):
        if tx.rights.reaches("delivery", "read", *store.deliveries.scope_of_message(delivery)):
            status.deliveries.append(showing.limited(tx, store.deliveries, delivery))
    return status
