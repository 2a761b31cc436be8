"""Invoices: what every draft passes, and what payments change of one. Payments call `settle`."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from chassis.tx import Tx
from crm.deals.v1 import deal_pb2, invoice_events_pb2, invoice_pb2, legal_entity_pb2
from services.deals import advances, errors, legal_entities, people, pricing, store, timers_invoices
from services.deals.rules import days, instalments, numbering
from services.deals.rules import invoices as rules
from services.deals.store.deals import readers

Invoice = invoice_pb2.Invoice
Deal = deal_pb2.Deal
LegalEntity = legal_entity_pb2.LegalEntity

REMATCH = "rematch-bank-lines"
_SETTLES = timedelta(seconds=2)
"""Lines of bank statements that are being matched without this invoice are doubtful by then."""


async def check(tx: Tx, new: Invoice, old: Invoice | None) -> None:
    """What every creation and change by hand passes: a draft is priced anew, an issued one stays as it is."""
    new.id = new.id or tx.new_id()
    if old is not None and old.state != Invoice.STATE_DRAFT:
        rules.keep_issued(new, old)
        _require_owner(tx, new, old)
        return
    rules.normalise(new)
    if old is None:
        rules.begin(new, people.user_of(tx.actor))
    new.legal_entity_id = new.legal_entity_id or (await legal_entities.own(tx)).id
    deal, source = await _sources(tx, new, old)
    if deal is not None:
        _belong(new, deal)
    _require_owner(tx, new, old)
    takes_over = old is None and source is not None and not new.lines
    if takes_over:
        rules.take_over(new, source)
    currency = source.currency if source is not None else ""
    new.currency = new.currency or currency or people.currency_of(tx)
    if source is not None:
        rules.check_currency(new, "quote" if new.quote_id else "deal", currency)
    if not takes_over and rules.is_repriced(new, old):
        await pricing.price_lines(
            tx, new, contact_id=new.contact_id, company_id=new.company_id, old=old
        )
    await advances.deduct(tx, new)
    instalments.complete(new, tx.new_id)


async def _sources(tx: Tx, new: Invoice, old: Invoice | None) -> tuple[Deal | None, Any | None]:
    """(its deal, what its lines come from); ReferenceUnknown for what is added and is not there for the caller."""
    quote = await store.quotes.find(tx, new.quote_id) if new.quote_id else None
    if quote is not None:
        new.deal_id = new.deal_id or quote.deal_id
    deal = await store.deals.find(tx, new.deal_id) if new.deal_id else None
    found = {
        "legal_entity_id": await store.legal_entities.find(tx, new.legal_entity_id) is not None,
        "deal_id": deal is not None and _may_read(tx, deal),
        "quote_id": quote is not None and quote.deal_id == new.deal_id,
    }
    nouns = {"legal_entity_id": "legal entity", "deal_id": "deal", "quote_id": "quote of this deal"}
    missing = [
        (field, f"{nouns[field]} {id}")
        for field, is_there in found.items()
        if (id := getattr(new, field)) and not is_there
        if old is None or id != getattr(old, field)
    ]
    if missing:
        raise errors.ReferenceUnknown(missing)
    return deal, quote if quote is not None else deal


def _may_read(tx: Tx, deal: Deal) -> bool:
    return tx.rights.reaches("deal", "read", deal.owner_id, deal.department_id, readers(deal))


def _belong(invoice: Invoice, deal: Deal) -> None:
    """It is the deal's: for its customer unless another is named, and read by who reads the deal."""
    if not invoice.contact_id and not invoice.company_id:
        invoice.contact_id, invoice.company_id = deal.contact_id, deal.company_id
    invoice.owner_id, invoice.department_id = deal.owner_id, deal.department_id
    del invoice.follower_ids[:]
    invoice.follower_ids.extend(readers(deal))


def _require_owner(tx: Tx, new: Invoice, old: Invoice | None) -> None:
    """Who gets one without a deal is active; it lies in his department unless another is named."""
    if new.deal_id or (old is not None and new.owner_id == old.owner_id):
        return
    if new.owner_id:
        people.require_active(tx, new.owner_id)
    home = people.home_of(tx, new.owner_id)
    if old is None:
        new.department_id = new.department_id or home
    elif new.department_id == old.department_id:
        new.department_id = home


