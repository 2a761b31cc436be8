"""Signing in as a browser does, in two steps and through an identity provider, over HTTP."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
import pytest

from chassis.keys import uuid7
from tests.service.gateway.conftest import PASSWORD, Crm, running
from tests.service.identity.provider import CLIENT, CLIENT_SECRET, Provider, provider

CSRF = {"x-csrf": "1"}


@pytest.fixture(scope="module")
async def open_crm() -> AsyncIterator[Crm]:
    """An installation where companies may sign up and connect providers of this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRM_SIGNUP", "1")
        patch.setenv("CRM_OIDC_PRIVATE", "1")
        async with running(("identity", "gateway")) as made:
            yield made


@pytest.fixture
async def google() -> AsyncIterator[Provider]:
    async with provider() as made:
        yield made


@pytest.fixture
async def email(open_crm: Crm) -> str:
    """The administrator of a new company."""
    address = f"ana-{uuid7()}@example.com"
    company = {
        "name": "Okna",
        "country": "PL",
        "currency": "PLN",
        "language": "pl",
        "timeZone": "Europe/Warsaw",
    }
    person = {"email": address, "password": PASSWORD, "name": "Ana"}
    async with open_crm.client() as stranger:
        made = await stranger.post(
            "/v1/tenants", json={"company": company, "administrator": person}
        )
    assert made.status_code == 200, made.text
    return address


