"""Commissions: earned by winning and paying, taken back by entries, adjusted for the past, and never moved (S38, scenario 12)."""

import asyncio
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.date_pb2 import Date

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Installation, Tenant
from crm.deals.v1 import commission_pb2, commission_plan_pb2, deal_pb2, sales_plan_pb2
from crm.deals.v1.line_pb2 import Line
from tests.service.deals import verbs
from tests.service.deals.earnings import (
    Commission,
    CommissionPlan,
    CommissionTerms,
    Earnings,
    day,
    today,
)
from tests.service.deals.invoicing import Invoicing
from tests.service.deals.paying import Paying
from tests.service.worlds import Refused
from tests.unit.deals.reckoning import replay

PAYMENT = CommissionTerms.EARNED_ON_PAYMENT


@pytest_asyncio.fixture
async def world(running: Installation, tenant: Tenant) -> Earnings:
    return Earnings(running, tenant)


async def change_terms(world: Earnings, plan: CommissionPlan, **given: Any) -> CommissionPlan:
    """Changes the plan's first terms."""
    plan.terms[0].MergeFrom(CommissionTerms(**given))
    request = commission_plan_pb2.UpdateCommissionPlanRequest(
        commission_plan=plan, update_mask=FieldMask(paths=["terms"])
    )
    return await world.commissions().UpdateCommissionPlan(request)


async def test_who_wins_a_deal_earns_his_percentage_and_can_reckon_it_again(world: Earnings) -> None:  # fmt: skip
    plan, anna = await world.plan(), await world.earner()
    deal = await world.won(anna, "1234.56")

    [entry] = await world.entries(anna)

    assert (entry.kind, entry.owner_id, entry.deal_id) == (Commission.KIND_EARNED, anna.id, deal.id)
    assert (entry.amount, entry.basis_amount, entry.currency) == ("61.73", "1234.56", "PLN")
    assert (entry.plan_id, entry.plan_version) == (plan.id, 1)
    told = await world.explain("commission", entry.id, anna)
    assert replay(told.steps)[told.result] == Fraction(entry.amount)
    [earned] = await world.events("CommissionEarned")
    assert earned["commission"]["id"] == entry.id


async def test_commissions_are_their_earners_own(world: Earnings) -> None:
    await world.plan()
    anna, max = await world.earner(), await world.earner()
    await world.won(anna)
    [entry] = await world.entries(anna)
    assert await world.entries(max) == []
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await world.commissions(max).GetCommission(commission_pb2.GetCommissionRequest(id=entry.id))
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await world.explain("commission", entry.id, max)


async def test_a_reopened_deal_takes_its_commission_back_and_a_new_win_earns_again(world: Earnings) -> None:  # fmt: skip
    await world.plan()
    anna = await world.earner()
    deal = await world.won(anna)

    await verbs.reopen(world, deal)
    taken = await world.entries()
    await verbs.win(world, deal, anna)

    assert [(e.kind, e.amount) for e in taken] == [(Commission.KIND_EARNED, "50.00"), (Commission.KIND_TAKEN_BACK, "-50.00")]  # fmt: skip
    assert await world.earned(anna) == 50
    assert len(await world.events("CommissionAdjusted")) == 1


async def test_a_deleted_win_earns_nothing_until_it_comes_back(world: Earnings) -> None:
    await world.plan()
    anna = await world.earner()
    deal = await world.won(anna)
    await world.admin.DeleteDeal(deal_pb2.DeleteDealRequest(id=deal.id))
    assert await world.earned(anna) == 0
    await world.admin.UndeleteDeal(deal_pb2.UndeleteDealRequest(id=deal.id))
    assert await world.earned(anna) == 50


async def test_a_handover_moves_no_earned_credit(world: Earnings) -> None:
    await world.plan(earned_on=PAYMENT)
    anna, max = await world.earner(), await world.earner()
    deal = await world.won(anna)

    await verbs.assign(world, deal, max.id)
    await world.pay(deal, "1000.00", "payment 1")

    assert await world.earned(anna) == 50
    assert await world.earned(max) == 0


async def test_it_is_split_between_the_owner_and_who_takes_part(world: Earnings) -> None:
    await world.plan(shares=[{"weight": "70"}, {"role": "measurer", "weight": "30"}])
    anna, zoe = await world.earner(), await world.earner()
    await world.won(anna, "333.30", participants=[{"user_id": zoe.id, "role": "Measurer"}])
    entries = {e.owner_id: e for e in await world.entries()}
    assert {id: e.amount for id, e in entries.items()} == {anna.id: "11.67", zoe.id: "5.00"}
    assert entries[zoe.id] == (await world.entries(zoe))[0]


