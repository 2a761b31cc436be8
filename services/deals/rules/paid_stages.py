"""When a deal counts as paid, and whether it moves by itself then (S40). Pure."""

from collections.abc import Collection, Iterable
from decimal import Decimal

from crm.deals.v1 import deal_pb2, invoice_party_pb2, invoice_pb2, pipeline_pb2
from services.deals.rules import invoices, moving

Deal = deal_pb2.Deal
Invoice = invoice_pb2.Invoice
InvoiceType = invoice_party_pb2.InvoiceType
Pipeline = pipeline_pb2.Pipeline


def is_paid(documents: Iterable[Invoice], on: "Pipeline.PaidOn") -> bool:
    """Whether what the pipeline asks for is paid; documents are those of the deal that have a number."""
    asking = [
        each
        for each in documents
        if each.type != InvoiceType.INVOICE_TYPE_CREDIT_NOTE
        and each.state != Invoice.STATE_CANCELLED
    ]
    if on == Pipeline.PAID_ON_FIRST_INSTALMENT:
        return any(map(_has_begun, asking))
    asking = [each for each in asking if each.type in invoices.OWED] or asking
    return bool(asking) and all(each.state == Invoice.STATE_PAID for each in asking)


def _has_begun(invoice: Invoice) -> bool:
    """Whether its first instalment is paid."""
    if invoice.state == Invoice.STATE_PAID or not invoice.instalments:
        return invoice.state == Invoice.STATE_PAID
    first = invoice.instalments[0]
    return Decimal(first.paid_amount or 0) > 0 and not Decimal(first.open_amount or 0)


def goal(deal: Deal, pipeline: Pipeline, been_in: Collection[str]) -> str:
    """The stage to which the deal moves when it is paid: ahead of it, and none in which it has been; empty if there is none."""
    there = pipeline.paid_stage_id
    stages = {stage.id: stage for stage in pipeline.stages}
    if deal.state != Deal.STATE_OPEN or there not in stages or deal.stage_id not in stages:
        return ""
    if there in been_in or not moving.is_forward(pipeline, deal.stage_id, there):
        return ""
    return there
