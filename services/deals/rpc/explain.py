"""`GET /v1/amounts:explain`: how a figure came about, in steps that anybody can reckon again (M16)."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from chassis.handlers import Servicer, reads
from chassis.kit import showing
from chassis.kit.resource import Resource
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.deals.v1 import explain_pb2 as pb
from crm.deals.v1 import invoice_pb2
from services.deals import store
from services.deals.money import currencies, published
from services.deals.money import lines as money
from services.deals.money.steps import Figure, Step, Steps
from services.deals.rules import crediting, explaining

Invoice = invoice_pb2.Invoice

_SHOWN = (
    "amount", "lines.quantity", "lines.unit_price", "lines.net", "lines.tax", "lines.gross", "lines.discount_percent",
    "lines.discount_amount", "lines.published_price", "discount_percent", "discount_amount", "totals.gross", "totals.net", "totals.tax",
)  # fmt: skip
_TAX = re.compile(r"taxes\[(\d+)\]\.")
_ESTIMATED = "somebody estimated the amount; there are no lines to reckon it from"

WITH_LINES: Mapping[str, Resource[Any]] = {
    "deal": store.deals, "quote": store.quotes, "invoice": store.invoices,
}  # fmt: skip
"""Kinds of records whose amount comes from lines."""


class Explain(Servicer):
    """Explains to whoever may read the record and its figures; it is not there for anybody else."""

    @reads
    async def ExplainAmount(self, request: pb.ExplainAmountRequest, tx: Tx) -> pb.AmountExplanation:
        if request.object == "commission":
            return await _commission(tx, request.id)
        resource = WITH_LINES[request.object]
        record = await resource.get(tx, request.id, action="read")
        showing.refuse_unreadable(tx, resource, _SHOWN)
        answer = pb.AmountExplanation(
            object=request.object, id=record.id, etag=record.etag, currency=record.currency,
            amount=record.amount if request.object == "deal" else record.totals.gross,
        )  # fmt: skip
        if request.object == "invoice" and record.credited_invoice_id:
            await _explain_credit(tx, record, answer)
        elif record.lines:
            await _explain_lines(tx, record, answer)
        else:
            answer.notes.append(_ESTIMATED)
        return answer


async def _commission(tx: Tx, id: str) -> pb.AmountExplanation:
    """An entry holds its steps: they stay what they were, whatever becomes of the plan."""
    entry = await store.commissions.get(tx, id, action="read")
    showing.refuse_unreadable(tx, store.commissions, ["amount", "steps", "basis_amount"])
    return pb.AmountExplanation(
        object="commission", id=entry.id, etag=entry.etag, currency=entry.currency, amount=entry.amount,
        result="amount", steps=entry.steps, notes=entry.notes,
    )  # fmt: skip


async def _explain_lines(tx: Tx, record: Any, answer: pb.AmountExplanation) -> None:
    """Prices a copy of the lines again and writes down each step, but for those that only lead to what they cost us."""
    taxes = [await _tax_rule(tx, record, each.tax_class_id) for each in record.totals.taxes]

    def trace(step: Step) -> None:
        name = step.results[0].name if step.results else ""
        if name == "cost" or name.endswith(".cost"):
            return
        tax = _TAX.match(name)
        id, version = taxes[int(tax[1])] if tax else ("", 0)
        rule = "tax" if tax else "lines"
        answer.steps.append(explaining.written(step, rule, record.currency, id=id, version=version))

    copy = type(record)()
    copy.CopyFrom(record)
    totals = money.price(
        copy.lines, currency=copy.currency, tax_included=copy.tax_included, trace=trace,
        discount_percent=copy.discount_percent, discount_amount=copy.discount_amount,
    )  # fmt: skip
    if answer.object == "quote":  # which asks how much is given off without approval
        trail = explaining.Trail()
        published.discount(copy.lines, totals, record.currency, trail.by("discount", record.currency))  # fmt: skip
        answer.steps.extend(trail.steps)
    Steps(record.currency, trace).total("amount", [Figure("gross", Decimal(totals.gross))])
    answer.result = "amount"
    if Decimal(totals.gross) != Decimal(answer.amount or 0):
        shown = currencies.shown(Decimal(totals.gross), record.currency)
        answer.notes.append(f"the lines come to {shown}; the record was taken over with its own amount")  # fmt: skip


async def _explain_credit(tx: Tx, note: Invoice, answer: pb.AmountExplanation) -> None:
    """A credit note is not priced: it takes parts of the invoice's frozen figures, after what earlier notes took."""
    invoice = await store.invoices.get(tx, note.credited_invoice_id)
    notes = await store.credit_notes_of(tx, invoice.id)
    before = crediting.taken_before(each for each in notes if _when(each) < _when(note))
    trail = explaining.Trail()
    crediting.explain(Steps(note.currency, trail.by("lines", note.currency)), note, invoice, before)
    answer.steps.extend(trail.steps)
    answer.result = "amount"


def _when(note: Invoice) -> tuple[int, str]:
    return note.create_time.ToNanoseconds(), note.id


async def _tax_rule(tx: Tx, record: Any, tax_class_id: str) -> tuple[str, int]:
    """The tax class and which version of it held when the record was last written."""
    if not tax_class_id:
        return "", 0
    at = to_datetime(record.update_time)
    row = await tx.fetchrow(store.tax_classes.of_history.at, id=tax_class_id, instant=at)
    found = store.tax_classes.message.FromString(row["doc"]) if row is not None else None
    return tax_class_id, int(found.etag) if found is not None else 0
