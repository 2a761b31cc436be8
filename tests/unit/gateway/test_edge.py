"""Limits, headers, compression and sessions."""

import asyncio
import gzip

import httpx
import jwt
import pytest

from chassis import errors
from chassis.authentication import ACCESS_TOKEN_LIFE_S, SessionEnded
from gateway.edge import AFTER, BEFORE
from gateway.limits import Buckets, RateExceeded, network_of
from gateway.sessions import Ended
from gateway.settings import Settings
from tests.unit.gateway.conftest import ID, Service, app_over, client_of

LOGIN = b'{"accessToken":"aaa","expiresIn":900,"refreshToken":"rrr","refreshExpiresIn":5000,"user":{"id":"u"}}'


def test_every_step_of_the_edge_has_a_reason() -> None:
    assert all(len(reason) > 20 for _, reason in (*BEFORE, *AFTER))


def test_bucket_refuses_beyond_the_burst_and_says_when_to_come_back() -> None:
    now = [0.0]
    buckets = Buckets(10, "address", clock=lambda: now[0])
    for _ in range(20):
        buckets.take("a")
    with pytest.raises(RateExceeded) as refused:
        buckets.take("a")
    assert refused.value.retry_after_s == pytest.approx(0.1)
    buckets.take("b")
    now[0] = 0.1
    buckets.take("a")
    with pytest.raises(RateExceeded):
        buckets.take("a")


def test_buckets_do_not_grow_with_invented_keys() -> None:
    buckets = Buckets(10, "token", clock=lambda: 0.0)
    for number in range(50_000):
        buckets.take(str(number))
    assert len(buckets._state) <= 20_000


def test_an_ipv6_customer_is_one_network() -> None:
    assert (
        network_of("2001:db8::1") == network_of("2001:db8::ffff:2") != network_of("2001:db8:0:1::1")
    )
    assert network_of("192.0.2.1") == "192.0.2.1"


