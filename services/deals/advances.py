"""Advances and the invoices that take them off: each by one only, whoever comes first."""

from chassis.tx import Tx
from crm.deals.v1 import invoice_party_pb2, invoice_pb2
from services.deals import errors, store
from services.deals.rules import advances as rules

Invoice = invoice_pb2.Invoice


async def deduct(tx: Tx, invoice: Invoice) -> list[Invoice]:
    """Takes the advances that the invoice names off what is to be paid, and gives them."""
    found, missing = [], []
    for at, id in enumerate(invoice.advance_ids):
        advance = await store.invoices.find(tx, id)
        if advance is None or not _is_offered(tx, advance):
            missing.append((f"advance_ids[{at}]", f"issued advance {id}"))
        else:
            found.append(advance)
    if missing:
        raise errors.ReferenceUnknown(missing)
    rules.deduct(invoice, found)
    return found


def _is_offered(tx: Tx, advance: Invoice) -> bool:
    """An issued advance that the caller may read."""
    is_advance = advance.type == invoice_party_pb2.InvoiceType.INVOICE_TYPE_ADVANCE
    readers = (advance.owner_id, advance.department_id, advance.follower_ids)
    return is_advance and bool(advance.number) and tx.rights.reaches("invoice", "read", *readers)


async def take(tx: Tx, invoice: Invoice) -> None:
    """The invoice that is issued takes its advances; who comes second at the same moment begins again, and is refused."""
    for advance in await deduct(tx, invoice):
        advance.final_invoice_id = invoice.id
        store.invoices.save(tx, advance)


async def release(tx: Tx, invoice: Invoice) -> None:
    """All of the invoice was taken back: its advances stand for themselves again."""
    for advance in await store.invoices.find_many(tx, list(invoice.advance_ids)):
        advance.final_invoice_id = ""
        store.invoices.save(tx, advance)
    invoice.deducted_amount = ""
