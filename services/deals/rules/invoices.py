"""Invoices: what a draft must be, what :issue freezes, and what payments and credit notes leave of one. Pure."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from chassis import codec
from chassis.errors import Violation
from chassis.times import to_timestamp
from crm.deals.v1 import invoice_party_pb2, invoice_pb2
from services.deals import errors
from services.deals.money import currencies
from services.deals.rules import days, instalments

Invoice = invoice_pb2.Invoice
InvoiceParty = invoice_party_pb2.InvoiceParty
InvoiceType = invoice_party_pb2.InvoiceType

_HOUSEKEEPING = {"etag", "update_time", "create_time", "delete_time", "can"}
_MAY_CHANGE = {"note"}
_WHOSE = {"owner_id", "department_id", "follower_ids"}
_PRICED = ("lines", "currency", "tax_included", "discount_percent", "discount_amount", "contact_id", "company_id")  # fmt: skip
_FROM_SOURCE = ("lines", "tax_included", "discount_percent", "discount_amount", "totals")

OWED = (InvoiceType.INVOICE_TYPE_INVOICE, InvoiceType.INVOICE_TYPE_ADVANCE)
"""By these kinds something is owed."""
LIVING = (Invoice.STATE_ISSUED, Invoice.STATE_PARTLY_PAID)
"""States in which something is left to pay."""


def normalise(invoice: Invoice) -> None:
    """A kind; each follower once; days of the calendar; no figures that only payments make."""
    wrong = days.wrong_day(invoice, "issue_date") + days.wrong_day(invoice, "sale_date")
    if wrong:
        raise errors.ValuesInvalid(wrong)
    invoice.type = invoice.type or InvoiceType.INVOICE_TYPE_INVOICE
    once = list(dict.fromkeys(invoice.follower_ids))
    del invoice.follower_ids[:]
    invoice.follower_ids.extend(once)
    instalments.clear_figures(invoice)
    if invoice.type == InvoiceType.INVOICE_TYPE_CREDIT_NOTE:
        raise errors.ValuesInvalid([Violation("type", "a credit note is made by :credit of the invoice that it takes back")])  # fmt: skip


def take_over(invoice: Invoice, source: Any) -> None:
    """Lines, discounts and totals of a deal or quote, unchanged to the last unit (U34)."""
    for field in _FROM_SOURCE:
        if source.DESCRIPTOR.fields_by_name[field].message_type is None:
            setattr(invoice, field, getattr(source, field))
        else:
            getattr(invoice, field).MergeFrom(getattr(source, field))


def is_repriced(new: Invoice, old: Invoice | None) -> bool:
    """Whether anything changed on which the figures of its lines depend."""
    return old is None or any(getattr(new, field) != getattr(old, field) for field in _PRICED)


def check_currency(invoice: Invoice, source: str, currency: str) -> None:
    """Refuses another currency than that of the deal or quote that it is for."""
    if currency and invoice.currency != currency:
        raise errors.ValuesInvalid([Violation("currency", f"is {invoice.currency}, the {source} is in {currency}; an invoice is in the same")])  # fmt: skip


def is_payable(invoice: Invoice) -> bool:
    """Whether somebody owes something of it."""
    return invoice.state in LIVING and Decimal(invoice.open_amount or 0) > 0


def by_what_known(invoice: Invoice) -> tuple[str, str]:
    """By what payers name it."""
    return invoice.number, invoice.open_amount


def require_draft(invoice: Invoice, verb: str) -> None:
    """InvoiceWrongState unless it may still change."""
    if invoice.state != Invoice.STATE_DRAFT:
        raise errors.InvoiceWrongState(verb, state_of(invoice), "a draft")


def require_issued(invoice: Invoice, verb: str, types: Iterable[int]) -> None:
    """InvoiceWrongState unless it is an issued one of these kinds."""
    kind = type_of(invoice)
    if invoice.type not in types:
        raise errors.InvoiceWrongState(verb, f"a {kind}", "an invoice or an advance")
    if not invoice.number:
        raise errors.InvoiceWrongState(verb, state_of(invoice), "issued")


def keep_issued(new: Invoice, old: Invoice) -> None:
    """Refuses, field by field, what may not change any more; a record without a deal may still get another owner."""
    allowed = _MAY_CHANGE | _HOUSEKEEPING | (set() if new.deal_id else _WHOSE)
    changed = {path.partition(".")[0] for path in codec.changed_paths(old, new)} - allowed
    if changed:
        raise errors.InvoiceFixed(state_of(old), old.number, sorted(changed))


def begin(invoice: Invoice, by: str) -> None:
    """A new draft, with its maker written down."""
    invoice.state, invoice.creator_id = Invoice.STATE_DRAFT, by


def missing_to_issue(invoice: Invoice) -> list[Violation]:
    """What a draft lacks to be issued."""
    found = []
    if not invoice.lines:
        found.append(Violation("lines", "must have at least one line"))
    if not invoice.buyer.name:
        found.append(Violation("buyer.name", "must be filled: nothing is known of the customer's name; type it, or name a contact or company"))  # fmt: skip
    return found


def check_date(day: date, today: date, field: str = "issue_date") -> list[Violation]:
    """An invoice is not dated in the future: its number would be of a year that has not come."""
    return [Violation(field, f"{day} is in the future; today is {today}")] if day > today else []


def check_after(invoice: Invoice, day: date) -> list[Violation]:
    """A credit note is not older than what it takes back."""
    issued = days.day_of(invoice, "issue_date")
    if issued is None or day >= issued:
        return []
    return [Violation("issue_date", f"{day} is before the invoice's date, {issued}")]


def issue(
    invoice: Invoice, *, number: str, day: date, seller: InvoiceParty, at: datetime, by: str
) -> None:
    """Freezes it under its number."""
    invoice.number, invoice.issuer_id, invoice.state = number, by, Invoice.STATE_ISSUED
    invoice.issue_date.CopyFrom(days.to_date(day))
    if not invoice.HasField("sale_date"):
        invoice.sale_date.CopyFrom(invoice.issue_date)
    invoice.seller.CopyFrom(seller)
    invoice.issue_time.CopyFrom(to_timestamp(at))
    settle(invoice, Decimal(0), at)


def settle(invoice: Invoice, paid: Decimal, at: datetime) -> bool:
    """Takes over what is paid in all; True if by this nothing is left to pay."""
    before = invoice.state
    credited = Decimal(invoice.credited_amount or 0)
    due = instalments.payable(invoice) - credited
    shown = currencies.shown
    invoice.paid_amount = shown(paid, invoice.currency)
    invoice.credited_amount = shown(credited, invoice.currency)
    invoice.open_amount = shown(max(Decimal(0), due - paid), invoice.currency)
    invoice.overpaid_amount = shown(max(Decimal(0), paid - due), invoice.currency)
    instalments.cover(invoice, paid, credited)
    is_gone = is_taken_back(invoice)
    invoice.state = Invoice.STATE_CANCELLED if is_gone else _state(paid, due)
    if invoice.state != Invoice.STATE_PAID:
        invoice.ClearField("pay_time")
        return False
    if before == Invoice.STATE_PAID:
        return False
    invoice.pay_time.CopyFrom(to_timestamp(at))
    return True


def is_taken_back(invoice: Invoice) -> bool:
    """True if credit notes took all of it back."""
    return Decimal(invoice.credited_amount or 0) >= Decimal(invoice.totals.gross or 0) > 0


def _state(paid: Decimal, due: Decimal) -> "Invoice.State":
    if paid >= due:
        return Invoice.STATE_PAID
    return Invoice.STATE_PARTLY_PAID if paid > 0 else Invoice.STATE_ISSUED


def cancel(invoice: Invoice, reason: str) -> None:
    """Gives up a draft, or a proforma on which nothing was paid."""
    is_free = invoice.type == InvoiceType.INVOICE_TYPE_PROFORMA and invoice.state == Invoice.STATE_ISSUED  # fmt: skip
    if not is_free and invoice.state != Invoice.STATE_DRAFT:
        raise errors.InvoiceWrongState("cancelled", state_of(invoice), "a draft; take an issued one back with :credit")  # fmt: skip
    invoice.state, invoice.reason = Invoice.STATE_CANCELLED, reason
    invoice.open_amount = ""
    for part in invoice.instalments:
        part.open_amount = ""


def schedule(invoice: Invoice, instalment_id: str, due: date) -> None:
    """Gives an instalment that had none its day."""
    part = next((part for part in invoice.instalments if part.id == instalment_id), None)
    if part is None:
        raise errors.ReferenceUnknown([("instalment_id", f"instalment {instalment_id} in this invoice")])  # fmt: skip
    if (known := instalments.due_of(part)) is not None:
        raise errors.ValuesInvalid([Violation("due_date", f"the instalment is due on {known}, as it was issued; that stays")])  # fmt: skip
    part.due_date.CopyFrom(days.to_date(due))
    issued = days.day_of(invoice, "issue_date")
    if wrong := instalments.too_early(invoice, issued or due):
        raise errors.ValuesInvalid([Violation("due_date", wrong[0].description)])


def state_of(invoice: Invoice) -> str:
    """The state as people say it."""
    return _word(Invoice.State.Name(invoice.state), "STATE_")


def type_of(invoice: Invoice) -> str:
    """The kind as people say it."""
    return _word(InvoiceType.Name(invoice.type), "INVOICE_TYPE_")


def _word(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower().replace("_", " ")
