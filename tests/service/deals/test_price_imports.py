"""Price lists from files: lines become drafts, publishing is done by hand, and what could never be published is refused."""

import csv
import io
import re
from decimal import Decimal
from typing import Any

import pytest

from chassis import errors
from crm.common.v1 import imports_pb2
from crm.deals.v1 import imports_service_pb2 as pb
from crm.deals.v1 import price_list_pb2, product_pb2
from tests.service.deals.deal_files import (
    OVERWRITE,
    SKIP,
    Clerk,
    Import,
    Options,
    content_of,
    counts,
)
from tests.service.deals.shelf import PriceList, Shelf, day
from tests.service.deals.test_import_names import label
from tests.service.worlds import Refused

DRAFT = PriceList.STATE_DRAFT
TWO_LISTS = """\
Price list;Group;Currency;Valid from;Valid to;SKU;Price;Min quantity
2031;;PLN;2031-01-01;2031-12-31;W-1;1 200,50;
2031;;PLN;2031-01-01;2031-12-31;w-1;1 100;10
2031;;PLN;2031-01-01;2031-12-31;W-2;0,000125;
Dealers;dealers;EUR;01.01.2031;;W-1;300;
"""


class Clerks(Clerk):
    """The administrator, who imports price lists."""

    world: Shelf

    async def prices(self, text: str, **options: Any) -> Import:
        return await self.imported(
            text, resource="priceLists", options=Options(decimal_comma=True, **options)
        )

    async def lists(self) -> dict[str, PriceList]:
        request = price_list_pb2.ListPriceListsRequest(page_size=200)
        found = (await self.world.products.ListPriceLists(request)).price_lists
        return {f"{entry.name} {entry.version}": entry for entry in found}

    async def export_prices(self, **given: Any) -> str:
        return await self.export(pb.ExportPriceListsRequest(**given))


@pytest.fixture
async def clerk(world: Any) -> Clerks:
    shelf = Shelf(world.running, world.tenant)
    for sku in ("W-1", "W-2"):
        await shelf.product(sku)
    return Clerks(shelf)


def said(entry: PriceList) -> list[tuple[str, str]]:
    return [(price.unit_price, price.from_quantity) for price in entry.prices]


def csv_of(text: str) -> list[list[str]]:
    """The lines of a file without the ids of its lists."""
    return [row[1:] for row in csv.reader(io.StringIO(text))]


async def test_lines_become_drafts_which_are_published_by_hand(clerk: Clerks) -> None:
    before = await content_of(clerk.world)

    done = await clerk.prices(TWO_LISTS)

    assert counts(done.plan) == counts(done.outcome) == {"created": 2, "updated": 2}
    found = await clerk.lists()
    assert set(found) == {"2031 1", "Dealers 1"}
    made, dealers = found["2031 1"], found["Dealers 1"]
    assert said(made) == [("1200.50", ""), ("1100", "10"), ("0.000125", "")]
    assert (made.state, made.group, made.currency) == (DRAFT, "standard", "PLN")
    assert (made.from_date, made.until_date) == (day("2031-01-01"), day("2031-12-31"))
    assert (dealers.group, dealers.currency, said(dealers)) == ("dealers", "EUR", [("300", "")])
    assert not dealers.HasField("until_date")
    undone = await clerk.undo(done)
    assert counts(undone.undo) == {"deleted": 2}
    assert await content_of(clerk.world) == before

    await clerk.prices(TWO_LISTS)
    published = await clerk.world.publish((await clerk.lists())["2031 1"].id)
    assert published.state == PriceList.STATE_PUBLISHED
    assert await clerk.world.count("prices") == 3


@pytest.mark.parametrize(
    "headers",
    [
        "Price list,Group,Currency,Tax included,Valid from,Valid to,For,Labels,SKU,Unit price,Min quantity",
        "Cennik,Grupa cen,Waluta,Z podatkiem,Obowiązuje od,Obowiązuje do,Dla kogo,Etykiety,Kod produktu,Cena,Od ilości",
        "Daftar harga,Kelompok harga,Mata uang,Termasuk pajak,Berlaku dari,Berlaku sampai,Untuk siapa,Penanda,Kode produk,Harga satuan,"
        "Jumlah minimum",
        "Senarai harga,Kumpulan harga,Mata wang,Termasuk cukai,Sah dari,Sah hingga,Jenis pelanggan,Label,Nombor produk,Harga seunit,"
        "Kuantiti minimum",
    ],
    ids=["en", "pl", "id", "ms"],
)  # fmt: skip
async def test_the_headers_are_understood_in_four_languages(clerk: Clerks, headers: str) -> None:
    vip = await label(clerk.world, "VIP")

    done = await clerk.imported(
        f"{headers}\nBig,big,EUR,yes,2031-01-01,2031-12-31,Firma,VIP,W-1,10.5,3\n",
        resource="priceLists",
    )

    assert counts(done.outcome) == {"created": 1}
    made = (await clerk.lists())["Big 1"]
    assert (made.group, made.currency, made.tax_included) == ("big", "EUR", True)
    assert (made.party, list(made.label_ids)) == (PriceList.PARTY_COMPANY, [vip.id])
    assert said(made) == [("10.5", "3")]


