"""Deals whose currency has no rate: counted wherever sums are shown, and worth something once a rate is there."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest_asyncio
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.settling import settled
from chassis.testing.installation import Installation, Tenant
from crm.deals.v1 import board_pb2, currency_rate_pb2, deal_pb2, statistics_pb2
from crm.deals.v1.boards_service_pb2_grpc import BoardsServiceStub
from services.deals import converting, store
from tests.service.deals import verbs
from tests.service.deals.earnings import Earnings, day, today
from tests.service.deals.moving import system
from tests.service.deals.world import SELLER, Deal


@pytest_asyncio.fixture
async def world(running: Installation, tenant: Tenant) -> Earnings:
    return Earnings(running, tenant)


async def board(world: Earnings, by: Any = None, **given: Any) -> board_pb2.BoardColumn:
    """The first column, in which new deals stand."""
    stub = world.stub(by or world.tenant.admin, BoardsServiceStub)
    request = board_pb2.GetBoardRequest(pipeline_id=(await world.pipeline()).id, **given)
    return (await stub.GetBoard(request)).columns[0]


async def filled(world: Earnings, currency: str) -> None:
    """What waits for a rate of the currency is worth what it is, without the wait for others' transactions."""
    after = str(store.NO_ID)

    async def step(tx: Any) -> str:
        return await converting.fill_next(tx, currency, after)

    while after:
        after = await system(world, step)


async def figures(world: Earnings) -> statistics_pb2.StageStatistics:
    stub = world.stub(world.tenant.admin, BoardsServiceStub)
    request = statistics_pb2.GetPipelineStatisticsRequest(id=(await world.pipeline()).id)
    return (await stub.GetPipelineStatistics(request)).stages[0]


async def test_boards_count_what_no_rate_is_known_for(world: Earnings) -> None:
    await world.rate("EUR", "4.00")
    for currency, amount in (("EUR", "10.00"), ("USD", "70.00"), ("USD", ""), ("USD", "0.00")):
        await world.make(amount=amount, currency=currency)
    me = await world.tenant.person(SELLER)
    await world.make(amount="5.00", currency="USD", follower_ids=[me.id])
    soon = Timestamp()
    soon.FromDatetime(datetime.now(UTC))

    kept, found, then, mine = [
        await board(world), await board(world, filter="amount >= 0"), await board(world, as_of=soon),
        await board(world, me),
    ]  # fmt: skip

    assert [(one.count, one.base_amount, one.unconverted_count) for one in (kept, found, then, mine)] == [
        (5, "40.00", 2), (5, "40.00", 2), (5, "40.00", 2), (1, "0.00", 1),
    ]  # fmt: skip
    listed = await world.admin.ListDeals(deal_pb2.ListDealsRequest(filter="base_amount = null"))
    assert sorted(deal.amount for deal in listed.deals) == ["5.00", "70.00"]
    blind = await world.tenant.person(
        [{"object": "*", "action": "*", "scope": "all"}], hidden=["deal.base_amount"]
    )
    assert (await board(world, blind)).unconverted_count == 0


async def test_forecast_statistics_and_sales_count_them(world: Earnings) -> None:
    await world.make(amount="70.00", currency="USD", expected_close_date=day(today()))
    anna = await world.earner()
    await world.won(anna, "30.00", currency="USD")
    lost = await world.make(amount="20.00", currency="USD")
    await verbs.lose(world, lost, await verbs.reason(world, name="Price"))
    stub = world.stub(world.tenant.admin, BoardsServiceStub)
    pipeline = (await world.pipeline()).id

    forecast = await stub.GetForecast(statistics_pb2.GetForecastRequest(id=pipeline))
    told = await stub.GetPipelineStatistics(statistics_pb2.GetPipelineStatisticsRequest(id=pipeline))  # fmt: skip
    sales = await stub.GetSales(statistics_pb2.GetSalesRequest())

    rows = [(row.open_count, row.open_unconverted_count) for row in forecast.rows if row.open_count]
    assert rows == [(1, 1)]
    stage = told.stages[0]
    assert (stage.open_unconverted_count, stage.won_unconverted_count, stage.lost_unconverted_count) == (1, 1, 1)  # fmt: skip
    assert [(each.count, each.unconverted_count) for each in told.refusals] == [(1, 1)]
    assert [(row.sold_count, row.sold_unconverted_count) for row in sales.rows] == [(1, 1)]


