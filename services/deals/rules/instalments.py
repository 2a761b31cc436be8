"""Instalments: when how much of an invoice is due, and what payments cover of it. Pure."""

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal

from chassis.errors import Violation
from crm.deals.v1 import invoice_pb2
from services.deals import errors
from services.deals.money import currencies, limits
from services.deals.money.split import allocate
from services.deals.rules import days

Invoice = invoice_pb2.Invoice
Instalment = invoice_pb2.Instalment

_WHOLE = Decimal(100)


def complete(invoice: Invoice, new_id: Callable[[], str]) -> None:
    """Fills ids and the amounts of percentages; ValuesInvalid unless they come to the whole and come in order."""
    parts = invoice.instalments
    if not parts:
        return
    for part in parts:
        part.id = part.id or new_id()
    wrong = _wrong_values(parts, invoice.currency)
    wrong += _out_of_order(parts)
    if len({part.id for part in parts}) < len(parts):
        wrong.append(Violation("instalments.id", "stands twice; each instalment has its own"))
    if not wrong:
        wrong = _wrong_sum(invoice)
    if wrong:
        raise errors.ValuesInvalid(wrong)
    if parts[0].percent:
        shares = allocate(
            payable(invoice), [Decimal(part.percent) for part in parts], invoice.currency
        )
        for part, share in zip(parts, shares, strict=True):
            part.amount = currencies.shown(share, invoice.currency)


def _wrong_values(parts: Sequence[Instalment], currency: str) -> list[Violation]:
    wrong = []
    by_percent = bool(parts[0].percent)
    for at, part in enumerate(parts):
        path = f"instalments[{at}]"
        wrong += days.wrong_day(part, "due_date", f"{path}.")
        if by_percent != bool(part.percent):
            wrong.append(Violation(f"{path}.percent", "all instalments say a percentage, or all say an amount"))  # fmt: skip
        elif by_percent:
            wrong += limits.percentage(f"{path}.percent", part.percent)
        elif not part.amount:
            wrong.append(Violation(f"{path}.amount", "must be said where there is no percentage"))
        else:
            wrong += limits.amount(f"{path}.amount", part.amount, currency)
    return wrong


def _out_of_order(parts: Sequence[Instalment]) -> list[Violation]:
    """Payments cover the first parts first, so dates go up; those without a date come last."""
    wrong, last = [], date.min
    for at, part in enumerate(parts):
        due = due_of(part) or date.max
        if due < last:
            before = "which has no date yet" if last == date.max else f"{last}"
            wrong.append(Violation(f"instalments[{at}].due_date", f"{due} is before that of the instalment above it, {before}; put them in order"))  # fmt: skip
        last = due
    return wrong


def _wrong_sum(invoice: Invoice) -> list[Violation]:
    parts = invoice.instalments
    if parts[0].percent:
        total, whole, what = sum(Decimal(part.percent) for part in parts), _WHOLE, "%"
    else:
        total = sum(Decimal(part.amount) for part in parts)
        whole, what = payable(invoice), f" {invoice.currency}"
    if total == whole:
        return []
    return [Violation("instalments", f"come to {total:f}{what}; they must come to {whole:f}{what}")]


def payable(invoice: Invoice) -> Decimal:
    """What was to be paid when it was issued: all of it, less advances."""
    return Decimal(invoice.totals.gross or 0) - Decimal(invoice.deducted_amount or 0)


def usual(invoice: Invoice, due: date, id: str) -> None:
    """All of it on one day, where nothing was agreed."""
    amount = currencies.shown(payable(invoice), invoice.currency)
    part = invoice.instalments.add(id=id, amount=amount)
    part.due_date.CopyFrom(days.to_date(due))


def too_early(invoice: Invoice, issued: date) -> list[Violation]:
    """Instalments that would be due before the invoice is there."""
    return [
        Violation(f"instalments[{at}].due_date", f"{due} is before the invoice's date, {issued}")
        for at, part in enumerate(invoice.instalments)
        if (due := due_of(part)) is not None and due < issued
    ]


def cover(invoice: Invoice, paid: Decimal, credited: Decimal) -> None:
    """What is paid and open of each: credit notes lower the last ones first, payments cover the first ones first."""
    dues: list[Decimal] = []
    for part in reversed(invoice.instalments):
        lowered = min(credited, Decimal(part.amount))
        credited -= lowered
        dues.append(Decimal(part.amount) - lowered)
    for part, due in zip(invoice.instalments, reversed(dues), strict=True):
        covered = min(paid, due)
        paid -= covered
        part.paid_amount = currencies.shown(covered, invoice.currency)
        part.open_amount = currencies.shown(due - covered, invoice.currency)


def clear_figures(invoice: Invoice) -> None:
    """A draft's instalments have no figures that only payments make, whatever was sent."""
    for part in invoice.instalments:
        for field in ("paid_amount", "open_amount", "overdue_time"):
            part.ClearField(field)  # type: ignore[arg-type]


def open_parts(invoice: Invoice) -> list[tuple[Instalment, Decimal]]:
    """Those of which something is left to pay, with what that is."""
    found = ((part, Decimal(part.open_amount or 0)) for part in invoice.instalments)
    return [(part, left) for part, left in found if left > 0]


def due_of(part: Instalment) -> date | None:
    """Its day; None while nobody knows."""
    return days.day_of(part, "due_date")
