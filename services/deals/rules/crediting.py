"""Credit notes: what is taken back of an invoice's lines, to the last unit. Pure.

An invoice's figures are frozen, so nothing is priced again: of each line the part that its quantity is of the whole is taken.
Parts are differences of rounded running sums, so credit notes that take back all of a line come exactly to it, however many.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from chassis.errors import Violation
from chassis.times import to_timestamp
from crm.deals.v1 import invoice_party_pb2, invoice_pb2, invoice_verbs_pb2, line_pb2
from services.deals import errors
from services.deals.money import currencies, limits
from services.deals.money.lines import plain, sum_of
from services.deals.money.steps import Figure, Steps
from services.deals.rules import days

Invoice = invoice_pb2.Invoice
InvoiceType = invoice_party_pb2.InvoiceType
CreditLine = invoice_verbs_pb2.CreditLine
Line = line_pb2.Line
Totals = line_pb2.Totals

_COPIED = (
    "legal_entity_id", "deal_id", "quote_id", "contact_id", "company_id", "owner_id", "department_id", "currency",
    "tax_included",
)  # fmt: skip

Taken = Mapping[str, Decimal]
"""Line -> how much of it."""


def taken_before(notes: Iterable[Invoice]) -> dict[str, Decimal]:
    """What earlier credit notes took back of each line."""
    found: dict[str, Decimal] = {}
    for note in notes:
        for line in note.lines:
            found[line.id] = found.get(line.id, Decimal(0)) - Decimal(line.quantity)
    return found


def wanted(invoice: Invoice, before: Taken, asked: Sequence[CreditLine]) -> dict[str, Decimal]:
    """How much of each line is to be taken back; refuses more than is left, naming each."""
    left = {line.id: Decimal(line.quantity) - before.get(line.id, Decimal(0)) for line in invoice.lines}  # fmt: skip
    if not any(quantity > 0 for quantity in left.values()):
        raise errors.CreditTooMuch([Violation("lines", "nothing of the invoice is left to take back")])  # fmt: skip
    if not asked:
        return {id: quantity for id, quantity in left.items() if quantity > 0}
    found: dict[str, Decimal] = {}
    wrong: list[Violation] = []
    for at, line in enumerate(asked):
        path = f"lines[{at}]"
        if line.line_id not in left:
            raise errors.ReferenceUnknown([(f"{path}.line_id", f"line {line.line_id} in this invoice")])  # fmt: skip
        if line.line_id in found:
            wrong.append(Violation(f"{path}.line_id", "stands twice; each line once"))
        wrong += limits.number(f"{path}.quantity", line.quantity)
        quantity = Decimal(line.quantity) if line.quantity else left[line.line_id]
        if quantity == 0:
            wrong.append(Violation(f"{path}.quantity", "is 0; nothing would be taken back"))
        found[line.line_id] = quantity
    if wrong:
        raise errors.ValuesInvalid(wrong)
    _refuse_more(asked, found, left)
    return found


def _refuse_more(asked: Sequence[CreditLine], wanted: Taken, left: Taken) -> None:
    too_much = [
        Violation(f"lines[{at}].quantity", f"{plain(wanted[line.line_id])} is more than is left of the line, {plain(left[line.line_id])}")
        for at, line in enumerate(asked)
        if wanted[line.line_id] > left[line.line_id]
    ]  # fmt: skip
    if too_much:
        raise errors.CreditTooMuch(too_much)


def note_of(invoice: Invoice, taken: Taken, before: Taken, *, id: str, reason: str) -> Invoice:
    """The credit note, without number and date: what is taken back stands below zero."""
    note = Invoice(id=id, type=InvoiceType.INVOICE_TYPE_CREDIT_NOTE, reason=reason)
    for field in _COPIED:
        setattr(note, field, getattr(invoice, field))
    note.follower_ids.extend(invoice.follower_ids)
    note.buyer.CopyFrom(invoice.buyer)
    note.credited_invoice_id, note.credited_number = invoice.id, invoice.number
    for line in invoice.lines:
        if line.id in taken:
            earlier = before.get(line.id, Decimal(0))
            note.lines.append(_storno(line, earlier, taken[line.id], invoice.currency))
    note.totals.CopyFrom(_totals(note.lines, invoice.currency, tax_included=invoice.tax_included))
    return note


def issue(
    note: Invoice, *, number: str, day: date, seller: invoice_party_pb2.InvoiceParty, at: datetime, by: str
) -> None:  # fmt: skip
    """Freezes the credit note under its number. Nothing is open of it: it lowers what the invoice leaves to pay."""
    note.number, note.issuer_id, note.creator_id = number, by, by
    note.state = Invoice.STATE_ISSUED
    note.issue_date.CopyFrom(days.to_date(day))
    note.sale_date.CopyFrom(note.issue_date)
    note.seller.CopyFrom(seller)
    note.issue_time.CopyFrom(to_timestamp(at))


def lower(invoice: Invoice, note: Invoice) -> Decimal:
    """Writes down what the credit note takes back; gives the amount, above zero."""
    amount = -Decimal(note.totals.gross)
    credited = Decimal(invoice.credited_amount or 0) + amount
    invoice.credited_amount = currencies.shown(credited, invoice.currency)
    return amount


def _storno(line: Line, earlier: Decimal, quantity: Decimal, currency: str) -> Line:
    made = Line()
    made.CopyFrom(line)
    made.quantity = f"-{plain(quantity)}"
    steps = Steps(currency)
    net, tax = [
        _part(steps, name, getattr(line, name), line, earlier, quantity).value for name in ("net", "tax")
    ]  # fmt: skip
    made.net, made.tax = currencies.shown(-net, currency), currencies.shown(-tax, currency)
    made.gross = currencies.shown(-(net + tax), currency)
    if line.discount_amount:
        part = _part(steps, "discount", line.discount_amount, line, earlier, quantity)
        made.discount_amount = currencies.shown(part.value, currency)
    return made


def _part(steps: Steps, name: str, text: str, line: Line, earlier: Decimal, quantity: Decimal) -> Figure:  # fmt: skip
    """What so much of the line's figure comes to, after what was taken back earlier."""
    whole, of = Figure(f"invoice.{name}", Decimal(text or 0)), Decimal(line.quantity)
    place = name.rpartition(".")[0]
    quantities = [
        Figure(f"{place}.{said}", value)
        for said, value in (("taken_now", earlier + quantity), ("taken_then", earlier), ("invoiced", of))
    ]  # fmt: skip
    until = steps.ratio(f"{name}.until_now", whole, quantities[0], quantities[2])
    return steps.minus(name, until, steps.ratio(f"{name}.until_then", whole, quantities[1], quantities[2]))  # fmt: skip


