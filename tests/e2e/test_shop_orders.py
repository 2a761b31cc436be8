"""Scenario 25, the integrator: a shop's plugin posts orders with its own token and follows the stream; it is off for seven days, in which
the firm goes on working, catches up without loss, and has the same to say of each order as the firm."""

from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.e2e.company import client, ok, refused
from tests.e2e.market import Market, at, market, now, opened
from tests.e2e.outside import Event, reading
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
STREAMS = ("CONTACTS", "DEALS")


@pytest.fixture(scope="module")
async def crm() -> AsyncIterator[Crm]:
    async with market() as made:
        yield made


@pytest.fixture
async def firm(crm: Crm) -> AsyncIterator[Market]:
    async with opened(crm) as made:
        await made.product(await made.family("Windows"), "WIN-120")
        yield made


@dataclass
class Plugin:
    """The shop's program: what it may call, and all that it has heard, in the order in which it came."""

    http: httpx.AsyncClient
    made: dict[str, Any]
    heard: list[Event] = field(default_factory=list)

    async def sends(self, order: dict[str, Any]) -> dict[str, Any]:
        return ok(await self.http.post("/v1/orders", json=order))

    async def reads(self, number: str) -> dict[str, Any]:
        return ok(await self.http.get(f"/v1/orders/woo/{number}"))

    async def listens(self) -> list[Event]:
        """Goes on where it stopped until nothing more comes; what is new."""
        new = []
        for stream in STREAMS:
            async with reading(self.made["nats"], stream) as reader:
                new += await reader.rest()
        self.heard += new
        return new

    def copy_of(self, kind: str) -> dict[str, dict[str, Any]]:
        """The living records of a kind, as they were told last."""
        told = {e.subject: e.body[kind] for e in self.heard if kind in e.body and e.body[kind]["id"] == e.subject}  # fmt: skip
        return {id: record for id, record in told.items() if "deleteTime" not in record}

    def versions(self) -> dict[str, list[int]]:
        """Record -> the versions that came, in their order."""
        found = defaultdict(list)
        for event in self.heard:
            found[event.subject].append(event.version)
        return dict(found)


@pytest.fixture
async def plugin(firm: Market) -> AsyncIterator[Plugin]:
    made = await firm.firm.token(
        name="shop", methods=METHODS, nats=True, natsStart="NATS_START_NEW"
    )
    async with client(firm.crm.url, made["secret"]) as http:
        yield Plugin(http, made)


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


async def seven_days(firm: Market, deal_id: str, stages: list[dict[str, Any]]) -> None:
    """What the firm does with an order, a thing or two a day, while the plugin is off."""
    http = firm.http
    deal = f"/v1/deals/{deal_id}"
    contact = ok(await http.get(deal))["contactId"]

    async def later(path: str, **body: Any) -> dict[str, Any]:
        await at(firm.crm, now(firm.crm).date() + timedelta(days=1), 9)
        return ok(await http.post(path, json=body))

    await later(f"{deal}:move", stageId=stages[1]["id"])
    ok(await http.patch(f"/v1/contacts/{contact}", json={"position": "Architect"}))
    await later("/v1/payments", dealId=deal_id, amount="2450.00", contactId=contact)
    ok(await http.patch(deal, json={"title": "Two windows, urgent"}))
    delivery = await later(
        "/v1/deliveries", dealId=deal_id, carrier="DHL", trackingNumber="JD014600"
    )
    await later(f"/v1/deliveries/{delivery['id']}:ship")
    mistake = await later("/v1/deals", title="By mistake", amount="1")
    ok(await http.delete(f"/v1/deals/{mistake['id']}"))
    await later(f"/v1/deliveries/{delivery['id']}:deliver")
    await later(f"{deal}:win")


