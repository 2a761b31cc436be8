"""One request through the whole way: HTTP, transcoding, service, database, and back."""

import httpx

from tests.service.gateway.conftest import Crm, unique


async def test_create_get_list_update_delete_over_http(http: httpx.AsyncClient) -> None:
    name = unique("Wiśniewska")
    made = await http.post(
        "/v1/contacts", json={"displayName": name, "phones": [{"number": "+48 601 234 567"}]}
    )
    assert made.status_code == 200, made.text
    id, etag = made.json()["id"], made.headers["etag"]
    got = await http.get(f"/v1/contacts/{id}")
    assert (got.status_code, got.json()["displayName"], got.headers["etag"]) == (200, name, etag)
    assert (
        await http.get(f"/v1/contacts/{id}", headers={"if-none-match": etag})
    ).status_code == 304
    listed = await http.get("/v1/contacts", params={"q": name.split()[1]})
    assert [contact["id"] for contact in listed.json()["contacts"]] == [id]
    changed = await http.patch(
        f"/v1/contacts/{id}", json={"position": "Head"}, headers={"if-match": etag}
    )
    assert (changed.status_code, changed.json()["position"]) == (200, "Head")
    stale = await http.patch(
        f"/v1/contacts/{id}", json={"position": "Other"}, headers={"if-match": etag}
    )
    assert (stale.status_code, stale.headers["content-type"]) == (412, "application/problem+json")
    assert (await http.delete(f"/v1/contacts/{id}")).status_code == 200
    assert (await http.get(f"/v1/contacts/{id}")).status_code == 404
    assert (await http.post(f"/v1/contacts/{id}:undelete")).status_code == 200


async def test_an_idempotency_key_makes_one_contact(http: httpx.AsyncClient) -> None:
    name = unique()
    first = await http.post(
        "/v1/contacts", json={"displayName": name}, headers={"idempotency-key": "k-1"}
    )
    again = await http.post(
        "/v1/contacts", json={"displayName": name}, headers={"idempotency-key": "k-1"}
    )
    assert first.status_code == again.status_code == 200, again.text
    assert first.json()["id"] == again.json()["id"]
    listed = await http.get("/v1/contacts", params={"q": name.split()[1]})
    assert len(listed.json()["contacts"]) == 1


async def test_strangers_are_told_to_sign_in(crm: Crm) -> None:
    async with crm.client() as stranger:
        answer = await stranger.get("/v1/contacts")
    assert (answer.status_code, answer.json()["reason"]) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_violations_name_fields_as_the_json_does(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/contacts", json={"displayName": "x", "ownerId": "nobody"})
    assert answer.status_code == 400, answer.text
    assert [v["field"] for v in answer.json()["violations"]] == ["ownerId"]


async def test_probes_and_metrics_answer(crm: Crm) -> None:
    async with crm.client() as stranger:
        assert (await stranger.get("/healthz")).text == "ok\n"
        assert (await stranger.get("/readyz")).text == "ready\n"
        assert "akrab_rpc_seconds" in (await stranger.get("/metrics")).text


async def test_pages_work_without_any_other_host(crm: Crm) -> None:
    async with crm.client() as stranger:
        for path in ("/", "/docs", "/static/docs.js", "/static/start.js", "/v1/public/snippet.js"):
            answer = await stranger.get(path)
            assert answer.status_code == 200
            assert "https://" not in answer.text.replace("https://YOUR-CRM", ""), path
        assert (await stranger.get("/v1/openapi.json")).json()["openapi"] == "3.1.0"