async def number(tx: Tx, entity: LegalEntity, type: int, day: date) -> str:
    """The next number of the series; nobody else gets one of it until this commits."""
    pattern = numbering.pattern_of(entity, type)
    return numbering.written(pattern, await store.take_number(tx, entity.id, type, day.year), day)


async def complete(tx: Tx, invoice: Invoice, entity: LegalEntity, day: date) -> None:
    """Fills what a draft left open until now: the buyer, and when it is due."""
    if not invoice.buyer.name:
        invoice.buyer.CopyFrom(await store.buyer_of(tx, invoice.company_id or invoice.contact_id))
    await advances.take(tx, invoice)
    instalments.complete(invoice, tx.new_id)
    if not invoice.instalments:
        instalments.usual(invoice, day + timedelta(days=entity.payment_days), tx.new_id())
    if lacking := rules.missing_to_issue(invoice):
        raise errors.InvoiceIncomplete(lacking)
    wrong = rules.check_date(day, today(tx)) + instalments.too_early(invoice, day)
    if wrong:
        raise errors.ValuesInvalid(wrong)


def today(tx: Tx) -> date:
    """The company's day."""
    return tx.now.astimezone(ZoneInfo(people.zone_of(tx))).date()


def day_asked(tx: Tx, request: Any, draft: Invoice | None = None) -> date:
    """The issue date that is asked for, else the draft's, else today's; ValuesInvalid if it is no day."""
    if wrong := days.wrong_day(request, "issue_date"):
        raise errors.ValuesInvalid(wrong)
    of_draft = days.day_of(draft, "issue_date") if draft is not None else None
    return days.day_of(request, "issue_date") or of_draft or today(tx)


def lock_of(id: str) -> str:
    """What `locked` locks; who pays on several invoices locks them at once before."""
    return f"invoice {id}"


async def locked(tx: Tx, id: str) -> Invoice | None:
    """The invoice, while nobody else allocates payments to it."""
    await tx.lock(lock_of(id))
    return await store.invoices.find(tx, id)


async def settle(tx: Tx, invoice: Invoice, paid: Decimal) -> None:
    """Takes over what is paid on it in all, less what was paid back; InvoicePaid when by this nothing is left.

    Lock the invoice first (`locked`): two payments at once would each count alone. What is paid beyond what is due stands in
    overpaid_amount; whoever calls decides whether that may be. InvoiceWrongState for drafts and credit notes.
    """
    if not invoice.number:
        raise errors.InvoiceWrongState("paid", rules.state_of(invoice), "issued")
    if invoice.type == rules.InvoiceType.INVOICE_TYPE_CREDIT_NOTE:
        raise errors.InvoiceWrongState(
            "paid", "a credit note", "an invoice, an advance or a proforma"
        )
    await _settle(tx, invoice, paid)


async def settle_again(tx: Tx, invoice: Invoice) -> None:
    """Counts anew what is open after a credit note: with what is left, it may be paid by now."""
    if rules.is_taken_back(invoice):
        await advances.release(tx, invoice)
    await _settle(tx, invoice, Decimal(invoice.paid_amount or 0))


async def _settle(tx: Tx, invoice: Invoice, paid: Decimal) -> None:
    is_paid = rules.settle(invoice, paid, tx.now)
    await save(tx, invoice)
    if is_paid:
        tx.emit(invoice_events_pb2.InvoicePaid(invoice=invoice))


async def save(tx: Tx, invoice: Invoice) -> None:
    """Records a save and keeps what waits for it: its instalments, and lines of bank statements that nobody knows."""
    loaded = tx.loaded.get((store.invoices.name, invoice.id))
    was = Invoice.FromString(loaded[1]) if loaded else Invoice()
    store.invoices.save(tx, invoice)
    await timers_invoices.follow(tx, invoice)
    if not rules.is_payable(invoice) or rules.by_what_known(invoice) == rules.by_what_known(was):
        return
    if await store.has_unknown_lines(tx, invoice.currency):
        payload = {"invoice_id": invoice.id, "after": str(store.NO_ID)}
        await tx.set_timer(REMATCH, invoice.id, tx.now + _SETTLES, payload)
