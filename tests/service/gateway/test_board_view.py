"""The board over HTTP: deals' columns with the names that the caller may read, also while contacts is down."""

from collections.abc import AsyncIterator

import httpx
import pytest

from chassis import errors
from chassis.testing.installation import Tenant
from tests.service.gateway.conftest import Crm, running, unique

STAGES = [{"key": "new", "name": "New", "probability": 10}, {"key": "won", "name": "Agreed"}]


@pytest.fixture(scope="module")
async def crm() -> AsyncIterator[Crm]:
    async with running(("identity", "contacts", "deals", "gateway")) as made:
        yield made


async def make(http: httpx.AsyncClient, plural: str, **fields: object) -> str:
    answer = await http.post(f"/v1/{plural}", json=fields)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


@pytest.fixture
async def pipeline(http: httpx.AsyncClient) -> str:
    return await make(http, "pipelines", key="board", name="Board", stages=STAGES)


async def test_board_has_columns_cards_and_names(
    tenant: Tenant, http: httpx.AsyncClient, pipeline: str
) -> None:
    jan, firm = unique("Jan"), unique("Okna")
    contact = await make(http, "contacts", displayName=jan)
    company = await make(http, "companies", name=firm)
    for amount in ("100", "20.50"):
        await make(
            http, "deals", title=f"For {amount}", pipelineId=pipeline, contactId=contact, companyId=company,
            amount=amount, currency="PLN",
        )  # fmt: skip

    answer = await http.get(f"/v1/pipelines/{pipeline}/board", params={"orderBy": "amount desc"})

    found = answer.json()
    assert answer.status_code == 200, found
    first, second = found["columns"]
    assert ([d["title"] for d in first["deals"]], first["count"]) == (["For 100", "For 20.50"], 2)
    assert first["sums"] == [{"currency": "PLN", "count": 2, "amount": "120.50", "weightedAmount": "12.05"}]  # fmt: skip
    assert (second["name"], second.get("deals", [])) == ("Agreed", [])
    assert [(c["id"], c["displayName"]) for c in found["contacts"]] == [(contact, jan)]
    assert [(c["id"], c["name"]) for c in found["companies"]] == [(company, firm)]
    assert found["unavailable"] == []
    filtered = await http.get(
        f"/v1/pipelines/{pipeline}/board", params={"filter": "amount > 50", "pageSize": "1"}
    )
    assert [d["title"] for d in filtered.json()["columns"][0]["deals"]] == ["For 100"]


async def test_board_stands_while_contacts_is_down(
    crm: Crm, http: httpx.AsyncClient, pipeline: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = await make(http, "contacts", displayName=unique("Jan"))
    await make(http, "deals", title="Doors", pipelineId=pipeline, contactId=contact)

    async def down(request: bytes, call: object) -> bytes:
        raise errors.Unavailable("down")

    endpoints = crm.installation.process.endpoints
    method = "/crm.contacts.v1.ContactsService/BatchGetContacts"
    served = endpoints[method]
    monkeypatch.setitem(endpoints, method, type(served)(served.method, down))

    found = (await http.get(f"/v1/pipelines/{pipeline}/board")).json()

    assert [d["title"] for d in found["columns"][0]["deals"]] == ["Doors"]
    assert (found["contacts"], found["unavailable"]) == ([], ["contacts"])


async def test_what_the_board_cannot_follow_is_refused_by_name(
    crm: Crm, http: httpx.AsyncClient, pipeline: str
) -> None:
    path = f"/v1/pipelines/{pipeline}/board"
    for params, field in (
        ({"filter": "nonsense = 1"}, "filter"), ({"pageSize": "900"}, "page_size"), ({"asOf": "yesterday"}, "asOf"),
    ):  # fmt: skip
        answer = await http.get(path, params=params)
        assert answer.status_code == 400, answer.text
        assert [v["field"] for v in answer.json()["violations"]] == [field]
    assert (await http.get("/v1/pipelines/no-id/board")).status_code in (400, 404)
    async with crm.client() as stranger:
        assert (await stranger.get(path)).status_code == 401
