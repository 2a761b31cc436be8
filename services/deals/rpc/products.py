"""Products, their families, taxes and price lists."""

from typing import Any
from zoneinfo import ZoneInfo

from chassis.errors import Violation
from chassis.handlers import Servicer, writes
from chassis.kit.resource import Resource
from chassis.kit.standard import standard
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.deals.v1 import price_list_pb2, product_events_pb2, product_family_pb2, product_pb2
from crm.deals.v1 import tax_class_pb2 as tax_pb2
from services.deals import errors, people, store
from services.deals.rules import catalogues, days
from services.deals.rules import prices as price_rules
from services.deals.rules import products as rules

PriceList = price_list_pb2.PriceList
Product = product_pb2.Product

_MOST_NAMED = 20
"""So many prices are named that overlap; who mends these sees the next."""


async def check_product(tx: Tx, new: Product, old: Product | None) -> None:
    """What every product passes, whoever makes it."""
    rules.normalise_product(new)
    missing = []
    for field, resource in (("family_id", store.product_families), ("tax_class_id", store.tax_classes)):  # fmt: skip
        id = getattr(new, field)
        added = id and (old is None or id != getattr(old, field))
        if added and await resource.find(tx, id) is None:
            missing.append((field, f"{resource.object} {id}"))
    if missing:
        raise errors.ReferenceUnknown(missing)


async def check_family(
    tx: Tx, new: product_family_pb2.ProductFamily, old: product_family_pb2.ProductFamily | None
) -> None:
    catalogues.normalise(new)


async def check_tax_class(tx: Tx, new: tax_pb2.TaxClass, old: tax_pb2.TaxClass | None) -> None:
    catalogues.normalise(new)
    rules.check_tax_class(new, old)


async def _refuse_named(tx: Tx, resource: Resource[Any], entry: Any) -> None:
    """StillNamed while a product has the family or tax class."""
    product = await store.product_naming(tx, resource, entry.id)
    if product is not None:
        noun = resource.object.replace("_", " ")
        raise errors.StillNamed(noun, f"product {product.sku}")


async def family_goes(tx: Tx, entry: product_family_pb2.ProductFamily) -> None:
    await _refuse_named(tx, store.product_families, entry)


async def tax_class_goes(tx: Tx, entry: tax_pb2.TaxClass) -> None:
    await _refuse_named(tx, store.tax_classes, entry)


async def check_price_list(tx: Tx, new: PriceList, old: PriceList | None) -> None:
    """A draft may be anything that can be published; of a published list only name and last day change."""
    if old is None:
        new.state, new.version = PriceList.STATE_DRAFT, 1
    new.currency = new.currency or people.currency_of(tx)
    price_rules.check(new, old)
    await _refuse_unknown_products(tx, new, old)
    if new.state == PriceList.STATE_PUBLISHED:
        await _refuse_overlap(tx, new)
        await store.end_prices(tx, new.id, days.day_of(new, "until_date"))


async def _refuse_unknown_products(tx: Tx, new: PriceList, old: PriceList | None) -> None:
    known = {price.product_id for price in old.prices} if old is not None else set()
    added = {price.product_id for price in new.prices} - known
    living = {product.id for product in await store.products.find_many(tx, sorted(added))}
    missing = [
        (f"prices[{at}].product_id", f"product {price.product_id}")
        for at, price in enumerate(new.prices)
        if price.product_id in added - living
    ]
    if missing:
        raise errors.ReferenceUnknown(missing[:_MOST_NAMED])


async def _refuse_overlap(tx: Tx, entry: PriceList) -> None:
    """PriceOverlap if another published list of the group prices one of the products on one of the days."""
    await tx.lock(f"price-lists {entry.group} {entry.currency}")
    places = {price.product_id: at for at, price in reversed(list(enumerate(entry.prices)))}
    found = await store.overlapping_prices(tx, entry)
    wrong = [
        Violation(
            f"prices[{places[product_id]}].product_id",
            f"has a price in {other.name!r} {days.shown(first, last)} already; end that list before, or begin after it",
        )
        for product_id, first, last, other in sorted(found, key=lambda each: places[each[0]])
    ]
    if wrong:
        raise errors.PriceOverlap(wrong[:_MOST_NAMED])


async def price_list_goes(tx: Tx, entry: PriceList) -> None:
    """A draft may be deleted; what was published stays, and ends by its last day."""
    if entry.state == PriceList.STATE_PUBLISHED:
        raise errors.PriceListWrongState("deleted", "published", "a draft; end it by until_date")


class Products(standard(store.products, on_save=check_product), Servicer):  # type: ignore[misc]
    """`/v1/products`."""


class Families(
    standard(store.product_families, on_save=check_family, on_delete=family_goes),  # type: ignore[misc]
    Servicer,
):
    """`/v1/productFamilies`."""


class TaxClasses(
    standard(store.tax_classes, on_save=check_tax_class, on_delete=tax_class_goes),  # type: ignore[misc]
    Servicer,
):
    """`/v1/taxClasses`."""


class PriceLists(
    standard(store.price_lists, on_save=check_price_list, on_delete=price_list_goes),  # type: ignore[misc]
    Servicer,
):
    """`/v1/priceLists`."""

    @writes
    async def PublishPriceList(
        self, request: price_list_pb2.PublishPriceListRequest, tx: Tx
    ) -> PriceList:
        entry = await store.price_lists.get(tx, request.id, etag=request.etag)
        price_rules.put_in_force(
            entry, today=tx.now.astimezone(ZoneInfo(people.zone_of(tx))).date()
        )
        entry.publish_time.CopyFrom(to_timestamp(tx.now))
        await _supersede(tx, entry)
        await _refuse_overlap(tx, entry)
        store.price_lists.save(tx, entry)
        await store.add_prices(tx, entry)
        tx.emit(product_events_pb2.PriceListPublished(price_list=entry))
        return entry

    @writes
    async def NewVersionOfPriceList(
        self, request: price_list_pb2.NewVersionOfPriceListRequest, tx: Tx
    ) -> PriceList:
        old = await store.price_lists.get(tx, request.id)
        if old.state != PriceList.STATE_PUBLISHED:
            raise errors.PriceListWrongState("given a new version", "a draft", "published")
        made = price_rules.next_version(old)
        made.id = tx.new_id()
        if request.HasField("from_date"):
            made.from_date.CopyFrom(request.from_date)
        price_rules.check(made, None)
        store.price_lists.save(tx, made)
        return made


async def _supersede(tx: Tx, entry: PriceList) -> None:
    """The list whose place this one takes ends the day before."""
    if not entry.supersedes_id:
        return
    old = await store.price_lists.find(tx, entry.supersedes_id)
    if old is not None and price_rules.end_before(old, entry):
        store.price_lists.save(tx, old)
        await store.end_prices(tx, old.id, days.day_of(old, "until_date"))


class ProductsRpcs(Products, Families, TaxClasses, PriceLists):
    """Every RPC about products and what they cost."""

    service = "crm.deals.v1.ProductsService"