@pytest.mark.large
async def test_the_same_file_twice_makes_nothing_new(clerk: Clerks) -> None:
    undated = re.sub(r"20\d\d-\d\d-\d\d|01.01.2031", "", TWO_LISTS).replace("PLN", "USD")
    for text, name in ((TWO_LISTS, "2031 1"), (undated.replace("2031;", "Now;"), "Now 1")):
        await clerk.prices(text)
        before = await content_of(clerk.world)

        again = await clerk.prices(text)

        assert counts(again.outcome) == {"unchanged": 4}
        assert await content_of(clerk.world) == before
        await clerk.world.publish((await clerk.lists())[name].id)
        assert counts((await clerk.prices(text)).outcome) == {"unchanged": 4}


async def test_overlapping_days_are_refused_line_by_line(clerk: Clerks) -> None:
    listed = await clerk.world.products.ListProducts(
        product_pb2.ListProductsRequest(filter='sku = "W-1"')
    )
    [one] = listed.products
    await clerk.world.price_list({one.id: "9"}, name="Standing", currency="PLN")
    before = await content_of(clerk.world)
    text = (
        "Price list,Currency,Group,Valid from,Valid to,SKU,Price\n"
        "New,PLN,,2031-01-01,,W-1,10\n"
        "New,PLN,,2031-01-01,,W-2,20\n"
        "Later,PLN,,2032-01-01,2032-06-30,W-2,21\n"
        "Other,PLN,other,2031-01-01,,W-1,10\n"
        "Euro,EUR,,2031-01-01,,W-1,10\n"
        "Past,PLN,,2019-01-01,2019-12-31,W-1,8\n"
    )

    done = await clerk.prices(text)

    assert counts(done.outcome) == {"created": 4, "failed": 2}
    assert await clerk.refusals(done) == [
        (2, "from_date: W-1 has a price in 'Standing' from 2020-01-01 until further notice already;"
         " end that list before, or begin after it"),
        (4, "from_date: W-2 has a price in 'New' from 2031-01-01 until further notice already;"
         " end that list before, or begin after it"),
    ]  # fmt: skip
    for entry in (await clerk.lists()).values():
        if entry.state == DRAFT:
            await clerk.world.publish(entry.id)
    assert await clerk.world.count("prices") == 5
    assert len(before) + 4 == len(await content_of(clerk.world))


async def test_what_is_wrong_with_a_line_is_told_and_changes_nothing(clerk: Clerks) -> None:
    before = await content_of(clerk.world)
    text = (
        "Price list,Currency,Valid from,Valid to,For,Labels,SKU,Price,Min quantity\n"
        "A,PLN,,,,,W-9,1,\n"
        "A,PLN,,,,,,,\n"
        "A,XQQ,,,,,W-1,1,\n"
        "A,PLN,2031-01-02,2031-01-01,,,W-1,1,\n"
        "A,PLN,,,nobody,none,W-1,x,-1\n"
        ",PLN,,,,,W-1,1,\n"
        "A,PLN,,,,,W-1,1.1234567,\n"
    )

    done = await clerk.imported(text, resource="priceLists")

    assert counts(done.outcome) == {"failed": 7}
    assert await clerk.refusals(done) == [
        (2, "sku: there is no product 'W-9'; import it first"),
        (3, "sku: is required; map its column; unit_price: is required; map its column"),
        (4, "currency: 'XQQ' is no currency of ISO 4217; choose one such as PLN"),
        (5, "until_date: 2031-01-01 is before the first day, 2031-01-02"),
        (6, "party: 'nobody' is neither person nor company; leave it out for everybody; labels: there is no label 'none';"
         " create it or leave it out; unit_price: 'x' is no number"),
        (7, "name: is required; map its column"),
        (8, "unit_price: 1.1234567 has 7 decimal places; at most 6"),
    ]  # fmt: skip
    assert await content_of(clerk.world) == before
    skipped = await clerk.prices(TWO_LISTS, on_match=SKIP)
    assert counts(skipped.outcome) == {"failed": 4}
    assert (await clerk.refusals(skipped))[0][1].startswith("on_match: a price list is made of many lines")  # fmt: skip
    assert await content_of(clerk.world) == before


async def test_a_line_that_contradicts_its_list_is_refused_unless_it_overwrites(clerk: Clerks) -> None:  # fmt: skip
    await clerk.prices("Price list,Valid to,SKU,Price\nA,2031-12-31,W-1,10\n")
    before = await content_of(clerk.world)
    other = "Price list,Valid to,SKU,Price\nA,2031-11-30,W-1,10\nA,,W-1,11\nA,,W-2,5\n"

    filled = await clerk.prices(other)

    assert counts(filled.outcome) == {"updated": 1, "failed": 2}
    assert await clerk.refusals(filled) == [
        (2, "until_date: is 2031-11-30 here, and 2031-12-31 in 'A'; choose OVERWRITE to replace it, or name another list"),
        (3, "unit_price: W-1 costs 10 from 0 on in 'A', not 11; choose OVERWRITE to replace it, or name another list"),
    ]  # fmt: skip
    assert said((await clerk.lists())["A 1"]) == [("10", ""), ("5", "")]
    await clerk.undo(filled)
    assert await content_of(clerk.world) == before
    forced = await clerk.prices(other, on_match=OVERWRITE)
    entry = (await clerk.lists())["A 1"]
    assert (said(entry), entry.until_date) == ([("11", ""), ("5", "")], day("2031-11-30"))
    undone = await clerk.undo(forced)
    assert counts(undone.undo) == {"restored": 1}
    assert await content_of(clerk.world) == before


