"""Providers tell of calls by signed calls: each event once, and nobody else is heard."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from chassis import errors, signed_calls
from chassis.keys import new_key
from crm.telephony.v1 import call_pb2, connection_pb2, exchange_pb2, recording_pb2
from crm.telephony.v1.exchange_events_service_pb2_grpc import ExchangeEventsServiceStub
from services.telephony.exchange_events import MOST_CALLS
from services.telephony.pbx import sounds, webhook
from services.telephony.pbx.adapter import Astray, Impossible, Living, Site, TooLarge
from services.telephony.pbx.facts import Fact, Kind
from tests.service.telephony.conformance import Kept
from tests.service.telephony.serving import Files, serving
from tests.service.telephony.stories import STORIES, Story
from tests.service.telephony.test_conformance_webhook import event
from tests.service.telephony.test_recordings import files, once
from tests.service.telephony.world import Connection, World
from tests.service.worlds import Refused

Call = call_pb2.Call
_COUNTED = """
INSERT INTO webhook_counts (tenant_id, connection_id, sender_hash, minute, count)
SELECT tenant_id, connection_id, sender_hash, minute + n * interval '1 minute', $2 FROM webhook_counts, generate_series(0, 1) n
WHERE tenant_id = $1 ON CONFLICT (tenant_id, connection_id, sender_hash, minute) DO UPDATE SET count = excluded.count
"""
"""As many calls as there may be, in this minute and the next: one may end on the way."""
BEGAN = {
    "id": "1", "type": "began", "call_id": "c1", "leg_id": "a",
    "time": f"{datetime.now(UTC):%FT%TZ}",  # an older call would be over for having gone unheard of for hours
    "side": "outside", "number": "48600100200", "line": "48300000101",
}  # fmt: skip


class Provider:
    """An exchange of the tenant whose provider signs."""

    made: connection_pb2.ConnectionWithSecret

    def __init__(self, world: World) -> None:
        self.world = world
        self.world.tables = (*world.tables, "call_legs", "call_keys")  # type: ignore[misc]
        self.door: Any = world.stub(world.tenant.admin, ExchangeEventsServiceStub)

    async def open(self, **given: Any) -> None:
        connection = Connection(
            name="Cloud", kind=Connection.KIND_WEBHOOK, address="https://pbx.example/dial", **given
        )
        self.made = await self.world.exchanges.CreateConnection(
            connection_pb2.CreateConnectionRequest(connection=connection)
        )

    async def tell(self, *events: Any, **given: Any) -> int:
        """How many were new."""
        return await self.send(orjson.dumps({"events": events}), **given)

    async def send(
        self, content: bytes, *, key: str = "", secret: str = "", age_s: int = 0, header: str = ""
    ) -> int:
        signed = signed_calls.sign(secret or self.made.secret, content, int(time.time()) - age_s)
        request = exchange_pb2.TakePbxEventsRequest(
            key=key or self.made.connection.key, signature=header or signed, content=content
        )
        return (await self.door.TakePbxEvents(request)).taken


@pytest.fixture
async def provider(world: World) -> Provider:
    one = Provider(world)
    await one.open()
    return one


async def test_what_a_provider_tells_becomes_a_call(provider: Provider) -> None:
    story = Story()
    STORIES["answered"](story)
    events = [event(fact) for fact in story.facts]

    assert await provider.tell(*events) == len(events)
    call = await provider.world.ended_call()

    assert (call.number, call.outcome) == ("+48600100200", Call.OUTCOME_ANSWERED)
    assert (call.talk_seconds, call.connection_id) == (5, provider.made.connection.id)


async def test_an_event_that_comes_again_changes_nothing(provider: Provider) -> None:
    assert await provider.tell(BEGAN) == 1
    call = (await provider.world.state())["calls_history"]
    assert await provider.tell(BEGAN, age_s=200) == 0
    assert (await provider.world.state())["calls_history"] == call == 1


async def test_an_event_that_comes_many_times_at_once_is_one_call(provider: Provider) -> None:
    taken = await asyncio.gather(*(provider.tell(BEGAN) for _ in range(20)))
    assert sorted(taken) == [0] * 19 + [1]
    assert await provider.world.count("call_keys") == 1


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"secret": "whsec_other"}, "SIGNATURE_WRONG"),
        ({"header": "t=1,v1="}, "SIGNATURE_WRONG"),
        ({"header": "v1=00"}, "SIGNATURE_WRONG"),
        ({"header": "ü"}, "SIGNATURE_WRONG"),
        ({"key": "short"}, "SIGNATURE_WRONG"),
        ({"age_s": 310}, "SIGNATURE_STALE"),
        ({"age_s": -60}, "SIGNATURE_STALE"),
    ],
    ids=["secret", "empty", "no time", "letters", "key", "old", "of the future"],
)
async def test_who_does_not_sign_now_is_not_heard(
    provider: Provider, given: dict[str, Any], reason: str
) -> None:
    async with Refused(provider.world, errors.Unauthenticated, reason):
        await provider.tell(BEGAN, **given)


async def test_another_key_of_the_tenant_opens_nothing(provider: Provider) -> None:
    async with Refused(provider.world, errors.Unauthenticated, "SIGNATURE_WRONG"):
        await provider.tell(BEGAN, key=new_key(provider.world.tenant.id))


async def test_an_address_that_calls_too_often_waits(provider: Provider) -> None:
    assert await provider.tell(BEGAN) == 1
    await provider.world.running.rows("telephony", _COUNTED, provider.world.tenant.id, MOST_CALLS)

    async with Refused(provider.world, errors.ResourceExhausted, "WEBHOOK_RATE_LIMITED") as refused:
        await provider.tell({**BEGAN, "call_id": "another"})

    assert 0 < (refused.error.retry_after_s or 0) <= 60
    assert await provider.world.count("calls") == 1


async def test_calls_that_nobody_signed_are_counted_too(provider: Provider) -> None:
    for _ in range(3):
        async with Refused(provider.world, errors.Unauthenticated, "SIGNATURE_WRONG"):
            await provider.tell(BEGAN, secret="whsec_other")
    rows = await provider.world.running.rows(
        "telephony",
        "SELECT sum(count)::integer FROM webhook_counts WHERE tenant_id = $1",
        provider.world.tenant.id,
    )
    # A minute that began meanwhile has forgotten the one before.
    assert rows[0][0] in (1, 2, 3)


async def test_a_renewed_secret_ends_the_old_one(provider: Provider) -> None:
    old = provider.made.secret
    provider.made = await provider.world.exchanges.RenewConnectionSecret(
        connection_pb2.RenewConnectionSecretRequest(id=provider.made.connection.id)
    )
    async with Refused(provider.world, errors.Unauthenticated, "SIGNATURE_WRONG"):
        await provider.tell(BEGAN, secret=old)
    assert await provider.tell(BEGAN) == 1


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"", "content"),
        (b"[]", "content"),
        (b'{"events":[]}', "content"),
        (orjson.dumps({"events": [BEGAN] * 101}), "events"),
        (orjson.dumps({"events": [BEGAN, 7]}), "events[1]"),
        *(
            (orjson.dumps({"events": [BEGAN | wrong]}), f"events[0].{next(iter(wrong))}")
            for wrong in (
                {"type": "sang"}, {"type": None}, {"call_id": ""}, {"call_id": "x" * 101}, {"leg_id": ""},
                {"time": "yesterday"}, {"time": "2026-11-20T12:00:00"}, {"side": "inside"}, {"side": None},
                {"cause": 128}, {"cause": "busy"}, {"number": 48600100200}, {"room": "a\x00b"},
            )
        ),
    ],
)  # fmt: skip
async def test_what_cannot_be_read_is_refused_by_field(
    provider: Provider, content: bytes, field: str
) -> None:
    async with Refused(provider.world, errors.InvalidArgument, "EVENT_INVALID", field):
        await provider.send(content)


@pytest.mark.parametrize(
    "address",
    [
        "http://pbx.example/1.wav", "https://127.0.0.1/1.wav", "https://pbx.example.evil/1.wav", "file:///etc/passwd",
        "https://user@pbx.example/1.wav", "https://pbx.example:8443/1.wav", "https://evil/?https://pbx.example/", "", "https://[",
    ],
)  # fmt: skip
async def test_recordings_lie_on_the_exchange_s_host_only(provider: Provider, address: str) -> None:
    told = {**BEGAN, "type": "recorded", "recording": address}
    async with Refused(provider.world, errors.InvalidArgument, "EVENT_INVALID", "events[1].recording") as refused:  # fmt: skip
        await provider.tell(BEGAN, told)
    assert refused.error.violations[0].description == ("must be an https address on pbx.example")


async def test_recordings_lie_where_the_exchange_says(world: World) -> None:
    provider = Provider(world)
    await provider.open(recordings_host="Files.example")
    told = {**BEGAN, "type": "recording", "recording": "https://files.example/1.wav"}
    assert await provider.tell(BEGAN, told) == 1
    async with Refused(world, errors.InvalidArgument, "EVENT_INVALID", "events[0].recording"):
        await provider.tell({**told, "recording": "https://pbx.example/1.wav"})


async def test_sound_is_asked_for_by_a_signed_call(monkeypatch: pytest.MonkeyPatch) -> None:
    files = Files(
        **{"1.wav": (200, b"RIFFsound"), "2.wav": (302, b""), "3.wav": (200, b"too much")}
    )
    async with serving(files) as address:
        monkeypatch.setattr(webhook.Webhook, "private", True)
        session = webhook.Webhook(_site())
        assert await session.fetch(f"{address}/1.wav") == b"RIFFsound"
        with pytest.raises(Impossible, match="answered 302"):
            await session.fetch(f"{address}/2.wav")
        monkeypatch.setattr(sounds, "MOST_SOUND", 4)
        with pytest.raises(TooLarge, match="more than 4 bytes"):
            await session.fetch(f"{address}/3.wav")

    (path, headers), *others = files.asked
    assert (path, [other for other, _ in others]) == ("1.wav", ["2.wav", "3.wav"])
    signature = headers[signed_calls.HEADER.lower()]
    assert signed_calls.signed_at("secret", signature, f"{address}/1.wav".encode())


async def test_sound_within_our_own_network_is_not_asked_for() -> None:
    files = Files(**{"1.wav": (200, b"RIFFsound")})
    async with serving(files) as address:
        for wrong, why in (
            (address, "NOT_HTTPS"),
            (address.replace("http", "https"), "NOT_PUBLIC"),
        ):
            with pytest.raises(Astray, match=why):
                await webhook.Webhook(_site()).fetch(f"{wrong}/1.wav")
    assert files.asked == []


async def test_recording_in_our_own_network_says_why_and_nothing_is_kept(world: World) -> None:
    provider = Provider(world)
    await provider.open(recordings_host="127.0.0.1")
    story = Story()
    STORIES["answered"](story)
    told = [event(fact) for fact in story.facts]
    recorded = {**told[-1], "id": "r", "type": "recorded", "recording": "https://127.0.0.1/1.wav"}
    await provider.tell(*told, recorded)
    call = await world.ended_call()

    failed = await once(world, call.id, recording_pb2.Recording.STATE_FAILED)

    assert (failed.problem, failed.sound_id, failed.size) == ("ADDRESS_NOT_PUBLIC", "", 0)
    assert await files(world) == []
    assert await world.count("recording_fetches") == 0


def _site() -> Site:
    kept = Kept()
    connection = Connection(kind=Connection.KIND_WEBHOOK, address="https://pbx.example/dial")
    return Site(connection, "secret", kept.hear, kept.living, kept.stands)


async def test_phone_of_which_nothing_was_told_for_long_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhook, "LOOK_S", 0.01)
    told: list[Fact] = []
    heard = asyncio.Event()
    story = Story()
    since = story.at - webhook.PATIENCE

    async def hear(facts: Any) -> None:
        told.extend(facts)
        heard.set()

    async def living() -> list[Living]:
        return [] if told else [Living("c", "old", since)]

    async def connected() -> None:
        pass

    session = asyncio.create_task(webhook.Webhook(Site(Connection(), "", hear, living, connected)).session())  # fmt: skip
    async with asyncio.timeout(10):
        await heard.wait()
    session.cancel()
    assert told == [Fact(call="c", leg="old", kind=Kind.ENDED, time=since)]
