"""Invoices: drafts by the standard methods, and what makes them binding or takes them back."""

from chassis.handlers import Servicer, writes
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.deals.v1 import invoice_events_pb2 as events
from crm.deals.v1 import invoice_pb2 as pb
from crm.deals.v1 import invoice_verbs_pb2 as verbs
from services.deals import errors, guards, invoices, legal_entities, people, sales, store
from services.deals.money import currencies
from services.deals.rpc.receipts import PlannedReceipts
from services.deals.rules import advances, crediting, days
from services.deals.rules import invoices as rules


async def _check_delete(tx: Tx, invoice: pb.Invoice) -> None:
    """What has a number is never deleted: the series would have a gap."""
    if invoice.number:
        raise errors.InvoiceWrongState("deleted", rules.state_of(invoice), "without a number; take it back with :credit")  # fmt: skip


StandardInvoice = standard(store.invoices, on_save=invoices.check, on_delete=_check_delete)


class Invoices(StandardInvoice, Servicer):  # type: ignore[misc, valid-type]
    """`/v1/invoices`."""

    @writes
    async def IssueInvoice(self, request: verbs.IssueInvoiceRequest, tx: Tx) -> pb.Invoice:
        invoice = await store.invoices.get(tx, request.id, etag=request.etag)
        rules.require_draft(invoice, "issued")
        await guards.wait_for_parties(tx, invoice, request.contact_etag, request.company_etag)
        entity = await legal_entities.issuing(tx, invoice.legal_entity_id)
        day = invoices.day_asked(tx, request, invoice)
        await invoices.complete(tx, invoice, entity, day)
        # Last of all: whoever issues in the same series waits from here on.
        number = await invoices.number(tx, entity, invoice.type, day)
        by = people.user_of(tx.actor)
        rules.issue(invoice, number=number, day=day, seller=entity.seller, at=tx.now, by=by)
        await invoices.save(tx, invoice)
        tx.emit(events.InvoiceIssued(invoice=invoice))
        if invoice.state == pb.Invoice.STATE_PAID:  # nothing was to be paid
            tx.emit(events.InvoicePaid(invoice=invoice))
        return invoice

    @writes
    async def CreditInvoice(self, request: verbs.CreditInvoiceRequest, tx: Tx) -> pb.Invoice:
        invoice = await store.invoices.get(tx, request.id, etag=request.etag)
        rules.require_issued(invoice, "credited", rules.OWED)
        advances.require_free(invoice)
        day = invoices.day_asked(tx, request)
        wrong = rules.check_date(day, invoices.today(tx)) + rules.check_after(invoice, day)
        if wrong:
            raise errors.ValuesInvalid(wrong)
        # A credit note that comes meanwhile changes the invoice's version: then this begins again and counts it.
        before = crediting.taken_before(await store.credit_notes_of(tx, invoice.id))
        taken = crediting.wanted(invoice, before, request.lines)
        note = crediting.note_of(invoice, taken, before, id=tx.new_id(), reason=request.reason)
        entity = await legal_entities.issuing(tx, invoice.legal_entity_id)
        number = await invoices.number(tx, entity, note.type, day)
        by = people.user_of(tx.actor)
        crediting.issue(note, number=number, day=day, seller=entity.seller, at=tx.now, by=by)
        amount = crediting.lower(invoice, note)
        await invoices.settle_again(tx, invoice)
        store.invoices.save(tx, note)
        tx.emit(events.InvoiceIssued(invoice=note))
        await sales.credited(tx, note)
        shown = currencies.shown(amount, invoice.currency)
        tx.emit(events.InvoiceCredited(invoice=invoice, credit_note_id=note.id, amount=shown))
        return note

    @writes
    async def CancelInvoice(self, request: verbs.CancelInvoiceRequest, tx: Tx) -> pb.Invoice:
        invoice = await store.invoices.get(tx, request.id, etag=request.etag)
        rules.cancel(invoice, request.reason)
        await invoices.save(tx, invoice)
        tx.emit(events.InvoiceCancelled(invoice=invoice))
        return invoice

    @writes
    async def ScheduleInstalment(
        self, request: verbs.ScheduleInstalmentRequest, tx: Tx
    ) -> pb.Invoice:
        invoice = await store.invoices.get(tx, request.id, etag=request.etag)
        rules.require_issued(invoice, "scheduled", rules.OWED)
        due = days.day_of(request, "due_date")
        if due is None:
            raise errors.ValuesInvalid(days.wrong_day(request, "due_date"))
        rules.schedule(invoice, request.instalment_id, due)
        await invoices.save(tx, invoice)
        return invoice


StandardEntity = standard(
    store.legal_entities, on_save=legal_entities.check, on_delete=legal_entities.check_delete
)


class LegalEntities(StandardEntity, Servicer):  # type: ignore[misc, valid-type]
    """`/v1/legalEntities`."""


class InvoicesRpcs(Invoices, LegalEntities, PlannedReceipts):
    """Every RPC of invoices_service.proto."""

    service = "crm.deals.v1.InvoicesService"
