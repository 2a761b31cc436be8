"""The joined screens: complete, partial when a part is down, and never more than the caller may see."""

import httpx
import pytest

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Tenant
from tests.service.gateway.conftest import Crm, unique

SERVICE = "/crm.contacts.v1.ContactsService/"


async def make(http: httpx.AsyncClient, plural: str, **fields: object) -> str:
    answer = await http.post(f"/v1/{plural}", json=fields)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def break_down(crm: Crm, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    endpoints = crm.installation.process.endpoints

    async def down(request: bytes, call: object) -> bytes:
        raise errors.Unavailable("down")

    served = endpoints[SERVICE + method]
    monkeypatch.setitem(endpoints, SERVICE + method, type(served)(served.method, down))


async def test_card_joins_contact_company_and_open_requests(http: httpx.AsyncClient) -> None:
    company = await make(http, "companies", name=unique("Okna"))
    contact = await make(http, "contacts", displayName=unique(), companyId=company)
    request = await make(http, "requests", text="Ile kosztuje?", contactId=contact)
    closed = await make(http, "requests", text="spam", contactId=contact)
    assert (
        await http.post(f"/v1/requests/{closed}:close", json={"reason": "CLOSE_REASON_SPAM"})
    ).status_code == 200
    card = await http.get(f"/v1/contacts/{contact}/card")
    assert card.status_code == 200, card.text
    shown = card.json()
    assert (shown["contact"]["id"], shown["company"]["id"], shown["unavailable"]) == (
        contact,
        company,
        [],
    )
    assert [r["id"] for r in shown["requests"]] == [request]
    assert isinstance(shown["timeline"], list)
    assert shown["facts"]["contactId"] == contact


async def test_without_contacts_there_is_no_card(
    crm: Crm, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = await make(http, "contacts", displayName=unique())
    break_down(crm, monkeypatch, "GetContactOverview")
    assert (await http.get(f"/v1/contacts/{contact}/card")).status_code == 503


async def test_card_of_an_unknown_or_foreign_contact_is_not_found(
    crm: Crm, http: httpx.AsyncClient
) -> None:
    other = await crm.installation.tenant()
    async with crm.client(other.admin.token) as stranger:
        foreign = await make(stranger, "contacts", displayName=unique())
    answers = [await http.get(f"/v1/contacts/{id}/card") for id in (foreign, uuid7())]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].json()["reason"] == answers[1].json()["reason"]
    assert (await http.get("/v1/contacts/nonsense/card")).status_code == 400


async def test_card_shows_no_part_that_the_role_does_not_allow(
    crm: Crm, tenant: Tenant, http: httpx.AsyncClient
) -> None:
    company = await make(http, "companies", name=unique("Okna"))
    contact = await make(http, "contacts", displayName=unique(), companyId=company)
    await make(http, "requests", text="x", contactId=contact)
    reader = await tenant.person([{"object": "contact", "action": "read", "scope": "all"}])
    async with crm.client(reader.token) as limited:
        shown = (await limited.get(f"/v1/contacts/{contact}/card")).json()
    assert "company" not in shown
    assert (shown["requests"], shown["unavailable"]) == ([], [])


async def test_search_finds_all_kinds(
    crm: Crm, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    word = f"Xy{uuid7()[-10:]}"
    contact = await make(http, "contacts", displayName=f"Jan {word}")
    company = await make(http, "companies", name=f"{word} sp. z o.o.")
    request = await make(http, "requests", text="?", name=word)
    found = (await http.get("/v1/search", params={"q": word.lower()})).json()
    assert [c["id"] for c in found["contacts"]] == [contact]
    assert [c["id"] for c in found["companies"]] == [company]
    assert [r["id"] for r in found["requests"]] == [request]
    break_down(crm, monkeypatch, "ListCompanies")
    partial = (await http.get("/v1/search", params={"q": word})).json()
    assert (partial["companies"], partial["unavailable"], len(partial["contacts"])) == (
        [],
        ["contacts"],
        1,
    )


async def test_search_needs_words_and_a_session(crm: Crm, http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/search", params={"q": " "})).json()["violations"][0]["field"] == "q"
    async with crm.client() as stranger:
        assert (await stranger.get("/v1/search", params={"q": "ana"})).status_code == 401
