"""Forecasts, statistics and sales of a pipeline."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis import errors
from chassis.testing.installation import Person
from chassis.times import to_timestamp
from crm.deals.v1 import deal_pb2, deal_reason_pb2
from crm.deals.v1 import deal_verbs_pb2 as verbs
from crm.deals.v1 import statistics_pb2 as pb
from crm.deals.v1.boards_service_pb2_grpc import BoardsServiceStub
from tests.service.deals.world import SELLER, Deal, World
from tests.service.worlds import Refused


def stub(world: World, by: Person | None = None) -> Any:
    return (by or world.tenant.admin).stub(BoardsServiceStub)


async def listed(world: World, filter: str) -> set[str]:
    """The titles of the deals that a figure is made of."""
    page = await world.admin.ListDeals(deal_pb2.ListDealsRequest(filter=filter))
    return {deal.title for deal in page.deals}


async def lose(world: World, deal: Deal, reason: str) -> Deal:
    found = await world.admin.ListDealReasons(deal_reason_pb2.ListDealReasonsRequest(filter=f'name = "{reason}"'))  # fmt: skip
    if found.deal_reasons:
        id = found.deal_reasons[0].id
    else:
        made = deal_reason_pb2.DealReason(name=reason, kind=deal_reason_pb2.DealReason.KIND_LOST)
        id = (await world.admin.CreateDealReason(deal_reason_pb2.CreateDealReasonRequest(deal_reason=made))).id  # fmt: skip
    return await world.admin.LoseDeal(verbs.LoseDealRequest(id=deal.id, reason_id=id))


async def move(world: World, deal: Deal, stage_id: str) -> Deal:
    return await world.admin.MoveDeal(verbs.MoveDealRequest(id=deal.id, stage_id=stage_id, skip_reason="Fair"))  # fmt: skip


def date_of(day: datetime) -> dict[str, int]:
    return {"year": day.year, "month": day.month, "day": day.day}


# -- the forecast ----------------------------------------------------------------------------------------------------------


async def test_forecast_by_month_and_owner_with_late_ones_apart(world: World) -> None:
    pipeline = await world.pipeline()
    jan = await world.seller()
    today = datetime.now(UTC)
    later = datetime(today.year + 1, 3, 15, tzinfo=UTC)
    await world.make(title="March", amount="100", expected_close_date=date_of(later))
    await world.make(title="March too", amount="50", probability=50, expected_close_date=date_of(later))  # fmt: skip
    await world.make(title="His", owner_id=jan.id, amount="7", expected_close_date=date_of(later))
    late = await world.make(title="Late", amount="30")
    await world.running.rows("deals", "UPDATE deals SET expected_key = current_date - 40 WHERE id = $1", late.id)  # fmt: skip
    await world.make(title="Some day", amount="9")
    won = await world.make(title="Won", amount="400")
    await world.admin.WinDeal(verbs.WinDealRequest(id=won.id))

    found = await stub(world).GetForecast(pb.GetForecastRequest(id=pipeline.id, months=24))

    mine = [row for row in found.rows if row.owner_id == world.tenant.admin.id]
    assert [
        (r.month.year, r.month.month, r.late, r.open_count, r.open_amount, r.weighted_amount, r.won_amount) for r in mine
    ] == [
        (today.year, today.month, False, 0, "", "", "400.00"), (later.year, 3, False, 2, "150.00", "35.00", ""),
        (0, 0, True, 1, "30.00", "3.00", ""), (0, 0, False, 1, "9.00", "0.90", ""),
    ]  # fmt: skip
    titles = [await listed(world, row.open_filter) for row in mine[1:]]
    assert titles == [{"March", "March too"}, {"Late"}, {"Some day"}]
    assert await listed(world, mine[0].won_filter) == {"Won"}
    [his] = [row for row in found.rows if row.owner_id == jan.id]
    assert (his.open_count, his.open_amount) == (1, "7.00")
    own = await stub(world, jan).GetForecast(pb.GetForecastRequest(id=pipeline.id, months=24))
    assert [row.owner_id for row in own.rows] == [jan.id]


async def test_forecast_of_a_date_that_is_none_is_refused(world: World) -> None:
    pipeline = await world.pipeline()
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "start_date"):
        start = {"year": 2026, "month": 2, "day": 31}
        await stub(world).GetForecast(pb.GetForecastRequest(id=pipeline.id, start_date=start))


# -- statistics ------------------------------------------------------------------------------------------------------------


async def test_what_went_through_each_stage(world: World) -> None:
    pipeline = await world.pipeline()
    new, needs, quoted = [stage.id for stage in pipeline.stages[:3]]
    one, two, three, four = [await world.make(title=t) for t in ("A", "B", "C", "D")]
    await move(world, one, needs)
    await move(world, two, quoted)  # passes over "Needs known"
    await world.admin.WinDeal(verbs.WinDealRequest(id=two.id))
    await lose(world, three, "Too dear")

    found = await stub(world).GetPipelineStatistics(pb.GetPipelineStatisticsRequest(id=pipeline.id))

    rows = {row.stage_id: row for row in found.stages}
    assert [row.name for row in found.stages] == [stage.name for stage in pipeline.stages]
    first = rows[new]
    assert (first.entered_count, first.left_count, first.forward_count, first.lost_count) == (4, 3, 2, 1)  # fmt: skip
    assert (first.conversion_percent, first.median_days, first.open_count) == ("66.7", "0.0", 1)
    assert (rows[needs].entered_count, rows[needs].skipped_count, rows[needs].left_count) == (1, 1, 0)  # fmt: skip
    assert (rows[quoted].won_count, rows[quoted].forward_count, rows[quoted].conversion_percent) == (1, 1, "100.0")  # fmt: skip
    assert await listed(world, rows[quoted].won_filter) == {"B"}
    assert await listed(world, first.lost_filter) == {"C"}
    assert await listed(world, first.open_filter) == {"D"} == {four.title}
    assert await listed(world, first.idle_filter) == set()


async def test_times_in_a_stage_are_those_that_deals_were_there(world: World) -> None:
    pipeline = await world.pipeline()
    new, needs = [stage.id for stage in pipeline.stages[:2]]
    for number, days in enumerate((1, 2, 10)):
        deal = await world.make(title=str(number))
        await world.running.rows(
            "deals", "UPDATE deal_stays SET enter_time = enter_time - make_interval(days => $2) WHERE deal_id = $1",
            deal.id, days,
        )  # fmt: skip
        await move(world, deal, needs)
    found = await stub(world).GetPipelineStatistics(pb.GetPipelineStatisticsRequest(id=pipeline.id))
    [row] = [row for row in found.stages if row.stage_id == new]
    assert (row.median_days, row.p90_days) == ("2.0", "8.4")  # between 2 and 10 at 0.9 of the way


async def test_where_most_refusals_happen_after_what_and_why(world: World) -> None:
    pipeline = await world.pipeline()
    new, needs = [stage.id for stage in pipeline.stages[:2]]
    ola = await world.seller()
    deals = [await world.make(title=f"Deal {n}", owner_id=ola.id, amount="10") for n in range(3)]
    await move(world, deals[2], needs)
    for deal in deals[:2]:
        await lose(world, deal, "Too dear")
    await lose(world, deals[2], "Too late")

    found = await stub(world).GetPipelineStatistics(pb.GetPipelineStatisticsRequest(id=pipeline.id))

    assert [(r.stage_id, r.count, r.owner_id) for r in found.refusals] == [(new, 2, ola.id), (needs, 1, ola.id)]  # fmt: skip
    assert await listed(world, found.refusals[0].filter) == {"Deal 0", "Deal 1"}
    own = await stub(world, await world.seller()).GetPipelineStatistics(pb.GetPipelineStatisticsRequest(id=pipeline.id))  # fmt: skip
    assert len(own.refusals) == 0


async def test_a_period_that_ends_before_it_begins_is_refused(world: World) -> None:
    pipeline = await world.pipeline()
    now = datetime.now(UTC)
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "start_time"):
        await stub(world).GetPipelineStatistics(
            pb.GetPipelineStatisticsRequest(
                id=pipeline.id, start_time=to_timestamp(now), end_time=to_timestamp(now - timedelta(1))
            )
        )  # fmt: skip


async def test_who_may_not_see_how_deals_end_gets_no_statistics(world: World) -> None:
    pipeline = await world.pipeline()
    me = await world.tenant.person(SELLER, hidden=["deal.ending"])
    with pytest.raises(errors.PermissionDenied) as refused:
        await stub(world, me).GetPipelineStatistics(pb.GetPipelineStatisticsRequest(id=pipeline.id))
    assert refused.value.reason == "FIELD_HIDDEN"


# -- sales -----------------------------------------------------------------------------------------------------------------


async def test_sold_counts_before_any_payment(world: World) -> None:
    home = await world.tenant.department()
    ola = await world.seller(home)
    for title, amount in (("One", "100"), ("Two", "250")):
        deal = await world.make(title=title, owner_id=ola.id, amount=amount)
        await world.admin.WinDeal(verbs.WinDealRequest(id=deal.id))
    await world.make(title="Open", owner_id=ola.id, amount="900")
    By = pb.GetSalesRequest

    found = await stub(world).GetSales(pb.GetSalesRequest(by=[By.BY_OWNER, By.BY_MONTH]))

    [row] = found.rows
    now = datetime.now(UTC)
    assert (row.owner_id, row.sold_count, row.sold_amount) == (ola.id, 2, "350.00")
    assert (row.received_amount, row.period.month) == ("0.00", now.month)
    assert await listed(world, row.sold_filter) == {"One", "Two"}
    [row] = (await stub(world).GetSales(pb.GetSalesRequest(by=[By.BY_DEPARTMENT]))).rows
    assert (row.department_id, row.sold_count) == (home, 2)
    hers = await stub(world, ola).GetSales(pb.GetSalesRequest())
    assert [(r.sold_count, r.received_amount) for r in hers.rows] == [(2, "")]
    assert len((await stub(world, await world.seller()).GetSales(pb.GetSalesRequest())).rows) == 0


async def test_sales_by_two_kinds_of_time_are_refused(world: World) -> None:
    By = pb.GetSalesRequest
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "by"):
        await stub(world).GetSales(pb.GetSalesRequest(by=[By.BY_DAY, By.BY_MONTH]))
