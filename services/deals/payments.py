"""Payments: how money that came in reaches invoices and deals, whoever tells of it.

Locks are taken in one order, payments before invoices before deals, so that payments of the same ones wait for each other and never in a ring.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from chassis.errors import Violation
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2, invoice_pb2, payment_pb2
from crm.deals.v1 import payment_events_pb2 as events
from services.deals import errors, following_parties, invoices, people, sales, saving, store
from services.deals.money import currencies
from services.deals.rules import payments as rules
from services.deals.store.deals import readers

Payment = payment_pb2.Payment
Allocation = payment_pb2.Allocation
Deal = deal_pb2.Deal
Invoice = invoice_pb2.Invoice


async def check(tx: Tx, new: Payment, old: Payment | None) -> None:
    """What payments by hand and from programs pass: a new one pays what it names, a known one keeps what was paid."""
    await following_parties.parties.resolve(tx, new, old)
    if old is not None:
        rules.keep_paid(new, old)
        return
    await receive(tx, new, rules.source_of(tx.actor), may_leave_rest=new.over_payment_accepted)


async def receive(
    tx: Tx, payment: Payment, source: "Payment.Source", *, may_leave_rest: bool
) -> None:
    """Makes a payment pay what its allocations name, records its save and tells of it.

    What is beyond the open amounts stays unallocated where that may be, else PaymentTooLarge.
    """
    payment.id = payment.id or tx.new_id()
    wanted = list(payment.allocations)
    del payment.allocations[:]
    found = await _payable(tx, payment, wanted)
    deal = await _deal(tx, payment)
    if not payment.currency:
        payment.currency = deal.currency if deal is not None else people.currency_of(tx)
    _belong(tx, payment, deal, found[wanted[0].invoice_id] if wanted else None)
    rules.begin(payment, source=source, by=people.user_of(tx.actor), at=tx.now)
    if wanted:
        rules.allocate(payment, wanted, found, may_leave_rest=may_leave_rest)
    # Before what follows from it, so that it is told first.
    store.payments.save(tx, payment)
    tx.emit(events.PaymentReceived(payment=payment))
    await settle(tx, None, payment, at=to_datetime(payment.time), effect=f"payment {payment.id}")


async def taken(tx: Tx, id: str, etag: str = "") -> Payment:
    """The payment that the caller changes, while nobody else changes it."""
    await tx.lock(f"payment {id}")
    return await store.payments.get(tx, id, etag=etag)


async def allocate(tx: Tx, payment: Payment, wanted: Sequence[Allocation]) -> None:
    """Lets what is left of it pay these invoices; PaymentTooLarge for more than is open of one."""
    before = _copy(payment)
    found = await _payable(tx, payment, wanted)
    rules.allocate_more(payment, wanted, found)
    await settle(tx, before, payment, at=tx.now)
    store.payments.save(tx, payment)


async def unallocate(tx: Tx, payment: Payment, invoice_ids: Sequence[str] = ()) -> None:
    """It pays these invoices no more, all of them where none is named."""
    before = _copy(payment)
    rules.unallocate(payment, invoice_ids)
    await settle(tx, before, payment, at=tx.now)
    store.payments.save(tx, payment)


async def refund(tx: Tx, payment: Payment, back: Payment, amount: str) -> None:
    """Pays back by `back`, which is completed and saved here, and tells of it."""
    before = _copy(payment)
    for field in ("currency", "deal_id", "contact_id", "company_id", "owner_id", "department_id"):
        setattr(back, field, getattr(payment, field))
    back.follower_ids.extend(payment.follower_ids)
    back.payer_name, back.payer_account = payment.payer_name, payment.payer_account
    back.direction, back.refunded_payment_id = Payment.DIRECTION_REFUNDED, payment.id
    back.creator_id = people.user_of(tx.actor)
    if wrong := rules.wrong_time(back, tx.now, to_datetime(payment.time)):
        raise errors.ValuesInvalid(wrong)
    rules.refund(payment, back, amount)
    back.id = tx.new_id()
    await settle(
        tx, before, payment, at=to_datetime(back.time), effect=f"payment {back.id}",
        reverses=f"payment {payment.id}",
    )  # fmt: skip
    store.payments.save(tx, payment)
    store.payments.save(tx, back)
    tx.emit(events.PaymentRefunded(payment=back))


async def withdraw(tx: Tx, payment: Payment) -> None:
    """What is to be deleted pays nothing any more; the caller records the deletion. PaymentWrongState if it was paid back."""
    if payment.direction == Payment.DIRECTION_REFUNDED:
        await tx.lock(f"payment {payment.refunded_payment_id}")
        received = await store.payments.find(tx, payment.refunded_payment_id)
        if received is not None:
            before = _copy(received)
            rules.take_refund_back(received, payment)
            await settle(tx, before, received, at=tx.now)
            store.payments.save(tx, received)
        return
    rules.require_unrefunded(payment)
    before = _copy(payment)
    rules.unallocate(payment, ())
    await settle(tx, before, None, at=tx.now)


async def settle(
    tx: Tx, before: Payment | None, after: Payment | None, *, at: datetime, effect: str = "", reverses: str = ""
) -> None:  # fmt: skip
    """Passes on to invoices, deals and sales what the payment pays more or less than before; `at` is when that is so.

    effect: names what happened for sales, which count it once; reverses: what that pays back.
    """
    effect = effect or f"payment {tx.new_id()}"
    was, now = rules.shares(before), rules.shares(after)
    of_invoices = rules.differences(now.invoices, was.invoices)
    found = await _locked(tx, list(of_invoices))
    for id, amount in of_invoices.items():
        invoice = found[id]
        await invoices.settle(tx, invoice, Decimal(invoice.paid_amount or 0) + amount)
    of_deals = rules.differences(now.deals, was.deals)
    if of_deals:
        await tx.lock(*(f"paid {id}" for id in of_deals))
    for id, amount in of_deals.items():
        deal = await store.deals.find(tx, id)
        if deal is None:  # deleted since
            continue
        paid = Decimal(deal.paid_amount or 0) + amount
        deal.paid_amount = currencies.shown(paid, deal.currency)
        await saving.save(tx, deal)
        await sales.received(
            tx, deal, effect=f"{effect} {id}", amount=amount, time=at,
            reverses=f"{reverses} {id}" if reverses else "",
        )  # fmt: skip


async def _locked(tx: Tx, ids: Sequence[str]) -> dict[str, Invoice]:
    """Those of the invoices that are there, while nobody else pays on them."""
    if not ids:
        return {}
    await tx.lock(*(invoices.lock_of(id) for id in ids))
    found = [await invoices.locked(tx, id) for id in sorted(set(ids))]
    return {invoice.id: invoice for invoice in found if invoice is not None}


async def _payable(tx: Tx, payment: Payment, wanted: Sequence[Allocation]) -> dict[str, Invoice]:
    """The invoices that the caller wants to be paid, if he may read them, while nobody else pays on them."""
    found = await _locked(tx, [each.invoice_id for each in wanted])
    read = {
        id: invoice
        for id, invoice in found.items()
        if tx.rights.reaches("invoice", "read", *store.invoices.scope_of_message(invoice))
    }
    first = read.get(wanted[0].invoice_id) if wanted else None
    if first is not None:
        payment.currency = payment.currency or first.currency
    rules.check_wanted(wanted, payment.currency)
    rules.check_payable(wanted, read, payment.currency)
    return read


async def _deal(tx: Tx, payment: Payment) -> Deal | None:
    """The deal that it names; ReferenceUnknown if it is not there for the caller, ValuesInvalid if it is in another currency."""
    if not payment.deal_id:
        return None
    deal = await store.deals.find(tx, payment.deal_id)
    if deal is None or not tx.rights.reaches("deal", "read", *store.deals.scope_of_message(deal)):
        raise errors.ReferenceUnknown([("deal_id", f"deal {payment.deal_id}")])
    if payment.currency and deal.currency != payment.currency:
        raise errors.ValuesInvalid([Violation("currency", f"is {payment.currency}, the deal is in {deal.currency}; name a deal in {payment.currency}, or none")])  # fmt: skip
    return deal


def _belong(tx: Tx, payment: Payment, deal: Deal | None, first: Invoice | None) -> None:
    """It is read by who reads its deal or first invoice; without them it is its maker's."""
    of = deal if deal is not None else first
    if first is not None:
        payment.deal_id = payment.deal_id or first.deal_id
    if of is None:
        payment.owner_id = people.user_of(tx.actor)
        payment.department_id = people.home_of(tx, payment.owner_id)
        return
    if not payment.contact_id and not payment.company_id:
        payment.contact_id, payment.company_id = of.contact_id, of.company_id
    payment.owner_id, payment.department_id = of.owner_id, of.department_id
    del payment.follower_ids[:]
    payment.follower_ids.extend(readers(of) if isinstance(of, Deal) else of.follower_ids)


def _copy(payment: Payment) -> Payment:
    copied = Payment()
    copied.CopyFrom(payment)
    return copied
