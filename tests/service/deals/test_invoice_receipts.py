"""What is planned to come in of invoices and deals, and how invoices are found."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from google.type.date_pb2 import Date

from chassis import errors
from chassis.tx import Tx
from crm.deals.v1 import deal_verbs_pb2, invoice_pb2, invoice_verbs_pb2, quote_pb2
from crm.deals.v1.invoice_party_pb2 import InvoiceType
from services.deals import store
from tests.service.deals.invoicing import Instalment, Invoicing, line
from tests.service.deals.quotes import Quotes
from tests.service.deals.world import World
from tests.service.worlds import Refused


@pytest.fixture
def invoicing(world: World) -> Invoicing:
    return Invoicing(world)


def dated(day: date) -> Date:
    return Date(year=day.year, month=day.month, day=day.day)


def today(zone: str = "Europe/Warsaw") -> date:
    return datetime.now(ZoneInfo(zone)).date()


async def test_planned_receipts_stand_in_their_weeks_and_deals_apart(invoicing: Invoicing) -> None:
    world, start = invoicing.world, today() - timedelta(days=today().weekday())
    later = dated(start + timedelta(weeks=1))
    parts = [Instalment(percent="30", due_date=later), Instalment(percent="70")]
    paid_in_part = await invoicing.issued(instalments=parts)
    await invoicing.pay(paid_in_part, "10")
    await invoicing.issued(currency="EUR", lines=[line("1", "7")], instalments=[Instalment(percent="100", due_date=later)])  # fmt: skip
    await invoicing.draft()
    await world.make(amount="200", expected_close_date=later, probability=25)
    billed = await world.make(expected_close_date=later, lines=[line()])
    await invoicing.issued(deal_id=billed.id, instalments=[Instalment(percent="100")])

    planned = await invoicing.stub.GetPlannedReceipts(
        invoice_verbs_pb2.GetPlannedReceiptsRequest(weeks=4)
    )

    assert planned.start_date == dated(start)
    euro, zloty = planned.currencies
    assert [euro.currency, zloty.currency] == ["EUR", "PLN"]
    assert euro.weeks[1].receipts.invoiced == "7.00"
    week = zloty.weeks[1].receipts
    assert (week.invoiced, week.instalment_count) == ("20.00", 1)
    assert (week.expected, week.weighted, week.deal_count) == ("200.00", "50.00", 1)
    assert (zloty.undated.invoiced, zloty.undated.instalment_count) == ("170.00", 2)
    assert len(zloty.weeks) == 4


async def test_planned_receipts_count_what_the_caller_may_read(invoicing: Invoicing) -> None:
    reader = await invoicing.reader()
    await invoicing.issued()
    mine = await invoicing.world.make(owner_id=reader.id, lines=[line("1", "3")])
    await invoicing.issued(deal_id=mine.id, instalments=[Instalment(percent="100")])
    request = invoice_verbs_pb2.GetPlannedReceiptsRequest()

    planned = await invoicing.stub_of(reader).GetPlannedReceipts(request)

    [zloty] = planned.currencies
    assert (zloty.undated.invoiced, len(zloty.weeks)) == ("3.00", 13)


async def test_lists_find_invoices_by_number_buyer_and_what_is_open(invoicing: Invoicing) -> None:
    first, second = await invoicing.issued(), await invoicing.issued(buyer={"name": "Łukasz"})
    await invoicing.pay(first, "100")

    async def found(**asked: Any) -> list[str]:
        answer = await invoicing.stub.ListInvoices(invoice_pb2.ListInvoicesRequest(**asked))
        return [each.id for each in answer.invoices]

    assert await found(filter="open_amount > 0") == [second.id]
    assert await found(filter="state = PAID") == [first.id]
    assert await found(q="lukasz") == [second.id]
    assert await found(q=first.number) == [first.id]
    assert await found(order_by="number") == [first.id, second.id]


async def test_what_is_read_of_the_store_is_what_was_issued_for_a_deal(invoicing: Invoicing) -> None:  # fmt: skip
    deal = await invoicing.world.make(lines=[line()])
    await invoicing.draft(deal_id=deal.id)
    issued = await invoicing.issued(deal_id=deal.id)

    async def read(tx: Tx) -> list[str]:
        return [each.id for each in await store.issued_of_deal(tx, deal.id)]

    assert await invoicing.work(read) == [issued.id]


async def test_a_quotes_lines_flow_unchanged_into_its_invoice(invoicing: Invoicing) -> None:
    quotes = Quotes(invoicing.world)
    deal = await quotes.deal()
    quote = await quotes.make(deal, lines=[line("3", "0.33")], discount_percent="5")

    draft = await invoicing.draft(quote_id=quote.id)

    assert (draft.deal_id, draft.quote_id) == (deal.id, quote.id)
    assert list(draft.lines) == list(quote.lines)
    assert draft.totals == quote.totals
    other = await quotes.deal()
    async with Refused(invoicing.world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "quote_id"):
        await invoicing.draft(deal_id=other.id, quote_id=quote.id)


async def test_a_quote_goes_along_when_its_deal_is_given_away(invoicing: Invoicing) -> None:
    world, quotes = invoicing.world, Quotes(invoicing.world)
    deal = await quotes.deal()
    quote = await quotes.make(deal)
    seller = await quotes.seller()

    await world.admin.AssignDeal(deal_verbs_pb2.AssignDealRequest(id=deal.id, owner_id=seller.id))

    read = await quotes.by(seller).GetQuote(quote_pb2.GetQuoteRequest(id=quote.id))
    assert read.owner_id == seller.id


async def test_a_proforma_is_not_expected_to_come_in(invoicing: Invoicing) -> None:
    await invoicing.issued(type=InvoiceType.INVOICE_TYPE_PROFORMA)

    planned = await invoicing.stub.GetPlannedReceipts(invoice_verbs_pb2.GetPlannedReceiptsRequest())

    assert list(planned.currencies) == []