def explain(steps: Steps, note: Invoice, invoice: Invoice, before: Taken) -> Figure:
    """Goes the credit note's way again; what it comes to, below zero. Figures on the way count above zero."""
    lines = {line.id: line for line in invoice.lines}
    grosses = []
    for at, made in enumerate(note.lines):
        line, earlier = lines[made.id], before.get(made.id, Decimal(0))
        parts = [
            _part(steps, f"lines[{at}].{name}", getattr(line, name), line, earlier, -Decimal(made.quantity))
            for name in ("net", "tax")
        ]  # fmt: skip
        grosses.append(steps.total(f"lines[{at}].gross", parts))
    return steps.minus("amount", Figure("zero", Decimal(0)), steps.total("gross", grosses))


def _totals(lines: Sequence[Line], currency: str, *, tax_included: bool) -> Totals:
    def shown(value: Decimal) -> str:
        return currencies.shown(value, currency)

    net, tax = sum_of(line.net for line in lines), sum_of(line.tax for line in lines)

    def at(price: str, line: Line) -> Decimal:
        exact = currencies.EXACT.multiply(Decimal(line.quantity), Decimal(price or 0))
        return currencies.rounded(exact, currency)

    listed = sum((at(line.unit_price, line) for line in lines), Decimal(0))
    cost = sum((at(line.unit_cost, line) for line in lines), Decimal(0))
    meant = net + tax if tax_included else net
    totals = Totals(
        list=shown(listed), discount=shown(listed - meant), net=shown(net), tax=shown(tax),
        gross=shown(net + tax), cost=shown(cost),
    )  # fmt: skip
    rates = {(Decimal(line.tax_percent or 0), line.tax_class_id) for line in lines}
    for percent, tax_class in sorted(rates, key=lambda rate: (-rate[0], rate[1])):
        of_rate = [line for line in lines if (Decimal(line.tax_percent or 0), line.tax_class_id) == (percent, tax_class)]  # fmt: skip
        totals.taxes.add(
            tax_class_id=tax_class, percent=plain(percent),
            net=shown(sum_of(line.net for line in of_rate)), tax=shown(sum_of(line.tax for line in of_rate)),
        )  # fmt: skip
    return totals
