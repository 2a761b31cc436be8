"""The currency in which sums over currencies are shown: what files bring is worth something in it at once, and it may be changed."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask

from chassis.settling import settled
from chassis.testing.installation import Installation, Tenant
from crm.deals.v1 import board_pb2, deal_pb2, deal_settings_pb2, statistics_pb2
from crm.deals.v1.boards_service_pb2_grpc import BoardsServiceStub
from crm.deals.v1.currency_rate_pb2 import CreateCurrencyRateRequest
from crm.identity.v1 import events_pb2 as identity
from services.deals import consumers, converting
from tests.service.deals import hearing, verbs
from tests.service.deals.deal_files import OVERWRITE, Clerk, Options
from tests.service.deals.earnings import CurrencyRate, Earnings, day, today


@pytest_asyncio.fixture
async def world(running: Installation, tenant: Tenant) -> Earnings:
    return Earnings(running, tenant)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deals are filled as soon as the timer is seen, in steps of two."""
    monkeypatch.setattr(converting, "_SETTLES", timedelta())
    monkeypatch.setattr(converting, "_AT_ONCE", 2)


async def worths(world: Earnings) -> dict[str, str]:
    """Title -> base amount of the living deals."""
    found = await world.admin.ListDeals(deal_pb2.ListDealsRequest(page_size=200))
    return {deal.title: deal.base_amount for deal in found.deals}


async def summed_in(world: Earnings, currency: str) -> None:
    asked = deal_settings_pb2.UpdateDealSettingsRequest(
        deal_settings=deal_settings_pb2.DealSettings(base_currency=currency),
        update_mask=FieldMask(paths=["base_currency"]),
    )
    await world.admin.UpdateDealSettings(asked)


async def figures(world: Earnings) -> tuple[Any, Any, Any]:
    """The first column of the board, the statistics of its stage, and the sales in złoty."""
    boards, pipeline = world.stub(world.tenant.admin, BoardsServiceStub), await world.pipeline()
    board = await boards.GetBoard(board_pb2.GetBoardRequest(pipeline_id=pipeline.id))
    told = await boards.GetPipelineStatistics(statistics_pb2.GetPipelineStatisticsRequest(id=pipeline.id))  # fmt: skip
    sales = await boards.GetSales(statistics_pb2.GetSalesRequest())
    return board.columns[0], told.stages[0], next(r for r in sales.rows if r.currency == "PLN")


async def test_what_files_bring_is_worth_the_rate_of_its_day(world: Earnings) -> None:
    await world.pipeline()
    year = datetime.now(UTC).year - 1
    await world.rate("EUR", "4.00", today().replace(year=year, month=1, day=1))
    await world.rate("EUR", "4.50", today() - timedelta(days=1))
    text = (
        "Nr szansy,Title,State,Value,Currency,Closed\n"
        f"1,Open,open,10,EUR,\n2,Won,won,10,EUR,{year}-05-04\n3,Before any rate,lost,10,EUR,2019-05-04\n"
        "4,Unknown,open,10,USD,\n5,Ours,open,10,PLN,\n6,Worth nothing said,open,,EUR,\n"
    )
    clerk = Clerk(world)

    await clerk.imported(text)
    first = await worths(world)
    again = "Nr szansy,Title,Value,Currency\n1,Open,20,EUR\n"
    await clerk.imported(again, options=Options(on_match=OVERWRITE))

    assert first == {
        "Open": "45.00", "Won": "40.00", "Before any rate": "", "Unknown": "", "Ours": "10.00", "Worth nothing said": "",
    }  # fmt: skip
    assert await worths(world) == first | {"Open": "90.00"}
    told = "SELECT count(*) AS n FROM timers WHERE tenant_id = $1 AND kind = $2 AND key LIKE '%/written'"
    [row] = await world.running.rows("deals", told, world.tenant.id, converting.FILL)
    assert row["n"] == 0


@pytest.mark.usefixtures("at_once")
async def test_a_rate_that_comes_between_plan_and_run_is_not_missed(world: Earnings) -> None:
    await world.pipeline()
    clerk = Clerk(world)
    planned = await clerk.plan(await clerk.begin("Title,Value,Currency\nRoof,10,EUR\nGate,5,USD\n"))
    await world.rate("EUR", "4.00")
    await settled(world.running.process)

    await clerk.run(planned)
    await settled(world.running.process)

    assert await worths(world) == {"Roof": "40.00", "Gate": ""}


