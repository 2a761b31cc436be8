"""The day over HTTP: tasks' plan with the names that the caller may read, also while contacts is down."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.events import eventually
from chassis.testing.installation import Tenant
from tests.service.gateway.conftest import Crm, running, unique

HEAD = [
    {"object": "task", "action": "read", "scope": "subtree"},
    {"object": "user", "action": "read", "scope": "all"},
]


@pytest.fixture(scope="module")
async def crm() -> AsyncIterator[Crm]:
    async with running(("contacts", "tasks", "gateway")) as made:
        yield made


async def make(http: httpx.AsyncClient, plural: str, **fields: object) -> str:
    answer = await http.post(f"/v1/{plural}", json=fields)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def hours(ahead: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=ahead)).isoformat()


def break_down(crm: Crm, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    async def down(request: bytes, call: object) -> bytes:
        raise errors.Unavailable("down")

    endpoints = crm.installation.process.endpoints
    served = endpoints[method]
    monkeypatch.setitem(endpoints, method, type(served)(served.method, down))


@pytest.mark.large
async def test_my_day_names_customers_and_agreements(
    crm: Crm, tenant: Tenant, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    jan, firm = unique("Jan"), unique("Okna")
    contact = await make(http, "contacts", displayName=jan)
    company = await make(http, "companies", name=firm)
    owner = tenant.admin.id
    for customer in ({"contactId": contact}, {"companyId": company}):
        await make(http, "tasks", subject="Call", ownerId=owner, dueTime=hours(-1), **customer)
    long_ago = {"year": 2026, "month": 1, "day": 5}
    agreed = await make(
        http, "agreements", contactId=contact, subject="Price by Friday", date=long_ago
    )

    async def there() -> bool:
        return "CODE_AGREEMENT" in (await http.get("/v1/me/day")).text

    await eventually(there, "the agreement is in the day")
    day = (await http.get("/v1/me/day")).json()

    assert [len(line["reasons"]) for line in day["lines"]] == [2, 1]
    assert [(c["id"], c["displayName"]) for c in day["contacts"]] == [(contact, jan)]
    assert [(c["id"], c["name"]) for c in day["companies"]] == [(company, firm)]
    assert [(a["id"], a["subject"]) for a in day["agreements"]] == [(agreed, "Price by Friday")]
    assert (day["userId"], day["unavailable"]) == (owner, [])

    break_down(crm, monkeypatch, "/crm.contacts.v1.ContactsService/BatchGetContacts")
    partial = (await http.get("/v1/me/day")).json()
    assert (partial["lines"], partial["contacts"], partial["unavailable"]) == (
        day["lines"],
        [],
        ["contacts"],
    )
    break_down(crm, monkeypatch, "/crm.tasks.v1.DaysService/GetDay")
    assert (await http.get("/v1/me/day")).status_code == 503


async def test_a_day_without_anything_is_a_day(http: httpx.AsyncClient) -> None:
    day = (await http.get("/v1/me/day")).json()

    assert (day["lines"], day["contacts"], day["companies"], day["agreements"]) == ([], [], [], [])


async def test_pages_of_a_day(tenant: Tenant, http: httpx.AsyncClient) -> None:
    made = {
        await make(http, "tasks", subject="Call", ownerId=tenant.admin.id, dueTime=hours(-n))
        for n in (1, 2, 3)
    }
    seen: list[str] = []
    token: str | None = ""
    while token is not None:
        answer = await http.get("/v1/me/day", params={"pageSize": "2", "pageToken": token})
        page: dict[str, Any] = answer.json()
        seen += [line["reasons"][0]["taskId"] for line in page["lines"]]
        token = page.get("nextPageToken")
    assert (set(seen), len(seen)) == (made, 3)
    refused = await http.get("/v1/me/day", params={"pageSize": "many"})
    assert (refused.status_code, refused.json()["violations"][0]["field"]) == (400, "pageSize")


async def test_a_departments_day_names_only_what_the_head_may_read(
    crm: Crm, tenant: Tenant, http: httpx.AsyncClient
) -> None:
    sales = await tenant.department()
    head = await tenant.person(HEAD, department_id=sales)
    contact = await make(http, "contacts", displayName=unique("Jan"))
    task = await make(
        http, "tasks", subject="Call", ownerId=head.id, contactId=contact, dueTime=hours(-1)
    )
    async with crm.client(head.token) as client:
        day = (await client.get(f"/v1/departments/{sales}/day")).json()
        unknown = await client.get(f"/v1/departments/{uuid7()}/day")

    assert [each["taskId"] for each in day["overdue"]] == [task]
    assert (day["customers"][0]["contactId"], day["contacts"]) == (contact, [])
    assert (unknown.status_code, (await http.get("/v1/departments/x/day")).status_code) == (
        404,
        400,
    )


async def test_a_day_needs_a_session(crm: Crm) -> None:
    async with crm.client() as stranger:
        assert (await stranger.get("/v1/me/day")).status_code == 401
