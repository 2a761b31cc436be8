"""Deals that were paid, and those whose move waits for something that may be filled by now."""

from typing import Any

from chassis import contracts
from chassis.handlers import on
from chassis.tx import Tx
from crm.deals.v1 import events_pb2 as events
from crm.deals.v1 import invoice_events_pb2 as invoice_events
from crm.deals.v1 import payment_events_pb2 as payment_events
from services.deals import paid_stages

_PAID = (
    invoice_events.InvoicePaid, payment_events.PaymentReceived, payment_events.PaymentUpdated,
    payment_events.PaymentRefunded,
)  # fmt: skip


def _concerns(event: Any) -> bool:
    if event.change.republished:
        return False
    if isinstance(event, _PAID):
        return bool(event.change.cause.kind != "import")
    return event.deal.HasField("blocked_move") and not isinstance(event, events.DealMoveBlocked)


@on(*_PAID, *contracts.carrying("deal"), durable="deals-paid-stages", wants=_concerns)
async def follow(event: Any, tx: Tx) -> None:
    """Looks at every deal that the event is about."""
    assert tx.event is not None
    for deal_id in _deals_of(event):
        await paid_stages.look(tx, deal_id, tx.event.id)
        await tx.flush()


def _deals_of(event: Any) -> list[str]:
    if isinstance(event, invoice_events.InvoicePaid):
        ids = {event.invoice.deal_id}
    elif isinstance(event, _PAID):
        payment = event.payment
        ids = {payment.deal_id, *(each.deal_id for each in payment.allocations)}
    else:
        ids = {event.deal.id}
    return sorted(ids - {""})
