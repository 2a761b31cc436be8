"""A price typed below the published one is a discount: it needs approval as any other, and is shown with what it was reckoned from."""

from fractions import Fraction
from typing import Any

import pytest
import pytest_asyncio

from chassis import errors
from chassis.testing.installation import Installation, Tenant
from crm.deals.v1 import deal_pb2, quote_pb2
from crm.deals.v1.line_pb2 import Line
from crm.deals.v1.price_list_pb2 import Price, PriceList
from tests.service.deals.earnings import Earnings
from tests.service.deals.quotes import Quote, Quotes
from tests.service.deals.shelf import day
from tests.service.worlds import Refused
from tests.unit.deals.reckoning import replay


@pytest_asyncio.fixture
async def world(running: Installation, tenant: Tenant) -> Earnings:
    return Earnings(running, tenant)


@pytest.fixture
def quotes(world: Earnings) -> Quotes:
    return Quotes(world)


def reckoned(quote: Quote) -> tuple[str, str, str]:
    return quote.published_amount, quote.published_discount, quote.effective_discount_percent


async def change(quotes: Quotes, quote: Quote, *paths: str) -> Quote:
    request = quote_pb2.UpdateQuoteRequest(quote=quote)
    request.update_mask.paths.extend(paths or ("lines",))
    return await quotes.admin.UpdateQuote(request)


async def submit(quotes: Quotes, quote: Quote) -> Quote:
    return await quotes.admin.SubmitQuote(quote_pb2.SubmitQuoteRequest(id=quote.id))


async def test_a_typed_price_below_the_list_needs_approval_like_a_discount(
    world: Earnings, quotes: Quotes
) -> None:
    await quotes.limit("10")
    product = await world.product()
    await world.price_list({product.id: "100"})
    deal = await world.make()
    typed = Line(product_id=product.id, quantity="2", unit_price="85")
    quote = await quotes.make(deal, lines=[typed])
    assert quote.totals.discount == "0.00"
    assert reckoned(quote) == ("200.00", "30.00", "15")
    assert quote.lines[0].published_price == "100"
    refused = (errors.FailedPrecondition, "QUOTE_NEEDS_APPROVAL", "effective_discount_percent")
    async with Refused(quotes.world, *refused):
        await quotes.send(quote)
    assert (await submit(quotes, quote)).state == Quote.STATE_WAITING_APPROVAL

    dearer = await quotes.get(quote.id)
    dearer.lines[0].unit_price = "90"
    changed = await change(quotes, dearer)
    assert (changed.state, reckoned(changed)) == (Quote.STATE_DRAFT, ("200.00", "20.00", "10"))
    assert (await submit(quotes, changed)).state == Quote.STATE_APPROVED


async def test_what_is_typed_above_makes_up_for_nothing(world: Earnings, quotes: Quotes) -> None:
    cheap, dear = await world.product("C"), await world.product("D")
    await world.price_list({cheap.id: "100", dear.id: "100"})
    lines = [
        Line(product_id=cheap.id, quantity="1", unit_price="80"),
        Line(product_id=dear.id, quantity="1", unit_price="120"),
        Line(name="Work", quantity="1", unit_price="50"),
    ]
    quote = await quotes.make(await world.make(), lines=lines, discount_amount="5")
    assert reckoned(quote) == ("270.00", "25.00", "9.259259")
    assert [line.published_price for line in quote.lines] == ["100", "100", ""]


async def test_the_price_of_the_quantity_and_of_the_tax_is_compared(world: Earnings, quotes: Quotes) -> None:  # fmt: skip
    tax = await world.tax("25")
    product = await world.product(tax_class_id=tax)
    await world.price_list([
        Price(product_id=product.id, unit_price="100"),
        Price(product_id=product.id, unit_price="80", from_quantity="10"),
    ])  # fmt: skip
    deal = await world.make()
    typed = Line(product_id=product.id, quantity="10", unit_price="80")
    quote = await quotes.make(deal, lines=[typed])
    assert reckoned(quote) == ("800.00", "0.00", "0")

    quote.lines[0].quantity = "5"  # the price of ten for five
    fewer = await change(quotes, quote)
    assert reckoned(fewer) == ("500.00", "100.00", "20")
    fewer.lines[0].unit_price = "100"
    fewer.tax_included = True  # the same figure, meant with tax
    with_tax = await change(quotes, fewer, "lines", "tax_included")
    assert with_tax.lines[0].published_price == "125.00"
    assert reckoned(with_tax) == ("625.00", "125.00", "20")


