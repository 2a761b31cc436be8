"""Lines of price lists: how many a list holds, on which days they may stand, and how products travel with their prices."""

from datetime import date
from typing import Any

import pytest

from chassis.keys import uuid7
from chassis.kit.imports.adapter import LineRefused, Terms
from crm.common.v1 import imports_pb2 as pb
from crm.deals.v1.price_list_pb2 import Price, PriceList
from services.deals import import_price_lines as lines
from services.deals.import_price_lines import Draft, Priced, Span

PRODUCT, LIST = uuid7(), uuid7()


def terms(**options: Any) -> Terms:
    facts: dict[str, Any] = {"currency": "PLN", "told": {}, "labels": {}, "sources": {}}
    imported = pb.Import(options=pb.ImportOptions(**options))
    return Terms(imported=imported, fields=(), region="", actor_user_id="", facts=facts)


def read(of: Terms, spans: tuple[Span, ...] = (), **cells: str) -> Draft:
    """A line that says this, its product found."""
    said = {"name": "A", "sku": "W-1", "unit_price": "10", **cells}
    draft = lines.read(of, [(0, target, cell) for target, cell in said.items()])
    draft.product, draft.price.product_id = Priced(PRODUCT, "W-1", spans), PRODUCT
    return draft


def span(first: str, last: str, *, group: str = "standard", currency: str = "PLN") -> Span:
    return Span(uuid7(), "B", group, currency, date.fromisoformat(first), date.fromisoformat(last))


def test_a_list_holds_so_many_prices() -> None:
    one, full = terms(), PriceList(id=LIST, name="A", group="standard", currency="PLN")
    full.prices.extend(Price(product_id=uuid7(), unit_price="1") for _ in range(1999))
    lines.add(one, full, read(one, from_quantity="1"))
    with pytest.raises(LineRefused, match="'A' holds 2000 prices, as many as a list may; name another list"):  # fmt: skip
        lines.add(one, full, read(one, from_quantity="2"))
    lines.add(one, full, read(one, from_quantity="1.0"))
    assert len(full.prices) == 2000


@pytest.mark.parametrize(
    ("other", "overlaps"),
    [
        (span("2031-01-01", "2031-12-31"), True), (span("2030-01-01", "2031-01-01"), True),
        (span("2031-06-30", "9999-12-31"), True), (span("2030-01-01", "2030-12-31"), False),
        (span("2031-07-01", "9999-12-31"), False), (span("2031-01-01", "2031-12-31", group="other"), False),
        (span("2031-01-01", "2031-12-31", currency="EUR"), False),
    ],
    ids=["within", "first day", "last day", "before", "after", "other group", "other currency"],
)  # fmt: skip
def test_days_overlap_to_the_day(other: Span, overlaps: bool) -> None:
    one, made = terms(), PriceList(id=LIST)
    draft = read(one, (other,), from_date="2031-01-01", until_date="2031-06-30")
    if not overlaps:
        lines.begin(one, made, draft)
        assert [price.product_id for price in made.prices] == [PRODUCT]
        return
    with pytest.raises(LineRefused, match="W-1 has a price in 'B' from"):
        lines.begin(one, made, draft)
    assert made == PriceList(id=LIST)


def test_a_new_version_may_stand_beside_the_list_whose_place_it_takes() -> None:
    old = span("2031-01-01", "9999-12-31")
    version = PriceList(id=LIST, name="A", group="standard", currency="PLN", supersedes_id=old.list_id)  # fmt: skip
    one = terms()
    lines.add(one, version, read(one, (old,)))
    assert len(version.prices) == 1


def test_a_body_that_runs_again_remembers_the_same() -> None:
    one = terms()
    for _ in range(2):
        lines.begin(one, PriceList(id=LIST), read(one))
    assert [list(each) for each in one.facts["told"].values()] == [[LIST]]


def test_products_travel_with_their_days() -> None:
    product = Priced(PRODUCT, "W-1", (span("0001-01-01", "9999-12-31"), span("2031-01-01", "2031-02-01")))  # fmt: skip
    assert Priced.FromString(product.doc()) == product
