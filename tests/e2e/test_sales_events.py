"""The sales metrics of section 1.11 from the event stream alone: a program that hears a small history comes to the figures that were
worked out by hand (S104-S115, S119, S124-S126)."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from tests.e2e.company import ok, phone
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
from tests.e2e.outside import reading
from tests.e2e.sales_books import Books, Period
from tests.service.gateway.conftest import Crm

pytestmark = pytest.mark.large


@pytest.fixture(scope="module")
async def crm() -> AsyncIterator[Crm]:
    async with market() as made:
        yield made


class History:
    """What the firm does, each for customers who are known by their names."""

    def __init__(self, shop: Market) -> None:
        self._shop, self._http = shop, shop.http
        self.customers: dict[str, str] = {}
        self._stages: dict[str, str] = {}
        self._pipeline = ""
        self._products: dict[str, str] = {}

    async def begin(self) -> None:
        made = await self._shop.pipeline()
        stages = [stage | {"mayBeSkipped": True} for stage in made["stages"]]
        ok(await self._http.patch(f"/v1/pipelines/{made['id']}", json={"stages": stages}))
        self._pipeline, self._stages = made["id"], {s["key"]: s["id"] for s in made["stages"]}
        windows, doors = [await self._shop.family(name) for name in ("Windows", "Doors")]
        for family, name, cost in (
            (windows, "window", "60"), (windows, "wide", "90"), (doors, "door", "200"),
        ):  # fmt: skip
            self._products[name] = await self._shop.product(family, name, unitCost=cost)

    async def contact(self, name: str) -> str:
        made = await self._shop.firm.contact(givenName=name)
        self.customers[name] = made["id"]
        return str(made["id"])

    async def asked(self, name: str, campaign: str = "") -> str:
        """A customer's request, perhaps by a campaign's link."""
        body: dict[str, Any] = {"name": name, "phone": phone(), "text": "Windows, please"}
        if campaign:
            body["lastTouch"] = {"time": moment(now(self._shop.crm)), "utmCampaign": campaign}
        made = ok(await self._http.post("/v1/requests", json=body))
        self.customers[name] = made["contactId"]
        await self._shop.settle()
        return str(made["id"])

    async def opened(self, request_id: str, *lines: tuple[str, str, str]) -> str:
        """The deal of a request."""
        body = {"pipelineId": self._pipeline}
        made = ok(await self._http.post(f"/v1/requests/{request_id}:openDeal", json=body))
        given = {"lines": self._lines(lines)}
        ok(await self._http.patch(f"/v1/deals/{made['id']}", json=given))
        return str(made["id"])

    async def deal(self, name: str, *lines: tuple[str, str, str], amount: str = "") -> str:
        body = {
            "title": "Windows", "pipelineId": self._pipeline, "contactId": self.customers[name],
            **({"lines": self._lines(lines)} if lines else {"amount": amount}),
        }  # fmt: skip
        return str(ok(await self._http.post("/v1/deals", json=body))["id"])

    def _lines(self, lines: tuple[tuple[str, str, str], ...]) -> list[dict[str, str]]:
        return [
            {"productId": self._products[name], "quantity": quantity, "unitPrice": price}
            for name, quantity, price in lines
        ]

    async def moved(self, deal_id: str, stage: str) -> None:
        body = {"stageId": self._stages[stage]}
        ok(await self._http.post(f"/v1/deals/{deal_id}:move", json=body))

    async def quoted(self, deal_id: str) -> None:
        body: dict[str, Any] = {"dealId": deal_id}
        if not ok(await self._http.get(f"/v1/deals/{deal_id}")).get("lines"):
            body["lines"] = self._lines((("window", "8", "100"),))
        quote = ok(await self._http.post("/v1/quotes", json=body))
        ok(await self._http.post(f"/v1/quotes/{quote['id']}:send", json={}))

    async def called(self, deal_id: str) -> None:
        types = ok(await self._http.get("/v1/taskTypes"))["taskTypes"]
        (call,) = [each["id"] for each in types if each["key"] == "call"]
        body = {"subject": "Call", "typeId": call, "link": {"dealId": deal_id}}
        task = ok(await self._http.post("/v1/tasks", json=body))
        ok(await self._http.post(f"/v1/tasks/{task['id']}:complete", json={}))
        await self._shop.settle()

    async def won(self, deal_id: str) -> None:
        ok(await self._http.post(f"/v1/deals/{deal_id}:win", json={}))

    async def lost(self, deal_id: str) -> None:
        reasons = ok(await self._http.get("/v1/dealReasons"))["dealReasons"]
        why = next(
            each["id"]
            for each in reasons
            if each["kind"] == "KIND_LOST" and not each.get("namesCompetitor")
        )
        ok(await self._http.post(f"/v1/deals/{deal_id}:lose", json={"reasonId": why}))

    async def reopened(self, deal_id: str) -> None:
        ok(await self._http.post(f"/v1/deals/{deal_id}:reopen", json={}))

    async def agreed(self, name: str, start: date, end: date) -> str:
        """A contract with the customer until this day."""
        body = {
            "title": "Maintenance", "contactId": self.customers[name], "value": "20", "period": "PERIOD_MONTH",
            "startDate": dated(start), "endDate": dated(end),
        }  # fmt: skip
        return str(ok(await self._http.post("/v1/contracts", json=body))["id"])

    async def renewed(self, contract_id: str) -> None:
        ok(await self._http.post(f"/v1/contracts/{contract_id}:renew", json={}))

    async def given_up(self, contract_id: str) -> None:
        ok(await self._http.post(f"/v1/contracts/{contract_id}:end", json={"reason": "Moved"}))

    async def paid(self, deal_id: str, amount: str) -> str:
        body = {"dealId": deal_id, "amount": amount}
        return str(ok(await self._http.post("/v1/payments", json=body))["id"])

    async def paid_back(self, payment_id: str, amount: str) -> None:
        body = {"amount": amount, "reason": "One was scratched"}
        ok(await self._http.post(f"/v1/payments/{payment_id}:refund", json=body))


async def first_month(firm: History, crm: Crm, monday: date) -> list[str]:
    """Wanda buys ten windows, whom the campaign brought; Adam does not buy. Gives their contracts: of the last nobody thinks yet."""
    of_wanda = await firm.opened(await firm.asked("Wanda", "spring"), ("window", "10", "100"))
    await firm.contact("Adam")
    of_adam = await firm.deal("Adam", amount="700")
    await at(crm, monday + timedelta(days=2), 9)
    await firm.moved(of_wanda, "offer")
    await firm.quoted(of_wanda)
    await at(crm, monday + timedelta(days=4), 9)
    await firm.won(of_wanda)
    await firm.paid(of_wanda, "1000")
    await firm.lost(of_adam)
    until = monday_of_a_month(monday)
    return [
        await firm.agreed(name, monday, until + timedelta(days=days))
        for name, days in (("Wanda", 11), ("Adam", 10), ("Adam", 370))
    ]


async def second_month(firm: History, crm: Crm, monday: date, contracts: list[str]) -> None:
    """Wanda buys dearer windows and a door after a call; the campaign brings Celia, who is given something back; Eve does not buy; Gus
    wants to think again; Fay has only asked, and Hal is only known."""
    of_wanda = await firm.deal("Wanda", ("wide", "10", "150"), ("door", "1", "400"))
    of_celia = await firm.opened(await firm.asked("Celia", "spring"), ("window", "5", "100"))
    for name in ("Eve", "Gus", "Hal"):
        await firm.contact(name)
    of_eve, of_gus = await firm.deal("Eve", amount="250"), await firm.deal("Gus", amount="800")
    await firm.asked("Fay")
    await at(crm, monday + timedelta(days=1), 9)
    await firm.moved(of_wanda, "offer")
    await firm.quoted(of_wanda)
    await firm.quoted(of_gus)
    await at(crm, monday + timedelta(days=3), 9)
    await firm.called(of_wanda)
    await firm.won(of_wanda)
    await firm.paid(of_wanda, "1900")
    await at(crm, monday + timedelta(days=6), 9)
    await firm.won(of_celia)
    payment = await firm.paid(of_celia, "300")
    await firm.lost(of_eve)
    await firm.won(of_gus)
    await at(crm, monday + timedelta(days=7), 9)
    await firm.reopened(of_gus)
    await at(crm, monday + timedelta(days=8), 9)
    await firm.paid_back(payment, "50")
    await firm.renewed(contracts[0])
    await firm.given_up(contracts[1])


async def heard(access: dict[str, Any]) -> Books:
    """Everything that the streams tell."""
    books = Books()
    async with AsyncExitStack() as closing:
        for stream in ("CONTACTS", "TASKS", "DEALS"):
            reader = await closing.enter_async_context(reading(access, stream))
            books.hear(await reader.rest())
    return books


def month_of(monday: date) -> Period:
    first = monday.replace(day=1)
    after = (first + timedelta(days=32)).replace(day=1)
    return Period(*(datetime.combine(day, time(), WARSAW) for day in (first, after)))


async def test_the_metrics_of_sales_come_from_the_stream_alone(crm: Crm) -> None:
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
        await shop.settle()

        books = await heard(access)

    before, month = month_of(first), month_of(second)
    ever = Period(before.start, month.end)
    who = firm.customers
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