async def test_what_was_published_stays_with_its_line_until_the_line_is_priced_anew(
    world: Earnings, quotes: Quotes
) -> None:
    product = await world.product()
    await world.price_list({product.id: "100"})
    deal = await world.make(lines=[Line(product_id=product.id, quantity="1")])
    quote = await quotes.make(deal)
    await world.price_list({product.id: "200"}, group="newer", from_date=day("2021-01-01"))

    quote.lines.append(Line(name="Work", quantity="1", unit_price="5"))
    kept = await change(quotes, quote)
    assert (kept.lines[0].published_price, reckoned(kept)) == ("100", ("105.00", "0.00", "0"))
    kept.lines[0].unit_price = "99"
    typed = await change(quotes, kept)
    assert (typed.lines[0].published_price, reckoned(typed)) == ("200", ("205.00", "101.00", "49.268293"))  # fmt: skip


async def test_a_list_for_the_customer_is_what_is_published_for_him(world: Earnings, quotes: Quotes) -> None:  # fmt: skip
    product = await world.product()
    await world.price_list({product.id: "100"})
    await world.price_list({product.id: "70"}, group="companies", party=PriceList.PARTY_COMPANY)
    company = await world.make(company_id=quotes.world.tenant.id)
    typed = Line(product_id=product.id, quantity="1", unit_price="70")
    assert reckoned(await quotes.make(company, lines=[typed])) == ("70.00", "0.00", "0")
    person = await world.make()
    assert reckoned(await quotes.make(person, lines=[typed])) == ("100.00", "30.00", "30")


async def test_nobody_sets_what_was_published(world: Earnings, quotes: Quotes) -> None:
    product = await world.product()
    await world.price_list({product.id: "100"})
    deal = await world.make()
    told: Any = {"published_price": "50"}
    lines = [
        Line(product_id=product.id, quantity="1", unit_price="50", **told),
        Line(name="Work", quantity="1", unit_price="50", **told),
    ]
    quote = await quotes.make(deal, lines=lines)
    assert [line.published_price for line in quote.lines] == ["100", ""]
    quote.lines[0].published_price = "50"
    changed = await change(quotes, quote)
    assert (changed.lines[0].published_price, reckoned(changed)) == ("100", reckoned(quote))


async def test_the_explanation_of_a_quote_shows_what_its_discount_is_reckoned_from(
    world: Earnings, quotes: Quotes
) -> None:
    product = await world.product()
    await world.price_list({product.id: "33.33"})
    typed = Line(product_id=product.id, quantity="3", unit_price="30", discount_percent="10")
    quote = await quotes.make(await world.make(), lines=[typed])
    told = await world.explain("quote", quote.id)
    known = replay(told.steps)
    assert known[told.result] == Fraction(quote.totals.gross)
    assert known["published_amount"] == Fraction(quote.published_amount)
    assert known["published_discount"] == Fraction(quote.published_discount)
    assert reckoned(quote) == ("99.99", "18.99", "18.991899")
    names = {step.results[0].name for step in told.steps if step.rule == "discount"}
    assert names == {"lines[0].published", "lines[0].below_published", "published_amount", "published_discount"}  # fmt: skip
    of_deal = await world.explain("deal", (await world.make(lines=[typed])).id)
    assert {step.rule for step in of_deal.steps} == {"lines", "tax"}


async def test_a_deal_without_quotes_keeps_what_was_published_for_its_quotes(world: Earnings, quotes: Quotes) -> None:  # fmt: skip
    product = await world.product()
    await world.price_list({product.id: "100"})
    deal: deal_pb2.Deal = await world.make(lines=[Line(product_id=product.id, quantity="1", unit_price="60")])  # fmt: skip
    assert deal.lines[0].published_price == "100"
    quote = await quotes.make(deal)
    assert reckoned(quote) == ("100.00", "40.00", "40")
