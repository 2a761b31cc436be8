"""Scenarios 12, 13 and 14 (deals part): from the quote to the commission, from the invoice to the overdue instalment, and the quarter's
plan; every figure explains itself."""

import re
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest

from tests.e2e.company import Person, ok, refused
from tests.e2e.market import (
    Market,
    Quarter,
    at,
    dated,
    market,
    moment,
    monday_of_a_month,
    now,
    opened,
    quarter_after,
)
from tests.service.gateway.conftest import Crm

pytestmark = pytest.mark.large

BROWSER = {"accept": "text/html", "accept-language": "pl"}


@pytest.fixture(scope="module")
async def crm() -> AsyncIterator[Crm]:
    async with market() as made:
        yield made


# -- scenario 12: quote with tax and commission ------------------------------------------------------------------------------


async def variants(shop: Market, deal_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two offers of Ana's for the deal, with two rates of tax: one with discounts on each line and on the whole."""
    reduced, full = await shop.tax("8"), await shop.tax("23")
    windows = {"name": "Window", "quantity": "4", "unitPrice": "1250.00", "taxClassId": reduced}
    sills = {"name": "Sill", "quantity": "6.5", "unitPrice": "80.00", "taxClassId": full}
    basic = {
        "dealId": deal_id, "variant": "Basic", "discountPercent": "5",
        "lines": [windows | {"discountPercent": "10"}, sills | {"discountAmount": "20.00"}],
    }  # fmt: skip
    oak = {
        "dealId": deal_id,
        "variant": "Oak",
        "lines": [windows | {"unitPrice": "1600.00"}, sills],
    }
    sent = []
    for body in (basic, oak):
        quote = ok(await shop.ana.http.post("/v1/quotes", json=body))
        sent.append(ok(await shop.ana.http.post(f"/v1/quotes/{quote['id']}:send", json={})))
    return sent[0], sent[1]


async def accepts(shop: Market, quote: dict[str, Any]) -> str:
    """The customer reads and accepts by the link, in a browser that has no session; the page that thanks him."""
    path = ok(await shop.ana.http.get(f"/v1/quotes/{quote['id']}/link"))["path"]
    browser = await shop.firm.open()
    page = await browser.get(path, headers=BROWSER)
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    (token,) = re.findall(r'name="_request_id" value="([^"]+)"', page.text)
    form = {"name": "Wanda Nowak", "note": "Please in May", "_request_id": token}
    thanks = await browser.post(f"{path}:accept", data=form, headers=BROWSER)
    assert thanks.status_code == 200, thanks.text
    return page.text.replace("\xa0", " ")


async def five_and_two(shop: Market, target: str) -> None:
    """The accountant's plan: 5 % of what is won, 2 % more above the plan; and the head's plan for Ana's quarter."""
    terms = {
        "fromDate": dated(now(shop.crm).date()), "basis": "BASIS_NET", "earnedOn": "EARNED_ON_WINNING",
        "percent": "5", "tiers": [{"abovePercent": "100", "percent": "2"}],
    }  # fmt: skip
    plan = {"name": "5 % + 2 %", "departmentIds": [shop.sales], "terms": [terms]}
    ok(await shop.books.http.post("/v1/commissionPlans", json=plan))
    goal = {
        "ownerId": shop.ana.id, "period": "PERIOD_QUARTER", "measure": "MEASURE_WON_VALUE",
        "fromDate": dated(now(shop.crm).date()), "target": target,
    }  # fmt: skip
    ok(await shop.head.http.post("/v1/salesPlans", json=goal))


async def ledger(shop: Market) -> list[tuple[str, str]]:
    """(kind, amount) of what Ana sees of her commissions, the oldest first; each explains itself."""
    query = {"orderBy": "create_time"}
    entries = ok(await shop.ana.http.get("/v1/commissions", params=query)).get("commissions", [])
    for entry in entries:
        told = await shop.explained(shop.ana, "commission", entry["id"])
        assert told["amount"] == entry["amount"]
    return [(entry["kind"].removeprefix("KIND_"), entry["amount"]) for entry in entries]


async def test_an_accepted_variant_becomes_the_deal_and_its_commission_and_a_storno_takes_it_back(
    crm: Crm,
) -> None:
    await at(crm, monday_of_a_month(quarter_after(now(crm).date())), 9)
    async with opened(crm) as shop:
        await five_and_two(shop, target="4000.00")
        deal = await shop.deal(shop.ana, amount="9000.00")
        basic, oak = await variants(shop, deal["id"])
        # Windows 4 x 1250 - 10 % = 4500, sills 6.5 x 80 - 20 = 500; less 5 % of 5000, shared 225 to 25.
        assert [line["net"] for line in basic["lines"]] == ["4275.00", "475.00"]
        assert [each["tax"] for each in basic["totals"]["taxes"]] == ["109.25", "342.00"]
        assert (basic["totals"]["net"], basic["totals"]["gross"]) == ("4750.00", "5201.25")
        # 4 x 1600 + 8 %, and 520 + 23 %.
        assert oak["totals"]["gross"] == "7551.60"

        page = await accepts(shop, basic)

        assert "5 201,25 zł" in page
        deal = ok(await shop.ana.http.get(f"/v1/deals/{deal['id']}"))
        assert (deal["amount"], deal["acceptedQuoteId"]) == ("5201.25", basic["id"])
        assert [line["id"] for line in deal["lines"]] == [line["id"] for line in basic["lines"]]
        states = {}
        for quote in (basic, oak):
            told = await shop.explained(shop.ana, "quote", quote["id"])
            assert told["amount"] == quote["totals"]["gross"]
            states[quote["variant"]] = ok(await shop.ana.http.get(f"/v1/quotes/{quote['id']}"))["state"]  # fmt: skip
        assert states == {"Basic": "STATE_ACCEPTED", "Oak": "STATE_WITHDRAWN"}
        proof = ok(await shop.head.http.get(f"/v1/quotes/{basic['id']}/proof"))
        assert proof["name"] == "Wanda Nowak"

        ok(await shop.ana.http.post(f"/v1/deals/{deal['id']}:win", json={}))

        # 5 % of 4750, and 2 % of the 750 above her plan of 4000.
        assert await ledger(shop) == [("EARNED", "252.50")]
        told = await shop.explained(shop.ana, "deal", deal["id"])
        assert told["amount"] == "5201.25"
        await storno(shop, deal)


async def storno(shop: Market, deal: dict[str, Any]) -> None:
    """The accountant takes back the sills, and then all the rest."""
    draft = ok(await shop.books.http.post("/v1/invoices", json={"dealId": deal["id"]}))
    path = f"/v1/invoices/{draft['id']}"
    issued = ok(await shop.books.http.post(f"{path}:issue", json={}))
    body = {"reason": "Sills unwanted", "lines": [{"lineId": issued["lines"][1]["id"]}]}
    sills = ok(await shop.books.http.post(f"{path}:credit", json=body))
    rest = ok(await shop.books.http.post(f"{path}:credit", json={"reason": "Order cancelled"}))
    await shop.settle()

    for record, gross in ((issued, "5201.25"), (sills, "-584.25"), (rest, "-4617.00")):
        told = await shop.explained(shop.books, "invoice", record["id"])
        assert told["amount"] == record["totals"]["gross"] == gross
    assert ok(await shop.books.http.get(path))["state"] == "STATE_CANCELLED"
    # 475: 5 % and 2 % lie above the plan; 4275: 5 %, and 2 % of the 275 that still lie above it.
    assert await ledger(shop) == [
        ("EARNED", "252.50"), ("TAKEN_BACK", "-33.25"), ("TAKEN_BACK", "-219.25"),
    ]  # fmt: skip
    entry = ok(await shop.ana.http.get("/v1/commissions"))["commissions"][0]
    changed = await shop.books.http.patch(f"/v1/commissions/{entry['id']}", json={"amount": "9"})
    assert changed.status_code in (404, 405)


# -- scenario 13: payment tracking -------------------------------------------------------------------------------------------


async def paid_first(shop: Market) -> tuple[dict[str, Any], dict[str, str]]:
    """A deal of Ana's in a pipeline whose deals move to its stage `paid` by the first instalment; stages by key."""
    made = await shop.pipeline()
    stages = {stage["key"]: stage["id"] for stage in made["stages"]}
    body = {"paidStageId": stages["paid"], "paidOn": "PAID_ON_FIRST_INSTALMENT"}
    stages_skipped = [stage | {"mayBeSkipped": True} for stage in made["stages"]]
    body |= {"stages": stages_skipped}
    made = ok(await shop.http.patch(f"/v1/pipelines/{made['id']}", json=body))
    line = {"name": "Window", "quantity": "4", "unitPrice": "250.00"}
    return await shop.deal(shop.ana, pipelineId=made["id"], lines=[line]), stages


async def weeks(shop: Market) -> tuple[str, dict[str, str]]:
    """(what is overdue, what is due by week) of what the accountant expects, weeks without anything left out."""
    planned = ok(await shop.books.http.get("/v1/invoices:plannedReceipts", params={"weeks": 6}))
    (zloty,) = planned["currencies"]
    found = {_day(week["startDate"]).isoformat(): week["receipts"] for week in zloty["weeks"]}
    assert len(found) == 6
    due = {
        monday: sums["invoiced"] for monday, sums in found.items() if sums.get("instalmentCount")
    }
    return zloty["overdue"]["invoiced"], due


def _day(told: dict[str, int]) -> date:
    return date(told["year"], told["month"], told["day"])


async def notices(shop: Market) -> list[dict[str, Any]]:
    """What Ana was told of overdue instalments."""
    found = ok(await shop.ana.http.get("/v1/me/notices")).get("notices", [])
    return [notice for notice in found if notice["code"] == "instalment_overdue"]


async def reasons(shop: Market) -> list[dict[str, Any]]:
    """Why invoices stand in Ana's day."""
    day = ok(await shop.ana.http.get("/v1/me/day"))
    said = [reason for line in day["lines"] for reason in line["reasons"]]
    return [reason for reason in said if reason["code"] == "CODE_INVOICE_OVERDUE"]


async def test_the_first_instalment_moves_the_deal_and_the_second_is_overdue_at_midnight(
    crm: Crm,
) -> None:
    monday = monday_of_a_month(now(crm).date())
    await at(crm, monday, 9)
    second_due = monday + timedelta(days=17)  # a Thursday
    async with opened(crm) as shop:
        deal, stages = await paid_first(shop)
        parts = [
            {"percent": "40", "dueDate": dated(monday + timedelta(days=4))},
            {"percent": "60", "dueDate": dated(second_due)},
        ]
        body = {"dealId": deal["id"], "instalments": parts, "buyer": {"name": "Wanda Nowak"}}
        draft = ok(await shop.books.http.post("/v1/invoices", json=body))
        invoice = ok(await shop.books.http.post(f"/v1/invoices/{draft['id']}:issue", json={}))
        in_two_weeks = (monday + timedelta(days=14)).isoformat()
        assert await weeks(shop) == ("0.00", {monday.isoformat(): "400.00", in_two_weeks: "600.00"})

        paid = {"amount": "400.00", "allocations": [{"invoiceId": invoice["id"]}]}
        ok(await shop.books.http.post("/v1/payments", json=paid))
        await shop.settle()

        moved = ok(await shop.ana.http.get(f"/v1/deals/{deal['id']}"))
        assert (deal["stageId"], moved["stageId"]) == (stages["new"], stages["paid"])
        assert (moved["paidAmount"], moved["state"]) == ("400.00", "STATE_OPEN")
        assert await weeks(shop) == ("0.00", {in_two_weeks: "600.00"})

        await at(crm, second_due, 23, 50)
        assert (await notices(shop), await reasons(shop)) == ([], [])
        await at(crm, second_due + timedelta(days=1))

        (notice,) = await notices(shop)
        assert notice["objectId"] == invoice["id"]
        assert notice["arguments"]["invoice.open_amount"] == "600.00"
        (reason,) = await reasons(shop)
        assert (reason["invoiceId"], reason["date"]) == (
            invoice["id"], dated(second_due + timedelta(days=1)),
        )  # fmt: skip
        assert await weeks(shop) == ("600.00", {})
        await rest_comes(shop, invoice)


async def rest_comes(shop: Market, invoice: dict[str, Any]) -> None:
    """Too much is refused; what is left ends it."""
    rest = {"amount": "600.01", "allocations": [{"invoiceId": invoice["id"]}]}
    refused(await shop.books.http.post("/v1/payments", json=rest), 422, "PAYMENT_TOO_LARGE")
    ok(await shop.books.http.post("/v1/payments", json=rest | {"amount": "600.00"}))
    await shop.settle()
    done = ok(await shop.ana.http.get(f"/v1/invoices/{invoice['id']}"))
    assert (done["state"], done["openAmount"]) == ("STATE_PAID", "0.00")
    assert await reasons(shop) == []
    assert len(await notices(shop)) == 1


# -- scenario 14: sales plan by department and person --------------------------------------------------------------------------


def figures(told: dict[str, Any]) -> list[str]:
    return [told[field] for field in ("actual", "gap", "percent", "forecast", "gapAfterForecast")]


def by_person(told: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Person -> (what he sold, his own target)."""
    return {each["userId"]: (each["actual"], each["target"]) for each in told["people"]}


async def test_a_quarter_s_plan_is_live_and_each_figure_leads_to_its_deals(crm: Crm) -> None:
    first = quarter_after(now(crm).date())
    await at(crm, first + timedelta(days=9), 9)
    async with opened(crm) as shop:
        quarter = Quarter(shop, first, (await shop.pipeline())["id"])
        await quarter.begin("north", "1000.00", ["250.00"] * 4)
        await quarter.begin("south", "600.00", ["200.00"] * 3)
        (nora, nils, nina, nick), (sara, sven, sofia) = quarter.people.values()

        sold = {
            nora.id: await quarter.won(nora, "300.00"),
            nils.id: await quarter.won(nils, "100.00"),
        }
        sold[sara.id] = await quarter.won(sara, "200.00")
        hoped = await quarter.expected(nora, "400.00", first + timedelta(days=60))
        late = await quarter.expected(sara, "999.00", quarter_after(first))

        north, south = [await quarter.progress(name) for name in ("north", "south")]
        assert figures(north) == ["400.00", "600.00", "40.00", "200.00", "400.00"]
        assert figures(south) == ["200.00", "400.00", "33.33", "0.00", "400.00"]
        assert by_person(north) == {
            nora.id: ("300.00", "250.00"), nils.id: ("100.00", "250.00"),
            nina.id: ("0.00", "250.00"), nick.id: ("0.00", "250.00"),
        }  # fmt: skip
        assert [each["actual"] for each in south["people"]] == ["200.00", "0.00", "0.00"]
        assert {each["userId"] for each in south["people"]} == {sara.id, sven.id, sofia.id}
        told = moment(now(crm))

        await at(crm, first + timedelta(days=19), 9)
        to_south = {"departmentId": quarter.departments["south"]}
        ok(await shop.http.patch(f"/v1/users/{nils.id}", json=to_south))
        await shop.settle()
        moved = await quarter.won(nils, "50.00")
        ok(await shop.http.post(f"/v1/deals/{sold[nora.id]}:reopen", json={"reason": "Not signed"}))

        assert figures(await quarter.progress("north"))[:2] == ["100.00", "900.00"]
        assert by_person(await quarter.progress("north"))[nils.id] == ("100.00", "250.00")
        assert figures(await quarter.progress("south"))[:2] == ["250.00", "350.00"]
        for name, before in (("north", north), ("south", south)):
            then = await quarter.progress(name, asOf=told)
            assert then | {"asOf": ""} == before | {"asOf": ""}
        await leads_to_its_deals(
            quarter, {"north": {sold[nils.id]}, "south": {sold[sara.id], moved}}
        )
        await expected_ones(quarter, {hoped}, {late}, reopened=sold[nora.id])
        await calls_of(shop, nils, moved)


async def leads_to_its_deals(quarter: Quarter, expected: dict[str, set[str]]) -> None:
    """What each department sold in the quarter, and behind it exactly its deals."""
    query = {"by": "BY_DEPARTMENT", **quarter.span}
    rows = ok(await quarter.shop.head.http.get("/v1/sales", params=query))["rows"]
    sold = {row["departmentId"]: row for row in rows}
    for name, amount in (("north", "100.00"), ("south", "250.00")):
        row = sold.pop(quarter.departments[name])
        assert (row["soldAmount"], row["soldCount"]) == (amount, len(expected[name]))
        assert await quarter.behind(row["soldFilter"]) == expected[name]
    assert sold == {}


async def expected_ones(quarter: Quarter, hoped: set[str], late: set[str], reopened: str) -> None:
    """The forecast's months, and behind each exactly its open deals; one that was reopened has no day."""
    path = f"/v1/pipelines/{quarter.pipeline_id}/forecast"
    query = {
        "startDate.year": quarter.first.year,
        "startDate.month": quarter.first.month,
        "months": 6,
    }
    rows = ok(await quarter.shop.head.http.get(path, params=query))["rows"]
    found = [
        (row["openAmount"], row["weightedAmount"], await quarter.behind(row["openFilter"]))
        for row in rows
        if row.get("openCount")
    ]
    assert found == [
        ("400.00", "200.00", hoped), ("999.00", "499.50", late), ("300.00", "60.00", {reopened}),
    ]  # fmt: skip


async def calls_of(shop: Market, person: Person, deal_id: str) -> None:
    """From the deal to the calls about it."""
    query = {"filter": 'key = "call"'}
    (call,) = ok(await shop.http.get("/v1/taskTypes", params=query))["taskTypes"]
    body = {
        "subject": "Call",
        "typeId": call["id"],
        "ownerId": person.id,
        "link": {"dealId": deal_id},
    }
    task = ok(await shop.http.post("/v1/tasks", json=body))
    ok(await person.http.post(f"/v1/tasks/{task['id']}:complete", json={}))
    query = {"filter": f'link.deal_id = "{deal_id}" AND type_id = "{call["id"]}"'}
    (found,) = ok(await shop.head.http.get("/v1/tasks", params=query))["tasks"]
    assert (found["id"], found["state"]) == (task["id"], "STATE_DONE")