async def test_a_plugin_that_was_off_for_seven_days_catches_up_and_knows_what_the_firm_knows(
    firm: Market, plugin: Plugin
) -> None:
    pipeline = await firm.pipeline()
    placed = order(pipelineId=pipeline["id"])

    # It sends an order, and again because the answer was lost.
    first, again = [await plugin.sends(placed) for _ in range(2)]
    assert (first["dealId"], first["amount"], first["unknownSkus"]) == (
        again["dealId"],
        "2450.00",
        ["GIFT"],
    )
    await firm.settle()
    told = [event.type for event in await plugin.listens() if event.subject == first["dealId"]]
    assert told[0] == "DealCreated"
    assert told.count("DealCreated") == 1
    deal = plugin.copy_of("deal")[first["dealId"]]
    assert [line.get("unknownSku", False) for line in deal["lines"]] == [False, True]
    [person] = ok(await firm.http.get("/v1/search", params={"q": "601222333"}))["contacts"]
    assert (person["id"], list(plugin.copy_of("contact"))) == (
        deal["contactId"],
        [deal["contactId"]],
    )
    [request] = plugin.copy_of("request").values()
    assert request["dealIds"] == [deal["id"]]

    # It is off for seven days.
    began = now(firm.crm)
    await seven_days(firm, deal["id"], pipeline["stages"])
    assert now(firm.crm) - began > timedelta(days=6)
    await firm.settle()

    # It comes back: nothing is lost, nothing comes twice, each record's story is in order.
    missed = await plugin.listens()
    assert {"DealStageChanged", "PaymentReceived", "DeliveryShipped", "DeliveryDelivered", "DealDeleted", "DealWon", "ContactUpdated"} <= {event.type for event in missed}  # fmt: skip
    assert len({event.id for event in plugin.heard}) == len(plugin.heard)
    for id, versions in plugin.versions().items():
        assert versions == list(range(1, len(versions) + 1)), id
    for kind, path in (("deal", "deals"), ("contact", "contacts"), ("delivery", "deliveries"), ("payment", "payments")):  # fmt: skip
        found = ok(await firm.http.get(f"/v1/{path}", params={"pageSize": 200}))[path]
        assert plugin.copy_of(kind) == {each["id"]: without_can(each) for each in found}

    # It reads back how the order went, and sends the next one, of which the customer then takes one window more.
    status = await plugin.reads("1001")
    [delivery] = status["deliveries"]
    assert (status["state"], status["stageKey"], status["paid"]) == ("STATE_WON", "offer", True)
    assert (delivery["state"], delivery["trackingNumber"]) == ("STATE_DELIVERED", "JD014600")
    second = await plugin.sends(order("1002"))
    items = [{"sku": "WIN-120", "name": "Window", "quantity": "3", "unitPrice": "1200.00"}]
    changed = await plugin.sends(order("1002", items=items))
    assert (changed["dealId"], changed["amount"]) == (second["dealId"], "3600.00")
    await firm.settle()
    await plugin.listens()
    deals = plugin.copy_of("deal")
    assert {id: each["amount"] for id, each in deals.items()} == {deal["id"]: "2450.00", second["dealId"]: "3600.00"}  # fmt: skip
    assert {each["contactId"] for each in deals.values()} == {person["id"]}


def without_can(record: dict[str, Any]) -> dict[str, Any]:
    """As events tell it: what the caller may do with it is said in answers only."""
    return {name: value for name, value in record.items() if name != "can"}


async def test_what_a_shop_sends_wrongly_is_refused_by_name_and_makes_nothing(
    firm: Market, plugin: Plugin
) -> None:
    await firm.pipeline()
    item = {"sku": "X", "name": "X", "quantity": "-1", "unitPrice": "5.00"}
    fine = {**item, "quantity": "1"}
    problem = (await plugin.http.post("/v1/orders", json=order(items=[fine, item]))).json()
    assert problem["status"] == 400
    assert "items[1].quantity" in [each["field"] for each in problem["violations"]]
    wrong = order(customer={"name": "Ewa", "shoeSize": "38"})
    problem = refused(await plugin.http.post("/v1/orders", json=wrong), 400, "INVALID_ARGUMENT")
    assert [each["field"] for each in problem["violations"]] == ["customer.shoeSize"]
    refused(await plugin.http.get("/v1/deals"), 403, "METHOD_NOT_GRANTED")
    assert ok(await firm.http.get("/v1/deals")).get("deals", []) == []
