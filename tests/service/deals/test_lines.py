"""How the lines of deals are priced: by products, taxes, price lists and done tasks; and what kind of sale each is."""

from typing import Any

import pytest_asyncio

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Installation, Tenant
from crm.deals.v1 import deal_pb2, product_pb2, tax_class_pb2
from crm.deals.v1.line_pb2 import Line
from crm.deals.v1.price_list_pb2 import Price, PriceList
from tests.service.deals.shelf import Shelf, day
from tests.service.worlds import Refused


@pytest_asyncio.fixture
async def shelf(running: Installation, tenant: Tenant) -> Shelf:
    made = Shelf(running, tenant)
    await made.pipeline()
    return made


def _of(product: Any, quantity: str = "1", **given: Any) -> Line:
    return Line(product_id=product.id, quantity=quantity, **given)


# -- prices and totals ------------------------------------------------------------------------------------


async def test_a_line_of_a_product_is_priced_taxed_and_costed(shelf: Shelf) -> None:
    family, tax = await shelf.family("Windows"), await shelf.tax("23")
    product = await shelf.product(unit="pc", family_id=family, tax_class_id=tax, unit_cost="70")
    listed = await shelf.price_list({product.id: "100"})
    deal = await shelf.make(lines=[_of(product, "2", discount_percent="10")])
    [line] = deal.lines
    assert (line.sku, line.name, line.unit) == ("W-1", "Thing W-1", "pc")
    assert (line.unit_price, line.price_list_id, line.tax_percent) == ("100", listed.id, "23")
    assert (line.unit_cost, line.family_id) == ("70", family)
    assert (line.net, line.tax, line.gross) == ("180.00", "41.40", "221.40")
    totals = deal.totals
    assert (totals.list, totals.discount, totals.gross) == ("200.00", "20.00", "221.40")
    assert (totals.cost, deal.amount) == ("140.00", "221.40")


async def test_a_typed_price_wins_and_the_number_finds_the_product(shelf: Shelf) -> None:
    product = await shelf.product()
    await shelf.price_list({product.id: "100"})
    deal = await shelf.make(lines=[
        _of(product, unit_price="95.50"), Line(sku=" w-1", quantity="1"),
        Line(sku="X-9", quantity="2", unit_price="5"),
    ])  # fmt: skip
    typed, found, free = deal.lines
    assert (typed.unit_price, typed.price_list_id) == ("95.50", "")
    assert (found.product_id, found.sku, found.unit_price) == (product.id, "W-1", "100")
    assert [line.unknown_sku for line in deal.lines] == [False, False, True]
    assert (free.sku, deal.amount) == ("X-9", "205.50")


async def test_breaks_and_lists_for_companies_give_their_price(shelf: Shelf) -> None:
    product = await shelf.product()
    prices = [
        Price(product_id=product.id, unit_price="100"),
        Price(product_id=product.id, unit_price="80", from_quantity="10"),
    ]
    await shelf.price_list(prices)
    await shelf.price_list({product.id: "70"}, group="companies", party=PriceList.PARTY_COMPANY)
    deal = await shelf.make(lines=[_of(product, "9.5"), _of(product, "10")])
    assert [line.unit_price for line in deal.lines] == ["100", "80"]
    deal.lines[0].quantity = "12"
    assert [line.unit_price for line in (await shelf.change(deal)).lines] == ["80", "80"]
    of_company = await shelf.make(company_id=uuid7(), lines=[_of(product)])
    assert of_company.lines[0].unit_price == "70"


async def test_a_written_line_keeps_price_and_tax_when_both_change_later(shelf: Shelf) -> None:
    tax = await shelf.tax("23")
    product = await shelf.product(tax_class_id=tax)
    old = await shelf.price_list({product.id: "100"})
    deal = await shelf.make(lines=[_of(product)])
    await shelf.price_list({product.id: "120"}, group="newer", from_date=day("2021-01-01"))
    entry = tax_class_pb2.TaxClass(id=tax, rates=[tax_class_pb2.TaxRate(percent="25")])
    request = tax_class_pb2.UpdateTaxClassRequest(tax_class=entry)
    request.update_mask.paths.append("rates")
    await shelf.products.UpdateTaxClass(request)
    deal.lines.append(_of(product))
    kept, added = (await shelf.change(deal)).lines
    assert (kept.unit_price, kept.tax_percent, kept.price_list_id) == ("100", "23", old.id)
    assert (added.unit_price, added.tax_percent) == ("120", "25")


