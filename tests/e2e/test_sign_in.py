"""Signing in as a browser and as a program; feature switches."""

import pytest

from tests.e2e.company import PASSWORD, Company, becomes, client, grants, ok, refused
from tests.service.gateway.sse import opened

CSRF = {"x-csrf": "1"}


async def test_a_browser_works_by_cookie_and_its_changes_need_the_csrf_header(
    company: Company,
) -> None:
    async with client(company.url) as browser:
        login = {"email": company.admin.email, "password": PASSWORD}
        answer = await browser.post("/v1/auth:login", json=login, headers=CSRF)
        assert {"accessToken", "refreshToken"}.isdisjoint(ok(answer))
        for cookie in answer.headers.get_list("set-cookie"):
            assert "HttpOnly" in cookie
            assert "SameSite=Lax" in cookie

        assert ok(await browser.get("/v1/me"))["user"]["email"] == company.admin.email
        refused(
            await browser.post("/v1/contacts", json={"givenName": "Eve"}),
            403,
            "CSRF_HEADER_MISSING",
        )
        made = ok(await browser.post("/v1/contacts", json={"givenName": "Ana"}, headers=CSRF))
        assert await company.admin.ids("/v1/contacts") == {made["id"]}

        renewed = await browser.post("/v1/auth:refresh", headers=CSRF)
        assert "accessToken" not in ok(renewed)
        ok(await browser.post("/v1/auth:logout", json={}, headers=CSRF))
        assert not browser.cookies
        assert (await browser.get("/v1/me")).status_code == 401


async def test_a_wrong_password_says_nothing_about_the_account(company: Company) -> None:
    async with client(company.url) as http:
        there = await http.post(
            "/v1/auth:login", json={"email": company.admin.email, "password": "wrong-wrong-9"}
        )
        absent = await http.post(
            "/v1/auth:login", json={"email": "nobody@example.com", "password": "wrong-wrong-9"}
        )

    first, second = (
        refused(there, 401, "WRONG_CREDENTIALS"),
        refused(absent, 401, "WRONG_CREDENTIALS"),
    )
    assert first | {"traceId": ""} == second | {"traceId": ""}


async def test_signing_out_everywhere_ends_every_session_and_its_stream(company: Company) -> None:
    seller = await company.person(await company.role(grants(("contact", "read", "own"))))
    other = await company.signed_in(seller.email)

    async def statuses() -> list[int]:
        return [(await person.http.get("/v1/me")).status_code for person in (seller, other)]

    assert await statuses() == [200, 200]
    async with opened(other.http) as stream:
        ok(await seller.http.post("/v1/auth:logoutEverywhere", json={}))
        assert await becomes(statuses, [401, 401], "both sessions have ended") < 5
        assert await stream.next(timeout_s=5) == ("end", {"reason": "SIGNED_OUT"})


OFF = [
    ("api_tokens", "GET", "/v1/apiTokens"),
    ("requests", "GET", "/v1/requests"),
    ("forms", "GET", "/v1/forms"),
    ("contacts", "GET", "/v1/contacts"),
    ("contacts", "GET", "/v1/companies"),
    ("timeline", "GET", "/v1/timeline"),
    ("custom_fields", "GET", "/v1/customFields?resource=contacts"),
    ("saved_views", "GET", "/v1/views?resource=contacts"),
    ("live", "GET", "/v1/events"),
]


@pytest.mark.parametrize(("feature", "method", "path"), OFF)
async def test_a_feature_that_is_off_refuses_hides_and_comes_back(
    company: Company, feature: str, method: str, path: str
) -> None:
    admin = company.admin.http
    headers = {"accept": "application/json"}

    async def status() -> int:
        return (await admin.request(method, path, headers=headers)).status_code

    async def features() -> bool:
        return feature in ok(await admin.get("/v1/me"))["features"]

    assert (await status(), await features()) == (200, True)
    ok(await admin.patch("/v1/tenant", json={"featuresOff": [feature]}))
    assert await becomes(status, 422, f"{feature} is off") < 5
    problem = refused(await admin.request(method, path, headers=headers), 422, "FEATURE_OFF")
    assert problem["metadata"] == {"feature": feature}
    assert await features() is False

    ok(await admin.patch("/v1/tenant", json={"featuresOff": []}))
    assert await becomes(status, 200, f"{feature} is on again") < 5
    assert await features() is True


async def test_an_open_stream_ends_when_live_is_switched_off(company: Company) -> None:
    async with opened(company.admin.http) as stream:
        ok(await company.admin.http.patch("/v1/tenant", json={"featuresOff": ["live"]}))
        event: tuple[str, dict[str, str]] = ("", {})
        while event[0] != "end":
            event = await stream.next(timeout_s=5)
        assert event == ("end", {"reason": "FEATURE_OFF"})


async def test_the_card_stands_without_what_is_off(company: Company) -> None:
    contact = await company.contact()
    path = f"/v1/contacts/{contact['id']}/card"
    ok(await company.admin.http.patch("/v1/tenant", json={"featuresOff": ["requests", "timeline"]}))

    async def parts() -> tuple[int, int]:
        card = ok(await company.admin.http.get(path))
        assert (card["contact"]["id"], card["unavailable"]) == (contact["id"], [])
        return len(card["requests"]), len(card["timeline"])

    await becomes(parts, (0, 0), "the parts are empty")


async def test_data_of_a_feature_that_is_off_is_kept(company: Company) -> None:
    kept = (await company.contact())["id"]

    async def status() -> int:
        return (await company.admin.http.get("/v1/contacts")).status_code

    for off, expected in (["contacts"], 422), ([], 200):
        ok(await company.admin.http.patch("/v1/tenant", json={"featuresOff": off}))
        await becomes(status, expected, f"{off} are off")

    assert await company.admin.ids("/v1/contacts") == {kept}


async def test_a_form_whose_feature_is_off_takes_nothing(company: Company) -> None:
    form = await company.form()
    body = {"fields": {"name": "Wanda", "phone": "601 000 111"}}
    async with client(company.url) as visitor:

        async def status() -> int:
            return (await visitor.post(f"/v1/public/forms/{form['key']}", json=body)).status_code

        ok(await company.admin.http.patch("/v1/tenant", json={"featuresOff": ["forms"]}))
        await becomes(status, 422, "the form takes nothing")
        before = await company.admin.ids("/v1/requests")
        assert await status() == 422
        assert await company.admin.ids("/v1/requests") == before
