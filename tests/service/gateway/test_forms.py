"""Public forms: the hosted page with and without scripts, intake from other sites, visits; never a false thank-you."""

import re
from html import unescape

import httpx
import orjson
import pytest

from chassis import errors
from chassis.keys import new_key, uuid7
from chassis.testing.installation import Tenant
from gateway.live import replay
from tests.service.gateway.conftest import Crm, unique

FIELDS = [
    {"key": "name", "label": "Imię", "type": "TYPE_TEXT", "meaning": "MEANING_NAME"},
    {
        "key": "phone",
        "label": "Telefon",
        "type": "TYPE_PHONE",
        "meaning": "MEANING_PHONE",
        "required": True,
    },
    {"key": "size", "label": "Rozmiar <m>", "type": "TYPE_CHOICE", "choices": ["S", "M & L"]},
    {"key": "ok", "label": "Zgoda", "type": "TYPE_YES_NO"},
]
HTML = {"accept": "text/html,application/xhtml+xml"}


@pytest.fixture
async def form(http: httpx.AsyncClient) -> dict:  # type: ignore[type-arg]
    made = await http.post(
        "/v1/forms",
        json={
            "name": "Site",
            "title": "Zapytanie",
            "language": "pl",
            "fields": FIELDS,
            "thankYouText": "Oddzwonimy.",
            "allowedOrigins": ["https://shop.example"],
            "rateLimitPerMinute": 1000,
        },
    )
    assert made.status_code == 200, made.text
    return made.json()


def inputs(page: str) -> dict[str, str]:
    return {
        name: unescape(value)
        for name, value in re.findall(r'name="([^"]+)"[^>]*? value="([^"]*)"', page)
    }


def phone() -> str:
    return f"+48 60{uuid7()[-7:]}".translate(str.maketrans("abcdef", "123456"))


async def test_the_page_works_without_scripts(
    crm: Crm, http: httpx.AsyncClient, form: dict
) -> None:  # type: ignore[type-arg]
    async with crm.client(**HTML) as visitor:
        page = await visitor.get(f"/forms/{form['key']}?utm_source=ads&gclid=g1")
        assert page.status_code == 200
        assert '<html lang="pl">' in page.text
        assert "Rozmiar &lt;m&gt;" in page.text
        assert '<label for="f-phone">Telefon' in page.text
        assert "frame-ancestors https://shop.example" in page.headers["content-security-policy"]
        hidden = {k: v for k, v in inputs(page.text).items() if k.startswith("_")}
        name = unique("Jan")
        data = hidden | {"name": name, "phone": phone(), "size": "M & L", "ok": "yes"}
        thanks = await visitor.post(f"/forms/{form['key']}", data=data)
        assert thanks.status_code == 200
        assert "Oddzwonimy." in thanks.text
        again = await visitor.post(f"/forms/{form['key']}", data=data)  # the visitor presses reload
        assert again.status_code == 200
    found = (await http.get("/v1/requests", params={"q": name.split()[1]})).json()["requests"]
    assert len(found) == 1
    assert (
        found[0]["fields"] == {"size": "M & L", "ok": "true"}
        or found[0]["fields"]["size"] == "M & L"
    )
    assert found[0]["lastTouch"]["utmSource"] == "ads"
    assert found[0]["lastTouch"]["clickIds"] == {"gclid": "g1"}


async def test_missing_answers_come_back_with_what_was_typed(crm: Crm, form: dict) -> None:  # type: ignore[type-arg]
    async with crm.client(**HTML) as visitor:
        refused = await visitor.post(
            f"/forms/{form['key']}", data={"name": 'Jan "X" <b>', "phone": ""}
        )
    assert refused.status_code == 400, refused.text
    assert 'role="alert"' in refused.text
    assert re.search(r'id="f-phone"[^>]*aria-invalid="true"', refused.text)
    assert 'value="Jan &quot;X&quot; &lt;b&gt;"' in refused.text


async def test_a_form_that_does_not_exist_is_a_page_too(crm: Crm, tenant: Tenant) -> None:
    async with crm.client(**HTML) as visitor:
        for key in (new_key(tenant.id), "nonsense"):
            answer = await visitor.get(f"/forms/{key}")
            assert (answer.status_code, answer.headers["content-type"]) == (
                404,
                "text/html; charset=utf-8",
            )


async def test_json_intake_from_an_allowed_site(
    crm: Crm, http: httpx.AsyncClient, form: dict
) -> None:  # type: ignore[type-arg]
    path, name = f"/v1/public/forms/{form['key']}", unique("Ewa")
    async with crm.client(origin="https://shop.example") as page:
        asked = await page.options(path, headers={"access-control-request-method": "POST"})
        assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (
            204,
            "https://shop.example",
        )
        body = {"fields": {"name": name, "phone": phone()}, "firstTouch": {"utmSource": "first"}}
        sent = [
            await page.post(path, json=body, headers={"idempotency-key": "once"}) for _ in range(2)
        ]
    assert [answer.status_code for answer in sent] == [200, 200], sent[0].text
    assert sent[0].json() == sent[1].json()
    assert sent[0].headers["access-control-allow-origin"] == "https://shop.example"
    found = (await http.get("/v1/requests", params={"q": name.split()[1]})).json()["requests"]
    assert [r["id"] for r in found] == [sent[0].json()["receiptId"]]


