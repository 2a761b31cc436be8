"""The live stream: who gets what, resuming, revocation, the polling twin."""

import asyncio

import httpx
import pytest

from chassis.events.nats import Nats
from chassis.testing.events import eventually
from chassis.testing.installation import Tenant
from gateway.live import hub as hubs
from gateway.live.feed import Feed
from tests.service.gateway.conftest import Crm, running, unique
from tests.service.gateway.sse import opened


async def contact(http: httpx.AsyncClient, **fields: object) -> str:
    answer = await http.post("/v1/contacts", json={"displayName": unique(), **fields})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


async def test_a_change_arrives_as_it_happens(http: httpx.AsyncClient) -> None:
    async with opened(http) as stream:
        id = await contact(http)
        event = await stream.until(id)
    assert event["type"] == "crm.contacts.v1.ContactCreated"
    assert event["kind"] == "contact"
    assert event["data"]["contact"]["id"] == id
    assert event["data"]["change"]["actor"]["kind"] == "user"
    assert event["time"]
    assert event["id"]


async def test_filters_by_type_and_kind(http: httpx.AsyncClient) -> None:
    async with (
        opened(http, types="CompanyCreated") as by_type,
        opened(http, kinds="company") as by_kind,
    ):
        await contact(http)
        company = (await http.post("/v1/companies", json={"name": unique("Okna")})).json()["id"]
        assert await by_type.subject() == company
        assert await by_kind.subject() == company


async def test_nobody_gets_another_tenants_events(crm: Crm, http: httpx.AsyncClient) -> None:
    other = await crm.installation.tenant()
    async with crm.client(other.admin.token) as stranger, opened(http) as stream:
        await contact(stranger)
        mine = await contact(http)
        assert await stream.subject() == mine


async def test_scope_decides_who_sees_a_record(
    crm: Crm, tenant: Tenant, http: httpx.AsyncClient
) -> None:
    department = await tenant.department()
    everything = [
        {"object": "contact", "action": action, "scope": "own"}
        for action in ("read", "create", "update")
    ]
    own = await tenant.person(everything, department_id=department)
    colleague = await tenant.person(everything, department_id=department)
    head = await tenant.person(
        [{"object": "contact", "action": "read", "scope": "team"}], department_id=department
    )
    nobody = await tenant.person([{"object": "company", "action": "read", "scope": "all"}])
    async with (
        crm.client(own.token) as a,
        crm.client(colleague.token) as b,
        crm.client(head.token) as c,
        crm.client(nobody.token) as d,
        opened(a) as mine,
        opened(b) as others,
        opened(c) as teams,
        opened(d) as none,
    ):
        of_own = await contact(http, ownerId=own.id)
        of_colleague = await contact(http, ownerId=colleague.id)
        followed = await contact(http, ownerId=colleague.id, followerIds=[own.id])
        unowned = await contact(http, ownerId=tenant.admin.id)
        company = (await http.post("/v1/companies", json={"name": unique("Okna")})).json()["id"]
        assert [await mine.subject() for _ in range(2)] == [of_own, followed]
        assert [await others.subject() for _ in range(2)] == [of_colleague, followed]
        assert [await teams.subject() for _ in range(3)] == [of_own, of_colleague, followed]
        assert await none.subject() == company
    assert unowned


async def test_hidden_fields_are_removed_and_not_named(
    crm: Crm, tenant: Tenant, http: httpx.AsyncClient
) -> None:
    person = await tenant.person(
        [{"object": "*", "action": "*", "scope": "all"}], hidden=["contact.birthday"]
    )
    async with crm.client(person.token) as limited, opened(limited) as theirs, opened(http) as full:
        id = await contact(http, birthday={"year": 1980, "month": 5, "day": 1}, position="Head")
        await http.patch(
            f"/v1/contacts/{id}",
            json={"birthday": {"year": 1981, "month": 5, "day": 1}, "position": "x"},
        )
        shown, all_ = await theirs.until(id), await full.until(id)
        assert "birthday" in all_["data"]["contact"]
        assert "birthday" not in shown["data"]["contact"]
        assert shown["data"]["contact"]["position"] == "Head"
        changed, everything = await theirs.until(id), await full.until(id)
        assert everything["data"]["change"]["changedFields"] == ["birthday", "position"]
        assert changed["data"]["change"]["changedFields"] == ["position"]


async def test_a_changed_role_counts_at_once(
    crm: Crm, tenant: Tenant, http: httpx.AsyncClient
) -> None:
    person = await tenant.person([])
    role = tenant.installation.process.directory.of(tenant.id).user(person.id)["role_ids"][0]  # type: ignore[index]
    async with crm.client(person.token) as client, opened(client) as stream:
        hidden = await contact(http)
        await tenant.put(
            "role",
            role,
            {
                "name": "r",
                "grants": [{"object": "contact", "action": "read", "scope": "all"}],
                "hidden": [],
            },
        )
        async with asyncio.timeout(5):
            listening = asyncio.create_task(stream.subject())
            made = [await contact(http)]
            while (
                not listening.done()
            ):  # each try is a new event; the first that arrives proves the change
                made.append(await contact(http))
        shown = listening.result()
    assert shown in made
    assert shown != hidden


async def test_resume_brings_what_was_missed_once(http: httpx.AsyncClient) -> None:
    async with opened(http) as stream:
        first = await contact(http)
        await stream.until(first)
        since = stream.id
    missed = [await contact(http) for _ in range(3)]
    async with opened(http, since) as stream:
        later = await contact(http)
        assert [await stream.subject() for _ in range(4)] == [*missed, later]


