"""What the gateway does for deals besides passing on: opening the deal of a request, and moves that never meet old news."""

from collections.abc import AsyncIterator

import httpx
import pytest

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Tenant
from tests.service.gateway.conftest import Crm, running

LINK = "/crm.contacts.v1.ContactsService/LinkRequest"
SELLER = [
    *({"object": "deal", "action": a, "scope": "own"} for a in ("read", "move")),
    {"object": "deal", "action": "create", "scope": "all"},
    {"object": "request", "action": "read", "scope": "own"},
]


@pytest.fixture(scope="module")
async def whole() -> AsyncIterator[Crm]:
    async with running(("identity", "contacts", "deals", "gateway")) as made:
        yield made


@pytest.fixture
async def tenant(whole: Crm) -> Tenant:
    return await whole.installation.tenant()


@pytest.fixture
async def http(whole: Crm, tenant: Tenant) -> AsyncIterator[httpx.AsyncClient]:
    async with whole.client(tenant.admin.token) as client:
        stages = [
            {"key": "new", "name": "New"},
            {"key": "agreed", "name": "Agreed", "enter": {"fields": ["contact.phones"]}},
        ]
        await ok(client, "/v1/pipelines", key="sales", name="Sales", stages=stages)
        yield client


async def ok(http: httpx.AsyncClient, path: str, **body: object) -> dict[str, object]:
    answer = await http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def request(http: httpx.AsyncClient, **fields: object) -> str:
    return str((await ok(http, "/v1/requests", text="Six windows", **fields))["id"])


async def test_a_request_becomes_a_deal_at_once_and_keeps_its_own_life(http: httpx.AsyncClient) -> None:  # fmt: skip
    contact = (await ok(http, "/v1/contacts", givenName="Ewa"))["id"]
    id = await request(http, contactId=contact)

    deal = await ok(http, f"/v1/requests/{id}:openDeal", title="Windows", amount="1200")
    again = await ok(http, f"/v1/requests/{id}:openDeal", title="Else")

    assert (deal["title"], deal["amount"], deal["contactId"]) == ("Windows", "1200.00", contact)
    assert again["id"] == deal["id"]
    kept = (await http.get(f"/v1/requests/{id}")).json()
    assert (kept["state"], kept["dealIds"]) == ("STATE_LINKED", [deal["id"]])


async def test_what_failed_half_way_is_done_by_asking_again(
    whole: Crm, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    id, key = await request(http), {"Idempotency-Key": uuid7()}
    path = f"/v1/requests/{id}:openDeal"
    endpoints = whole.installation.process.endpoints
    served = endpoints[LINK]

    async def down(request: bytes, call: object) -> bytes:
        raise errors.Unavailable("down")

    with monkeypatch.context() as broken:
        broken.setitem(endpoints, LINK, type(served)(served.method, down))
        assert (await http.post(path, json={}, headers=key)).status_code == 503

    first, second = [(await http.post(path, headers=key)).json() for _ in range(2)]

    assert first == second
    kept = (await http.get(f"/v1/requests/{id}")).json()
    assert kept["dealIds"] == [first["id"]]
    listed = (await http.get("/v1/deals", params={"filter": f'request_ids:"{id}"'})).json()
    assert len(listed["deals"]) == 1


async def test_what_cannot_be_opened_is_refused_and_opens_nothing(
    whole: Crm, tenant: Tenant, http: httpx.AsyncClient
) -> None:
    id = await request(http)
    seller = await tenant.person(SELLER)
    async with whole.client(seller.token) as other:
        assert (await other.post(f"/v1/requests/{id}:openDeal")).status_code == 404
    async with whole.client() as stranger:
        assert (await stranger.post(f"/v1/requests/{id}:openDeal")).status_code == 401
    wrong = await http.post(f"/v1/requests/{id}:openDeal", json={"pipeline": "x", "amount": "1"})
    assert (wrong.status_code, wrong.json()["violations"][0]["field"]) == (400, "pipeline")
    unknown = await http.post(f"/v1/requests/{id}:openDeal", json={"pipelineId": uuid7()})
    assert (unknown.status_code, unknown.json()["reason"]) == (400, "REFERENCE_UNKNOWN")
    await ok(http, f"/v1/requests/{id}:close", reason="CLOSE_REASON_SPAM")
    closed = await http.post(f"/v1/requests/{id}:openDeal")
    assert (closed.status_code, closed.json()["reason"]) == (422, "REQUEST_CLOSED")

    assert (await http.get("/v1/deals")).json().get("deals", []) == []


@pytest.mark.large
async def test_who_fills_the_card_and_moves_at_once_is_never_told_that_it_is_missing(
    http: httpx.AsyncClient,
) -> None:
    stages = (await http.get("/v1/pipelines")).json()["pipelines"][0]["stages"]
    for number in range(8):
        contact = await ok(http, "/v1/contacts", givenName=f"Ewa {number}")
        deal = await ok(http, "/v1/deals", title="Windows", contactId=contact["id"])
        path, body = f"/v1/deals/{deal['id']}:move", {"stageId": stages[1]["id"]}
        missing = await http.post(path, json=body)
        assert (missing.status_code, missing.json()["reason"]) == (422, "FIELDS_MISSING")
        assert [v["field"] for v in missing.json()["violations"]] == ["contact.phones"]

        phones = [{"number": f"+4860012340{number}"}]
        filled = await http.patch(f"/v1/contacts/{contact['id']}", json={"phones": phones})
        assert filled.status_code == 200, filled.text
        moved = await http.post(path, json=body, headers={"Idempotency-Key": uuid7()})

        assert moved.status_code == 200, moved.text
        assert moved.json()["stageId"] == stages[1]["id"]
        assert moved.headers["etag"] == f'"{moved.json()["etag"]}"'


@pytest.mark.large
async def test_a_client_may_say_which_version_of_the_card_it_saw(http: httpx.AsyncClient) -> None:
    stages = (await http.get("/v1/pipelines")).json()["pipelines"][0]["stages"]
    contact = await ok(http, "/v1/contacts", givenName="Ewa", phones=[{"number": "+48600123499"}])
    deal = await ok(http, "/v1/deals", title="Windows", contactId=contact["id"])

    moved = await http.post(
        f"/v1/deals/{deal['id']}:move",
        json={"stageId": stages[1]["id"], "contactEtag": contact["etag"]},
    )

    assert moved.status_code == 200, moved.text
    unseen = {"stageId": stages[0]["id"], "contactEtag": "99"}
    late = await http.post(f"/v1/deals/{deal['id']}:move", json=unseen)
    assert (late.status_code, late.json()["reason"]) == (409, "PARTY_NOT_HERE_YET")