async def test_other_sites_are_refused(crm: Crm, form: dict) -> None:  # type: ignore[type-arg]
    async with crm.client(origin="https://evil.example") as page:
        answers = [
            await page.options(f"/v1/public/forms/{form['key']}"),
            await page.post(f"/v1/public/forms/{form['key']}", json={"fields": {"phone": "1"}}),
        ]
    for answer in answers:
        assert (answer.status_code, answer.json()["reason"]) == (403, "ORIGIN_NOT_ALLOWED")
        assert "access-control-allow-origin" not in answer.headers


async def test_a_posted_form_without_a_page_gets_json(crm: Crm, form: dict) -> None:  # type: ignore[type-arg]
    async with crm.client() as program:
        answer = await program.post(
            f"/v1/public/forms/{form['key']}", data={"name": unique(), "phone": phone()}
        )
    assert answer.status_code == 200, answer.text
    assert answer.json()["thankYouText"] == "Oddzwonimy."


async def test_the_honeypot_looks_like_success(
    crm: Crm, http: httpx.AsyncClient, form: dict
) -> None:  # type: ignore[type-arg]
    name = unique("Bot")
    async with crm.client(**HTML) as program:
        data = {"name": name, "phone": phone(), "_website": "http://spam"}
        assert (await program.post(f"/forms/{form['key']}", data=data)).status_code == 200
    found = (await http.get("/v1/requests", params={"q": name.split()[1]})).json()["requests"]
    assert [r["closeReason"] for r in found] == ["CLOSE_REASON_SPAM"]


async def test_while_the_service_is_down_the_visitor_is_told(
    crm: Crm,
    form: dict,
    monkeypatch: pytest.MonkeyPatch,  # type: ignore[type-arg]
) -> None:
    """The edge is the channel to a service that does not answer; the answers typed so far must survive."""
    async with crm.client(**HTML) as visitor:
        assert (await visitor.get(f"/forms/{form['key']}")).status_code == 200
        endpoints = crm.installation.process.endpoints

        async def down(request: bytes, call: object) -> bytes:
            raise errors.Unavailable("the database is down; try again", retry_after_s=2)

        name = "/crm.contacts.v1.ContactsService/SubmitForm"
        served = endpoints[name]
        monkeypatch.setitem(endpoints, name, type(served)(served.method, down))
        page = await visitor.post(
            f"/forms/{form['key']}", data={"name": "Jan Kowal", "phone": "601"}
        )
        json = await visitor.post(
            f"/v1/public/forms/{form['key']}",
            json={"fields": {"phone": "601"}},
            headers={"accept": "application/json"},
        )
    assert (page.status_code, page.headers["retry-after"]) == (503, "2")
    assert 'value="Jan Kowal"' in page.text
    assert "Dziękujemy" not in page.text
    assert (json.status_code, json.headers["retry-after"]) == (503, "2")


async def test_visits_become_events_once(crm: Crm, tenant: Tenant, form: dict) -> None:  # type: ignore[type-arg]
    visit = {"formKey": form["key"], "visitorId": "v-1", "visitId": uuid7()}
    view = visit | {"event": "view", "url": "https://shop.example/a", "title": "A", "position": 1}
    async with crm.client(origin="https://shop.example", **{"content-type": "text/plain"}) as page:
        for _ in range(2):
            answer = await page.post(
                "/v1/public/visits", content=httpx.Request("POST", "http://x", json=view).content
            )
            assert answer.status_code == 204, answer.text
        end = visit | {"event": "end", "durationS": 42, "pageCount": 1}
        told = await page.post(
            "/v1/public/visits", content=httpx.Request("POST", "http://x", json=end).content
        )
        assert told.status_code == 204, told.text
        wrong = await page.post(
            "/v1/public/visits", content=b'{"formKey": "%b", "position": -1}' % form["key"].encode()
        )
    assert wrong.status_code == 400
    assert {v["field"] for v in wrong.json()["violations"]} == {"position", "visitorId", "visitId"}
    ended = await replay.read(
        crm.installation.process.nats, "GATEWAY", f"crm.{tenant.id}.gateway.VisitEnded", 0, 10
    )
    assert [(m.headers["ce-type"], m.headers["ce-subject"]) for m in ended] == [
        ("crm.gateway.v1.VisitEnded", visit["visitId"])
    ]
    assert (orjson.loads(ended[0].data)["durationS"], orjson.loads(ended[0].data)["visitorId"]) == (
        42,
        "v-1",
    )
    viewed = await crm.installation.process.nats.js.stream_info(
        "GATEWAY", subjects_filter=f"crm.{tenant.id}.>"
    )
    assert viewed.state.subjects == {
        f"crm.{tenant.id}.gateway.PageViewed": 1,
        f"crm.{tenant.id}.gateway.VisitEnded": 1,
    }
