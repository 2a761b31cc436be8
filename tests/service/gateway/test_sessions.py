"""Signing in by cookie, as a browser does, over the real identity service."""

from collections.abc import AsyncIterator

import httpx
import pytest

from chassis.keys import uuid7
from tests.service.gateway.conftest import PASSWORD, Crm, running

CSRF = {"x-csrf": "1"}


@pytest.fixture(scope="module")
async def open_crm() -> AsyncIterator[Crm]:
    """An installation where companies may sign up."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRM_SIGNUP", "1")
        async with running() as made:
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
    async with open_crm.client() as stranger:
        made = await stranger.post(
            "/v1/tenants",
            json={
                "company": company,
                "administrator": {"email": address, "password": PASSWORD, "name": "Ana"},
            },
        )
    assert made.status_code == 200, made.text
    return address


async def test_a_browser_signs_in_works_renews_and_leaves(open_crm: Crm, email: str) -> None:
    async with open_crm.client() as browser:
        signed_in = await browser.post(
            "/v1/auth:login", json={"email": email, "password": PASSWORD}, headers=CSRF
        )
        assert signed_in.status_code == 200, signed_in.text
        assert {"accessToken", "refreshToken"}.isdisjoint(signed_in.json())
        assert (await browser.get("/v1/me")).json()["user"]["email"] == email
        refused = await browser.post("/v1/contacts", json={"displayName": "Eve"})
        assert (refused.status_code, refused.json()["reason"]) == (403, "CSRF_HEADER_MISSING")
        made = await browser.post("/v1/contacts", json={"displayName": "Ana"}, headers=CSRF)
        assert made.status_code == 200, made.text
        before = dict(browser.cookies)
        renewed = await browser.post("/v1/auth:refresh", headers=CSRF)
        assert renewed.status_code == 200, renewed.text
        assert dict(browser.cookies) != before
        assert (await browser.get("/v1/me")).status_code == 200
        token = browser.cookies["crm_access"]
        assert (await browser.post("/v1/auth:logout", headers=CSRF)).status_code == 200
        assert not browser.cookies
        assert (await browser.get("/v1/me")).status_code == 401
        gone = await browser.get("/v1/me", headers={"authorization": f"Bearer {token}"})
        assert gone.status_code == 401


async def test_a_session_that_cannot_be_renewed_leaves_no_cookies(
    open_crm: Crm, email: str
) -> None:
    async with open_crm.client() as browser:
        await browser.post(
            "/v1/auth:login", json={"email": email, "password": PASSWORD}, headers=CSRF
        )
        stale = browser.cookies["crm_refresh"]
        await browser.post("/v1/auth:logout", headers=CSRF)
    async with open_crm.client() as other:
        refused = await other.post(
            "/v1/auth:refresh", headers={**CSRF, "cookie": f"crm_refresh={stale}"}
        )
    assert refused.status_code == 401
    assert all("Max-Age=0" in cookie for cookie in refused.headers.get_list("set-cookie"))
    assert len(refused.headers.get_list("set-cookie")) == 2


async def test_wrong_password_sets_no_cookie(open_crm: Crm, email: str) -> None:
    async with open_crm.client() as browser:
        refused = await browser.post(
            "/v1/auth:login", json={"email": email, "password": "wrong"}, headers=CSRF
        )
    assert refused.status_code == 401
    assert "set-cookie" not in refused.headers


async def test_programs_sign_in_by_bearer(open_crm: Crm, email: str) -> None:
    async with open_crm.client() as program:
        tokens = (
            await program.post("/v1/auth:login", json={"email": email, "password": PASSWORD})
        ).json()
        assert not program.cookies
        bearer = httpx.Headers({"authorization": f"Bearer {tokens['accessToken']}"})
        assert (await program.get("/v1/me", headers=bearer)).status_code == 200
        again = await program.post(
            "/v1/auth:refresh", json={"refreshToken": tokens["refreshToken"]}
        )
        assert again.json()["accessToken"]


async def test_only_an_own_file_becomes_a_picture(open_crm: Crm, email: str) -> None:
    async with open_crm.client() as browser:
        await browser.post(
            "/v1/auth:login", json={"email": email, "password": PASSWORD}, headers=CSRF
        )
        refused = await browser.patch("/v1/me", json={"photoFileId": uuid7()}, headers=CSRF)
        assert refused.status_code == 400
        assert [v["field"] for v in refused.json()["violations"]] == ["photoFileId"]
        user = (await browser.get("/v1/me")).json()["user"]
        assert "photoFileId" not in user
        picture = {**CSRF, "content-type": "image/png"}
        mine = (await browser.post("/v1/files", content=b"png", headers=picture)).json()["id"]
        taken = await browser.patch("/v1/me", json={"photoFileId": mine}, headers=CSRF)
        assert (taken.status_code, taken.json()["photoFileId"]) == (200, mine)
        seen = await browser.get(f"/v1/files/{mine}", params={"in": f"users/{user['id']}"})

    assert (seen.status_code, seen.content) == (200, b"png")