async def signed_in(browser: httpx.AsyncClient, email: str) -> dict[str, Any]:
    answer = await browser.post(
        "/v1/auth:login", json={"email": email, "password": PASSWORD}, headers=CSRF
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def connected(crm: Crm, email: str, at: Provider) -> str:
    """The key of the provider, connected by the company's administrator."""
    async with crm.client() as admin:
        await signed_in(admin, email)
        body = {"name": "Google", "issuer": at.issuer, "client": CLIENT}
        made = await admin.post("/v1/identityProviders", json=body, headers=CSRF)
        assert made.status_code == 200, made.text
        id, key = made.json()["id"], made.json()["key"]
        kept = await admin.post(
            f"/v1/identityProviders/{id}:setClientSecret",
            json={"clientSecret": CLIENT_SECRET},
            headers=CSRF,
        )
        assert kept.status_code == 200, kept.text
        assert CLIENT_SECRET not in kept.text
    at.person = {"sub": uuid7(), "email": email, "email_verified": True}
    return str(key)


async def through(browser: httpx.AsyncClient, key: str, path: str = "/deals") -> httpx.Response:
    """To the provider's page and back; the answer of the callback."""
    away = await browser.get(f"/v1/auth/oidc/{key}", params={"returnPath": path})
    assert away.status_code == 303, away.text
    async with httpx.AsyncClient() as page:  # the provider gets no cookie of ours
        back = await page.get(away.headers["location"])
    return await browser.get(back.headers["location"])


@pytest.mark.large
async def test_a_browser_signs_in_in_two_steps(open_crm: Crm, email: str) -> None:
    async with open_crm.client() as browser:
        await signed_in(browser, email)
        made = (await browser.post("/v1/me/secondFactor:enrol", headers=CSRF)).json()
        phone = pyotp.TOTP(made["secret"])
        confirmed = await browser.post(
            "/v1/me/secondFactor:confirm", json={"code": phone.now()}, headers=CSRF
        )
        codes = confirmed.json()["recoveryCodes"]
    async with open_crm.client() as browser:
        half = await signed_in(browser, email)
        assert not browser.cookies
        assert half.keys() == {"secondFactor"}
        challenge = half["secondFactor"]["challenge"]
        wrong = await browser.post(
            "/v1/auth:verifySecondFactor",
            json={"challenge": challenge, "code": "000000"},
            headers=CSRF,
        )
        assert (wrong.status_code, wrong.json()["reason"]) == (401, "SECOND_FACTOR_WRONG")
        assert not browser.cookies
        whole = await browser.post(
            "/v1/auth:verifySecondFactor",
            json={"challenge": challenge, "code": codes[0]},
            headers=CSRF,
        )
        assert whole.status_code == 200, whole.text
        assert {"accessToken", "refreshToken"}.isdisjoint(whole.json())
        assert (await browser.get("/v1/me")).json()["user"]["email"] == email
        renewed = await browser.post("/v1/auth:refresh", headers=CSRF)
        assert renewed.status_code == 200


async def test_programs_finish_by_bearer(open_crm: Crm, email: str) -> None:
    async with open_crm.client() as program:
        login = {"email": email, "password": PASSWORD}
        token = (await program.post("/v1/auth:login", json=login)).json()["accessToken"]
        bearer = {"authorization": f"Bearer {token}"}
        made = (await program.post("/v1/me/secondFactor:enrol", headers=bearer)).json()
        code = pyotp.TOTP(made["secret"]).now()
        confirmed = await program.post(
            "/v1/me/secondFactor:confirm", json={"code": code}, headers=bearer
        )
        half = (await program.post("/v1/auth:login", json=login)).json()
        whole = await program.post(
            "/v1/auth:verifySecondFactor",
            json={
                "challenge": half["secondFactor"]["challenge"],
                "code": confirmed.json()["recoveryCodes"][1],
            },
        )
        assert whole.json()["accessToken"]
        assert not program.cookies


@pytest.mark.large
async def test_a_browser_signs_in_through_the_provider(
    open_crm: Crm, email: str, google: Provider
) -> None:
    key = await connected(open_crm, email, google)
    async with open_crm.client() as browser:
        answer = await through(browser, key, "/deals?open=1")

        assert (answer.status_code, answer.headers["location"]) == (303, "/deals?open=1")
        assert answer.headers["cache-control"] == "no-store"
        assert {"crm_access", "crm_refresh"} <= set(browser.cookies)
        assert "crm_oidc" not in browser.cookies
        assert (await browser.get("/v1/me")).json()["user"]["email"] == email
        cookies = answer.headers.get_list("set-cookie")
        assert all("HttpOnly" in cookie and "SameSite=Lax" in cookie for cookie in cookies)


@pytest.mark.large
async def test_who_needs_a_code_gets_the_challenge_behind_the_hash(
    open_crm: Crm, email: str, google: Provider
) -> None:
    key = await connected(open_crm, email, google)
    async with open_crm.client() as browser:
        await signed_in(browser, email)
        made = (await browser.post("/v1/me/secondFactor:enrol", headers=CSRF)).json()
        code = pyotp.TOTP(made["secret"]).now()
        await browser.post("/v1/me/secondFactor:confirm", json={"code": code}, headers=CSRF)
    async with open_crm.client() as browser:
        answer = await through(browser, key)

        place = urlsplit(answer.headers["location"])
        assert place.path == "/deals"
        assert parse_qs(place.fragment).keys() == {"challenge"}
        assert "crm_access" not in browser.cookies


@pytest.mark.large
async def test_another_browser_cannot_finish(open_crm: Crm, email: str, google: Provider) -> None:
    key = await connected(open_crm, email, google)
    async with open_crm.client() as victim, open_crm.client() as thief:
        away = await thief.get(f"/v1/auth/oidc/{key}")
        async with httpx.AsyncClient() as page:
            back = await page.get(away.headers["location"])
        forced = await victim.get(back.headers["location"])

        assert (forced.status_code, forced.headers["content-type"]) in [
            (400, "application/problem+json"),
            (401, "application/problem+json"),
        ]
        assert not victim.cookies


@pytest.mark.parametrize("path", ["https://evil.example", "//evil.example", "/\\evil.example"])
async def test_no_address_leads_to_another_site(
    open_crm: Crm, email: str, google: Provider, path: str
) -> None:
    key = await connected(open_crm, email, google)
    async with open_crm.client() as browser:
        refused = await browser.get(f"/v1/auth/oidc/{key}", params={"returnPath": path})

    assert (refused.status_code, refused.json()["reason"]) == (400, "RETURN_PATH_INVALID")
    assert "location" not in refused.headers


async def test_an_unknown_key_is_not_found(open_crm: Crm) -> None:
    async with open_crm.client() as browser:
        for key in ("nothing", "A" * 43):
            assert (await browser.get(f"/v1/auth/oidc/{key}")).status_code == 404


@pytest.mark.large
async def test_an_administrator_looks_as_somebody_else_over_http(open_crm: Crm, email: str) -> None:
    async with open_crm.client() as admin:
        await signed_in(admin, email)
        roles = (await admin.get("/v1/roles", params={"filter": 'built_in = "observer"'})).json()
        person = {
            "email": f"eva-{uuid7()}@example.com",
            "name": "Eva",
            "roleIds": [roles["roles"][0]["id"]],
        }
        user = (await admin.post("/v1/users", json=person, headers=CSRF)).json()
        link = await admin.post(f"/v1/users/{user['id']}:invite", json={}, headers=CSRF)
        await admin.post(
            "/v1/auth:acceptInvitation",
            json={"token": link.json()["token"], "password": PASSWORD},
        )
        as_eva = {"x-view-as": user["id"]}
        early = await admin.get("/v1/me", headers=as_eva)
        assert (early.status_code, early.json()["reason"]) == (403, "VIEWING_NOT_BEGUN")
        begun = await admin.post(f"/v1/users/{user['id']}:viewAs", json={}, headers=CSRF)
        assert begun.status_code == 200, begun.text

        me = await admin.get("/v1/me", headers=as_eva)
        change = await admin.patch("/v1/me", json={"name": "X"}, headers=as_eva | CSRF)
        live = await admin.get("/v1/events", headers=as_eva)

        assert (me.json()["user"]["id"], me.json()["viewingAs"]) == (user["id"], user["id"])
        assert me.headers["cache-control"] == "no-store"
        assert (change.status_code, change.json()["reason"]) == (403, "VIEWING_CHANGES_NOTHING")
        assert (live.status_code, live.json()["reason"]) == (403, "VIEWING_NOT_HERE")
        assert (await admin.get("/v1/me")).json()["user"]["email"] == email
