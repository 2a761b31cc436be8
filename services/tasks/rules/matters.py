"""What records of deals are to the day plan: from which day on, and why. Pure."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from chassis.times import to_datetime
from crm.deals.v1 import contract_pb2, deal_pb2, invoice_pb2, quote_pb2

Contract = contract_pb2.Contract
Deal = deal_pb2.Deal
Invoice = invoice_pb2.Invoice
Quote = quote_pb2.Quote

REASONS = ("step", "promise", "ask", "expire", "overdue", "renew")
"""Open deals (for those without a next step), promises, lost customers to ask again, quotes that expire, invoices that are overdue,
contracts that come up for renewal."""

EXPIRES_SOON = timedelta(days=1)
"""From the day before it expires a quote is in the day."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Matter:
    """What an event told of a record of deals."""

    object: str
    id: str
    version: int
    deal_id: str
    contact_id: str
    company_id: str
    owner_id: str
    department_id: str
    follower_ids: list[str]
    dates: dict[str, date] = field(default_factory=dict)
    """Reason -> from which day on."""


def of_record(object: str, record: Any, version: int) -> Matter:
    """The row of a deal, quote, invoice or contract; without dates once it is deleted or over."""
    lives = not record.HasField("delete_time")
    return Matter(
        object=object, id=record.id, version=version,
        deal_id=record.id if object == "deal" else record.deal_id,
        contact_id=record.contact_id, company_id=record.company_id, owner_id=record.owner_id,
        department_id=record.department_id, follower_ids=list(record.follower_ids),
        dates=_DATES[object](record) if lives else {},
    )  # fmt: skip


def _of_deal(deal: Deal) -> dict[str, date]:
    found = {}
    if deal.state == Deal.STATE_LOST and (asked := day_of(deal.ask_again_date)):
        found["ask"] = asked
    promise = deal.promise
    kept = promise.HasField("kept_time") or deal.state == Deal.STATE_LOST
    if promise.HasField("time") and not kept:
        zone = ZoneInfo(promise.zone or "UTC")
        found["promise"] = to_datetime(promise.time).astimezone(zone).date()
    if deal.state == Deal.STATE_OPEN:
        found["step"] = to_datetime(deal.stage_time).date()
    return found


def _of_quote(quote: Quote) -> dict[str, date]:
    valid = day_of(quote.valid_until)
    return {"expire": valid - EXPIRES_SOON} if quote.state == Quote.STATE_SENT and valid else {}


def _of_invoice(invoice: Invoice) -> dict[str, date]:
    if invoice.state not in (Invoice.STATE_ISSUED, Invoice.STATE_PARTLY_PAID):
        return {}
    due = [
        day for part in invoice.instalments
        if Decimal(part.open_amount or 0) > 0 and (day := day_of(part.due_date))
    ]  # fmt: skip
    return {"overdue": min(due) + _DAY} if due else {}


def _of_contract(contract: Contract) -> dict[str, date]:
    remind = day_of(contract.remind_date)
    return {"renew": remind} if contract.state == Contract.STATE_ACTIVE and remind else {}


_DATES: dict[str, Any] = {
    "deal": _of_deal, "quote": _of_quote, "invoice": _of_invoice, "contract": _of_contract,
}  # fmt: skip
OBJECTS = frozenset(_DATES)
"""The resources whose events the day plan hears."""


def day_of(value: Any) -> date | None:
    """The day of a google.type.Date; None where it is no day of the calendar."""
    try:
        return date(value.year, value.month, value.day)
    except ValueError:
        return None
