"""How amounts came about: steps that are reckoned again to the same figure, for whoever may read them (M16)."""

from fractions import Fraction

import pytest
import pytest_asyncio

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Installation, Tenant
from crm.deals.v1.invoice_verbs_pb2 import CreditLine
from crm.deals.v1.line_pb2 import Line
from tests.service.deals.earnings import Earnings
from tests.service.deals.invoicing import Invoicing
from tests.service.deals.quotes import Quotes
from tests.service.deals.world import SELLER
from tests.service.worlds import Refused
from tests.unit.deals.reckoning import replay


@pytest_asyncio.fixture
async def world(running: Installation, tenant: Tenant) -> Earnings:
    return Earnings(running, tenant)


async def test_the_amount_of_a_deal_with_discounts_and_two_rates_is_reckoned_again(world: Earnings) -> None:  # fmt: skip
    eight, full = await world.tax("8", "reduced"), await world.tax("23", "standard")
    lines = [
        Line(name="Door", quantity="3", unit_price="333.33", discount_percent="12.345", tax_class_id=eight, unit_cost="100"),
        Line(name="Handle", quantity="7", unit_price="0.33", tax_class_id=full, unit_cost="0.1"),
    ]  # fmt: skip
    deal = await world.make(lines=lines, discount_percent="5", discount_amount="10.01")

    told = await world.explain("deal", deal.id)

    assert (told.amount, told.currency, told.etag) == (deal.amount, "PLN", deal.etag)
    known = replay(told.steps)
    assert known[told.result] == Fraction(deal.amount)
    assert known["net"] == Fraction(deal.totals.net)
    rules = {(step.rule, step.rule_id, step.rule_version) for step in told.steps}
    assert rules == {("lines", "", 0), ("tax", eight, 1), ("tax", full, 1)}
    assert not [name for name in known if "cost" in name]


async def test_quotes_invoices_and_credit_notes_are_explained_like_their_deals(world: Earnings) -> None:  # fmt: skip
    full = await world.tax("23", "standard")
    line = Line(name="Handle", quantity="7", unit_price="0.33", tax_class_id=full)
    deal = await world.make(lines=[line], tax_included=True)
    quote, invoicing = await Quotes(world).make(deal), Invoicing(world)
    invoice = await invoicing.issued(deal_id=deal.id)
    note = await invoicing.credit(invoice)
    for kind, record in (("quote", quote), ("invoice", invoice), ("invoice", note)):
        told = await world.explain(kind, record.id)
        assert (told.amount, list(told.notes)) == (record.totals.gross, [])
        assert replay(told.steps)[told.result] == Fraction(record.totals.gross)
    assert note.totals.gross == "-2.31"


async def test_credit_notes_of_parts_are_explained_by_the_invoice_s_figures(
    world: Earnings,
) -> None:
    full = await world.tax("23", "standard")
    lines = [
        Line(name="Sill", quantity="7", unit_price="0.33", tax_class_id=full, discount_percent="12.345"),
        Line(name="Door", quantity="1", unit_price="333.33", tax_class_id=full, discount_amount="1.01"),
    ]  # fmt: skip
    deal = await world.make(lines=lines, discount_percent="5", discount_amount="10.01")
    invoicing = Invoicing(world)
    invoice = await invoicing.issued(deal_id=deal.id)
    sills = invoice.lines[0].id
    notes = [await invoicing.credit(invoice, CreditLine(line_id=sills, quantity="2"))]
    notes.append(await invoicing.credit(invoice, CreditLine(line_id=sills, quantity="3")))
    notes.append(await invoicing.credit(invoice))
    for note in notes:
        told = await world.explain("invoice", note.id)
        assert (told.amount, list(told.notes)) == (note.totals.gross, [])
        assert replay(told.steps)[told.result] == Fraction(note.totals.gross)
    assert sum(Fraction(each.totals.gross) for each in notes) == -Fraction(invoice.totals.gross)


async def test_an_estimated_amount_says_that_it_is_one(world: Earnings) -> None:
    deal = await world.make(amount="500.00")
    told = await world.explain("deal", deal.id)
    assert (told.amount, list(told.steps), told.result) == ("500.00", [], "")
    assert "estimated" in told.notes[0]


async def test_who_may_not_read_the_record_learns_nothing(world: Earnings) -> None:
    deal = await world.make(amount="500.00")
    other = await world.seller()
    for id in (deal.id, uuid7()):
        async with Refused(world, errors.NotFound, "NOT_FOUND"):
            await world.explain("deal", id, other)


@pytest.mark.parametrize("hidden", ["deal.amount", "deal.lines"])
async def test_hidden_figures_are_not_explained(world: Earnings, hidden: str) -> None:
    blind = await world.tenant.person(SELLER, hidden=[hidden])
    deal = await world.make(owner_id=blind.id, lines=[Line(name="Door", quantity="1", unit_price="5")])  # fmt: skip
    async with Refused(world, errors.PermissionDenied, "FIELD_HIDDEN"):
        await world.explain("deal", deal.id, blind)


async def test_an_unknown_kind_of_record_is_refused(world: Earnings) -> None:
    async with Refused(world, errors.InvalidArgument, "INVALID_FIELDS"):
        await world.explain("contact", uuid7())
