"""Who may not see what lines cost us writes lines all the same: costs stay as they were, and no answer tells them."""

from typing import Any

import pytest
import pytest_asyncio

from chassis import errors
from chassis.testing.installation import Installation, Person, Tenant
from crm.deals.v1 import deal_pb2, explain_pb2, invoice_pb2, quote_pb2
from crm.deals.v1.commissions_service_pb2_grpc import CommissionsServiceStub
from crm.deals.v1.invoices_service_pb2_grpc import InvoicesServiceStub
from crm.deals.v1.line_pb2 import Line
from crm.deals.v1.quotes_service_pb2_grpc import QuotesServiceStub
from tests.service.deals.shelf import Shelf
from tests.service.worlds import Refused

OBJECTS = ("deal", "quote", "invoice")
_ALL = [{"object": "*", "action": "*", "scope": "all"}]
_HIDDEN = [f"{object}.lines.unit_cost" for object in OBJECTS]

Deal = deal_pb2.Deal


class Desk:
    """Records with lines, written by somebody who may not see what they cost."""

    def __init__(self, shelf: Shelf, clerk: Person) -> None:
        self.shelf, self.clerk = shelf, clerk

    def of(self, object: str, by: Person) -> Any:
        if object == "deal":
            return self.shelf.stub(by)
        return self.shelf.stub(by, QuotesServiceStub if object == "quote" else InvoicesServiceStub)

    async def create(self, object: str, by: Person, *lines: Line) -> Any:
        """A record with these lines; a quote and an invoice of a deal without."""
        if object == "deal":
            return await self.shelf.make(by, lines=lines)
        deal = await self.shelf.make(by)
        if object == "quote":
            quote = quote_pb2.Quote(deal_id=deal.id, lines=lines)
            request = quote_pb2.CreateQuoteRequest(quote=quote)
            return await self.of(object, by).CreateQuote(request)
        invoice = invoice_pb2.Invoice(deal_id=deal.id, lines=lines)
        return await self.of(object, by).CreateInvoice(
            invoice_pb2.CreateInvoiceRequest(invoice=invoice)
        )

    async def write(self, object: str, record: Any, etag: str = "") -> Any:
        """The record's lines as the clerk sends them."""
        name = object.title()
        module = {"deal": deal_pb2, "quote": quote_pb2, "invoice": invoice_pb2}[object]
        request = getattr(module, f"Update{name}Request")(etag=etag, **{object: record})
        request.update_mask.paths.append("lines")
        return await getattr(self.of(object, self.clerk), f"Update{name}")(request)

    async def get(self, object: str, id: str, by: Person) -> Any:
        name = object.title()
        module = {"deal": deal_pb2, "quote": quote_pb2, "invoice": invoice_pb2}[object]
        request = getattr(module, f"Get{name}Request")(id=id)
        return await getattr(self.of(object, by), f"Get{name}")(request)

    async def costs(self, object: str, id: str) -> tuple[list[str], str]:
        """(what each line costs, what all do), for who may see it."""
        found = await self.get(object, id, self.shelf.tenant.admin)
        return [line.unit_cost for line in found.lines], found.totals.cost


@pytest_asyncio.fixture
async def desk(running: Installation, tenant: Tenant) -> Desk:
    shelf = Shelf(running, tenant)
    shelf.tables = (*Shelf.tables, "quotes_history", "invoices_history")  # type: ignore[misc]
    await shelf.pipeline()
    return Desk(shelf, await tenant.person(_ALL, hidden=_HIDDEN))


def _free(cost: str = "", price: str = "100") -> Line:
    return Line(name="Window", quantity="1", unit_price=price, unit_cost=cost)


@pytest.mark.parametrize("object", OBJECTS)
async def test_costs_stay_of_lines_that_stay_and_come_from_products_for_new_ones(
    desk: Desk, object: str
) -> None:
    product = await desk.shelf.product(unit_cost="7.25")
    other = await desk.shelf.product("W-2", unit_cost="8.50")
    admin = desk.shelf.tenant.admin
    bought = Line(product_id=product.id, quantity="1", unit_price="9")
    made = await desk.create(object, admin, _free("61"), _free("62"), bought)
    record = await desk.get(object, made.id, desk.clerk)

    del record.lines[1]
    record.lines[0].quantity = "3"
    record.lines[1].product_id = other.id  # sells something else from here on
    record.lines.append(Line(product_id=product.id, quantity="2", unit_price="9"))
    changed = await desk.write(object, record)

    assert [line.quantity for line in changed.lines] == ["3", "1", "2"]
    assert await desk.costs(object, made.id) == (["61", "8.50", "7.25"], "206.00")


