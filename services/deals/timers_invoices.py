"""Instalments that are not paid in time: one timer an invoice, set to the midnight after its next open day (S39).

The midnight is the company's. Each instalment is told once, whatever is paid back later.
"""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from chassis.handlers import timer
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.deals.v1 import invoice_events_pb2 as events
from crm.deals.v1 import invoice_pb2
from services.deals import people, store
from services.deals.rules import instalments, invoices

Invoice = invoice_pb2.Invoice
Instalment = invoice_pb2.Instalment

_OVERDUE = "instalment-overdue"
_UTC = ZoneInfo("UTC")


async def follow(tx: Tx, invoice: Invoice) -> None:
    """Sets the timer to the invoice's next midnight, or removes it; called whenever what is open or due has changed."""
    waiting = _waiting(invoice) if tx.cause.kind != "import" else []
    if not waiting:
        await tx.cancel_timer(_OVERDUE, invoice.id)
        return
    at = min(passed(due, people.zone_of(tx)) for _, due in waiting)
    await tx.set_timer(_OVERDUE, invoice.id, at, {"invoice_id": invoice.id})


@timer(_OVERDUE)
async def overdue(payload: dict[str, Any], tx: Tx) -> None:
    """Tells of the instalments whose day has passed, then waits for the next."""
    invoice = await store.invoices.find(tx, payload["invoice_id"])
    if invoice is None:
        return
    zone = people.zone_of(tx)  # of now: the company may have moved since the timer was set
    late = [part for part, due in _waiting(invoice) if passed(due, zone) <= tx.now]
    for part in late:
        part.overdue_time.CopyFrom(to_timestamp(tx.now))
    if late:
        store.invoices.save(tx, invoice)
    for part in late:
        tx.emit(
            events.InstalmentOverdue(
                invoice=invoice, instalment_id=part.id, amount=part.open_amount, due_date=part.due_date
            )
        )  # fmt: skip
    await follow(tx, invoice)


def _waiting(invoice: Invoice) -> list[tuple[Instalment, date]]:
    """Instalments that will be overdue unless they are paid, with their days."""
    if invoice.type not in invoices.OWED or invoice.state not in invoices.LIVING:
        return []
    if invoice.HasField("delete_time"):
        return []
    return [
        (part, due)
        for part, _ in instalments.open_parts(invoice)
        if (due := instalments.due_of(part)) is not None and not part.HasField("overdue_time")
    ]


def passed(day: date, zone: str) -> datetime:
    """The instant at which the day is over by the zone's clock."""
    midnight = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(zone))
    # Where the clocks skip midnight, the offset of before (fold 0) still gives the instant at which the day ends.
    return midnight.astimezone(_UTC)
