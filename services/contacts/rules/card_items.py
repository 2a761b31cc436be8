"""What deals and invoices are to the facts of a card. Pure."""

from decimal import Decimal
from typing import Any

from chassis.times import to_datetime
from crm.deals.v1 import deal_pb2, invoice_party_pb2, invoice_pb2
from services.contacts.rules.card_facts import Item

Deal = deal_pb2.Deal
Invoice = invoice_pb2.Invoice

_OWED = (Invoice.STATE_ISSUED, Invoice.STATE_PARTLY_PAID)
_ASKS_ONLY = (invoice_party_pb2.INVOICE_TYPE_PROFORMA, invoice_party_pb2.INVOICE_TYPE_CREDIT_NOTE)


def of_deal(deal: Deal, version: int) -> Item:
    """An open deal, a purchase, or something that is over."""
    living = not deal.HasField("delete_time")
    open, won = deal.state == Deal.STATE_OPEN, deal.state == Deal.STATE_WON
    return Item(
        "deal", deal.id, version, "open" if living and open else "won" if living and won else "over",
        deal.contact_id, deal.company_id, deal.stage_id, _amount(deal.amount), deal.currency,
        to_datetime(deal.ending.time) if won else None,
    )  # fmt: skip


def of_invoice(invoice: Invoice, version: int) -> Item:
    """What is still owed; nothing is by a draft, a proforma or a credit note."""
    owed = invoice.state in _OWED and invoice.type not in _ASKS_ONLY
    owed = owed and not invoice.HasField("delete_time")
    return Item(
        "bill", invoice.id, version, "open" if owed else "over", invoice.contact_id, invoice.company_id,
        "", _amount(invoice.open_amount), invoice.currency,
    )  # fmt: skip


def _amount(text: str) -> Decimal | None:
    return Decimal(text) if text else None


ITEMS: dict[str, Any] = {"deal": of_deal, "invoice": of_invoice}
"""Resource of an event -> the item that it tells of."""
