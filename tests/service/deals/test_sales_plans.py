"""Sales plans: progress, gap and forecast, whose credit it is, and the picture of another day (S90, scenario 14)."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.date_pb2 import Date

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Installation, Person, Tenant
from chassis.times import to_timestamp
from crm.deals.v1 import sales_plan_pb2
from crm.deals.v1.line_pb2 import Line
from tests.service.deals import verbs
from tests.service.deals.earnings import Earnings, SalesPlan, day, today
from tests.service.worlds import Refused

RECEIVED, COUNT, MARGIN = (
    SalesPlan.MEASURE_RECEIVED, SalesPlan.MEASURE_COUNT, SalesPlan.MEASURE_MARGIN,
)  # fmt: skip


@pytest_asyncio.fixture
async def world(running: Installation, tenant: Tenant) -> Earnings:
    return Earnings(running, tenant)


async def change(world: Earnings, plan: SalesPlan, **given: Any) -> SalesPlan:
    changed = SalesPlan(id=plan.id, **given)
    request = sales_plan_pb2.UpdateSalesPlanRequest(
        sales_plan=changed, update_mask=FieldMask(paths=list(given))
    )
    return await world.plans().UpdateSalesPlan(request)


def people(told: sales_plan_pb2.SalesProgress) -> dict[str, str]:
    return {each.user_id: each.actual for each in told.people}


async def facts(world: Earnings, plan: SalesPlan, **asked: Any) -> sales_plan_pb2.ListSalesFactsResponse:  # fmt: skip
    request = sales_plan_pb2.ListSalesFactsRequest(id=plan.id, **asked)
    return await world.plans().ListSalesFacts(request)


async def test_a_plan_shows_what_was_won_what_is_missing_and_what_is_expected(world: Earnings) -> None:  # fmt: skip
    anna = await world.earner()
    plan = await world.goal("4000.00", owner_id=anna.id)
    await world.won(anna, "1000.00")
    await world.make(anna, amount="500.00", expected_close_date=day(today()), probability=40)
    await world.make(anna, amount="900.00", expected_close_date=Date(year=today().year + 1, month=1, day=5))  # fmt: skip

    told = await world.progress(plan)

    assert (told.actual, told.gap, told.percent) == ("1000.00", "3000.00", "25.00")
    assert (told.forecast, told.gap_after_forecast) == ("200.00", "2800.00")
    assert [(each.user_id, each.actual, each.forecast, each.target) for each in told.people] == [
        (anna.id, "1000.00", "200.00", "4000.00")
    ]


async def test_a_stage_says_how_likely_its_deals_are(world: Earnings) -> None:
    anna = await world.earner()
    plan = await world.goal("100", owner_id=anna.id)
    deal = await world.make(anna, amount="500.00", expected_close_date=day(today()))
    pipeline = await world.pipeline()
    likely = next(each.probability for each in pipeline.stages if each.id == deal.stage_id)
    assert Decimal((await world.progress(plan)).forecast) == 5 * likely


async def _departments(world: Earnings) -> tuple[str, str, str]:
    """Sales with two shops below it."""
    sales = await world.tenant.department()
    return sales, await world.tenant.department(sales), await world.tenant.department(sales)


async def test_a_department_is_planned_with_those_below_it_and_each_person(world: Earnings) -> None:
    sales, north, south = await _departments(world)
    anna, max = await world.earner(department_id=north), await world.earner(department_id=south)
    whole, of_north = await world.goal("5000", department_id=sales), await world.goal("900", department_id=north)  # fmt: skip
    own = await world.goal("800", owner_id=anna.id)
    await world.won(anna, "600.00")
    await world.won(max, "300.00")

    told = await world.progress(whole)

    assert (told.actual, people(told)) == ("900.00", {anna.id: "600.00", max.id: "300.00"})
    assert [(p.plan_id, p.target) for p in told.people] == [(own.id, "800"), ("", "")]
    assert (await world.progress(of_north)).actual == "600.00"
    assert own.department_id == north


async def test_who_moves_leaves_his_past_where_it_was(world: Earnings) -> None:
    _, north, south = await _departments(world)
    anna = await world.earner(department_id=north)
    of_north, of_south = await world.goal("900", department_id=north), await world.goal("900", department_id=south)  # fmt: skip
    await world.won(anna, "600.00")
    user = dict(world.running.process.directory.of(world.tenant.id).user(anna.id) or {})

    await world.tenant.put("user", anna.id, {**user, "department_id": south})
    await world.won(anna, "50.00")

    assert (await world.progress(of_north)).actual == "600.00"
    assert (await world.progress(of_south)).actual == "50.00"


async def test_credit_is_whose_deal_it_was_and_what_is_taken_back_counts_on_its_day(world: Earnings) -> None:  # fmt: skip
    anna, max = await world.earner(), await world.earner()
    plan = await world.goal("1000", owner_id=anna.id)
    deal = await world.won(anna, "700.00")
    await verbs.assign(world, deal, max.id)
    assert (await world.progress(plan)).actual == "700.00"

    await verbs.reopen(world, await world.deal(deal.id))

    assert (await world.progress(plan)).actual == "0.00"
    listed = (await facts(world, plan)).sales_facts
    assert [(f.kind, f.amount, f.owner_id) for f in listed] == [("won", "700.00", anna.id), ("reopened", "-700.00", anna.id)]  # fmt: skip


async def test_what_was_paid_is_a_measure_of_its_own_with_refunds(world: Earnings) -> None:
    anna = await world.earner()
    plan = await world.goal("1000", owner_id=anna.id, measure=RECEIVED)
    deal = await world.won(anna, "700.00")
    await world.pay(deal, "500.00", "payment 1")
    await world.pay(deal, "-100.00", "refund 1", reverses="payment 1")
    assert (await world.progress(plan)).actual == "400.00"


async def test_deals_are_counted_and_margins_summed(world: Earnings) -> None:
    anna = await world.earner()
    count, margin = await world.goal("4", owner_id=anna.id, measure=COUNT), await world.goal("1000", owner_id=anna.id, measure=MARGIN)  # fmt: skip
    lines = [Line(name="Door", quantity="2", unit_price="300", unit_cost="100")]
    await world.won(anna, lines=lines)
    await world.make(anna, lines=lines, expected_close_date=day(today()), probability=50)
    counted, summed = await world.progress(count), await world.progress(margin)
    assert (counted.actual, counted.forecast, counted.gap) == ("1", "0.5", "3")
    assert (summed.actual, summed.forecast) == ("400.00", "200.00")


async def test_only_the_pipeline_of_the_plan_counts(world: Earnings) -> None:
    anna = await world.earner()
    other = await world.pipeline("service", name="Service")
    plan = await world.goal("1000", owner_id=anna.id, pipeline_id=other.id)
    await world.won(anna, "100.00")
    await world.won(anna, "30.00", pipeline_id=other.id)
    assert (await world.progress(plan)).actual == "30.00"


async def test_the_picture_of_then_comes_back_whatever_happened_since(world: Earnings) -> None:
    anna = await world.earner()
    plan = await world.goal("1000", owner_id=anna.id)
    deal = await world.won(anna, "300.00")
    offered = await world.make(anna, amount="200.00", expected_close_date=day(today()), probability=50)  # fmt: skip
    then = await world.progress(plan)

    await change(world, plan, target="5000")
    await verbs.win(world, offered, anna)
    await verbs.reopen(world, await world.deal(deal.id))
    await world.won(anna, "7.00")

    again, now = await world.progress(plan, as_of=then.as_of), await world.progress(plan)
    assert again == then
    assert (then.actual, then.forecast, then.percent) == ("300.00", "100.00", "30.00")
    assert (now.actual, now.sales_plan.target) == ("207.00", "5000")
    assert len((await facts(world, plan, as_of=then.as_of)).sales_facts) == 1


async def test_a_moment_before_the_plan_was_made_has_no_picture(world: Earnings) -> None:
    plan = await world.goal("1000")
    early = to_timestamp(datetime.now(UTC) - timedelta(hours=1))
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await world.progress(plan, as_of=early)


async def test_a_plan_is_read_by_whose_it_is_and_by_his_department(world: Earnings) -> None:
    _, north, south = await _departments(world)
    anna, max = await world.earner(department_id=north), await world.earner(department_id=south)
    own, of_north = await world.goal("10", owner_id=anna.id), await world.goal("20", department_id=north)  # fmt: skip
    for plan in (own, of_north):
        assert (await world.progress(plan, anna)).sales_plan.id == plan.id
        async with Refused(world, errors.NotFound, "NOT_FOUND"):
            await world.progress(plan, max)
        async with Refused(world, errors.NotFound, "NOT_FOUND"):
            await world.plans(max).ListSalesFacts(sales_plan_pb2.ListSalesFactsRequest(id=plan.id))


async def test_facts_come_in_pages_and_for_one_seller(world: Earnings) -> None:
    anna, max = await world.earner(), await world.earner()
    plan = await world.goal("10")
    for seller in (anna, max, anna):
        await world.won(seller, "5.00")
    first = await facts(world, plan, page_size=2)
    rest = await facts(world, plan, page_size=2, page_token=first.next_page_token)
    assert [len(page.sales_facts) for page in (first, rest)] == [2, 1]
    assert rest.next_page_token == ""
    assert {f.owner_id for f in (await facts(world, plan, user_id=max.id)).sales_facts} == {max.id}


async def test_periods_are_whole_and_plans_have_names(world: Earnings) -> None:
    plan = await world.goal("10", period=SalesPlan.PERIOD_QUARTER, from_date=Date(year=2026, month=5, day=17))  # fmt: skip
    first, last = (date(d.year, d.month, d.day) for d in (plan.from_date, plan.until_date))
    assert (first, last) == (date(2026, 4, 1), date(2026, 6, 30))
    assert (plan.name, plan.currency) == ("Test: won value, 2026-04-01 to 2026-06-30", "PLN")


async def test_wrong_plans_are_refused_by_field(world: Earnings) -> None:
    plan = await world.goal("10")
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "target"):
        await world.goal("0")
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "until_date"):
        await world.goal("1", period=SalesPlan.PERIOD_OWN)
    unknown: dict[str, Any] = {
        "owner_id": uuid7(),
        "department_id": uuid7(),
        "pipeline_id": uuid7(),
    }
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", *unknown):
        await world.goal("1", **unknown)
    async with Refused(world, errors.AlreadyExists, "KEY_TAKEN", "name"):
        await world.goal("10")
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "target"):
        await change(world, plan, target="0.001")


async def test_a_head_plans_for_his_departments_only(world: Earnings) -> None:
    sales, north, _ = await _departments(world)
    elsewhere = await world.tenant.department()
    grants = [{"object": "sales_plan", "action": "*", "scope": "subtree"}]
    head: Person = await world.tenant.person(grants, department_id=sales)
    assert (await world.goal("10", head, department_id=north)).department_id == north
    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await world.goal("10", head, department_id=elsewhere)
