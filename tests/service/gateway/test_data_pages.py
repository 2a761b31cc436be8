"""A customer's personal link over HTTP: the page without scripts, its JSON twin, and what the card shows afterwards (S180)."""

import re
from html import unescape
from typing import Any

import httpx
import pytest

from chassis import errors
from chassis.keys import new_key, uuid7
from chassis.testing.installation import Tenant
from tests.service.gateway.conftest import Crm, unique

HTML = {"accept": "text/html,application/xhtml+xml"}
ADDRESS = {"lines": ["Lipowa 3"], "postalCode": "30-001", "city": "Kraków", "country": "PL"}
FIELDS = {
    "given_name": "MODE_SEE", "family_name": "MODE_CORRECT", "phones": "MODE_CORRECT", "emails": "MODE_COMPLETE",
    "addresses": "MODE_CORRECT", "birthday": "MODE_COMPLETE", "preferred_channel": "MODE_CORRECT",
    "custom.size": "MODE_CORRECT",
}  # fmt: skip


async def ok(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
async def contact(http: httpx.AsyncClient) -> Any:
    field = {
        "resource": "contacts", "key": "size", "label": "Size <cm>", "type": "CUSTOM_FIELD_TYPE_CHOICE",
        "choices": ["S", "M & L"],
    }  # fmt: skip
    await ok(await http.post("/v1/customFields", json=field))
    purpose = {
        "key": "marketing",
        "name": "Offers",
        "texts": {"pl": "Chcę <b>ofert</b>", "en": "Offers"},
    }
    await ok(await http.post("/v1/consentPurposes", json=purpose))
    made = {
        "givenName": "Ana", "familyName": unique("Nowak"), "addresses": [ADDRESS],
        "phones": [{"number": "+48601234567", "kind": "KIND_WORK"}, {"number": "+48512345678"}],
    }  # fmt: skip
    return await ok(await http.post("/v1/contacts", json=made))


async def issue(http: httpx.AsyncClient, contact: Any, **values: Any) -> str:
    """The path of a new link's page."""
    link = {
        "fields": [{"field": field, "mode": mode} for field, mode in FIELDS.items()],
        "purposes": ["marketing"], "language": "pl", **values,
    }  # fmt: skip
    made = await ok(await http.post(f"/v1/contacts/{contact['id']}:createDataLink", json=link))
    return str(made["path"])


def inputs(page: str) -> list[tuple[str, str]]:
    """What a browser would send of the page as it stands."""
    found = [
        (unescape(n), unescape(v))
        for n, v in re.findall(r'<input type="(?:text|tel|email|date|hidden)"[^>]*?name="([^"]+)"[^>]*? value="([^"]*)"', page)
    ]  # fmt: skip
    found += [
        (unescape(n), unescape(v))
        for n, v in re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>([^<]*)<', page)
    ]
    for name, options in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', page):
        chosen = re.findall(r'<option value="([^"]*)" selected', options)
        found.append((unescape(name), unescape(chosen[0]) if chosen else ""))
    found += [
        (unescape(n), "yes")
        for n in re.findall(r'<input type="checkbox"[^>]*name="([^"]+)"[^>]* checked', page)
    ]
    return found


def replaced(sent: list[tuple[str, str]], name: str, *texts: str) -> list[tuple[str, str]]:
    return [pair for pair in sent if pair[0] != name] + [(name, text) for text in texts]


async def post(client: httpx.AsyncClient, path: str, sent: list[tuple[str, str]]) -> httpx.Response:
    data: dict[str, list[str]] = {}
    for name, text in sent:
        data.setdefault(name, []).append(text)
    return await client.post(path, data=data)


async def test_the_page_speaks_the_customers_language_and_shows_only_what_it_may(
    crm: Crm, http: httpx.AsyncClient, contact: Any
) -> None:
    path = await issue(http, contact)
    async with crm.client(**HTML) as visitor:
        page = await visitor.get(path)
    assert page.status_code == 200, page.text
    assert '<html lang="pl">' in page.text
    assert "Test prosi o sprawdzenie" in page.text
    assert "Size &lt;cm&gt;" in page.text
    assert "Chcę &lt;b&gt;ofert&lt;/b&gt;" in page.text
    assert "<p>Ana</p>" in page.text
    assert 'name="given_name"' not in page.text
    assert page.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "script" not in page.text


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "Your data"), ("id-ID", "Data Anda"), ("ms", "Data anda"), ("pl", "Twoje dane"), ("de", "Your data")],
)  # fmt: skip
async def test_the_page_knows_four_languages(
    crm: Crm, http: httpx.AsyncClient, contact: Any, language: str, words: str
) -> None:
    path = await issue(http, contact, language=language)
    async with crm.client(**HTML) as visitor:
        assert f"<h1>{words}</h1>" in (await visitor.get(path)).text


