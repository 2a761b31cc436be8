"""What is left of invoices, payments and quotes when a person is erased, and what the law wants kept of them."""

import pytest

from chassis.keys import uuid7
from crm.contacts.v1 import privacy_events_pb2 as contacts
from crm.deals.v1 import deal_settings_pb2, invoice_pb2, quote_pb2
from crm.deals.v1.quotes_service_pb2_grpc import QuotesServiceStub
from services.deals import erasing
from tests.service.deals.invoicing import Invoice, line
from tests.service.deals.moving import answered, places_of, system
from tests.service.deals.paying import Paying, Payment
from tests.service.deals.test_erasures import BY_ID, SURNAME, erased
from tests.service.deals.world import World

pytestmark = pytest.mark.large


@pytest.fixture
def paying(world: World) -> Paying:
    return Paying(world)


async def bought(paying: Paying, person: str) -> tuple[Invoice, Payment]:
    """An invoice issued to her, and a payment of it."""
    invoice = await paying.issued(
        contact_id=person, buyer={"name": SURNAME, "tax_number": "5260001246"}, note=f"{SURNAME} is slow",
        lines=[line(description=f"as {SURNAME} wants it")], text=f"Dear {SURNAME}",
    )  # fmt: skip
    payment = await paying.pay("100", invoice, payer_name=SURNAME, reference=f"from {SURNAME}")
    assert payment.contact_id == person
    return invoice, payment


async def read(paying: Paying, invoice: Invoice) -> Invoice:
    return await paying.stub.GetInvoice(invoice_pb2.GetInvoiceRequest(id=invoice.id))


async def test_invoices_and_payments_keep_their_figures_and_lose_the_buyer(paying: Paying) -> None:
    person = uuid7()
    invoice, payment = await bought(paying, person)

    await erased(paying.world, person)

    assert await places_of(paying.world, SURNAME) == {}
    assert (await places_of(paying.world, person)).keys() <= BY_ID
    bare = await read(paying, invoice)
    assert (bare.number, bare.seller, bare.totals) == (invoice.number, invoice.seller, invoice.totals)  # fmt: skip
    assert (bare.state, bare.paid_amount) == (Invoice.STATE_PAID, "100.00")
    assert (bare.buyer.name, bare.buyer.tax_number, bare.contact_id, bare.text) == ("", "", "", "")
    paid = await paying.payment(payment)
    assert (paid.amount, paid.allocations) == (payment.amount, payment.allocations)
    assert (paid.payer_name, paid.reference, paid.contact_id) == ("", "", "")


async def test_what_the_law_wants_kept_says_who_bought_and_the_report_says_so(
    paying: Paying,
) -> None:
    person, world = uuid7(), paying.world
    invoice, _ = await bought(paying, person)
    await paying.draft(contact_id=person, buyer={"name": SURNAME})
    settings = deal_settings_pb2.DealSettings(id=world.tenant.id, keep_invoices=True)
    await world.admin.UpdateDealSettings(
        deal_settings_pb2.UpdateDealSettingsRequest(
            deal_settings=settings, update_mask={"paths": ["keep_invoices"]}
        )
    )

    event = contacts.ContactErased(erasure_id=uuid7(), contact_id=person)
    await system(world, lambda tx: erasing.erased.begin(event, tx))

    (done,) = await answered(world, "ErasureDone")
    (remains,) = done["report"]["remains"]
    assert remains.startswith(
        "2 invoices, payments and lines of bank statements still say who bought"
    )
    kept = await read(paying, invoice)
    assert (kept.buyer, kept.lines, kept.text) == (invoice.buyer, invoice.lines, invoice.text)
    assert (kept.contact_id, kept.note) == ("", "")
    assert (await places_of(world, person)).keys() <= BY_ID
    places = await places_of(world, SURNAME)
    assert places.keys() == {
        "invoices",
        "invoices_history",
        "payments",
        "payments_history",
        "stream",
    }
    assert places["invoices"] == places["invoices_history"] == 1


async def test_a_quote_keeps_its_figures_and_loses_who_answered(world: World) -> None:
    person = uuid7()
    deal = await world.make(contact_id=person, lines=[line()])
    quotes = world.stub(world.tenant.admin, QuotesServiceStub)
    quote = await quotes.CreateQuote(
        quote_pb2.CreateQuoteRequest(
            quote=quote_pb2.Quote(deal_id=deal.id, intro=f"Dear {SURNAME}", variant=SURNAME)
        )
    )

    places = await erased(world, person)

    assert await places_of(world, SURNAME) == {}
    bare = await quotes.GetQuote(quote_pb2.GetQuoteRequest(id=quote.id))
    assert (bare.number, bare.totals, bare.contact_id) == (quote.number, quote.totals, "")
    assert (places["quotes"], places["deals"]) == (1, 1)
