"""A small history of a firm that sells: what happens in each of three months, over HTTP alone."""

from datetime import date, timedelta
from typing import Any

from tests.e2e.company import ok, phone
from tests.e2e.market import Market, at, dated, moment, monday_of_a_month, now
from tests.service.gateway.conftest import Crm


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

    async def deal(
        self, name: str, *lines: tuple[str, str, str], amount: str = "", **given: Any
    ) -> str:
        body = {
            "title": "Windows", "pipelineId": self._pipeline, "contactId": self.customers[name], **given,
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

    async def billed(self, deal_id: str, paid: str) -> None:
        """An invoice in two halves, of which some is paid and the tenth window is taken back."""
        halves = [
            {"percent": "50", "dueDate": dated(now(self._shop.crm).date() + timedelta(days=days))}
            for days in (1, 30)
        ]
        draft = {"dealId": deal_id, "instalments": halves, "buyer": {"name": "Wanda"}}
        path = f"/v1/invoices/{ok(await self._http.post('/v1/invoices', json=draft))['id']}"
        issued = ok(await self._http.post(f"{path}:issue", json={}))
        payment = {
            "dealId": deal_id,
            "amount": paid,
            "allocations": [{"invoiceId": issued["id"], "amount": paid}],
        }
        ok(await self._http.post("/v1/payments", json=payment))
        back = [{"lineId": issued["lines"][0]["id"], "quantity": "1"}]
        ok(await self._http.post(f"{path}:credit", json={"reason": "Scratched", "lines": back}))

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


async def third_month(firm: History, shop: Market, monday: date) -> dict[str, Any]:
    """Plans are set. Ana sells windows of which one comes back, and to somebody who first thinks again; Ivo buys in euros before anybody
    knows their rate; others are expected. Gives the sales plan."""
    crm, hers = shop.crm, {"ownerId": shop.ana.id}
    goal = {"period": "PERIOD_MONTH", "fromDate": dated(monday), "measure": "MEASURE_WON_VALUE", "target": "5000"}  # fmt: skip
    plan = ok(await shop.http.post("/v1/salesPlans", json=goal))
    terms = {"fromDate": dated(monday), "basis": "BASIS_NET", "earnedOn": "EARNED_ON_WINNING", "percent": "5"}  # fmt: skip
    ok(await shop.books.http.post("/v1/commissionPlans", json={"name": "5 %", "terms": [terms]}))
    for name in ("Ivo", "Jan", "Kim", "Lea", "Ola"):
        await firm.contact(name)
    soon, later = dated(monday + timedelta(days=4)), dated(monday + timedelta(days=40))
    of_wanda = await firm.deal("Wanda", ("window", "10", "100"), **hers)
    of_ivo = await firm.deal("Ivo", amount="100.10", currency="EUR")
    await firm.deal("Jan", amount="50.05", currency="EUR", probability=33, expectedCloseDate=soon)
    await firm.deal("Kim", amount="600", expectedCloseDate=later, **hers)
    await firm.deal("Lea", amount="70", expectedCloseDate=dated(monday + timedelta(days=1)))
    of_ola = await firm.deal("Ola", amount="200", **hers)
    await at(crm, monday + timedelta(days=1), 9)
    await firm.moved(of_wanda, "paid")  # past the offer
    for deal in (of_wanda, of_ivo, of_ola):
        await firm.won(deal)
    await firm.billed(of_wanda, "300")
    await at(crm, monday + timedelta(days=2), 9)
    await firm.reopened(of_ola)
    ok(
        await shop.http.patch(
            f"/v1/deals/{of_ola}", json={"amount": "250", "ownerId": shop.head.id}
        )
    )
    await firm.won(of_ola)
    rate = {"currency": "EUR", "rate": "4.2531", "date": dated(monday)}
    ok(await shop.http.post("/v1/currencyRates", json=rate))
    await at(crm, monday + timedelta(days=3), 9)
    return plan
