"""Scenario 25, the shop's half: a program posts orders with its own token, sends them again and changed, and reads back how they go."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.e2e.company import client, ok, refused
from tests.e2e.market import Market, market, opened
from tests.service.gateway.conftest import Crm

pytestmark = pytest.mark.large

METHODS = [
    "/crm.contacts.v1.ContactsService/CreateRequest",
    "/crm.contacts.v1.ContactsService/GetRequest",
    "/crm.contacts.v1.ContactsService/LinkRequest",
    "/crm.deals.v1.OrdersService/PutOrder",
    "/crm.deals.v1.OrdersService/GetOrder",
]
"""All that a shop's plugin needs."""


@pytest.fixture(scope="module")
async def crm() -> AsyncIterator[Crm]:
    async with market() as made:
        yield made


@pytest.fixture
async def firm(crm: Crm) -> AsyncIterator[Market]:
    async with opened(crm) as made:
        yield made


@pytest.fixture
async def shop(firm: Market) -> AsyncIterator[httpx.AsyncClient]:
    """The plugin, with a token for these methods alone."""
    made = ok(await firm.http.post("/v1/apiTokens", json={"name": "shop", "methods": METHODS}))
    async with client(firm.crm.url, made["secret"]) as http:
        yield http


def order(number: str = "1001", **given: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "order": {"system": "woo", "id": number, "url": f"https://shop.example/orders/{number}"},
        "customer": {"name": "Ewa Lis", "phone": "601 222 333", "email": "ewa@example.com"},
        "currency": "PLN",
        "taxIncluded": True,
        "items": [
            {"sku": "WIN-120", "name": "Window", "quantity": "2", "unitPrice": "1200.00"},
            {"sku": "GIFT", "name": "A surprise", "quantity": "1", "unitPrice": "50.00"},
        ],
    }
    return body | given


async def test_an_order_is_one_deal_of_one_customer_however_often_it_is_sent(
    firm: Market, shop: httpx.AsyncClient
) -> None:
    await firm.pipeline()
    await firm.product(await firm.family("Windows"), "WIN-120")

    first = ok(await shop.post("/v1/orders", json=order()))
    again = ok(await shop.post("/v1/orders", json=order()))
    assert (first["dealId"], first["amount"]) == (again["dealId"], "2450.00")
    assert first["unknownSkus"] == ["GIFT"]

    deal = ok(await firm.http.get(f"/v1/deals/{first['dealId']}"))
    assert (deal["contactId"], [line.get("unknownSku", False) for line in deal["lines"]]) == (
        deal["contactId"],
        [False, True],
    )
    [person] = ok(await firm.http.get("/v1/search", params={"q": "601222333"}))["contacts"]
    assert person["id"] == deal["contactId"]
    [request] = ok(await firm.http.get("/v1/requests"))["requests"]
    assert request["dealIds"] == [deal["id"]]

    items = [{"sku": "WIN-120", "name": "Window", "quantity": "3", "unitPrice": "1200.00"}]
    changed = ok(await shop.post("/v1/orders", json=order(items=items)))
    assert (changed["dealId"], changed["amount"]) == (first["dealId"], "3600.00")
    assert len(ok(await firm.http.get("/v1/deals"))["deals"]) == 1


async def test_the_shop_reads_back_how_its_order_goes(
    firm: Market, shop: httpx.AsyncClient
) -> None:
    pipeline = await firm.pipeline()
    made = ok(await shop.post("/v1/orders", json=order("2002", pipelineId=pipeline["id"])))
    move = {"stageId": pipeline["stages"][1]["id"]}
    ok(await firm.http.post(f"/v1/deals/{made['dealId']}:move", json=move))
    planned = {"dealId": made["dealId"], "carrier": "DHL", "trackingNumber": "JD014600"}
    delivery = ok(await firm.http.post("/v1/deliveries", json=planned))
    ok(await firm.http.post(f"/v1/deliveries/{delivery['id']}:ship", json={}))

    status = ok(await shop.get("/v1/orders/woo/2002"))

    assert (status["stageKey"], status.get("paid", False)) == ("offer", False)
    [sent] = status["deliveries"]
    assert (sent["state"], sent["trackingNumber"]) == ("STATE_SHIPPED", "JD014600")


async def test_what_a_shop_sends_wrongly_is_refused_by_name_and_makes_nothing(
    firm: Market, shop: httpx.AsyncClient
) -> None:
    await firm.pipeline()
    item = {"sku": "X", "name": "X", "quantity": "-1", "unitPrice": "5.00"}
    fine = {**item, "quantity": "1"}
    problem = (await shop.post("/v1/orders", json=order(items=[fine, item]))).json()
    assert problem["status"] == 400
    assert "items[1].quantity" in [each["field"] for each in problem["violations"]]
    wrong = order(customer={"name": "Ewa", "shoeSize": "38"})
    problem = refused(await shop.post("/v1/orders", json=wrong), 400, "INVALID_ARGUMENT")
    assert [each["field"] for each in problem["violations"]] == ["customer.shoeSize"]
    refused(await shop.get("/v1/deals"), 403, "METHOD_NOT_GRANTED")
    assert ok(await firm.http.get("/v1/deals")).get("deals", []) == []
