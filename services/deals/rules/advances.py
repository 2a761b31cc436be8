"""Advances that an invoice takes off what is left to pay: the customer owes nothing twice. Pure."""

from collections.abc import Sequence
from decimal import Decimal

from chassis.errors import Violation
from crm.deals.v1 import invoice_party_pb2, invoice_pb2
from services.deals import errors
from services.deals.money import currencies

Invoice = invoice_pb2.Invoice
InvoiceType = invoice_party_pb2.InvoiceType


def deduct(invoice: Invoice, advances: Sequence[Invoice]) -> None:
    """Takes off what the advances, as many as advance_ids and in their order, come to; ValuesInvalid names each that cannot be."""
    wrong = []
    if advances and invoice.type != InvoiceType.INVOICE_TYPE_INVOICE:
        wrong.append(Violation("advance_ids", "only an invoice takes advances off"))
    if len({advance.id for advance in advances}) < len(advances):
        wrong.append(Violation("advance_ids", "names an advance twice; each once"))
    for at, advance in enumerate(advances):
        if why := _unfit(invoice, advance):
            wrong.append(Violation(f"advance_ids[{at}]", why))
    whole, off = Decimal(invoice.totals.gross or 0), sum(map(worth, advances), Decimal(0))
    if off > whole:
        wrong.append(Violation("advance_ids", f"come to {off:f}, more than the invoice, {whole:f}"))
    if wrong:
        raise errors.ValuesInvalid(wrong)
    invoice.deducted_amount = currencies.shown(off, invoice.currency) if advances else ""


def worth(advance: Invoice) -> Decimal:
    """What the advance asks for, less what credit notes took back of it."""
    return Decimal(advance.totals.gross or 0) - Decimal(advance.credited_amount or 0)


def _unfit(invoice: Invoice, advance: Invoice) -> str:
    """Why the invoice cannot take the advance off; empty if it can."""
    if advance.final_invoice_id not in ("", invoice.id):
        return f"{advance.number} is taken off by another invoice already"
    if advance.state == Invoice.STATE_CANCELLED:
        return f"{advance.number} was taken back; leave it out"
    if advance.currency != invoice.currency:
        return f"{advance.number} is in {advance.currency}, the invoice in {invoice.currency}"
    if (advance.deal_id, advance.legal_entity_id) != (invoice.deal_id, invoice.legal_entity_id):
        return f"{advance.number} is for another deal or of another legal entity"
    return ""


def require_free(invoice: Invoice) -> None:
    """InvoiceWrongState for an advance that an invoice takes off: what that one leaves to pay would change."""
    if invoice.final_invoice_id:
        raise errors.InvoiceWrongState("credited", "taken off by another invoice", "free; take that one back first")  # fmt: skip