async def test_families_have_their_own_percentages(world: Earnings) -> None:
    doors = await world.family("Doors")
    await world.product("D-1", family_id=doors)
    await world.plan(family_rates=[{"family_id": doors, "percent": "10"}])
    anna = await world.earner()
    product = await world.product("D-2", family_id=doors)
    lines = [Line(product_id=product.id, quantity="1", unit_price="600"), Line(name="Fitting", quantity="1", unit_price="400")]  # fmt: skip
    await world.won(anna, lines=lines)
    assert await world.earned(anna) == 80


async def test_each_payment_earns_its_part_once_and_a_refund_takes_it_back(world: Earnings) -> None:
    await world.plan(earned_on=PAYMENT)
    anna = await world.earner()
    deal = await world.won(anna, "100.00")
    assert await world.entries() == []

    for effect in ("payment 1", "payment 1"):
        await world.pay(deal, "33.33", effect)
    await world.pay(deal, "66.67", "payment 2")
    await world.pay(deal, "-66.67", "refund 1", reverses="payment 2")

    assert [e.amount for e in await world.entries()] == ["1.67", "3.33", "-3.33"]
    assert [e.kind for e in await world.entries()][-1] == Commission.KIND_TAKEN_BACK


async def test_what_customers_pay_and_get_back_earns_and_is_taken_back(world: Earnings) -> None:
    plan, anna, paying = await world.plan(earned_on=PAYMENT), await world.earner(), Paying(world)
    goal = await world.goal("1000.00", owner_id=anna.id, measure=sales_plan_pb2.SalesPlan.MEASURE_RECEIVED)  # fmt: skip
    deal = await world.won(anna, lines=[Line(name="Door", quantity="4", unit_price="250")])
    invoice = await paying.issued(deal_id=deal.id)

    payment = await paying.pay("400.00", invoice)
    await change_terms(world, plan, percent="5", until_date=day(today()))
    await paying.refund(payment, "100.00")

    assert [e.amount for e in await world.entries()] == ["20.00", "-5.00"]
    assert (await world.progress(goal)).actual == "300.00"


async def test_a_credit_note_takes_its_part_back_until_the_deal_is_opened_again(world: Earnings) -> None:  # fmt: skip
    await world.plan()
    anna, invoicing = await world.earner(), Invoicing(world)
    goal = await world.goal("1000.00", owner_id=anna.id)
    deal = await world.won(anna, lines=[Line(name="Door", quantity="4", unit_price="250")])
    invoice = await invoicing.issued(deal_id=deal.id)

    await invoicing.credit(invoice, {"line_id": invoice.lines[0].id, "quantity": "1"})
    credited = await world.progress(goal)
    await verbs.reopen(world, await world.deal(deal.id))

    entries = await world.entries()
    assert sorted(e.amount for e in entries[:2]) == ["-12.50", "50.00"]
    assert credited.actual == "750.00"
    assert await world.earned(anna) == 0
    assert (await world.progress(goal)).actual == "0.00"
    for entry in entries:
        assert replay(entry.steps)["amount"] == Fraction(entry.amount)


async def test_imported_history_earns_nothing_unless_asked(world: Earnings) -> None:
    await world.plan(earned_on=PAYMENT)
    anna = await world.earner()
    deal = await world.won(anna, "100.00")
    await world.pay(deal, "40.00", "old 1", counts=False)
    assert await world.entries() == []
    await world.pay(deal, "60.00", "old 2", counts=True)
    assert await world.earned(anna) == 3


async def test_above_the_sales_plan_more_is_earned(world: Earnings) -> None:
    anna = await world.earner()
    await world.plan(tiers=[{"above_percent": "100", "percent": "2"}])
    await world.goal("1500.00", owner_id=anna.id)

    await world.won(anna)
    deal = await world.won(anna)
    await verbs.reopen(world, deal)

    assert [e.amount for e in await world.entries()] == ["50.00", "60.00", "-60.00"]
    told = await world.explain("commission", (await world.entries())[1].id)
    assert replay(told.steps)["amount"] == 60
    assert {step.rule for step in told.steps} == {"commission_terms", "sales_plan", "ledger"}


async def test_without_a_sales_plan_nothing_is_above_it_and_the_entry_says_so(world: Earnings) -> None:  # fmt: skip
    await world.plan(tiers=[{"above_percent": "100", "percent": "2"}])
    await world.won(await world.earner())
    [entry] = await world.entries()
    assert entry.amount == "50.00"
    assert "no sales plan" in entry.notes[0]


