"""Products, their families and taxes, and price lists, by their RPCs."""

import asyncio
from typing import Any

import pytest_asyncio

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Installation, Tenant
from crm.common.v1.common_pb2 import CUSTOM_FIELD_TYPE_TEXT, CustomField
from crm.deals.v1 import (
    customization_pb2,
    price_list_pb2,
    product_family_pb2,
    product_pb2,
    tax_class_pb2,
)
from crm.identity.v1 import events_pb2 as identity_events
from crm.identity.v1.tenant_pb2 import Tenant as Company
from services.deals import consumers_products
from tests.service.deals.moving import system
from tests.service.deals.shelf import PriceList, Product, Shelf, day
from tests.service.worlds import Refused


@pytest_asyncio.fixture
async def shelf(running: Installation, tenant: Tenant) -> Shelf:
    return Shelf(running, tenant)


# -- products ---------------------------------------------------------------------------------------------


async def test_a_product_is_found_by_its_number_and_its_name(shelf: Shelf) -> None:
    window = await shelf.product(" W-1 ", name="Window  90x120", unit_cost="70")
    await shelf.product("D-1", name="Door")
    assert (window.sku, window.name) == ("W-1", "Window 90x120")
    for q in ("w-1", "window"):
        listed = await shelf.products.ListProducts(product_pb2.ListProductsRequest(q=q))
        assert [product.id for product in listed.products] == [window.id]
    [created, _] = await shelf.events("ProductCreated", 2)
    assert created["product"]["sku"] == "W-1"


async def test_a_number_is_one_products_whatever_its_case(shelf: Shelf) -> None:
    await shelf.product("W-1")
    async with Refused(shelf, errors.AlreadyExists, "KEY_TAKEN", "sku"):
        await shelf.product("w-1")


async def test_a_product_of_what_is_not_there_is_refused(shelf: Shelf) -> None:
    async with Refused(
        shelf, errors.InvalidArgument, "REFERENCE_UNKNOWN", "family_id", "tax_class_id"
    ):
        await shelf.product(family_id=uuid7(), tax_class_id=uuid7())


async def test_a_product_that_cannot_be_is_refused_by_every_field(shelf: Shelf) -> None:
    async with Refused(
        shelf, errors.InvalidArgument, "VALUES_INVALID", "name", "unit_cost", "cost_currency"
    ):
        await shelf.product(name="  ", unit_cost="-1", cost_currency="ABC")


async def test_a_family_and_a_tax_class_stay_while_a_product_names_them(shelf: Shelf) -> None:
    family, tax = await shelf.family("Windows"), await shelf.tax()
    product = await shelf.product(family_id=family, tax_class_id=tax)
    gone_family = product_family_pb2.DeleteProductFamilyRequest(id=family)
    gone_tax = tax_class_pb2.DeleteTaxClassRequest(id=tax)
    async with Refused(shelf, errors.FailedPrecondition, "STILL_NAMED", "id"):
        await shelf.products.DeleteProductFamily(gone_family)
    async with Refused(shelf, errors.FailedPrecondition, "STILL_NAMED", "id"):
        await shelf.products.DeleteTaxClass(gone_tax)
    await shelf.products.DeleteProduct(product_pb2.DeleteProductRequest(id=product.id))
    assert (await shelf.products.DeleteProductFamily(gone_family)).HasField("delete_time")
    assert (await shelf.products.DeleteTaxClass(gone_tax)).HasField("delete_time")


async def test_rates_that_hold_on_one_day_are_refused(shelf: Shelf) -> None:
    entry = tax_class_pb2.TaxClass(key="standard", name="Standard")
    entry.rates.add(percent="23", from_date=day("2011-01-01"))
    entry.rates.add(percent="22")
    async with Refused(shelf, errors.InvalidArgument, "VALUES_INVALID", "rates[0].from_date"):
        await shelf.products.CreateTaxClass(tax_class_pb2.CreateTaxClassRequest(tax_class=entry))


async def test_the_key_of_a_tax_class_stays(shelf: Shelf) -> None:
    id = await shelf.tax()
    request = tax_class_pb2.UpdateTaxClassRequest(
        tax_class=tax_class_pb2.TaxClass(id=id, key="other")
    )
    request.update_mask.paths.append("key")
    async with Refused(shelf, errors.InvalidArgument, "KEY_FIXED", "key"):
        await shelf.products.UpdateTaxClass(request)