async def test_what_is_sent_unchanged_changes_nothing(
    crm: Crm, http: httpx.AsyncClient, contact: Any
) -> None:
    path = await issue(http, contact)
    async with crm.client(**HTML) as visitor:
        sent = inputs((await visitor.get(path)).text)
        answer = await post(visitor, path, sent)
    assert ("phones", "+48512345678") in sent
    assert ("addresses.0.lines", "Lipowa 3") in sent
    assert answer.status_code == 200
    assert "Nic się nie zmieniło." in answer.text
    assert (await ok(await http.get("/v1/dataChanges"))).get("dataChanges", []) == []


async def test_a_customer_corrects_completes_and_consents_and_a_colleague_approves(
    crm: Crm, http: httpx.AsyncClient, contact: Any
) -> None:
    path = await issue(http, contact)
    async with crm.client(**HTML) as visitor:
        sent = inputs((await visitor.get(path)).text)
        sent = replaced(sent, "phones", "+48601234567", "", "700 700 700")
        sent = replaced(sent, "emails", "ANA@example.com")
        sent = replaced(sent, "addresses.0.city", "Wieliczka")
        sent = replaced(sent, "birthday", "1990-05-17")
        sent = replaced(sent, "preferred_channel", "PREFERRED_CHANNEL_SMS")
        sent = replaced(sent, "custom.size", "M & L")
        thanks = await post(visitor, path, [*sent, ("consent.marketing", "yes")])
        again = await post(visitor, path, [*sent, ("consent.marketing", "yes")])
        sent = replaced(sent, "phones", "+48601234567", "", "700 700 701")
        other = await post(visitor, path, [*sent, ("consent.marketing", "yes")])  # one step back
    assert thanks.status_code == again.status_code == other.status_code == 200, thanks.text
    assert "Dziękujemy!" in thanks.text
    assert "gdy sprawdzi je pracownik" in thanks.text
    waiting = {"filter": "state = PROPOSED", "orderBy": "create_time"}
    change, _ = (await ok(await http.get("/v1/dataChanges", params=waiting)))["dataChanges"]
    assert [item["field"] for item in change["items"]] == [
        "phones", "emails", "addresses", "birthday", "preferred_channel", "custom.size",
    ]  # fmt: skip
    values = (await ok(await http.get(f"/v1/dataChanges/{change['id']}/values")))["values"]
    assert values[0]["after"] == [
        {"number": "+48601234567", "kind": "KIND_WORK"},
        {"number": "+48700700700"},
    ]

    decided = await ok(await http.post(f"/v1/dataChanges/{change['id']}:approve", json={}))

    assert decided["state"] == "STATE_APPROVED"
    now = await ok(await http.get(f"/v1/contacts/{contact['id']}"))
    assert [p["number"] for p in now["phones"]] == ["+48601234567", "+48700700700"]
    assert now["emails"] == [{"address": "ana@example.com"}]
    assert now["addresses"] == [{**ADDRESS, "city": "Wieliczka"}]
    assert now["birthday"] == {"year": 1990, "month": 5, "day": 17}
    assert (now["preferredChannel"], now["custom"]) == ("PREFERRED_CHANNEL_SMS", {"size": "M & L"})
    card = await ok(await http.get(f"/v1/contacts/{contact['id']}/card"))
    assert {state["given"] for state in card["consents"]} == {True}
    assert len(card["consents"]) == 5


async def test_what_cannot_be_comes_back_with_everything_that_was_typed(
    crm: Crm, http: httpx.AsyncClient, contact: Any
) -> None:
    path = await issue(http, contact)
    async with crm.client(**HTML) as visitor:
        sent = inputs((await visitor.get(path)).text)
        sent = replaced(sent, "phones", "12")
        sent = replaced(sent, "family_name", 'O"Hara <i>')
        refused = await post(visitor, path, sent)
    assert refused.status_code == 400, refused.text
    assert 'role="alert"' in refused.text
    assert re.search(r'id="f-phones"[^>]*value="12"[^>]*aria-invalid="true"', refused.text)
    assert 'value="O&quot;Hara &lt;i&gt;"' in refused.text
    assert (await ok(await http.get("/v1/dataChanges"))).get("dataChanges", []) == []


