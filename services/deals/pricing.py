"""What the lines of a deal, quote or invoice cost: products, prices, tax, what they come to, and what kind of sale each is."""

from collections.abc import Iterable
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from chassis.errors import Violation
from chassis.tx import Tx
from crm.deals.v1 import price_list_pb2
from services.deals import errors, people, store
from services.deals.money import limits
from services.deals.money import lines as money
from services.deals.rules import lines as rules
from services.deals.rules import prices as price_rules
from services.deals.rules import selling
from services.deals.rules.lines import Place

PriceList = price_list_pb2.PriceList

_MEANT = ("currency", "tax_included")
"""What says how all prices of a record are meant."""


async def price_lines(
    tx: Tx, record: Any, *, contact_id: str, company_id: str, old: Any | None, on: date | None = None
) -> None:  # fmt: skip
    """Completes the lines of a record from products, taxes, price lists and done tasks, and fills its totals.

    `old` is the record before, or the one from which its lines were copied: a line with an id that stands there keeps tax,
    price and cost as they were written, unless what is sold or typed changes. `on`: the day whose taxes and prices hold,
    today in the company's zone where it is left out. Refuses by ReferenceUnknown, NotMeasured or ValuesInvalid, each naming
    all that is wrong.
    """
    if old is not None and rules.unchanged(record, old):
        return
    for line in record.lines:
        line.id = line.id or tx.new_id()
    places = rules.places(record.lines, old.lines if old is not None else ())
    wrong = rules.repeated_ids(places)
    day = on or tx.now.astimezone(ZoneInfo(people.zone_of(tx))).date()
    wrong += await _take_products(tx, record, places)
    await _take_quantities(tx, record, places)
    wrong += await _take_taxes(tx, places, day)
    await _take_prices(tx, record, old, places, day, for_company=bool(company_id))
    wrong += limits.wrong_lines(record.lines, record.currency)
    wrong += limits.wrong_discount(record.discount_percent, record.discount_amount, record.currency)
    if wrong:
        raise errors.ValuesInvalid(wrong)
    for place in places:
        rules.spell_numbers(place.line)
    _come_to(record)
    await _take_selling(tx, record, places, {contact_id, company_id} - {""})


def _come_to(record: Any) -> None:
    totals = money.price(
        record.lines,
        currency=record.currency,
        tax_included=record.tax_included,
        discount_percent=record.discount_percent,
        discount_amount=record.discount_amount,
    )
    record.totals.CopyFrom(totals)


async def _take_products(tx: Tx, record: Any, places: Iterable[Place]) -> list[Violation]:
    """Products by id, or by number where only that is given; a line may keep one that is gone or retired meanwhile."""
    free = [place for place in places if not place.line.product_id and place.line.sku]
    by_sku = await store.products_with_skus(tx, {place.line.sku for place in free})
    for place in free:
        if found := by_sku.get(store.sku_key(place.line.sku)):
            place.line.product_id = found.id
    ids = {place.line.product_id for place in places} - {""}
    by_id = {product.id: product for product in await store.products.find_many(tx, sorted(ids))}
    missing, wrong = [], []
    for place in places:
        id = place.line.product_id
        place.product = by_id.get(id)
        if id and place.product is None and not place.kept:
            missing.append((place.path("product_id"), f"product {id}"))
        elif place.product is not None and place.product.retired and not place.kept:
            said = f"{place.product.sku} is retired and offered no more; choose another product"
            wrong.append(Violation(place.path("product_id"), said))
        rules.restore(place)
        rules.take_product(place, people.currency_of(tx), record.currency)
        rules.flag_unknown(place)
    if missing:
        raise errors.ReferenceUnknown(missing)
    return wrong


async def _take_quantities(tx: Tx, record: Any, places: Iterable[Place]) -> None:
    """NotMeasured unless each task that is named was done for the deal and measured what is wanted."""
    asking = [place for place in places if rules.wants_quantity(place)]
    deal_id = getattr(record, "deal_id", record.id)
    task_ids = {place.line.quantity_task_id for place in asking}
    measured = await store.measurements_of(tx, deal_id, task_ids)
    wrong = []
    for place in asking:
        wrong += rules.take_quantity(place, measured.get(place.line.quantity_task_id))
    if wrong:
        raise errors.NotMeasured(wrong)


async def _take_taxes(tx: Tx, places: Iterable[Place], day: date) -> list[Violation]:
    asking = [place for place in places if rules.needs_tax(place)]
    ids = {place.line.tax_class_id for place in asking} - {""}
    known = {each.id: each for each in await store.tax_classes.find_many(tx, sorted(ids))}
    missing, wrong = [], []
    for place in asking:
        id = place.line.tax_class_id
        if id and id not in known:
            missing.append((place.path("tax_class_id"), f"tax class {id}"))
        wrong += rules.take_tax(place, known.get(id), day)
    if missing:
        raise errors.ReferenceUnknown(missing)
    return wrong


async def _take_prices(
    tx: Tx, record: Any, old: Any | None, places: Iterable[Place], day: date, *, for_company: bool
) -> None:
    """The lists' prices where nobody typed one, and what they would have given where somebody did."""
    places = list(places)
    untyped = [place for place in places if rules.wants_price(place)]
    anew = old is None or any(getattr(record, f) != getattr(old, f) for f in _MEANT)
    compared = [place for place in places if rules.wants_published(place, anew=anew)]
    if not untyped and not compared:
        return
    product_ids = sorted({place.line.product_id for place in (*untyped, *compared)})
    rows = await store.valid_prices(tx, product_ids, record.currency, day)
    known = [_price(row) for row in rows]
    party = PriceList.PARTY_COMPANY if for_company else PriceList.PARTY_PERSON
    whose = {"party": party, "labels": await _labels(tx, record), **{f: getattr(record, f) for f in _MEANT}}  # fmt: skip
    for place in untyped:
        rules.take_price(place, known, **whose)
    for place in compared:
        rules.take_published(place, known, **whose)


def _price(row: Any) -> price_rules.Price:
    return price_rules.Price(
        list_id=str(row["list_id"]), product_id=str(row["product_id"]), from_quantity=row["from_quantity"],
        unit_price=row["unit_price"], tax_included=row["tax_included"], party=row["party"],
        label_ids=frozenset(map(str, row["label_ids"])), from_date=row["from_date"], published=row["publish_time"],
    )  # fmt: skip


async def _labels(tx: Tx, record: Any) -> list[str]:
    """The labels of the deal that the record is, or belongs to."""
    if hasattr(record, "label_ids"):
        return list(record.label_ids)
    deal = await store.deals.find(tx, record.deal_id) if record.deal_id else None
    return list(deal.label_ids) if deal is not None else []


async def _take_selling(tx: Tx, record: Any, places: Iterable[Place], parties: set[str]) -> None:
    """Compares each line with the won deals of the customer, other than this one."""
    deal_id = getattr(record, "deal_id", record.id)
    bought = [
        selling.Bought(line, deal.id, deal.currency)
        for deal in await store.won_deals_of(tx, sorted(parties))
        if deal.id != deal_id
        for line in deal.lines
    ]
    wrong = []
    for place in places:
        found = selling.derive(place.line, record.currency, bought)
        wrong += selling.apply(place, found)
    if wrong:
        raise errors.ValuesInvalid(wrong)