@pytest.mark.usefixtures("at_once")
async def test_another_base_currency_converts_every_deal_and_figure(world: Earnings) -> None:
    anna = await world.earner()
    await world.won(anna, "30.00")
    lost = await world.make(amount="20.00")
    await verbs.lose(world, lost, await verbs.reason(world, name="Price"))
    for title, currency in (("Ours", "PLN"), ("Foreign", "KWD"), ("Unknown", "USD")):
        await world.make(title=title, amount="10.01", currency=currency)
    gone = await world.make(title="Gone", amount="10.01")
    await world.admin.DeleteDeal(deal_pb2.DeleteDealRequest(id=gone.id))

    await summed_in(world, "KWD")  # of which there are a thousand fils in one
    await settled(world.running.process)
    column, stage, sales = await figures(world)
    assert (column.base_amount, column.unconverted_count) == ("10.010", 2)
    assert (stage.open_base_amount, stage.won_base_amount, stage.won_unconverted_count) == ("10.010", "0.000", 1)  # fmt: skip
    assert (sales.sold_base_amount, sales.sold_unconverted_count) == ("0.000", 1)

    await world.rate("PLN", "0.0815")
    await settled(world.running.process)
    column, stage, sales = await figures(world)
    assert (column.base_amount, column.unconverted_count) == ("10.826", 1)  # 0.815815 + 10.010
    assert (column.weighted_base_amount, stage.lost_base_amount) == ("1.083", "1.630")
    assert (stage.won_base_amount, sales.sold_base_amount) == ("2.445", "2.445")
    assert sales.sold_unconverted_count == 0
    back = await world.admin.UndeleteDeal(deal_pb2.UndeleteDealRequest(id=gone.id))
    assert back.base_amount == "0.816"


@pytest.mark.usefixtures("at_once")
async def test_settings_that_say_the_company_s_own_currency_change_nothing(world: Earnings) -> None:
    deal = await world.make(amount="10.00")
    await summed_in(world, "PLN")
    await settled(world.running.process)
    assert await world.deal(deal.id) == deal
    assert await world.running.rows("deals", "SELECT 1 FROM timers WHERE tenant_id = $1 AND kind = $2", world.tenant.id, converting.FILL) == []  # fmt: skip


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("chosen", "worth"), [("", "2.50"), ("PLN", "10.00")], ids=["follows", "chosen"]
)
async def test_deals_follow_the_company_s_currency_unless_it_chose_another(
    world: Earnings, chosen: str, worth: str
) -> None:
    deal = await world.make(amount="10.00", currency="PLN")
    if chosen:
        await summed_in(world, chosen)
    await world.plans().CreateCurrencyRate(
        CreateCurrencyRateRequest(
            currency_rate=CurrencyRate(
                currency="PLN", base_currency="EUR", rate="0.25", date=day(today())
            )
        )
    )
    entry = dict(world.running.process.directory.of(world.tenant.id).tenant())

    await world.tenant.put("tenant", world.tenant.id, entry | {"currency": "EUR"})
    event = identity.TenantUpdated()
    event.change.changed_fields.append("currency")
    await hearing.hear(world, consumers.convert_anew, event)
    await settled(world.running.process)

    assert (await world.deal(deal.id)).base_amount == worth


async def test_sales_are_worth_what_a_late_rate_says_of_their_days(world: Earnings) -> None:
    anna = await world.earner()
    await world.won(anna, "30.00", currency="USD")
    again = await world.won(anna, "5.00", currency="USD")
    await verbs.reopen(world, again)
    await world.won(anna, "7.00", currency="EUR")
    await world.rate("USD", "4.00", today() - timedelta(days=1))
    boards = world.stub(world.tenant.admin, BoardsServiceStub)

    rows = (await boards.GetSales(statistics_pb2.GetSalesRequest())).rows

    assert [(r.currency, r.sold_count, r.sold_base_amount, r.sold_unconverted_count) for r in rows] == [
        ("EUR", 1, "0.00", 1), ("USD", 1, "120.00", 0),
    ]  # fmt: skip
    assert Decimal(rows[1].sold_amount) == 30