async def test_the_json_twin(crm: Crm, http: httpx.AsyncClient, contact: Any) -> None:
    path = await issue(http, contact)
    async with crm.client() as program:
        shown = await program.get(path)
        body = {
            "contact": {"familyName": "Kowalska"},
            "consents": [{"purpose": "marketing", "given": True}],
        }
        taken = await program.post(path, json=body)
        wrong = await program.post(path, json={"contact": {"givenName": "Eve"}})
        cleared = await program.post(path, json={"updateMask": "phones"})
    data = await ok(shown)
    assert shown.headers["cache-control"] == "no-store"
    assert (data["askedBy"], data["language"]) == ("Test", "pl")
    assert {each["field"]: each.get("value") for each in data["fields"]}["given_name"] == "Ana"
    assert await ok(taken) == {"waitingFields": ["family_name"], "consentCount": 1}
    assert (wrong.status_code, wrong.json()["reason"]) == (400, "FIELD_NOT_OFFERED")
    assert (await ok(cleared))["waitingFields"] == ["phones"]


async def test_wrong_revoked_and_foreign_addresses_are_one_page(
    crm: Crm, http: httpx.AsyncClient, tenant: Tenant, contact: Any
) -> None:
    revoked = await issue(http, contact)
    (link,) = (await ok(await http.get("/v1/dataLinks")))["dataLinks"]
    await ok(await http.post(f"/v1/dataLinks/{link['id']}:revoke", json={}))
    keys = ["nonsense", "x" * 900, new_key(tenant.id), new_key(uuid7()), revoked.rpartition("/")[2]]
    pages, problems = set(), set()
    async with crm.client(**HTML, **{"accept-language": "id-ID,id;q=0.9"}) as visitor:
        for key in keys:
            page = await visitor.get(f"/v1/public/data/{key}")
            sent = await visitor.post(f"/v1/public/data/{key}", data={"family_name": "X"})
            pages |= {(page.status_code, page.text), (sent.status_code, sent.text)}
    async with crm.client() as program:
        for key in keys:
            answer = await program.get(f"/v1/public/data/{key}")
            problems.add((answer.status_code, answer.json()["reason"], answer.json()["detail"]))
    ((status, text),) = pages
    assert status == 404
    assert "Tidak ada apa-apa di alamat ini." in text
    assert len(problems) == 1


async def test_nobody_is_thanked_while_the_service_is_down(
    crm: Crm, http: httpx.AsyncClient, contact: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await issue(http, contact)
    endpoints = crm.installation.process.endpoints
    name = "/crm.contacts.v1.DataLinksService/ProposeDataChange"

    async def down(request: bytes, call: object) -> bytes:
        raise errors.Unavailable("down")

    monkeypatch.setitem(endpoints, name, type(endpoints[name])(endpoints[name].method, down))
    async with crm.client(**HTML) as visitor:
        sent = replaced(inputs((await visitor.get(path)).text), "family_name", "Typed")
        answer = await post(visitor, path, sent)
    assert answer.status_code == 503
    assert "Nie mogliśmy teraz przyjąć zmian." in answer.text
    assert 'value="Typed"' in answer.text


async def test_the_card_shows_pinned_notes_open_agreements_and_consents(
    http: httpx.AsyncClient, contact: Any
) -> None:
    id = contact["id"]
    for text, pinned in (("pinned", True), ("loose", False)):
        note = {"contactId": id, "text": text, "pinned": pinned}
        await ok(await http.post("/v1/notes", json=note))
    for subject in ("to keep", "kept"):
        agreement = {
            "contactId": id,
            "subject": subject,
            "date": {"year": 2030, "month": 1, "day": 2},
        }
        made = await ok(await http.post("/v1/agreements", json=agreement))
    await ok(await http.post(f"/v1/agreements/{made['id']}:keep", json={}))
    consent = {"purpose": "marketing", "channel": "CONSENT_CHANNEL_EMAIL"}
    await ok(await http.post(f"/v1/contacts/{id}/consents", json=consent))

    card = await ok(await http.get(f"/v1/contacts/{id}/card"))

    assert [note["text"] for note in card["notes"]] == ["pinned"]
    assert [agreement["subject"] for agreement in card["agreements"]] == ["to keep"]
    assert [(s["purpose"], s["channel"], s["given"]) for s in card["consents"]] == [
        ("marketing", "CONSENT_CHANNEL_EMAIL", True)
    ]
    assert card["unavailable"] == []
