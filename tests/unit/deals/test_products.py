"""Tax classes, price lists, and how lines are completed."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from services.deals import errors
from services.deals.rules import days, lines, prices, products, selling
from services.deals.rules.lines import Line, Place
from services.deals.rules.prices import PriceList
from services.deals.rules.products import Product, TaxClass
from services.deals.rules.selling import Bought

ANY, COMPANY, PERSON = PriceList.PARTY_UNSPECIFIED, PriceList.PARTY_COMPANY, PriceList.PARTY_PERSON


def _day(text: str) -> Any:
    return days.to_date(date.fromisoformat(text))


def _tax(*rates: tuple[str, str, str]) -> TaxClass:
    made = TaxClass(key="standard", name="Standard")
    for percent, first, last in rates:
        made.rates.add(
            percent=percent,
            from_date=_day(first) if first else None,
            until_date=_day(last) if last else None,
        )
    return made


# -- taxes ------------------------------------------------------------------------------------------------


def test_a_change_of_the_rate_is_data() -> None:
    entry = _tax(("23", "2011-01-01", ""), ("22", "", "2010-12-31"))
    products.check_tax_class(entry, None)
    assert [rate.percent for rate in entry.rates] == ["22", "23"]
    assert products.rate_on(entry, date(2010, 12, 31)) == "22"
    assert products.rate_on(entry, date(2011, 1, 1)) == "23"
    assert products.rate_on(_tax(("5", "2026-01-01", "2026-01-31")), date(2026, 2, 1)) is None


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        ([("23", "2026-01-01", ""), ("22", "", "2026-01-01")], "rates[0].from_date: 2026-01-01 lies in the days of rates[1], since ever until 2026-01-01"),
        ([("23", "2026-01-02", "2026-01-01")], "rates[0].until_date: 2026-01-01 is before the first day, 2026-01-02"),
        ([("1000.01", "", "")], "rates[0].percent: 1000.01 is no percentage between 0 and 1000"),
    ],
)  # fmt: skip
def test_rates_that_cannot_be_are_refused(rates: list[tuple[str, str, str]], said: str) -> None:
    with pytest.raises(errors.ValuesInvalid) as refused:
        products.check_tax_class(_tax(*rates), None)
    assert [f"{each.field}: {each.description}" for each in refused.value.violations] == [said]


def test_a_day_that_is_none_is_refused() -> None:
    entry = _tax(("23", "2026-01-01", ""))
    entry.rates[0].from_date.month = 13
    with pytest.raises(errors.ValuesInvalid) as refused:
        products.check_tax_class(entry, None)
    assert [each.field for each in refused.value.violations] == ["rates[0].from_date"]


def test_companies_begin_with_the_taxes_of_their_country() -> None:
    def rates(country: str) -> list[str]:
        return [entry.rates[0].percent for entry in products.first_tax_classes(country)]

    assert rates("PL") == ["23", "8", "5", "0"]
    assert rates("ID") == ["11", "0"]
    assert sorted(rates("MY"), key=int) == ["0", "6", "8", "10"]
    assert rates("NZ") == []


# -- prices -----------------------------------------------------------------------------------------------


def _price(price: str, **given: Any) -> prices.Price:
    return prices.Price(**{
        "list_id": "l", "product_id": "p", "from_quantity": Decimal(0), "unit_price": Decimal(price), "tax_included": False,
        "party": ANY, "label_ids": frozenset(), "from_date": date(2026, 1, 1), "published": datetime(2026, 1, 1, tzinfo=UTC), **given,
    })  # fmt: skip


def _chosen(known: list[prices.Price], quantity: str = "1", **of: Any) -> str:
    found = prices.choose(
        known, "p", Decimal(quantity), party=of.get("party", PERSON), labels=of.get("labels", ())
    )
    return str(found.unit_price) if found else ""


def test_the_newest_list_gives_the_price_and_within_it_the_largest_break() -> None:
    known = [
        _price("10"),
        _price("9", from_date=date(2026, 3, 1), list_id="m"),
        _price("8", from_date=date(2026, 3, 1), list_id="m", from_quantity=Decimal(10)),
        _price("1", product_id="q", from_date=date(2026, 4, 1)),
    ]
    assert [_chosen(known, quantity) for quantity in ("1", "9.99", "10", "500")] == ["9", "9", "8", "8"]  # fmt: skip
    assert _chosen([_price("8", from_quantity=Decimal(10))], "9") == ""


def test_a_list_for_the_customer_goes_before_a_newer_one_for_everybody() -> None:
    known = [
        _price("10", from_date=date(2026, 3, 1)),
        _price("9", party=COMPANY, list_id="m"),
        _price("8", label_ids=frozenset({"gold"}), list_id="n"),
    ]
    assert _chosen(known) == "10"
    assert _chosen(known, party=COMPANY) == "9"
    assert _chosen(known, party=COMPANY, labels=["gold"]) == "8"


def _list(**given: Any) -> PriceList:
    made = PriceList(name="2026", currency="PLN", state=PriceList.STATE_DRAFT, version=1, **given)
    if not made.prices:
        made.prices.add(product_id="p", unit_price="10")
    return made


def test_prices_that_cannot_be_told_apart_are_refused() -> None:
    entry = _list()
    entry.prices.add(product_id="p", unit_price="-1", from_quantity="0")
    entry.prices.add(product_id="q", unit_price="1", from_quantity="0.0000001")
    with pytest.raises(errors.ValuesInvalid) as refused:
        prices.check(entry, None)
    assert [each.field for each in refused.value.violations] == [
        "prices[1].unit_price", "prices[1]", "prices[2].from_quantity",
    ]  # fmt: skip


def test_of_a_published_list_only_name_and_last_day_change() -> None:
    old = _list(group="standard", from_date=_day("2026-01-01"))
    prices.put_in_force(old, today=date(2026, 5, 1))
    new = PriceList()
    new.CopyFrom(old)
    new.name = "Winter"
    new.until_date.CopyFrom(_day("2026-12-31"))
    prices.check(new, old)
    new.prices[0].unit_price, new.currency = "11", "EUR"
    new.from_date.day = 2
    with pytest.raises(errors.PricesFixed) as refused:
        prices.check(new, old)
    assert [each.field for each in refused.value.violations] == ["currency", "from_date", "prices"]


def test_a_new_version_ends_the_old_one_the_day_before() -> None:
    old = _list(from_date=_day("2026-01-01"))
    prices.put_in_force(old, today=date(2026, 5, 1))
    new = prices.next_version(old)
    assert (new.version, new.supersedes_id, new.state) == (2, old.id, PriceList.STATE_DRAFT)
    assert list(new.prices) == list(old.prices)
    new.from_date.CopyFrom(_day("2026-03-01"))
    assert prices.end_before(old, new)
    assert old.until_date == _day("2026-02-28")
    assert not prices.end_before(old, new)
    new.from_date.CopyFrom(_day("2026-01-01"))
    with pytest.raises(errors.ValuesInvalid, match="1 value"):
        prices.end_before(old, new)


def test_a_list_is_published_once_and_never_empty() -> None:
    entry = _list()
    prices.put_in_force(entry, today=date(2026, 5, 1))
    assert entry.from_date == _day("2026-05-01")
    with pytest.raises(errors.PriceListWrongState):
        prices.put_in_force(entry, today=date(2026, 5, 1))
    empty = _list()
    del empty.prices[:]
    with pytest.raises(errors.ValuesInvalid):
        prices.put_in_force(empty, today=date(2026, 5, 1))


# -- lines ------------------------------------------------------------------------------------------------

_PRODUCT = Product(
    id="p", sku="W-1", name="Window", unit="pc", family_id="f", tax_class_id="t", unit_cost="70"
)


def test_a_product_fills_what_was_left_empty_and_its_cost_in_its_own_currency_only() -> None:
    typed = Place(0, Line(product_id="p", name="My window"), None, _PRODUCT)
    lines.take_product(typed, "PLN", "PLN")
    assert (typed.line.sku, typed.line.name, typed.line.unit) == ("W-1", "My window", "pc")
    assert (typed.line.family_id, typed.line.tax_class_id, typed.line.unit_cost) == ("f", "t", "70")
    foreign = Place(0, Line(product_id="p"), None, _PRODUCT)
    lines.take_product(foreign, "PLN", "EUR")
    assert foreign.line.unit_cost == ""


def test_a_kept_line_stays_as_it_was_written_whatever_is_sent() -> None:
    before = Line(
        id="1", product_id="p", sku="OLD-1", unit_cost="60", tax_percent="22", tax_class_id="t", family_id="f",
        unit_price="100", price_list_id="l", quantity="1",
    )  # fmt: skip
    line = Line(
        id="1", product_id="p", sku="MINE", tax_percent="0", tax_class_id="t", unit_price="100", quantity="1",
        price_list_id="forged", unknown_sku=True, selling_overruled=True,
    )  # fmt: skip
    [place] = lines.places([line], [before])
    place.product = _PRODUCT
    lines.restore(place)
    lines.take_product(place, "PLN", "PLN")
    lines.flag_unknown(place)
    assert not lines.needs_tax(place)
    assert not lines.wants_price(place)
    assert line == before


@pytest.mark.parametrize(
    ("changed", "asked", "list_id"),
    [({"quantity": "10"}, True, "l"), ({"unit_price": ""}, True, "l"), ({"unit_price": "90"}, False, "")],
)  # fmt: skip
def test_a_list_is_asked_again_for_another_quantity_and_never_over_a_typed_price(
    changed: dict[str, str], asked: bool, list_id: str
) -> None:
    before = Line(id="1", product_id="p", unit_price="100", price_list_id="l", quantity="1")
    line = Line(id="1", **{"product_id": "p", "unit_price": "100", "quantity": "1", **changed})
    [place] = lines.places([line], [before])
    lines.restore(place)
    assert lines.wants_price(place) == asked
    assert line.price_list_id == list_id


@pytest.mark.parametrize(
    ("price", "in_list", "wanted", "expected"),
    [("100", False, True, "123.00"), ("9.99", True, False, "8.1220"), ("0.33", False, True, "0.4059"), ("100", True, True, "100")],
)  # fmt: skip
def test_a_price_that_is_meant_the_other_way_is_converted(
    price: str, in_list: bool, wanted: bool, expected: str
) -> None:
    place = Place(0, Line(product_id="p", quantity="1", tax_percent="23"), None)
    known = [_price(price, tax_included=in_list)]
    lines.take_price(place, known, party=PERSON, labels=(), tax_included=wanted, currency="PLN")
    assert (place.line.unit_price, place.line.price_list_id) == (expected, "l")


def test_a_measured_quantity_comes_by_the_products_key_or_as_the_only_number() -> None:
    keyed = Product(quantity_key="count")
    line = Line(quantity_task_id="t")
    assert lines.take_quantity(Place(0, line, None, keyed), {"count": "6", "width": "900"}) == []
    assert line.quantity == "6"
    assert lines.take_quantity(Place(0, line, None), {"width": "900"}) == []
    assert line.quantity == "900"
    for product, measured in ((keyed, {"width": "1"}), (None, {"a": "1", "b": "2"}), (keyed, None)):
        [refused] = lines.take_quantity(Place(3, line, None, product), measured)
        assert refused.field == "lines[3].quantity_task_id"
    assert line.quantity == "900"


def test_a_quantity_that_is_typed_later_is_not_the_tasks_any_more() -> None:
    before = Line(id="1", quantity_task_id="t", quantity="6")
    line = Line(id="1", quantity_task_id="t", quantity="7")
    [place] = lines.places([line], [before])
    assert not lines.wants_quantity(place)
    assert line.quantity_task_id == ""
    [same] = lines.places([Line.FromString(before.SerializeToString())], [before])
    assert not lines.wants_quantity(same)


# -- cross-sell and up-sell -------------------------------------------------------------------------------


def _sold(product: str, family: str, quantity: str, net: str) -> Bought:
    line = Line(id=f"line-{product}", product_id=product, family_id=family, quantity=quantity, net=net)  # fmt: skip
    return Bought(line, "deal", "PLN")


@pytest.mark.parametrize(
    ("line", "bought", "expected", "reference"),
    [
        (("p", "f", "1", "10"), [], "NEW", ""),
        (("", "", "1", "10"), [_sold("p", "f", "1", "10")], "NEW", ""),
        (("p", "f", "1", "12"), [_sold("p", "f", "1", "10")], "REPEAT", "line-p"),
        (("p", "f", "2", "20"), [_sold("p", "f", "1", "10")], "UP_SELL", "line-p"),
        (("q", "f", "1", "11"), [_sold("p", "f", "1", "10")], "UP_SELL", "line-p"),
        (("q", "f", "1", "9"), [_sold("p", "f", "1", "10")], "REPEAT", "line-p"),
        (("q", "g", "1", "9"), [_sold("p", "f", "1", "10"), _sold("o", "h", "1", "1")], "CROSS_SELL", "line-p"),
    ],
)  # fmt: skip
def test_selling_is_derived_from_what_the_customer_bought(
    line: tuple[str, ...], bought: list[Bought], expected: str, reference: str
) -> None:
    product, family, quantity, net = line
    made = Line(product_id=product, family_id=family, quantity=quantity, net=net)
    found = selling.derive(made, "PLN", bought)
    assert Line.Selling.Name(found.selling) == f"SELLING_{expected}"
    assert (found.reference.line.id if found.reference else "") == reference


def test_selling_is_overruled_with_a_reason_only_and_stays_so() -> None:
    found = selling.Found(Line.SELLING_REPEAT, _sold("p", "f", "1", "10"))
    place = Place(0, Line(selling=Line.SELLING_UP_SELL), None)
    assert [each.field for each in selling.apply(place, found)] == ["lines[0].selling_reason"]
    place.line.selling_reason = "Twice as large"
    assert selling.apply(place, found) == []
    assert (place.line.selling_overruled, place.line.selling) == (True, Line.SELLING_UP_SELL)
    again = Place(0, Line.FromString(place.line.SerializeToString()), place.line)
    assert selling.apply(again, found) == []
    assert again.line == place.line


def test_selling_that_is_only_sent_back_follows_what_is_found() -> None:
    before = Line(id="1", selling=Line.SELLING_NEW)
    place = Place(0, Line(id="1", selling=Line.SELLING_NEW), before)
    found = selling.Found(Line.SELLING_CROSS_SELL, _sold("p", "f", "1", "10"))
    assert selling.apply(place, found) == []
    assert (place.line.selling, place.line.selling_reference_id) == (
        Line.SELLING_CROSS_SELL,
        "deal",
    )