async def test_a_rate_fills_what_waited_for_it_by_the_right_day(world: Earnings) -> None:
    open_deal = await world.make(amount="70.00", currency="USD")
    anna = await world.earner()
    won = await world.won(anna, "30.00", currency="USD")
    other = await world.make(amount="1.00", currency="GBP")
    gone = await world.make(amount="2.00", currency="USD")
    await world.admin.DeleteDeal(deal_pb2.DeleteDealRequest(id=gone.id))

    await world.rate("USD", "4.00", today() - timedelta(days=1))
    await filled(world, "USD")

    now = [(await world.deal(deal.id)).base_amount for deal in (open_deal, won, other)]
    assert now == ["280.00", "120.00", ""]
    back = await world.admin.UndeleteDeal(deal_pb2.UndeleteDealRequest(id=gone.id))
    assert back.base_amount == "8.00"
    column = await board(world)
    assert (column.base_amount, column.unconverted_count) == ("288.00", 1)
    assert ((await figures(world)).won_unconverted_count, (await figures(world)).won_base_amount) == (0, "120.00")  # fmt: skip
    history = await world.admin.ListDealHistory(deal_pb2.ListDealHistoryRequest(id=open_deal.id))
    last = history.revisions[0]
    assert (last.cause.kind, [change.field for change in last.changes]) == ("rate", ["base_amount"])


async def test_a_rate_that_begins_after_a_deal_ended_is_not_its_rate(world: Earnings) -> None:
    anna = await world.earner()
    won = await world.won(anna, "30.00", currency="USD")
    await world.rate("USD", "4.00", today() + timedelta(days=1))
    before = await world.deal(won.id)
    await filled(world, "USD")
    assert await world.deal(won.id) == before


async def test_a_rate_fills_by_itself_and_in_steps(world: Earnings, monkeypatch: Any) -> None:
    monkeypatch.setattr(converting, "_AT_ONCE", 2)
    monkeypatch.setattr(converting, "_SETTLES", timedelta())
    made: list[Deal] = [await world.make(amount="10.00", currency="USD") for _ in range(5)]
    request = currency_rate_pb2.PutCurrencyRatesRequest(
        currency_rates=[currency_rate_pb2.CurrencyRate(currency="USD", rate="4", date=day(date(2026, 1, 1)))]
    )  # fmt: skip
    await world.plans().PutCurrencyRates(request)
    await settled(world.running.process)
    assert {(await world.deal(deal.id)).base_amount for deal in made} == {"40.00"}
    column = await board(world)
    assert (column.base_amount, column.unconverted_count) == ("200.00", 0)


async def test_a_rate_in_another_currency_than_ours_fills_nothing(world: Earnings) -> None:
    deal = await world.make(amount="10.00", currency="USD")
    rate = currency_rate_pb2.CurrencyRate(
        currency="USD", base_currency="EUR", rate="0.9", date=day(today())
    )
    timers = await world.count("timers")
    await world.plans().CreateCurrencyRate(
        currency_rate_pb2.CreateCurrencyRateRequest(currency_rate=rate)
    )
    assert (await world.count("timers"), await world.deal(deal.id)) == (timers, deal)


async def test_sums_are_those_of_the_deals_however_they_were_written(world: Earnings) -> None:
    for at in range(4):
        await world.make(amount="10.00", currency="USD" if at % 2 else "PLN")
    await world.rate("USD", "4.00")
    await filled(world, "USD")
    rows = await world.running.rows(
        "deals", "SELECT sum(count) AS n, sum(base_amount) AS worth, sum(unconverted) AS lacking"
        " FROM deal_sums WHERE tenant_id = $1", world.tenant.id,
    )  # fmt: skip
    assert [tuple(row) for row in rows] == [(4, 100, 0)]