@pytest.mark.asyncio
async def test_every_answer_is_safe_and_named(http: httpx.AsyncClient) -> None:
    for answer in (await http.get(f"/v1/contacts/{ID}"), await http.get("/nothing")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["referrer-policy"] == "strict-origin-when-cross-origin"
        assert len(answer.headers["x-request-id"]) == 32
        assert "strict-transport-security" not in answer.headers


@pytest.mark.asyncio
async def test_https_is_remembered_by_browsers(service: Service) -> None:
    async with client_of(app_over(service, Settings(public_url="https://crm.example"))) as http:
        assert "max-age" in (await http.get("/v1/me")).headers["strict-transport-security"]


@pytest.mark.asyncio
async def test_a_request_id_with_line_breaks_is_replaced(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/me", headers={"x-request-id": "a b"})
    assert answer.headers["x-request-id"] != "a b"


@pytest.mark.asyncio
async def test_traceparent_of_the_client_is_continued(
    http: httpx.AsyncClient, service: Service
) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    service.error = errors.NotFound("x")
    answer = await http.get(
        f"/v1/contacts/{ID}", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    )
    assert answer.json()["traceId"] == trace
    assert service.metadata["traceparent"] == f"00-{trace}-b7ad6b7169203331-01"


@pytest.mark.asyncio
async def test_the_address_comes_from_the_trusted_proxy_only(service: Service) -> None:
    forwarded = {"x-forwarded-for": "1.1.1.1, 2.2.2.2", "crm-peer": "6.6.6.6"}
    async with client_of(app_over(service)) as http:
        await http.get("/v1/me", headers=forwarded)
        assert service.metadata["crm-peer"] == "127.0.0.1"
    async with client_of(app_over(service, Settings(trusted_proxies=1))) as http:
        await http.get("/v1/me", headers=forwarded)
        assert service.metadata["crm-peer"] == "2.2.2.2"


@pytest.mark.asyncio
async def test_big_bodies_and_heads_are_refused(service: Service) -> None:
    async with client_of(
        app_over(service, Settings(max_json_bytes=1000, max_head_bytes=2000))
    ) as http:
        answer = await http.post("/v1/contacts", json={"displayName": "x" * 1000})
        assert (answer.status_code, answer.json()["reason"]) == (413, "BODY_TOO_LARGE")
        answer = await http.get("/v1/me", headers={"x-long": "x" * 2000})
        assert (answer.status_code, answer.json()["reason"]) == (431, "HEAD_TOO_LARGE")
    assert service.calls == 0


@pytest.mark.asyncio
async def test_a_body_without_declared_length_is_cut_off_too(service: Service) -> None:
    async def endless() -> object:
        for _ in range(100):
            yield b" " * 100

    async with client_of(app_over(service, Settings(max_json_bytes=1000))) as http:
        assert (await http.post("/v1/contacts", content=endless())).status_code == 413  # type: ignore[arg-type]


@pytest.mark.asyncio
async def test_rates_per_token_and_address_answer_429(service: Service) -> None:
    async with client_of(app_over(service, Settings(rate_per_token=1, rate_per_address=3))) as http:
        one = [
            (await http.get("/v1/me", headers={"authorization": "Bearer one"})).status_code
            for _ in range(3)
        ]
        other = [
            await http.get("/v1/me", headers={"authorization": f"Bearer {n}"}) for n in range(4)
        ]
    assert one == [200, 200, 429]
    assert [answer.status_code for answer in other] == [200, 200, 200, 429]
    assert other[-1].headers["retry-after"] == "1"
    assert "address" in other[-1].json()["detail"]


@pytest.mark.asyncio
async def test_too_many_at_once_get_a_polite_503_and_the_others_finish(service: Service) -> None:
    gate = asyncio.Event()
    arrived = asyncio.Semaphore(0)

    class Slow(Service):
        async def unary(self, *args: object, **kwargs: object) -> tuple[bytes, dict[str, str]]:
            arrived.release()
            await gate.wait()
            return b"{}", {"crm-content": "json"}

    async with client_of(app_over(Slow(), Settings(max_requests=2))) as http:
        running = [asyncio.create_task(http.get("/v1/me")) for _ in range(2)]
        await arrived.acquire()
        await arrived.acquire()
        refused = await http.get("/v1/me")
        gate.set()
        assert [answer.status_code for answer in await asyncio.gather(*running)] == [200, 200]
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert (await http.get("/v1/me")).status_code == 200


@pytest.mark.asyncio
async def test_large_answers_are_compressed_where_accepted(
    http: httpx.AsyncClient, service: Service
) -> None:
    service.answer = b'{"x":"' + b"y" * 5000 + b'"}'
    async with http.stream("GET", "/v1/me", headers={"accept-encoding": "gzip"}) as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == service.answer
    plain = await http.get("/v1/me", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == service.answer


@pytest.mark.asyncio
async def test_sign_in_by_cookie_keeps_tokens_from_scripts(service: Service) -> None:
    service.answer = LOGIN
    async with client_of(app_over(service, Settings(public_url="https://crm.example"))) as http:
        answer = await http.post(
            "/v1/auth:login", json={"email": "a", "password": "b"}, headers={"x-csrf": "1"}
        )
    assert answer.json() == {"expiresIn": 900, "refreshExpiresIn": 5000, "user": {"id": "u"}}
    cookies = answer.headers.get_list("set-cookie")
    assert cookies == [
        "crm_access=aaa; Path=/v1; Max-Age=900; HttpOnly; SameSite=Lax; Secure",
        "crm_refresh=rrr; Path=/v1/auth:refresh; Max-Age=5000; HttpOnly; SameSite=Lax; Secure",
    ]


@pytest.mark.asyncio
async def test_sign_in_by_bearer_gets_the_tokens(http: httpx.AsyncClient, service: Service) -> None:
    service.answer = LOGIN
    answer = await http.post("/v1/auth:login", json={"email": "a", "password": "b"})
    assert answer.content == LOGIN
    assert "set-cookie" not in answer.headers


@pytest.mark.asyncio
async def test_cookie_reads_freely_and_changes_only_with_the_header(
    http: httpx.AsyncClient, service: Service
) -> None:
    cookie = {"cookie": "a=b; crm_access=aaa"}
    assert (await http.get("/v1/me", headers=cookie)).status_code == 200
    assert service.metadata["authorization"] == "Bearer aaa"
    refused = await http.post("/v1/contacts", json={}, headers=cookie)
    assert (refused.status_code, refused.json()["reason"]) == (403, "CSRF_HEADER_MISSING")
    assert service.calls == 1
    assert (
        await http.post("/v1/contacts", json={}, headers=cookie | {"x-csrf": "1"})
    ).status_code == 200


@pytest.mark.asyncio
async def test_bearer_wins_over_cookie(http: httpx.AsyncClient, service: Service) -> None:
    await http.post(
        "/v1/contacts", json={}, headers={"cookie": "crm_access=aaa", "authorization": "Bearer bbb"}
    )
    assert service.metadata["authorization"] == "Bearer bbb"


@pytest.mark.asyncio
async def test_renewal_takes_the_token_from_the_cookie(
    http: httpx.AsyncClient, service: Service
) -> None:
    service.answer = LOGIN
    cookie = {"cookie": "crm_refresh=rrr"}
    assert (await http.post("/v1/auth:refresh", headers=cookie)).json()[
        "reason"
    ] == "CSRF_HEADER_MISSING"
    answer = await http.post("/v1/auth:refresh", headers=cookie | {"x-csrf": "1"})
    assert service.request.refresh_token == "rrr"
    assert "accessToken" not in answer.json()
    service.error = errors.Unauthenticated("used before")
    answer = await http.post("/v1/auth:refresh", headers=cookie | {"x-csrf": "1"})
    assert answer.status_code == 401
    assert all("Max-Age=0" in cookie for cookie in answer.headers.get_list("set-cookie"))


@pytest.mark.asyncio
async def test_signing_out_clears_the_cookies(http: httpx.AsyncClient, service: Service) -> None:
    answer = await http.post("/v1/auth:logout", headers={"cookie": "crm_access=aaa", "x-csrf": "1"})
    assert answer.status_code == 200
    assert [c.split(";")[0] for c in answer.headers.get_list("set-cookie")] == [
        "crm_access=",
        "crm_refresh=",
    ]


def token_of(session_id: str) -> str:
    """An access token that names this session; nobody here looks at its signature."""
    return jwt.encode({"sid": session_id}, "x" * 32, algorithm="HS256")


@pytest.mark.asyncio
@pytest.mark.parametrize("verb", ["logout", "logoutEverywhere"])
async def test_who_signed_out_is_refused_at_once_whatever_the_services_know(
    http: httpx.AsyncClient, service: Service, verb: str
) -> None:
    mine = {"authorization": f"Bearer {token_of('one')}"}
    others = {"authorization": f"Bearer {token_of('two')}"}
    older = jwt.encode({"sid": "one", "iat": 1}, "y" * 32, algorithm="HS256")
    assert (await http.post(f"/v1/auth:{verb}", json={}, headers=mine)).status_code == 200
    assert service.calls == 1

    for token in (mine["authorization"], f"Bearer {older}"):
        refused = await http.get("/v1/me", headers={"authorization": token})
        assert (refused.status_code, refused.json()["reason"]) == (401, "SIGNED_OUT")
    assert service.calls == 1
    assert (await http.get("/v1/me", headers=others)).status_code == 200


@pytest.mark.asyncio
async def test_a_refused_sign_out_ends_nothing(http: httpx.AsyncClient, service: Service) -> None:
    mine = {"authorization": f"Bearer {token_of('one')}"}
    service.error = errors.Unavailable("try again")
    assert (await http.post("/v1/auth:logout", json={}, headers=mine)).status_code == 503

    service.error = None
    assert (await http.get("/v1/me", headers=mine)).status_code == 200


@pytest.mark.asyncio
async def test_a_second_sign_out_by_cookie_is_refused_and_clears_the_cookies(
    http: httpx.AsyncClient,
) -> None:
    cookie = {"cookie": f"crm_access={token_of('one')}", "x-csrf": "1"}
    assert (await http.post("/v1/auth:logout", headers=cookie)).status_code == 200

    again = await http.post("/v1/auth:logout", headers=cookie)

    assert again.status_code == 401
    assert len(again.headers.get_list("set-cookie")) == 2


def test_ended_sessions_are_remembered_as_long_as_their_tokens_may_live() -> None:
    now = [0.0]
    ended = Ended(lambda: now[0])
    ended.note(f"Bearer {token_of('one')}")
    ended.note("Bearer not-a-token")
    now[0] = ACCESS_TOKEN_LIFE_S - 1
    with pytest.raises(SessionEnded):
        ended.check(f"Bearer {token_of('one')}")
    now[0] = ACCESS_TOKEN_LIFE_S
    ended.note(f"Bearer {token_of('two')}")
    ended.check(f"Bearer {token_of('one')}")  # long expired: the services say so
    ended.check("Bearer not-a-token")
