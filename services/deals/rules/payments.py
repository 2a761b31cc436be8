"""Payments: what one must be, which invoices it pays, and what of it can be paid back. Pure.

amount = what it pays of invoices + what is unallocated + what was paid back, always.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from chassis import codec
from chassis.call import Actor
from chassis.errors import Violation
from chassis.times import to_datetime, to_timestamp
from crm.deals.v1 import invoice_party_pb2, invoice_pb2, payment_pb2
from services.deals import errors
from services.deals.money import currencies, limits

Payment = payment_pb2.Payment
Allocation = payment_pb2.Allocation
Invoice = invoice_pb2.Invoice
InvoiceType = invoice_party_pb2.InvoiceType

_HOUSEKEEPING = {"etag", "update_time", "create_time", "delete_time", "can"}
_MAY_CHANGE = {"note", "reference", "payer_name", "payer_account", "contact_id", "company_id"}
_NOTHING = Decimal(0)


@dataclass(slots=True)
class Shares:
    """What a payment pays: invoice and deal -> amount."""

    invoices: dict[str, Decimal] = field(default_factory=dict)
    deals: dict[str, Decimal] = field(default_factory=dict)


def begin(payment: Payment, *, source: "Payment.Source", by: str, at: datetime) -> None:
    """A payment that was received, before it pays anything; ValuesInvalid unless its values can be."""
    payment.direction, payment.source = Payment.DIRECTION_RECEIVED, source
    payment.way = payment.way or Payment.WAY_BANK
    payment.creator_id = by
    if not payment.HasField("time"):
        payment.time.CopyFrom(to_timestamp(at))
    wrong = wrong_amount("amount", payment.amount, payment.currency)
    wrong += wrong_time(payment, at)
    if wrong:
        raise errors.ValuesInvalid(wrong)
    payment.amount = currencies.shown(Decimal(payment.amount), payment.currency)
    show_rest(payment)


def source_of(actor: Actor) -> "Payment.Source":
    """Who tells of a payment that is created: a user, or a program with a token."""
    return Payment.SOURCE_BY_HAND if actor.kind == "user" else Payment.SOURCE_API


def wrong_amount(path: str, text: str, currency: str) -> list[Violation]:
    """What is wrong with an amount that was paid: it must be above zero and payable in the currency."""
    if not currencies.is_known(currency):
        return [limits.no_money("currency", currency)]
    if wrong := limits.amount(path, text, currency):
        return wrong
    if Decimal(text or 0) <= 0:
        return [Violation(path, f"{text or '0'} is not above 0; say how much was paid")]
    return []


def wrong_time(payment: Payment, now: datetime, since: datetime | None = None) -> list[Violation]:
    """What is wrong with when it was paid: it has not come, or is before what it pays back."""
    time = to_datetime(payment.time)
    if time > now:
        return [Violation("time", f"{time:%Y-%m-%d %H:%M} UTC is in the future; it is {now:%Y-%m-%d %H:%M} UTC")]  # fmt: skip
    if since is not None and time < since:
        return [Violation("time", f"{time:%Y-%m-%d %H:%M} UTC is before the payment, {since:%Y-%m-%d %H:%M} UTC")]  # fmt: skip
    return []


def keep_paid(new: Payment, old: Payment) -> None:
    """PaymentFixed, field by field, for what cannot change by an update."""
    changed = {path.partition(".")[0] for path in codec.changed_paths(old, new)}
    if fixed := changed - _MAY_CHANGE - _HOUSEKEEPING:
        raise errors.PaymentFixed(sorted(fixed))


# -- what it pays ------------------------------------------------------------------------------------------------------------


def check_wanted(wanted: Sequence[Allocation], currency: str) -> None:
    """ValuesInvalid unless each invoice is named once, with an amount above zero where there is one."""
    wrong, seen = [], set[str]()
    for at, each in enumerate(wanted):
        if each.invoice_id in seen:
            wrong.append(Violation(f"allocations[{at}].invoice_id", "stands twice; name each invoice once"))  # fmt: skip
        seen.add(each.invoice_id)
        if each.amount:
            wrong += wrong_amount(f"allocations[{at}].amount", each.amount, currency)
    if wrong:
        raise errors.ValuesInvalid(wrong)


def check_payable(
    wanted: Sequence[Allocation], invoices: Mapping[str, Invoice], currency: str
) -> None:
    """ReferenceUnknown for invoices that are not there, ValuesInvalid for those that this payment cannot pay."""
    missing = [
        (f"allocations[{at}].invoice_id", f"invoice {each.invoice_id}")
        for at, each in enumerate(wanted)
        if each.invoice_id not in invoices
    ]
    if missing:
        raise errors.ReferenceUnknown(missing)
    wrong = []
    for at, each in enumerate(wanted):
        invoice, path = invoices[each.invoice_id], f"allocations[{at}].invoice_id"
        if why := _unpayable(invoice):
            wrong.append(Violation(path, why))
        elif invoice.currency != currency:
            wrong.append(Violation(path, f"{invoice.number} is in {invoice.currency}, the payment in {currency}; an invoice is paid in its own currency"))  # fmt: skip
    if wrong:
        raise errors.ValuesInvalid(wrong)


def _unpayable(invoice: Invoice) -> str:
    if not invoice.number:
        return "the invoice is a draft; issue it first"
    if invoice.type == InvoiceType.INVOICE_TYPE_CREDIT_NOTE:
        return f"{invoice.number} is a credit note; nothing is paid on one"
    if invoice.state == Invoice.STATE_CANCELLED:
        return f"{invoice.number} was taken back; nothing is owed by it"
    return ""


def allocate(
    payment: Payment, wanted: Sequence[Allocation], invoices: Mapping[str, Invoice], *, may_leave_rest: bool
) -> None:  # fmt: skip
    """Lets a new payment pay these invoices in turn, none of them beyond what is open.

    PaymentTooLarge where more was wanted, or a rest stays, and nobody has accepted that.
    """
    above = _pay(payment, wanted, invoices)
    rest = Decimal(payment.unallocated_amount)
    payment.over_paid = rest > 0
    if may_leave_rest or not (above or rest):
        return
    paid = Decimal(payment.amount) - rest
    raise errors.PaymentTooLarge(
        above or [Violation("amount", f"{payment.amount} is above the {paid:f} {payment.currency} that its invoices take")]
    )  # fmt: skip


def allocate_more(
    payment: Payment, wanted: Sequence[Allocation], invoices: Mapping[str, Invoice]
) -> None:
    """Lets what is left of a known payment pay these invoices; PaymentTooLarge for more than is open of one, or for none left."""
    require_received(payment, "allocated")
    if not Decimal(payment.unallocated_amount):
        raise errors.PaymentTooLarge([Violation("allocations", "nothing of the payment is left; use :unallocate first")])  # fmt: skip
    if above := _pay(payment, wanted, invoices):
        raise errors.PaymentTooLarge(above)


def _pay(
    payment: Payment, wanted: Sequence[Allocation], invoices: Mapping[str, Invoice]
) -> list[Violation]:
    """Pays as much as is open of each and left of it; what was wanted above the open amounts. ValuesInvalid above what is left."""
    left = Decimal(payment.unallocated_amount)
    in_all = sum((Decimal(each.amount or 0) for each in wanted), _NOTHING)
    if in_all > left:
        raise errors.ValuesInvalid([Violation("allocations", f"come to {in_all:f} {payment.currency}; {left:f} of the payment is left")])  # fmt: skip
    above = []
    for at, each in enumerate(wanted):
        invoice = invoices[each.invoice_id]
        due = Decimal(invoice.open_amount or 0)
        asked = Decimal(each.amount) if each.amount else min(left, due)
        if asked > due:
            above.append(Violation(f"allocations[{at}].amount", f"{asked:f} is above what is open of {invoice.number}, {due:f} {payment.currency}"))  # fmt: skip
        share = min(asked, due, left)
        left -= share
        if share > 0:
            _add(payment, invoice, share)
    show_rest(payment)
    return above


def _add(payment: Payment, invoice: Invoice, share: Decimal) -> None:
    for each in payment.allocations:
        if each.invoice_id == invoice.id:
            share += Decimal(each.amount)
            each.amount = currencies.shown(share, payment.currency)
            return
    payment.allocations.add(
        invoice_id=invoice.id, amount=currencies.shown(share, payment.currency),
        number=invoice.number, deal_id=invoice.deal_id,
    )  # fmt: skip


def unallocate(payment: Payment, invoice_ids: Collection[str]) -> None:
    """It pays these invoices no more, all of them where none is named; ReferenceUnknown for one that it does not pay."""
    paid = {each.invoice_id for each in payment.allocations}
    missing = [
        (f"invoice_ids[{at}]", f"invoice {id} that this payment pays")
        for at, id in enumerate(invoice_ids)
        if id not in paid
    ]
    if missing:
        raise errors.ReferenceUnknown(missing)
    gone = set(invoice_ids) or paid
    _keep(payment, [each for each in payment.allocations if each.invoice_id not in gone])
    payment.over_paid = payment.over_paid and bool(payment.allocations)
    show_rest(payment)


def shares(payment: Payment | None) -> Shares:
    """What it pays of each invoice, and of each deal; what pays no invoice counts for its own deal."""
    found = Shares()
    if payment is None or payment.direction != Payment.DIRECTION_RECEIVED:
        return found
    for each in payment.allocations:
        amount = Decimal(each.amount)
        found.invoices[each.invoice_id] = amount
        if each.deal_id:
            found.deals[each.deal_id] = found.deals.get(each.deal_id, _NOTHING) + amount
    rest = Decimal(payment.unallocated_amount)
    if payment.deal_id and rest:
        found.deals[payment.deal_id] = found.deals.get(payment.deal_id, _NOTHING) + rest
    return found


def differences(after: Mapping[str, Decimal], before: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """What became more or less, by id in the order of ids."""
    found = {
        id: after.get(id, _NOTHING) - before.get(id, _NOTHING)
        for id in sorted(after.keys() | before.keys())
    }
    return {id: amount for id, amount in found.items() if amount}


def show_rest(payment: Payment) -> None:
    """Fills what is left of it."""
    paying = sum((Decimal(each.amount) for each in payment.allocations), _NOTHING)
    back = Decimal(payment.refunded_amount or 0)
    rest = Decimal(payment.amount) - paying - back
    payment.refunded_amount = currencies.shown(back, payment.currency)
    payment.unallocated_amount = currencies.shown(rest, payment.currency)
    payment.over_paid = payment.over_paid and rest > 0


# -- paying back -------------------------------------------------------------------------------------------------------------


def require_received(payment: Payment, verb: str) -> None:
    """PaymentWrongState for a refund."""
    if payment.direction != Payment.DIRECTION_RECEIVED:
        raise errors.PaymentWrongState(verb, "a refund", "a payment that was received")


def require_unrefunded(payment: Payment) -> None:
    """PaymentWrongState if some of it was paid back."""
    if Decimal(payment.refunded_amount or 0) > 0:
        raise errors.PaymentWrongState(
            "deleted", "paid back in part or whole", "without refunds; delete its refunds first"
        )


def refund(payment: Payment, back: Payment, asked: str) -> None:
    """Pays back by `back`: first what pays nothing, then what pays the invoices, the last one first; PaymentTooLarge above it."""
    left = Decimal(payment.amount) - Decimal(payment.refunded_amount or 0)
    if asked and (wrong := wrong_amount("amount", asked, payment.currency)):
        raise errors.ValuesInvalid(wrong)
    amount = Decimal(asked) if asked else left
    if amount > left or left <= 0:
        raise errors.PaymentTooLarge([Violation("amount", f"{amount:f} is above what is left of the payment, {left:f} {payment.currency}")])  # fmt: skip
    back.amount = currencies.shown(amount, payment.currency)
    taken = max(_NOTHING, amount - Decimal(payment.unallocated_amount))
    kept: list[Allocation] = []
    for each in reversed(payment.allocations):
        share = min(taken, Decimal(each.amount))
        taken -= share
        if share > 0:
            back.allocations.add().CopyFrom(each)
            back.allocations[-1].amount = currencies.shown(share, payment.currency)
        if (rest := Decimal(each.amount) - share) > 0:
            kept.append(Allocation(invoice_id=each.invoice_id, number=each.number, deal_id=each.deal_id))  # fmt: skip
            kept[-1].amount = currencies.shown(rest, payment.currency)
    _keep(payment, reversed(kept))
    payment.refunded_amount = currencies.shown(
        Decimal(payment.refunded_amount or 0) + amount, payment.currency
    )
    show_rest(payment)
    back.refunded_amount = back.unallocated_amount = currencies.shown(_NOTHING, payment.currency)


def take_refund_back(payment: Payment, back: Payment) -> None:
    """The refund was recorded by mistake: what it paid back is here again and pays nothing yet."""
    payment.refunded_amount = currencies.shown(
        Decimal(payment.refunded_amount) - Decimal(back.amount), payment.currency
    )
    show_rest(payment)


def _keep(payment: Payment, allocations: Iterable[Allocation]) -> None:
    kept = list(allocations)
    del payment.allocations[:]
    payment.allocations.extend(kept)