async def test_a_company_begins_with_the_taxes_of_its_country_once(shelf: Shelf) -> None:
    event = identity_events.TenantCreated(tenant=Company(id=shelf.tenant.id, country="PL"))
    for _ in range(2):
        await system(shelf, lambda tx: consumers_products.seed_taxes(event, tx))
    listed = await shelf.products.ListTaxClasses(tax_class_pb2.ListTaxClassesRequest())
    assert [entry.rates[0].percent for entry in listed.tax_classes] == ["23", "8", "5", "0"]


# -- price lists ------------------------------------------------------------------------------------------


def _change(entry: PriceList, *paths: str) -> price_list_pb2.UpdatePriceListRequest:
    request = price_list_pb2.UpdatePriceListRequest(price_list=entry)
    request.update_mask.paths.extend(paths)
    return request


async def test_a_price_list_is_published_once_and_told(shelf: Shelf) -> None:
    product = await shelf.product()
    draft = await shelf.price_list({product.id: "100"}, publish=False)
    assert (draft.state, draft.group, draft.currency) == (PriceList.STATE_DRAFT, "standard", "PLN")
    made = await shelf.publish(draft.id)
    assert made.state == PriceList.STATE_PUBLISHED
    [told] = await shelf.events("PriceListPublished")
    assert told["priceList"]["prices"] == [{"productId": product.id, "unitPrice": "100"}]
    async with Refused(shelf, errors.FailedPrecondition, "PRICE_LIST_WRONG_STATE"):
        await shelf.publish(draft.id)


async def test_a_published_list_keeps_its_prices_and_may_end(shelf: Shelf) -> None:
    product = await shelf.product()
    made = await shelf.price_list({product.id: "100"})
    made.prices[0].unit_price = "99"
    async with Refused(shelf, errors.FailedPrecondition, "PRICES_FIXED", "prices"):
        await shelf.products.UpdatePriceList(_change(made, "prices"))
    async with Refused(shelf, errors.FailedPrecondition, "PRICE_LIST_WRONG_STATE"):
        await shelf.products.DeletePriceList(price_list_pb2.DeletePriceListRequest(id=made.id))
    made.until_date.CopyFrom(day("2020-12-31"))
    await shelf.products.UpdatePriceList(_change(made, "until_date"))
    rows = await shelf.running.rows(
        "deals", "SELECT until_date FROM prices WHERE tenant_id = $1", shelf.tenant.id
    )
    assert [str(row["until_date"]) for row in rows] == ["2020-12-31"]


async def test_prices_that_overlap_in_one_group_are_refused_by_product_and_list(
    shelf: Shelf,
) -> None:
    one, other = await shelf.product("W-1"), await shelf.product("W-2")
    await shelf.price_list({one.id: "100"}, name="Old", until_date=day("2020-06-30"))
    late = await shelf.price_list(
        {other.id: "1", one.id: "101"}, name="New", publish=False, from_date=day("2020-06-30")
    )
    async with Refused(shelf, errors.AlreadyExists, "PRICE_OVERLAP", "prices[1].product_id") as no:
        await shelf.publish(late.id)
    assert "'Old' from 2020-01-01 until 2020-06-30" in no.error.violations[0].description
    await shelf.price_list({one.id: "90"}, group="wholesale")
    late.from_date.CopyFrom(day("2020-07-01"))
    await shelf.products.UpdatePriceList(_change(late, "from_date"))
    assert (await shelf.publish(late.id)).state == PriceList.STATE_PUBLISHED


async def test_a_list_that_is_prolonged_into_another_one_is_refused(shelf: Shelf) -> None:
    product = await shelf.product()
    old = await shelf.price_list({product.id: "100"}, until_date=day("2020-06-30"))
    await shelf.price_list({product.id: "101"}, from_date=day("2020-07-01"))
    old.until_date.CopyFrom(day("2020-07-01"))
    async with Refused(shelf, errors.AlreadyExists, "PRICE_OVERLAP", "prices[0].product_id"):
        await shelf.products.UpdatePriceList(_change(old, "until_date"))