async def test_a_published_list_takes_nothing_from_files_and_no_undo_changes_it(clerk: Clerks) -> None:  # fmt: skip
    await clerk.prices("Price list,SKU,Price\nA,W-1,10\n")
    more = await clerk.prices("Price list,SKU,Price\nA,W-2,5\nB,W-1,1\n", on_match=OVERWRITE)
    entry = await clerk.world.publish((await clerk.lists())["A 1"].id)
    text = "Price list,Tax included,For,SKU,Price\nA,,,W-1,11\nA,,,W-2,5\nA,yes,,W-1,10\nA,,firma,W-1,10\n"

    forced = await clerk.prices(text, on_match=OVERWRITE)

    assert counts(forced.outcome) == {"unchanged": 1, "failed": 3}
    assert [(line, why.partition(":")[0]) for line, why in await clerk.refusals(forced)] == [
        (2, "unit_price"), (4, "tax_included"), (5, "party"),
    ]  # fmt: skip
    undone = await clerk.undo(more)
    assert counts(undone.undo) == {"deleted": 1, "left": 1}
    left = await clerk.stub.ListImportRows(pb.ListImportRowsRequest(id=more.id, left=True))
    assert [row.line for row in left.rows] == [2]
    assert (await clerk.lists())["A 1"] == entry
    assert await clerk.world.count("prices") == 2


@pytest.mark.large
async def test_what_is_exported_can_be_imported_here_and_elsewhere(clerk: Clerks) -> None:
    await label(clerk.world, "VIP")
    await clerk.imported(
        "Price list,Group,Valid from,Tax included,For,Labels,SKU,Price,Min quantity\n"
        "2031,,2031-01-01,yes,company,VIP,W-1,10.50,\n"
        "2031,,2031-01-01,,,,W-1,9,100\n"
        "2031,,2031-01-01,,,,W-2,7,\n"
        "Old,old,,,,,W-2,6,\n",
        resource="priceLists",
    )
    first = await clerk.world.publish((await clerk.lists())["2031 1"].id)
    request = price_list_pb2.NewVersionOfPriceListRequest(id=first.id, from_date=day("2032-01-01"))
    second = await clerk.world.products.NewVersionOfPriceList(request)
    await clerk.world.publish(second.id)
    before = await content_of(clerk.world)

    text = await clerk.export_prices()

    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 7
    assert (rows[0]["party"], rows[0]["labels"], rows[0]["tax_included"]) == ("company", "VIP", "yes")  # fmt: skip
    [told_of] = await clerk.world.events("RecordsExported")
    assert (told_of["object"], told_of["recordCount"]) == ("price_list", "3")
    again = await clerk.imported(text, resource="priceLists")
    assert counts(again.outcome) == {"unchanged": 7}
    assert await content_of(clerk.world) == before

    elsewhere = Clerks(Shelf(clerk.world.running, await clerk.world.running.tenant()))
    for sku in ("W-1", "W-2"):
        await elsewhere.world.product(sku)
    await label(elsewhere.world, "VIP")
    done = await elsewhere.imported(text, resource="priceLists")
    assert counts(done.outcome) == {"created": 3, "updated": 4}
    assert sorted(csv_of(await elsewhere.export_prices())) == sorted(csv_of(text))


async def test_a_list_goes_on_from_batch_to_batch(clerk: Clerks) -> None:
    lines = [f"A,W-1,{n},{n}" for n in range(1, 601)]
    text = "\n".join(["Price list,SKU,Price,Min quantity", *lines, "B,W-1,1,", "A,W-1,5,600"])

    done = await clerk.prices(text)

    assert counts(done.outcome) == {"created": 1, "updated": 599, "failed": 2}
    asked = pb.ListImportRowsRequest(id=done.id, outcome=imports_pb2.IMPORT_OUTCOME_FAILED)
    refused = [(row.line, row.reason) for row in (await clerk.stub.ListImportRows(asked)).rows]
    assert refused == [
        (602, "from_date: W-1 has a price in 'A' since ever until further notice already; end that list before, or begin after it"),
        (603, "unit_price: W-1 costs 600 from 600 on in 'A', not 5; choose OVERWRITE to replace it, or name another list"),
    ]  # fmt: skip
    [made] = (await clerk.lists()).values()
    assert sum(Decimal(price.unit_price) for price in made.prices) == 600 * 601 // 2


async def test_cards_are_refused(clerk: Clerks) -> None:
    async with Refused(clerk.world, errors.InvalidArgument, "NO_CARDS", "format"):
        await clerk.export_prices(format=imports_pb2.FILE_FORMAT_VCARD)