@pytest.mark.large
async def test_resume_over_a_restart_of_the_gateway_reads_the_streams(
    crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.live.feed.RECENT", 1)  # so that memory cannot help
    tenant = await crm.installation.tenant()
    async with crm.client(tenant.admin.token) as http:
        async with opened(http) as stream:
            await stream.until(await contact(http))
            since = stream.id
        missed = [await contact(http) for _ in range(250)]
        async with (
            running(("gateway",), past=True) as fresh,
            fresh.client(tenant.admin.token) as again,
            opened(again, since) as stream,
        ):
            assert [await stream.subject() for _ in range(250)] == missed
            later = await contact(http)
            assert await stream.subject() == later


async def test_a_position_that_cannot_be_is_told(http: httpx.AsyncClient) -> None:
    answer = await http.get(
        "/v1/events", headers={"last-event-id": "nonsense", "accept": "text/event-stream"}
    )
    assert (answer.status_code, answer.json()["violations"][0]["field"]) == (400, "since")
    async with opened(http, "CONTACTS:9999999999") as stream:
        assert await stream.next() == ("reset", {"reason": "GONE"})
        id = await contact(http)
        assert await stream.subject() == id


@pytest.mark.large
async def test_revocation_ends_the_stream_within_five_seconds(crm: Crm, tenant: Tenant) -> None:
    person = await tenant.person([])
    async with crm.client(person.token) as client, opened(client) as stream:
        user = dict(tenant.installation.process.directory.of(tenant.id).user(person.id) or {})
        await tenant.put("user", person.id, user | {"state": "deactivated"})
        assert await stream.next(timeout_s=5) == ("end", {"reason": "SIGNED_OUT"})
        with pytest.raises(EOFError):
            await stream.next()
        assert (await client.get("/v1/events")).status_code == 401


async def test_stream_needs_a_session(crm: Crm) -> None:
    async with crm.client() as stranger:
        assert (await stranger.get("/v1/events")).status_code == 401


async def test_a_limited_token_must_be_allowed_to_listen(crm: Crm, tenant: Tenant) -> None:
    from chassis.keys import new_api_token, uuid7

    async def token(methods: list[str]) -> str:
        id = uuid7()
        text, digest = new_api_token(tenant.id, id)
        await tenant.put(
            "token",
            id,
            {
                "hash": digest,
                "user_id": tenant.admin.id,
                "methods": methods,
                "grants": None,
                "readable": None,
                "writable": None,
                "expires": 0,
            },
        )
        return text

    async with crm.client(await token(["/crm.contacts.v1.ContactsService/*"])) as client:
        assert (await client.get("/v1/events")).status_code == 403
    async with (
        crm.client(await token(["/crm.gateway.v1.Gateway/Events"])) as client,
        opened(client) as stream,
    ):
        assert stream.id


async def test_polling_gives_pages_that_meet(http: httpx.AsyncClient) -> None:
    json = {"accept": "application/json"}
    start = (await http.get("/v1/events", headers=json)).json()
    assert start["events"] == []
    made = [await contact(http) for _ in range(7)]
    async with opened(http, start["next"]) as stream:
        assert [
            await stream.subject() for _ in range(7)
        ] == made  # published, so the pages below are complete
    seen, since = [], start["next"]
    for _ in range(10):
        page = (
            await http.get("/v1/events", headers=json, params={"since": since, "pageSize": 3})
        ).json()
        if page["next"] == since and not page["events"]:
            break
        assert len(page["events"]) <= 3
        assert page["reset"] is False
        seen += [event["subject"] for event in page["events"]]
        since = page["next"]
    assert seen == made


@pytest.mark.large
async def test_heartbeat_and_disconnect(
    crm: Crm, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "HEARTBEAT_S", 0.5)
    async with (
        crm.client((await crm.installation.tenant()).admin.token) as client,
        opened(client) as stream,
    ):
        with pytest.raises(TimeoutError):
            await stream.next(timeout_s=3)
        assert "ping" in stream.comments


async def test_a_reader_who_does_not_read_is_ended_and_may_resume() -> None:
    from chassis.rights import Rights

    client = hubs.Client("", "t", Rights.of_system(), frozenset(), frozenset(), 0.0)
    for number in range(300):
        client.push(b"frame %d" % number)
    assert await client.take() == b""
    assert client.last_words == hubs.SLOW


async def test_feed_hands_on_every_message_once_over_broken_sessions(crm: Crm) -> None:
    nats: Nats = crm.installation.process.nats
    seen: list[int] = []
    feed = Feed(nats, "GATEWAY", lambda stream, sequence, msg: seen.append(sequence))
    stop = asyncio.Event()
    running_feed = asyncio.create_task(feed.run(stop))
    await feed.caught_up.wait()
    first = (await nats.js.publish("crm.x.gateway.Thing", b"{}")).seq
    for number in range(1, 60):
        assert (await nats.js.publish("crm.x.gateway.Thing", b"{}")).seq == first + number
        if number % 20 == 0:
            feed._broken.set()
    await eventually(
        lambda: bool(seen) and seen[-1] == first + 59, "the last message was handed on"
    )
    stop.set()
    await running_feed
    assert [number for number in seen if number >= first] == list(range(first, first + 60))


async def test_a_reader_who_leaves_is_forgotten_at_once(crm: Crm, tenant: Tenant) -> None:
    before = hubs.STREAMS._value.get()
    host, port = crm.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = f"authorization: Bearer {tenant.admin.token}\r\nhost: x\r\n\r\n"
    writer.write(f"GET /v1/events HTTP/1.1\r\n{head}".encode())
    await eventually(lambda: hubs.STREAMS._value.get() == before + 1, "the stream is open")
    writer.close()
    await eventually(
        lambda: hubs.STREAMS._value.get() == before, "the stream is forgotten", timeout_s=2
    )