async def test_sales_of_one_person_at_once_each_know_those_before(world: Earnings) -> None:
    anna = await world.earner()
    await world.plan(percent="0", tiers=[{"above_percent": "100", "percent": "100"}])
    await world.goal("500.00", owner_id=anna.id)
    deals = [await world.make(anna, amount="100.00") for _ in range(10)]

    await asyncio.gather(*(verbs.win(world, deal, anna) for deal in deals))

    assert await world.earned(anna) == 500


@pytest.mark.large
async def test_a_plan_changed_backwards_only_adds_what_is_lacking(world: Earnings) -> None:
    plan, anna = await world.plan(), await world.earner()
    await world.won(anna)
    [first] = await world.entries()

    await change_terms(world, plan, percent="7.5")
    [kept, added] = await world.entries_once(2)

    assert kept == first
    assert (added.kind, added.amount, added.plan_version) == (Commission.KIND_ADJUSTED, "25.00", 2)
    assert replay(added.steps)["amount"] == 25
    [told] = await world.events("CommissionAdjusted")
    assert told["commission"]["id"] == added.id
    await world.adjusted()
    assert len(await world.entries()) == 2


@pytest.mark.large
async def test_a_plan_of_later_changes_nothing_that_was_earned(world: Earnings) -> None:
    plan, anna = await world.plan(), await world.earner()
    await world.won(anna)
    plan.terms[0].until_date.CopyFrom(day(today()))
    later = CommissionTerms(from_date=Date(year=today().year + 1, month=1, day=1), basis=CommissionTerms.BASIS_NET, earned_on=CommissionTerms.EARNED_ON_WINNING, percent="9")  # fmt: skip
    plan.terms.append(later)
    await change_terms(world, plan)
    await world.adjusted()
    assert [e.amount for e in await world.entries()] == ["50.00"]


@pytest.mark.large
async def test_a_deleted_plan_takes_back_what_it_gave(world: Earnings) -> None:
    plan, anna = await world.plan(), await world.earner()
    await world.won(anna)
    await world.commissions().DeleteCommissionPlan(
        commission_plan_pb2.DeleteCommissionPlanRequest(id=plan.id)
    )
    entries = await world.entries_once(2)
    assert [e.amount for e in entries] == ["50.00", "-50.00"]
    assert replay(entries[1].steps)["amount"] == -50


@pytest.mark.large
async def test_a_new_target_adjusts_what_was_earned_above_it(world: Earnings) -> None:
    anna = await world.earner()
    await world.plan(tiers=[{"above_percent": "100", "percent": "2"}])
    goal = await world.goal("2000.00", owner_id=anna.id)
    await world.won(anna)

    goal.target = "400.00"
    await world.plans().UpdateSalesPlan(
        sales_plan_pb2.UpdateSalesPlanRequest(
            sales_plan=goal, update_mask=FieldMask(paths=["target"])
        )
    )

    assert [e.amount for e in await world.entries_once(2)] == ["50.00", "12.00"]


async def test_sums_are_by_person_and_currency_as_far_as_one_may_see(world: Earnings) -> None:
    await world.plan()
    await world.rate("EUR", "4")
    anna, max = await world.earner(), await world.earner()
    await world.won(anna)
    await world.won(anna, "200.00", currency="EUR")
    await world.won(max, "10.00")
    asked = commission_pb2.SumCommissionsRequest(from_date=day(today()), until_date=day(today()))

    mine = await world.commissions(anna).SumCommissions(asked)
    all = await world.commissions().SumCommissions(asked)

    assert [(s.currency, s.amount, s.entries) for s in mine.sums] == [("EUR", "10.00", 1), ("PLN", "50.00", 1)]  # fmt: skip
    assert {s.owner_id for s in mine.sums} == {anna.id}
    assert len(all.sums) == 3
    asked.owner_id = max.id
    assert not (await world.commissions(anna).SumCommissions(asked)).sums
    assert Decimal((await world.commissions().SumCommissions(asked)).sums[0].amount) == Decimal("0.50")  # fmt: skip


async def test_wrong_plans_are_refused_by_field(world: Earnings) -> None:
    await world.plan()
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "terms[0].percent"):
        await world.plan(name="b", percent="101")
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "user_ids", "department_ids", "role_ids"):  # fmt: skip
        whom = {f"{noun}_ids": [uuid7()] for noun in ("user", "department", "role")}
        await world.plan(name="b", whom=whom)
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "terms.family_rates.family_id"):  # fmt: skip
        await world.plan(name="b", family_rates=[{"family_id": uuid7(), "percent": "1"}])
    async with Refused(world, errors.AlreadyExists, "KEY_TAKEN", "name"):
        await world.plan()
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "until_date"):
        await world.commissions().SumCommissions(
            commission_pb2.SumCommissionsRequest(from_date=Date(year=2026, month=2, day=1), until_date=Date(year=2026, month=1, day=1))
        )  # fmt: skip