async def test_a_discount_on_all_lines_is_spread_and_removed_lines_leave_the_amount(
    shelf: Shelf,
) -> None:
    lines = [Line(name="Work", quantity="1", unit_price="0.33", tax_class_id="") for _ in range(3)]
    deal = await shelf.make(lines=lines, discount_amount="0.10", tax_included=True)
    assert [line.gross for line in deal.lines] == ["0.29", "0.30", "0.30"]
    assert deal.amount == "0.89"
    del deal.lines[:]
    without = await shelf.change(deal)
    assert (without.amount, without.HasField("totals")) == ("0.89", False)


async def test_what_is_wrong_with_lines_is_named_and_changes_nothing(shelf: Shelf) -> None:
    deal = await shelf.make(lines=[Line(quantity="1", unit_price="10")])
    cases: list[tuple[Line, str]] = [
        (Line(quantity="-1", unit_price="1"), "lines[1].quantity"),
        (Line(quantity="1"), "lines[1].unit_price"),
        (Line(quantity="1", unit_price="1", discount_percent="100.1"), "lines[1].discount_percent"),
        (Line(quantity="1", unit_price="1", discount_amount="1.01"), "lines[1].discount_amount"),
        (Line(id=deal.lines[0].id, quantity="1", unit_price="1"), "lines[1].id"),
    ]
    for line, field in cases:
        wrong = deal_pb2.Deal()
        wrong.CopyFrom(deal)
        wrong.lines.append(line)
        async with Refused(shelf, errors.InvalidArgument, "VALUES_INVALID", field):
            await shelf.change(wrong)
    for line, field in (
        (Line(product_id=uuid7(), quantity="1", unit_price="1"), "lines[0].product_id"),
        (Line(tax_class_id=uuid7(), quantity="1", unit_price="1"), "lines[0].tax_class_id"),
    ):
        async with Refused(shelf, errors.InvalidArgument, "REFERENCE_UNKNOWN", field):
            await shelf.make(lines=[line])
    async with Refused(shelf, errors.InvalidArgument, "VALUES_INVALID", "discount_amount"):
        await shelf.make(lines=[Line(quantity="1", unit_price="1")], discount_amount="1.01")
    async with Refused(shelf, errors.InvalidArgument, "VALUES_INVALID", "currency"):
        await shelf.make(lines=[Line(quantity="1", unit_price="1")], currency="ABC")


async def test_a_price_in_another_currency_is_no_price(shelf: Shelf) -> None:
    product = await shelf.product(unit_cost="70")
    await shelf.price_list({product.id: "100"}, currency="EUR")
    async with Refused(shelf, errors.InvalidArgument, "VALUES_INVALID", "lines[0].unit_price"):
        await shelf.make(lines=[_of(product)])
    deal = await shelf.make(lines=[_of(product)], currency="EUR")
    assert (deal.lines[0].unit_price, deal.lines[0].unit_cost) == ("100", "")


async def test_a_retired_product_is_sold_no_more_and_stays_where_it_was_sold(shelf: Shelf) -> None:
    product = await shelf.product()
    deal = await shelf.make(lines=[_of(product, unit_price="5")])
    product.retired = True
    request = product_pb2.UpdateProductRequest(product=product)
    request.update_mask.paths.append("retired")
    await shelf.products.UpdateProduct(request)
    deal.lines[0].quantity = "2"
    deal = await shelf.change(deal)
    assert deal.amount == "10.00"
    async with Refused(shelf, errors.InvalidArgument, "VALUES_INVALID", "lines[0].product_id"):
        await shelf.make(lines=[_of(product, unit_price="5")])
    await shelf.products.DeleteProduct(product_pb2.DeleteProductRequest(id=product.id))
    deal.lines[0].quantity = "3"
    assert (await shelf.change(deal)).amount == "15.00"


