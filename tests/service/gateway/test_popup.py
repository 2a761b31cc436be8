"""What is shown while a phone rings: the person first and whatever else is down, never more than the caller may see."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from chassis import errors
from chassis.call import Cause
from chassis.keys import uuid7
from chassis.testing.installation import Tenant
from chassis.waits import first_of
from crm.identity.v1 import events_pb2 as identity
from services.telephony import consumers
from tests.service.gateway.conftest import Crm, running

SERVICES = ("identity", "contacts", "deals", "tasks", "telephony", "gateway")
NUMBER = "+48600100200"


@pytest.fixture(scope="module")
async def whole() -> AsyncIterator[Crm]:
    async with running(SERVICES) as made:
        yield made


@pytest.fixture
async def company(whole: Crm) -> Tenant:
    """A company with the simulated exchange that every company begins with."""
    tenant = await whole.installation.tenant()
    event = identity.TenantCreated(tenant={"id": tenant.id})
    runtime = whole.installation.process.runtimes["telephony"]
    await runtime.run_system(tenant.id, Cause("test"), lambda tx: consumers.seed(event, tx))
    return tenant


@pytest.fixture
async def http(whole: Crm, company: Tenant) -> AsyncIterator[httpx.AsyncClient]:
    async with whole.client(company.admin.token) as client:
        yield client


async def make(http: httpx.AsyncClient, path: str, **fields: object) -> dict[str, Any]:
    answer = await http.post(f"/v1/{path}", json=fields)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def rings(whole: Crm, http: httpx.AsyncClient, company: Tenant, number: str = NUMBER) -> Any:
    """A call that rings at the administrator's phone."""
    fields = {"number": number, "script": "SCRIPT_BY_HAND", "userIds": [company.admin.id]}
    return await make(http, "telephony/simulator/calls", **fields)


async def customer(whole: Crm, http: httpx.AsyncClient, **fields: object) -> dict[str, Any]:
    """A contact of whose number telephony has heard."""
    made = await make(
        http, "contacts", displayName="Ana Okno", phones=[{"number": NUMBER}], **fields
    )
    heard = "SELECT 1 FROM numbers WHERE id = $1"
    async with asyncio.timeout(20):
        while not await whole.installation.rows("telephony", heard, made["id"]):
            await first_of(asyncio.Event(), timeout_s=0.02)
    return made


def break_down(whole: Crm, patch: pytest.MonkeyPatch, *services: str, hang: bool = False) -> None:
    """Nobody of these services answers: at once, or not before it is too late."""

    async def down(request: bytes, call: object) -> bytes:
        if hang:
            await first_of(asyncio.Event(), timeout_s=20)
        raise errors.Unavailable("down")

    endpoints = whole.installation.process.endpoints
    for name, served in list(endpoints.items()):
        if name.split(".")[1] in services:
            patch.setitem(endpoints, name, type(served)(served.method, down))


async def test_the_popup_joins_the_person_and_what_is_open(
    whole: Crm, http: httpx.AsyncClient, company: Tenant
) -> None:
    firm = await make(http, "companies", name="Okna")
    ana = await customer(whole, http, companyId=firm["id"])
    stages = [{"key": "new", "name": "New"}]
    pipeline = await make(http, "pipelines", key="sales", name="Sales", stages=stages)
    deal = await make(
        http, "deals", title="Six windows", pipelineId=pipeline["id"], contactId=ana["id"]
    )
    link = {"contactId": ana["id"]}
    task = await make(http, "tasks", subject="Send the offer", link=link, ownerId=company.admin.id)
    call = await rings(whole, http, company)
    answer = await http.get(f"/v1/calls/{call['id']}/popup")
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert list(shown)[:2] == ["call", "person"]
    assert (shown["call"]["state"], shown["call"]["contactId"]) == ("STATE_RINGING", ana["id"])
    assert (shown["person"]["contactId"], shown["person"]["name"]) == (ana["id"], "Ana Okno")
    assert [each["contactId"] for each in shown["callers"]] == [ana["id"]]
    assert [each["id"] for each in shown["openDeals"]] == [deal["id"]]
    assert [each["name"] for each in shown["pipelines"][0]["stages"]] == ["New"]
    assert [each["id"] for each in shown["openTasks"]] == [task["id"]]
    assert (shown["facts"]["contactId"], shown["openInvoices"], shown["unavailable"]) == (ana["id"], [], [])  # fmt: skip
    assert isinstance(shown["timeline"], list)
    card = (await http.get(f"/v1/contacts/{ana['id']}/card")).json()
    assert ([each["id"] for each in card["calls"]], card["missedCalls"]) == ([call["id"]], [])


@pytest.mark.parametrize("hang", [False, True], ids=["down", "hanging"])
async def test_the_person_comes_within_a_second_whoever_is_down(
    whole: Crm, http: httpx.AsyncClient, company: Tenant, hang: bool
) -> None:
    ana = await customer(whole, http, ownerId=company.admin.id)
    call = await rings(whole, http, company)
    with pytest.MonkeyPatch.context() as patch:
        break_down(whole, patch, "contacts", "deals", "tasks", "identity", hang=hang)
        began = time.monotonic()
        shown = (await http.get(f"/v1/calls/{call['id']}/popup")).json()
        took = time.monotonic() - began
    assert shown["person"] == {
        "contactId": ana["id"], "name": "Ana Okno", "ownerId": company.admin.id,
    }  # fmt: skip
    assert shown["unavailable"] == ["contacts", "deals", "identity", "tasks"]
    assert "contact" not in shown
    assert shown["openDeals"] == shown["openTasks"] == []
    assert took < 1.5  # 0.8 s of waiting; the rest is this machine's


async def test_a_stranger_is_shown_as_one(
    whole: Crm, http: httpx.AsyncClient, company: Tenant
) -> None:
    call = await rings(whole, http, company, "+48600999888")
    shown = (await http.get(f"/v1/calls/{call['id']}/popup")).json()
    assert (shown["person"], shown["callers"], shown["unavailable"]) == ({"name": ""}, [], [])
    assert "openDeals" not in shown


async def test_the_popup_of_an_unknown_or_foreign_call_is_not_found(
    whole: Crm, http: httpx.AsyncClient, company: Tenant
) -> None:
    call = await rings(whole, http, company)
    other = await whole.installation.tenant()
    async with whole.client(other.admin.token) as stranger:
        answers = [await stranger.get(f"/v1/calls/{id}/popup") for id in (call["id"], uuid7())]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].json()["reason"] == answers[1].json()["reason"]
    assert (await http.get("/v1/calls/nonsense/popup")).status_code == 400


async def test_who_may_not_read_contacts_sees_the_call_and_no_name(
    whole: Crm, http: httpx.AsyncClient, company: Tenant
) -> None:
    await customer(whole, http)
    call = await rings(whole, http, company)
    listener = await company.person([{"object": "call", "action": "read", "scope": "all"}])
    async with whole.client(listener.token) as client:
        shown = (await client.get(f"/v1/calls/{call['id']}/popup")).json()
    assert (shown["person"]["name"], shown["callers"], shown["unavailable"]) == ("", [], [])
    assert not {"contact", "facts"} & set(shown)
