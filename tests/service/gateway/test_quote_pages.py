"""A customer's link to a quote over HTTP: the page without scripts in his language, his answer, and what becomes of it (S41)."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from chassis import errors
from chassis.call import Cause
from chassis.keys import new_key, uuid7
from chassis.testing.installation import Tenant
from services.deals import timers_quotes
from tests.service.gateway.conftest import Crm, running

HTML = {"accept": "text/html,application/xhtml+xml"}
LINES = [
    {"name": "Window <oak>", "description": "120 x 150", "quantity": "2.5", "unit": "m²", "unitPrice": "1234.56"},
    {"name": "Montage", "quantity": "1", "unitPrice": "0.4567"},
]  # fmt: skip


@pytest.fixture(scope="module")
async def crm() -> AsyncIterator[Crm]:
    async with running(("identity", "deals", "gateway"), test_clock=True) as made:
        yield made


async def ok(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
async def deal(http: httpx.AsyncClient) -> Any:
    stages = [{"key": "new", "name": "New"}]
    made = await ok(
        await http.post("/v1/pipelines", json={"key": "sales", "name": "Sales", "stages": stages})
    )
    body = {"title": "Windows", "pipelineId": made["id"], "lines": LINES, "currency": "PLN"}
    return await ok(await http.post("/v1/deals", json=body))


async def send(http: httpx.AsyncClient, deal: Any, **values: Any) -> tuple[Any, str]:
    """(quote, path of its page) of a new quote that was sent."""
    quote = await ok(await http.post("/v1/quotes", json={"dealId": deal["id"], **values}))
    quote = await ok(await http.post(f"/v1/quotes/{quote['id']}:send", json={}))
    link = await ok(await http.get(f"/v1/quotes/{quote['id']}/link"))
    return quote, link["path"]


def hidden(page: str) -> str:
    (found,) = re.findall(r'name="_request_id" value="([^"]+)"', page)
    return str(found)


async def test_the_page_reads_and_prints_without_a_script(
    crm: Crm, http: httpx.AsyncClient, deal: Any
) -> None:
    quote, path = await send(
        http, deal, language="pl", intro="Dzień dobry <b>Ana</b>", discountPercent="10", variant="Dąb"
    )  # fmt: skip
    async with crm.client(**HTML) as customer:
        page = await customer.get(path)
        style = await customer.get("/static/quote.css")
    assert page.status_code == 200, page.text
    assert '<html lang="pl">' in page.text
    assert f"<h1>Oferta {quote['number']}</h1>" in page.text
    assert "Dzień dobry &lt;b&gt;Ana&lt;/b&gt;" in page.text
    assert "Window &lt;oak&gt;" in page.text
    amounts = [unescape(each) for each in re.findall(r'<td class="number">([^<]*)</td>', page.text)]
    # 2.5 x 1234.56 = 3086.40; 0.4567 rounds to 0.46; less 10 %
    assert [each.replace("\xa0", " ") for each in amounts] == [
        "2,5 m²", "1 234,56 zł", "0%", "3 086,40 zł", "1", "0,4567 zł", "0%", "0,46 zł",
        "3 086,86 zł", "-308,69 zł", "2 778,17 zł",
    ]  # fmt: skip
    assert re.findall("<script[^>]*>", page.text) == [
        f'<script src="/static/quote.js" data-open="./{path.rpartition("/")[2]}:open" defer>'
    ]
    assert not re.search(r" on[a-z]+=|javascript:", page.text)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'self';" in policy
    assert page.headers["cache-control"] == "no-store"
    assert '<meta name="referrer" content="no-referrer">' in page.text
    assert "@media print" in style.text
    assert quote["totals"]["gross"] == "2778.17"


async def test_only_what_the_page_tells_by_itself_is_an_opening(
    crm: Crm, http: httpx.AsyncClient, deal: Any
) -> None:
    quote, path = await send(http, deal)
    async with crm.client(**HTML) as customer:
        page, script = await customer.get(path), await customer.get("/static/quote.js")
        fetched = await ok(await http.get(f"/v1/quotes/{quote['id']}"))
        to = re.findall('data-open="([^"]+)"', page.text)[0]
        ahead = await customer.post(page.url.join(to), json={}, headers={"sec-purpose": "prefetch"})
        looked_ahead = await ok(await http.get(f"/v1/quotes/{quote['id']}"))
        told = await customer.post(page.url.join(to), json={})
        opened = await ok(await http.get(f"/v1/quotes/{quote['id']}"))
    assert script.headers["content-type"].startswith("text/javascript")
    assert [each.status_code for each in (page, script, ahead, told)] == [200] * 4, told.text
    assert ["openTime" in each for each in (fetched, looked_ahead, opened)] == [False, False, True]
    assert told.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("language", "heading", "total"),
    [
        ("en", "Offer", "PLN 3,086.86"), ("id-ID", "Penawaran", "PLN 3.086,86"), ("ms", "Sebut harga", "PLN 3,086.86"),
        ("pl", "Oferta", "3 086,86 zł"), ("de", "Offer", "3.086,86 PLN"), ("xx", "Offer", "PLN 3,086.86"),
    ],
)  # fmt: skip
async def test_words_and_figures_are_those_of_the_language(
    crm: Crm, http: httpx.AsyncClient, deal: Any, language: str, heading: str, total: str
) -> None:
    quote, path = await send(http, deal, language=language)
    async with crm.client(**HTML) as customer:
        page = (await customer.get(path)).text
    assert f"<h1>{heading} {quote['number']}</h1>" in page
    assert total in page.replace("\xa0", " ")


async def test_tax_is_shown_by_rate_and_as_the_prices_are_meant(
    crm: Crm, http: httpx.AsyncClient, deal: Any
) -> None:
    made = await ok(
        await http.post(
            "/v1/taxClasses", json={"key": "vat", "name": "VAT", "rates": [{"percent": "23"}]}
        )
    )
    line = {"name": "Window", "quantity": "1", "unitPrice": "123", "taxClassId": made["id"]}
    _, path = await send(http, deal, lines=[line], taxIncluded=True)
    async with crm.client(**HTML) as customer:
        page = (await customer.get(path)).text.replace("\xa0", " ")
    rows = re.findall(r'<th scope="row" colspan="4">([^<]*)</th><td class="number">([^<]*)</td>', page)  # fmt: skip
    assert rows == [("Net", "PLN 100.00"), ("Tax 23%", "PLN 23.00"), ("Total", "PLN 123.00")]
    assert "Prices include tax." in page


async def test_a_customer_accepts_by_his_name_and_the_seller_sees_the_proof(
    crm: Crm, http: httpx.AsyncClient, deal: Any
) -> None:
    quote, path = await send(http, deal, discountPercent="10")
    async with crm.client(**HTML, **{"user-agent": "Tester/1.0"}) as customer:
        form = {"name": "Ana <Nowak>", "note": "", "_request_id": hidden((await customer.get(path)).text)}  # fmt: skip
        thanks = await customer.post(f"{path}:accept", data=form)
        again = await customer.post(f"{path}:accept", data=form)
        other = await customer.post(f"{path}:accept", data={**form, "name": "Eve"})  # one step back
        later = await customer.get(path)
    assert (thanks.status_code, again.status_code) == (200, 200), thanks.text
    assert "This offer is accepted. Thank you!" in thanks.text
    assert "Ana &lt;Nowak&gt;" in thanks.text
    assert "<form" not in thanks.text
    assert other.status_code == 422
    assert "Your answer came too late" in other.text
    assert "This offer is accepted." in later.text
    proof = await ok(await http.get(f"/v1/quotes/{quote['id']}/proof"))
    assert (proof["name"], proof["address"], proof["program"]) == ("Ana <Nowak>", "127.0.0.1", "Tester/1.0")  # fmt: skip
    now = await ok(await http.get(f"/v1/deals/{deal['id']}"))
    assert (now["acceptedQuoteId"], now["amount"]) == (quote["id"], "2778.17")


async def test_a_customer_declines(crm: Crm, http: httpx.AsyncClient, deal: Any) -> None:
    quote, path = await send(http, deal, language="ms")
    async with crm.client(**HTML) as customer:
        page = await customer.post(f"{path}:decline", data={"name": "Ana", "note": "mahal"})
    assert "Sebut harga ini telah ditolak." in page.text
    now = await ok(await http.get(f"/v1/quotes/{quote['id']}"))
    assert (now["state"], now["answer"]["note"]) == ("STATE_DECLINED", "mahal")


async def test_of_two_variants_accepted_at_once_one_is_and_the_other_page_is_clear(
    crm: Crm, http: httpx.AsyncClient, deal: Any
) -> None:
    paths = [(await send(http, deal, variant=variant))[1] for variant in ("A", "B")]
    async with crm.client(**HTML) as customer:
        pages = await asyncio.gather(
            *(customer.post(f"{path}:accept", data={"name": "Ana"}) for path in paths)
        )
    assert sorted(page.status_code for page in pages) == [200, 422]
    (lost,) = [page.text for page in pages if page.status_code == 422]
    assert "Your answer came too late" in lost
    assert "This offer is no longer open." in lost
    assert "<form" not in lost


async def test_an_unsigned_answer_comes_back_with_what_was_typed(
    crm: Crm, http: httpx.AsyncClient, deal: Any
) -> None:
    quote, path = await send(http, deal)
    async with crm.client(**HTML) as customer:
        page = await customer.post(f"{path}:accept", data={"name": " ", "note": "<soon>"})
    assert page.status_code == 400
    assert "Please type your name." in page.text
    assert "&lt;soon&gt;</textarea>" in page.text
    assert (await ok(await http.get(f"/v1/quotes/{quote['id']}")))["state"] == "STATE_SENT"


async def test_the_json_twin(crm: Crm, http: httpx.AsyncClient, deal: Any) -> None:
    quote, path = await send(http, deal)
    async with crm.client() as program:
        shown = await program.get(path)
        taken = await program.post(f"{path}:accept", json={"name": "Ana"})
        closed = await program.post(f"{path}:decline", json={"name": "Ana"})
    data = await ok(shown)
    assert (data["number"], data["gross"], data["state"]) == (quote["number"], "3086.86", "STATE_SENT")  # fmt: skip
    assert shown.headers["cache-control"] == "no-store"
    assert (await ok(taken))["state"] == "STATE_ACCEPTED"
    assert (closed.status_code, closed.json()["reason"]) == (422, "QUOTE_CLOSED")


async def test_wrong_foreign_unsent_and_expired_addresses_are_one_page(
    crm: Crm, http: httpx.AsyncClient, tenant: Tenant, deal: Any
) -> None:
    quote, path = await send(http, deal, validUntil=_today(crm))
    key = path.rpartition("/")[2]
    await crm.installation.process.clock.advance(crm.installation.process.nats, timedelta(days=2))

    # The timers of a database fire in one process, and another test's may be the one: its clock is not this one.
    runtime = crm.installation.process.runtimes["deals"]
    await runtime.run_system(
        tenant.id, Cause("timer"), lambda tx: timers_quotes.expire({"quote_id": quote["id"]}, tx)
    )
    now = await ok(await http.get(f"/v1/quotes/{quote['id']}"))
    assert now["state"] == "STATE_EXPIRED"
    expired = await crm.installation.events(tenant, "QuoteExpired")
    assert expired[0]["quote"]["id"] == quote["id"]
    keys = ["nonsense", "x" * 64, "x" * 900, new_key(tenant.id), new_key(uuid7()), key, key[:-2] + "AA"]  # fmt: skip
    pages, problems = set(), set()
    async with crm.client(**HTML, **{"accept-language": "id-ID,id;q=0.9"}) as visitor:
        for each in keys:
            page = await visitor.get(f"/v1/public/quotes/{each}")
            sent = await visitor.post(f"/v1/public/quotes/{each}:accept", data={"name": "X"})
            pages |= {(page.status_code, page.text), (sent.status_code, sent.text)}
    async with crm.client() as program:
        for each in keys:
            answer = await program.get(f"/v1/public/quotes/{each}")
            problems.add((answer.status_code, answer.json()["reason"], answer.json()["detail"]))
    ((status, text),) = pages
    assert status == 404
    assert "Tidak ada apa-apa di alamat ini." in text
    assert len(problems) == 1


def _today(crm: Crm) -> dict[str, int]:
    """The company's day by the installation's clock."""
    day = crm.installation.process.clock.now().astimezone(ZoneInfo("Europe/Warsaw")).date()
    return {"year": day.year, "month": day.month, "day": day.day}


async def test_nobody_is_thanked_while_the_service_is_down(
    crm: Crm, http: httpx.AsyncClient, deal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, path = await send(http, deal, language="pl")
    endpoints = crm.installation.process.endpoints
    name = "/crm.deals.v1.QuotesService/AcceptPublicQuote"

    async def down(request: bytes, call: object) -> bytes:
        raise errors.Unavailable("down")

    monkeypatch.setitem(endpoints, name, type(endpoints[name])(endpoints[name].method, down))
    async with crm.client(**HTML) as customer:
        page = await customer.post(f"{path}:accept", data={"name": "Typed"})
    assert page.status_code == 503
    assert "Nie mogliśmy teraz przyjąć odpowiedzi." in page.text
    assert 'value="Typed"' in page.text