async def test_a_tax_class_without_a_rate_today_is_refused(shelf: Shelf) -> None:
    entry = tax_class_pb2.TaxClass(key="old", name="Old")
    entry.rates.add(percent="22", until_date=day("2010-12-31"))
    made = await shelf.products.CreateTaxClass(tax_class_pb2.CreateTaxClassRequest(tax_class=entry))
    async with Refused(shelf, errors.InvalidArgument, "VALUES_INVALID", "lines[0].tax_class_id"):
        await shelf.make(lines=[Line(quantity="1", unit_price="1", tax_class_id=made.id)])


# -- quantities of tasks ----------------------------------------------------------------------------------


async def test_a_done_task_gives_the_quantity_and_what_comes_late_changes_nothing(
    shelf: Shelf,
) -> None:
    product = await shelf.product(quantity_key="count")
    deal, task_id = await shelf.make(), uuid7()
    deal.lines.append(_of(product, "", unit_price="10", quantity_task_id=task_id))
    async with Refused(
        shelf, errors.FailedPrecondition, "NOT_MEASURED", "lines[0].quantity_task_id"
    ):
        await shelf.change(deal)
    await shelf.measured(deal.id, task_id, 3, count=6, width_mm="900.5", note="north side")
    await shelf.measured(deal.id, task_id, 2, count=5)
    deal = await shelf.change(deal)
    assert (deal.lines[0].quantity, deal.amount) == ("6", "60.00")
    deal.lines[0].quantity = "7"
    assert (await shelf.change(deal)).lines[0].quantity_task_id == ""


async def test_a_task_of_another_deal_measures_nothing_here(shelf: Shelf) -> None:
    other, task_id = await shelf.make(), uuid7()
    await shelf.measured(other.id, task_id, 1, count=6)
    line = Line(quantity_task_id=task_id, unit_price="10")
    async with Refused(
        shelf, errors.FailedPrecondition, "NOT_MEASURED", "lines[0].quantity_task_id"
    ):
        await shelf.make(lines=[line])


# -- cross-sell and up-sell -------------------------------------------------------------------------------


async def test_lines_are_named_beside_what_the_customer_bought(shelf: Shelf) -> None:
    windows, doors = await shelf.family("Windows"), await shelf.family("Doors")
    window = await shelf.product("W-1", family_id=windows)
    large = await shelf.product("W-2", family_id=windows)
    door = await shelf.product("D-1", family_id=doors)
    customer = uuid7()
    won = await shelf.sell(customer, _of(window, "2", unit_price="100"))
    assert won.lines[0].selling == Line.SELLING_NEW
    deal = await shelf.make(contact_id=customer, lines=[
        _of(window, "2", unit_price="120"), _of(window, "3", unit_price="90"),
        _of(large, "1", unit_price="150"), _of(door, "1", unit_price="10"), Line(name="Visit", quantity="1", unit_price="1"),
    ])  # fmt: skip
    kinds = [Line.Selling.Name(line.selling).removeprefix("SELLING_") for line in deal.lines]
    assert kinds == ["REPEAT", "UP_SELL", "UP_SELL", "CROSS_SELL", "NEW"]
    references = {(e.selling_reference_line_id, e.selling_reference_id) for e in deal.lines[:4]}
    assert references == {(won.lines[0].id, won.id)}
    stranger = await shelf.make(contact_id=uuid7(), lines=[_of(door, unit_price="10")])
    assert stranger.lines[0].selling == Line.SELLING_NEW


async def test_the_kind_of_sale_is_overruled_with_a_reason_only(shelf: Shelf) -> None:
    deal = await shelf.make(lines=[Line(name="Door", quantity="1", unit_price="10")])
    deal.lines[0].selling = Line.SELLING_CROSS_SELL
    async with Refused(shelf, errors.InvalidArgument, "VALUES_INVALID", "lines[0].selling_reason"):
        await shelf.change(deal)
    deal.lines[0].selling_reason = "Bought windows in the shop"
    deal = await shelf.change(deal)
    assert (deal.lines[0].selling_overruled, deal.lines[0].selling) == (True, Line.SELLING_CROSS_SELL)  # fmt: skip
    deal.lines[0].quantity = "2"
    assert (await shelf.change(deal)).lines[0].selling == Line.SELLING_CROSS_SELL
