"""What payment providers tell becomes payments and refunds, each event once."""

from datetime import datetime
from decimal import Decimal

from chassis.fold import search_key
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.deals.v1 import payment_pb2, payment_provider_pb2
from services.deals import errors, payments, statements, store
from services.deals.rules import invoices as invoice_rules
from services.deals.rules import matching
from services.deals.rules import payments as payment_rules
from services.deals.rules.payment_webhooks import RECEIVED, Event

Payment = payment_pb2.Payment
PaymentProvider = payment_provider_pb2.PaymentProvider


async def take(tx: Tx, provider: PaymentProvider, event: Event) -> str:
    """The id of the payment or refund that the event is; an event that was taken before changes nothing."""
    if wrong := payment_rules.wrong_amount("amount", event.amount, event.currency):
        raise errors.ValuesInvalid(wrong)
    await tx.lock(f"payment provider {provider.id} {event.id}")
    if known := await store.payment_told(tx, provider.id, event.id):
        return known
    payment = Payment(
        way=provider.way or Payment.WAY_OTHER, reference=event.reference, payer_name=event.payer_name,
        provider_key=provider.key, provider_event_id=event.id,
    )  # fmt: skip
    if event.type == RECEIVED:
        await _receive(tx, payment, event)
    else:
        await _refund(tx, provider, payment, event)
    reference = event.reference if event.type == RECEIVED else ""
    await store.note_event(tx, provider.id, event.id, payment.id, reference=reference)
    return payment.id


async def _receive(tx: Tx, payment: Payment, event: Event) -> None:
    payment.id = tx.new_id()
    payment.amount, payment.currency = event.amount, event.currency
    payment.time.CopyFrom(to_timestamp(_at(event, tx.now)))
    for invoice_id in await _paid_invoices(tx, event):
        payment.allocations.add(invoice_id=invoice_id)
    await payments.receive(tx, payment, Payment.SOURCE_WEBHOOK, may_leave_rest=True)


async def _paid_invoices(tx: Tx, event: Event) -> list[str]:
    """What the payment surely pays: the one open invoice with the number that is told, else what a bank's line would pay."""
    if event.invoice_number:  # most tell it as it is: then nothing else is looked at
        exact = await store.open_invoices_numbered(tx, event.invoice_number, event.currency)
        if len(exact) == 1 and exact[0].state in invoice_rules.LIVING:
            return [exact[0].id]
    opens = [
        statements.open_of(invoice)
        for invoice in await store.payable(tx, invoice_rules.LIVING, [event.currency])
    ]
    told = search_key(event.invoice_number)
    named = [each for each in opens if matching.names(each.number, told) == matching.NUMBER]
    if len(named) == 1:
        return [named[0].invoice_id]
    text = f"{event.invoice_number} {event.reference}"
    line = matching.Line(Decimal(event.amount), event.currency, text, event.payer_name)
    return [each.invoice_id for each in matching.Book(opens).decide(line).sure]


async def _refund(tx: Tx, provider: PaymentProvider, back: Payment, event: Event) -> None:
    received = await _referred(tx, provider, event)
    back.source, back.reason = Payment.SOURCE_WEBHOOK, f"told by {provider.name}"
    at = max(_at(event, tx.now), to_datetime(received.time))
    back.time.CopyFrom(to_timestamp(at))
    await payments.refund(tx, received, back, event.amount)


async def _referred(tx: Tx, provider: PaymentProvider, event: Event) -> Payment:
    """The payment that is paid back: the last one with the reference of which enough is left, else the last one at all."""
    found: Payment | None = None
    for id in await store.payments_referred(tx, provider.id, event.reference):
        if await store.payments.find(tx, id) is None:
            continue  # somebody has deleted it
        each = await payments.taken(tx, id)
        if each.currency != event.currency:
            continue
        found = found or each
        if _left(each) >= Decimal(event.amount):
            return each
    if found is None:
        raise errors.ProviderPaymentUnknown
    return found


def _left(payment: Payment) -> Decimal:
    return Decimal(payment.amount) - Decimal(payment.refunded_amount or 0)


def _at(event: Event, now: datetime) -> datetime:
    """When it was paid; a provider's clock may be a little ahead."""
    return min(event.time, now)
