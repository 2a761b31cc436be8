"""Advances, and the invoice that takes them off: the customer owes nothing twice."""

import asyncio

import pytest

from chassis import errors
from crm.deals.v1.invoice_party_pb2 import InvoiceType
from tests.service.deals.invoicing import Instalment, Invoice, Invoicing, line
from tests.service.deals.world import World
from tests.service.worlds import Refused


@pytest.fixture
def invoicing(world: World) -> Invoicing:
    return Invoicing(world)


async def advance_of(invoicing: Invoicing, deal_id: str = "", **given: object) -> Invoice:
    whose = {"deal_id": deal_id} if deal_id else {}
    kind = InvoiceType.INVOICE_TYPE_ADVANCE
    return await invoicing.issued(**{"type": kind, "lines": [line("1", "30")], **whose, **given})


async def test_an_invoice_leaves_to_pay_what_its_advances_did_not(invoicing: Invoicing) -> None:
    deal = await invoicing.world.make(lines=[line()])
    advance = await advance_of(invoicing, deal.id)
    parts = [Instalment(percent="50"), Instalment(percent="50")]

    draft = await invoicing.draft(deal_id=deal.id, advance_ids=[advance.id], instalments=parts)
    invoice = await invoicing.issue(draft)

    assert (invoice.totals.gross, invoice.deducted_amount, invoice.open_amount) == ("100.00", "30.00", "70.00")  # fmt: skip
    assert [each.amount for each in invoice.instalments] == ["35.00", "35.00"]
    assert (await invoicing.get(advance)).final_invoice_id == invoice.id
    assert (await invoicing.pay(invoice, "70")).state == Invoice.STATE_PAID


async def test_an_advance_is_taken_off_by_one_invoice_of_several_at_once(
    invoicing: Invoicing,
) -> None:
    advance = await advance_of(invoicing)
    drafts = [await invoicing.draft(advance_ids=[advance.id]) for _ in range(5)]

    answers = await asyncio.gather(
        *(invoicing.issue(draft) for draft in drafts), return_exceptions=True
    )

    issued = [each for each in answers if isinstance(each, Invoice)]
    refused = [each for each in answers if isinstance(each, errors.InvalidArgument)]
    assert (len(issued), len(refused)) == (1, 4)
    assert (await invoicing.get(advance)).final_invoice_id == issued[0].id
    assert issued[0].number.endswith("/0001")


async def test_advances_that_do_not_fit_are_refused_each_by_its_name(invoicing: Invoicing) -> None:
    deal = await invoicing.world.make(lines=[line()])
    of_deal = await advance_of(invoicing, deal.id)
    gone = await advance_of(invoicing)
    await invoicing.credit(gone)
    dear = await advance_of(invoicing, lines=[line("1", "101")])
    plain = await invoicing.issued()

    wrong = ("advance_ids[0]", "advance_ids[1]")
    async with Refused(invoicing.world, errors.InvalidArgument, "VALUES_INVALID", *wrong):
        await invoicing.draft(advance_ids=[of_deal.id, gone.id])
    async with Refused(invoicing.world, errors.InvalidArgument, "VALUES_INVALID", "advance_ids"):
        await invoicing.draft(advance_ids=[dear.id])
    async with Refused(invoicing.world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "advance_ids[0]"):  # fmt: skip
        await invoicing.draft(advance_ids=[plain.id])


async def test_an_advance_is_taken_back_after_its_invoice_only(invoicing: Invoicing) -> None:
    advance = await advance_of(invoicing)
    invoice = await invoicing.issued(advance_ids=[advance.id])
    async with Refused(invoicing.world, errors.FailedPrecondition, "INVOICE_WRONG_STATE"):
        await invoicing.credit(advance)

    await invoicing.credit(invoice)

    gone = await invoicing.get(invoice)
    assert (gone.state, gone.open_amount, gone.overpaid_amount) == (Invoice.STATE_CANCELLED, "0.00", "0.00")  # fmt: skip
    assert (await invoicing.get(advance)).final_invoice_id == ""
    assert (await invoicing.credit(advance)).totals.gross == "-30.00"
