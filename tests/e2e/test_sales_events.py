"""The sales metrics of section 1.11 from the event stream alone: a program that hears a small history comes to the figures that were
worked out by hand (S104-S115, S119, S124-S126), and to those that the API gives."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from tests.e2e.company import ok
from tests.e2e.market import (
    WARSAW,
    Market,
    at,
    dated,
    market,
    moment,
    monday_of_a_month,
    now,
    opened,
)
from tests.e2e.outside import Event, reading
from tests.e2e.sales_books import Books, Period
from tests.e2e.sales_figures import Figures, shown
from tests.e2e.sales_history import History, first_month, second_month, third_month
from tests.service.gateway.conftest import Crm

pytestmark = pytest.mark.large


@pytest.fixture(scope="module")
async def crm() -> AsyncIterator[Crm]:
    async with market() as made:
        yield made


@dataclass
class Heard:
    """A firm, and all that its streams have told a program outside."""

    shop: Market
    firm: History
    months: tuple[Period, Period]
    access: dict[str, Any]
    events: list[Event] = field(default_factory=list)

    async def hear(self) -> Books:
        """Books of everything that the streams have told until now."""
        await self.shop.settle()
        async with AsyncExitStack() as closing:
            for stream in ("CONTACTS", "TASKS", "DEALS"):
                reader = await closing.enter_async_context(reading(self.access, stream))
                self.events += await reader.rest()
        books = Books()
        books.hear(self.events)
        return books

    async def asked(self, path: str, **query: Any) -> dict[str, Any]:
        """What the API says."""
        return ok(await self.shop.http.get(f"/v1/{path}", params=query))


def month_of(monday: date) -> Period:
    first = monday.replace(day=1)
    after = (first + timedelta(days=32)).replace(day=1)
    return Period(*(datetime.combine(day, time(), WARSAW) for day in (first, after)))


@pytest.fixture(scope="module")
async def told(crm: Crm) -> AsyncIterator[tuple[Heard, Books]]:
    """After two months."""
    first = monday_of_a_month(now(crm).date())
    second = monday_of_a_month(first)
    await at(crm, first, 9)
    async with opened(crm) as shop:
        access = (await shop.firm.token(nats=True, natsStart="NATS_START_ALL"))["nats"]
        firm = History(shop)
        await firm.begin()
        contracts = await first_month(firm, crm, first)
        await at(crm, second, 9)
        await second_month(firm, crm, second, contracts)
        heard = Heard(shop, firm, (month_of(first), month_of(second)), access)
        yield heard, await heard.hear()


@dataclass
class Told:
    """After the third month: what the API is asked, and what a program reckons by itself."""

    api: Heard
    figures: Figures
    plan: dict[str, Any]
    month: Period

    @property
    def of_pipeline(self) -> str:
        return f"pipelines/{self.figures.pipeline['id']}"


@pytest.fixture(scope="module")
async def third(told: tuple[Heard, Books]) -> Told:
    heard, _ = told
    crm = heard.shop.crm
    monday = monday_of_a_month(now(crm).date())
    await at(crm, monday, 9)
    plan = await third_month(heard.firm, heard.shop, monday)
    books = await heard.hear()
    (pipeline,) = (each for each in books.living("pipeline") if each["key"] == "windows")
    return Told(heard, Figures(books, pipeline, now(crm)), plan, month_of(monday))


async def test_the_metrics_of_sales_come_from_the_stream_alone(told: tuple[Heard, Books]) -> None:
    heard, books = told
    before, month = heard.months
    ever, who = Period(before.start, month.end), heard.firm.customers
    # Fay waits; Adam, Eve, Gus, Fay and Hal have bought nothing.
    assert books.s104_prospects() == (1, 5)
    assert books.s105_retained(before, month) == {who["Wanda"]}
    assert books.s106_close_rate(month) == Fraction(2, 3)  # Wanda and Celia; not Eve
    assert books.s107_renewal_rate(month) == Fraction(1, 2)  # Wanda's; not Adam's first
    assert books.new_customers(month) == {who["Celia"]}  # S108
    assert books.s109_through_calls(month) == (1, 1, Decimal(10 * 150 + 400))
    assert books.s110_opportunities(month) == 4  # of Wanda, Celia, Eve and Gus
    assert books.s111_new_revenue(month) == (Decimal(300 - 50), Decimal(500))
    assert books.s112_open() == (1, Decimal(800))
    # Wanda 1 day and then 2; Celia, Eve and Gus until the seventh day.
    days = books.s113_days_in_stages(month)
    assert {stage: [round(each, 1) for each in stays] for stage, stays in days.items()} == {
        "new": [1.0, 6.0, 6.0, 6.0], "offer": [2.0],
    }  # fmt: skip
    assert [round(each, 1) for each in books.s114_cycle_days(month)] == [4.5, 6.0]
    assert books.s115_proposals(month) == 2  # to Wanda and Gus
    assert books.s119_revenue_of("spring", before) == Decimal(1000)
    assert books.s119_revenue_of("spring", month) == Decimal(300 - 50)
    assert books.s124_lifetime_value(ever) == {
        who["Wanda"]: (Decimal(1000 + 1900), Decimal((1000 - 600) + (1900 - 900 - 200))),
        who["Celia"]: (Decimal(300 - 50), Decimal(500 - 300)),
    }  # fmt: skip
    assert books.s125_cross_sell(ever) == Fraction(1, 2)  # Wanda has windows and a door
    assert books.s126_up_sell(month) == Fraction(1, 4)  # Wanda's wide windows


# -- and the API says the same -----------------------------------------------------------------------------------------------


async def test_boards_and_forecasts_say_what_the_stream_comes_to(third: Told) -> None:
    board = await third.api.asked(f"boards/{third.figures.pipeline['id']}")
    forecast = await third.api.asked(f"{third.of_pipeline}/forecast")
    assert [shown(column) for column in board["columns"]] == third.figures.board()
    assert [shown(row) for row in forecast["rows"]] == third.figures.forecast()


async def test_statistics_and_sales_say_what_the_stream_comes_to(third: Told) -> None:
    figures = third.figures
    for period in (*third.api.months, third.month):
        times = {"startTime": moment(period.start), "endTime": moment(min(period.end, figures.now))}
        statistics = await third.api.asked(f"{third.of_pipeline}/statistics", **times)
        assert [shown(row) for row in statistics["stages"]] == figures.stages(period)
        assert unordered(statistics.get("refusals", [])) == unordered(figures.refusals(period))
        for by in ("owner", "department"), ("source", "pipeline"), ("owner", "month"):
            kinds = [f"BY_{each.upper()}" for each in by]
            sales = await third.api.asked("sales", by=kinds, **times)
            fields = ["period" if each == "month" else f"{each}Id" for each in by]
            assert unordered(sales["rows"]) == unordered(figures.sales(period, *fields))


async def test_plans_and_commissions_say_what_the_stream_comes_to(third: Told) -> None:
    progress = await third.api.asked(f"salesPlans/{third.plan['id']}/progress")
    progress["people"] = {each.pop("userId"): each for each in progress["people"]}
    mine = third.figures.progress(third.plan, third.month)
    assert {name: progress[name] for name in mine} == mine
    assert progress.get("missingRates", []) == []
    first, last = third.month.start.date(), third.figures.today
    days = {
        f"{name}.{part}": value
        for name, day in (("fromDate", first), ("untilDate", last))
        for part, value in dated(day).items()
    }
    sums = (await third.api.asked("commissions:sum", **days))["sums"]
    told = {each["ownerId"]: (each["amount"], each["entries"]) for each in sums}
    assert told == third.figures.commissions()


async def test_receipts_customers_and_deals_say_what_the_stream_comes_to(third: Told) -> None:
    figures = third.figures
    receipts = (await third.api.asked("invoices:plannedReceipts", weeks=4))["currencies"]
    assert receipts_of(receipts) == figures.receipts(weeks=4)
    for name, id in third.api.firm.customers.items():
        facts, customer = await third.api.asked(f"contacts/{id}/facts"), figures.customer(id)
        assert {key: facts.get(key) for key in customer} == customer, name
    deals = (await third.api.asked("deals", pageSize=200))["deals"]
    assert {d["id"]: d["paidAmount"] for d in deals if "paidAmount" in d} == figures.paid()


def unordered(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What rows say whose order says nothing."""
    return sorted(map(shown, rows), key=lambda row: sorted(map(str, row.items())))


def receipts_of(currencies: list[dict[str, Any]]) -> dict[str, Any]:
    """Currency -> place -> what is expected there, without what is empty."""
    found = {}
    for each in currencies:
        places = {name: each[name] for name in ("overdue", "later", "undated")}
        for week in each["weeks"]:
            day = week["startDate"]
            places[date(day["year"], day["month"], day["day"]).isoformat()] = week["receipts"]
        found[each["currency"]] = {
            name: sums
            for name, sums in places.items()
            if "instalmentCount" in sums or "dealCount" in sums
        }
    return found