@pytest.mark.parametrize("object", OBJECTS)
async def test_no_answer_tells_or_lets_reckon_what_lines_cost(desk: Desk, object: str) -> None:
    product = await desk.shelf.product(unit_cost="7.25")
    line = Line(product_id=product.id, quantity="1", unit_price="9")
    made = await desk.create(object, desk.clerk, line)
    made.lines[0].quantity = "2"
    answers = [made, await desk.write(object, made), await desk.get(object, made.id, desk.clerk)]
    explained = desk.shelf.stub(desk.clerk, CommissionsServiceStub)
    request = explain_pb2.ExplainAmountRequest(object=object, id=made.id)
    answers.append(await explained.ExplainAmount(request))

    assert [each for each in answers if "7.25" in str(each) or "14.50" in str(each)] == []
    assert [each.totals.cost for each in answers[:3]] == ["", "", ""]
    assert await desk.costs(object, made.id) == (["7.25"], "14.50")


@pytest.mark.parametrize("object", OBJECTS)
async def test_who_may_not_see_a_cost_sets_none(desk: Desk, object: str) -> None:
    made = await desk.create(object, desk.shelf.tenant.admin, _free("61"))
    record = await desk.get(object, made.id, desk.clerk)
    record.lines.append(_free("1"))
    field = "lines[1].unit_cost"
    async with Refused(desk.shelf, errors.PermissionDenied, "FIELD_HIDDEN", field):
        await desk.write(object, record)
    assert await desk.costs(object, made.id) == (["61"], "61.00")


async def test_a_new_record_with_a_hidden_cost_is_refused(desk: Desk) -> None:
    request = deal_pb2.CreateDealRequest(deal=Deal(title="x", lines=[_free(), _free("1")]))
    field = "lines[1].unit_cost"
    async with Refused(desk.shelf, errors.PermissionDenied, "FIELD_HIDDEN", field):
        await desk.shelf.stub(desk.clerk).CreateDeal(request)


async def test_who_may_not_see_the_lines_writes_none(desk: Desk) -> None:
    made = await desk.create("deal", desk.shelf.tenant.admin, _free("61"))
    desk.clerk = await desk.shelf.tenant.person(_ALL, hidden=["deal.lines"])
    async with Refused(desk.shelf, errors.PermissionDenied, "FIELD_HIDDEN", "lines"):
        await desk.write("deal", Deal(id=made.id, lines=[_free()]))
    assert (await desk.get("deal", made.id, desk.clerk)).totals.cost == ""


async def test_a_late_change_neither_fails_for_costs_nor_tells_them(desk: Desk) -> None:
    made = await desk.create("deal", desk.shelf.tenant.admin, _free("61"))
    seen = await desk.get("deal", made.id, desk.clerk)
    made.lines[0].unit_cost = "63.17"
    dearer = await desk.shelf.change(made)

    same = await desk.write("deal", seen, etag=seen.etag)  # nobody changed what the clerk sees
    assert await desk.costs("deal", made.id) == (["63.17"], "63.17")

    dearer.lines[0].unit_price = "120"
    await desk.shelf.change(dearer)
    same.lines[0].unit_price = "110"
    refused = Refused(desk.shelf, errors.Aborted, "FIELDS_CHANGED", "lines")
    async with refused:
        await desk.write("deal", same, etag=seen.etag)
    told = refused.error.violations[0].description
    assert ("110" in told, "120" in told) == (True, True)
    assert "63.17" not in told


async def test_versions_and_changes_of_a_record_keep_the_secret(desk: Desk) -> None:
    made = await desk.create("deal", desk.shelf.tenant.admin, _free("61"))
    made.lines[0].unit_cost = "63"
    await desk.shelf.change(made)
    request = deal_pb2.ListDealHistoryRequest(id=made.id)
    told = await desk.shelf.stub(desk.clerk).ListDealHistory(request)
    costs = [change.field for each in told.revisions for change in each.changes if "cost" in str(change)]  # fmt: skip
    assert (len(told.revisions), costs) == (2, [])