async def test_of_twenty_lists_for_one_product_published_at_once_one_holds(shelf: Shelf) -> None:
    product = await shelf.product()
    drafts = [await shelf.price_list({product.id: str(at)}, publish=False) for at in range(20)]
    done = await asyncio.gather(*(shelf.publish(each.id) for each in drafts), return_exceptions=True)  # fmt: skip
    refused = [each for each in done if isinstance(each, errors.CrmError)]
    assert [each.reason for each in refused] == ["PRICE_OVERLAP"] * 19
    assert await shelf.count("prices") == 1


async def test_a_new_version_takes_the_place_of_the_old_one(shelf: Shelf) -> None:
    product = await shelf.product()
    old = await shelf.price_list({product.id: "100"})
    request = price_list_pb2.NewVersionOfPriceListRequest(id=old.id, from_date=day("2021-01-01"))
    draft = await shelf.products.NewVersionOfPriceList(request)
    assert (draft.version, draft.supersedes_id, draft.state) == (2, old.id, PriceList.STATE_DRAFT)
    draft.prices[0].unit_price = "110"
    await shelf.products.UpdatePriceList(_change(draft, "prices"))
    await shelf.publish(draft.id)
    ended = await shelf.products.GetPriceList(price_list_pb2.GetPriceListRequest(id=old.id))
    assert ended.until_date == day("2020-12-31")
    again = await shelf.products.NewVersionOfPriceList(request)
    first = PriceList(id=again.id, from_date=day("2020-01-01"))
    await shelf.products.UpdatePriceList(_change(first, "from_date"))
    async with Refused(shelf, errors.InvalidArgument, "VALUES_INVALID", "from_date"):
        await shelf.publish(again.id)


async def test_a_draft_has_no_new_version_and_an_empty_one_is_not_published(shelf: Shelf) -> None:
    draft = await shelf.price_list({}, publish=False)
    async with Refused(shelf, errors.FailedPrecondition, "PRICE_LIST_WRONG_STATE"):
        await shelf.products.NewVersionOfPriceList(
            price_list_pb2.NewVersionOfPriceListRequest(id=draft.id)
        )
    async with Refused(shelf, errors.InvalidArgument, "VALUES_INVALID", "prices"):
        await shelf.publish(draft.id)


async def test_prices_of_unknown_products_and_impossible_ones_are_refused(shelf: Shelf) -> None:
    product = await shelf.product()
    async with Refused(shelf, errors.InvalidArgument, "REFERENCE_UNKNOWN", "prices[1].product_id"):
        await shelf.price_list({product.id: "1", uuid7(): "1"})
    fields = ("until_date", "currency", "prices[0].unit_price")
    async with Refused(shelf, errors.InvalidArgument, "VALUES_INVALID", *fields):
        await shelf.price_list({product.id: "-1"}, currency="ABC", until_date=day("2019-01-01"))


async def test_who_may_not_write_products_may_not(shelf: Shelf) -> None:
    rights: Any = [{"object": "product", "action": "read", "scope": "all"}]
    reader = await shelf.tenant.person(rights)
    product = await shelf.product()
    stub = shelf.stub(reader, type(shelf.products))
    assert (await stub.GetProduct(product_pb2.GetProductRequest(id=product.id))).sku == "W-1"
    async with Refused(shelf, errors.PermissionDenied, "PERMISSION_DENIED"):
        await stub.CreateProduct(
            product_pb2.CreateProductRequest(product=Product(sku="X", name="X"))
        )


async def test_a_company_adds_fields_of_its_own_to_products(shelf: Shelf) -> None:
    await shelf.admin.CreateCustomField(
        customization_pb2.CreateCustomFieldRequest(
            custom_field=CustomField(
                resource="products", key="glass", label="Glass", type=CUSTOM_FIELD_TYPE_TEXT
            )
        )
    )
    sent = Product(sku="W-1", name="Window")
    sent.custom["glass"].string_value = "triple"
    made = await shelf.products.CreateProduct(product_pb2.CreateProductRequest(product=sent))
    assert made.custom["glass"].string_value == "triple"
