"""The sound of a recording over HTTP, as a player asks for it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from chassis.keys import uuid7
from chassis.waits import first_of
from crm.telephony.v1 import exchange_pb2, recording_pb2
from crm.telephony.v1.simulator_service_pb2_grpc import SimulatorServiceStub
from services.telephony import store
from services.telephony.pbx import tones
from tests.service.gateway.conftest import Crm, running
from tests.service.telephony.world import World

pytestmark = pytest.mark.large

Recording = recording_pb2.Recording


@pytest.fixture(scope="module")
async def crm() -> AsyncIterator[Crm]:
    async with running(("telephony", "gateway")) as made:
        yield made


@pytest.fixture
async def web(crm: Crm) -> World:
    return World(crm.installation, await crm.installation.tenant())


@pytest.fixture
async def http(crm: Crm, web: World) -> AsyncIterator[httpx.AsyncClient]:
    """The administrator."""
    async with crm.client(web.tenant.admin.token) as client:
        yield client


async def recorded(world: World) -> Any:
    """A recording that can be listened to."""
    exchange = await world.exchange()
    await world.line(connection_id=exchange.id, record=True)
    simulator = world.tenant.admin.stub(SimulatorServiceStub)
    request = exchange_pb2.SimulateCallRequest(number="600100200", at_once=True)
    call = await simulator.SimulateCall(request)
    async with asyncio.timeout(30):
        while True:
            (found,) = await world.system(lambda tx: store.recordings.of_call(tx, call.id))
            if found.state == Recording.STATE_READY:
                return found
            await first_of(asyncio.Event(), timeout_s=0.05)


async def sound_of(world: World, recording: Any) -> bytes:
    blobs = world.running.process.runtimes["telephony"].blobs
    return b"".join([chunk async for chunk in blobs.read(world.tenant.id, recording.sound_id)])


async def test_a_player_hears_the_whole_or_a_part(web: World, http: httpx.AsyncClient) -> None:
    recording = await recorded(web)
    sound, path = await sound_of(web, recording), f"/v1/recordings/{recording.id}/audio"
    assert len(sound) == recording.size > tones.SECONDS * 8000

    whole = await http.get(path)
    assert (whole.status_code, whole.content, whole.headers["content-type"]) == (200, sound, "audio/wav")  # fmt: skip
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["content-disposition"].startswith("inline")
    for asked, part in [("bytes=0-99", sound[:100]), ("bytes=100-", sound[100:]), ("bytes=-7", sound[-7:])]:  # fmt: skip
        got = await http.get(path, headers={"range": asked})
        assert (got.status_code, got.content) == (206, part)
        assert got.headers["content-range"].endswith(f"/{len(sound)}")
    beyond = await http.get(path, headers={"range": f"bytes={len(sound)}-"})
    assert beyond.status_code == 416
    same = await http.get(path, headers={"if-none-match": whole.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert await web.count("listenings") == 1


async def test_whoever_may_not_listen_learns_nothing(
    crm: Crm, web: World, http: httpx.AsyncClient
) -> None:
    recording = await recorded(web)
    path, nowhere = f"/v1/recordings/{recording.id}/audio", f"/v1/recordings/{uuid7()}/audio"
    plays = [{"object": "recording", "action": a, "scope": "own"} for a in ("read", "play")]
    reads = [{"object": "recording", "action": "read", "scope": "all"}]
    foreign = (await crm.installation.tenant()).admin
    peers = [await web.tenant.person(grants) for grants in ([], plays, reads)]
    for peer in (*peers, foreign):
        async with crm.client(peer.token) as client:
            answers = [await client.get(each) for each in (path, nowhere)]
            assert _without_trace(answers[0]) == _without_trace(answers[1])
            file = f"/v1/files/{recording.sound_id}"
            for query in ({}, {"in": f"recordings/{recording.id}"}):
                assert (await client.get(file, params=query)).status_code in (403, 404)
    async with crm.client() as stranger:
        assert (await stranger.get(path)).status_code == 401
    assert (await http.get("/v1/recordings/..%2f..%2fetc/audio")).status_code == 404
    assert await web.count("listenings") == 0


def _without_trace(answer: httpx.Response) -> str:
    """What is told, without the id that was asked for and what differs in every answer."""
    told = answer.json()
    return str([told.get("title"), told.get("reason"), told["detail"].rpartition(" ")[0]])


async def test_a_deleted_sound_is_heard_no_more(web: World, http: httpx.AsyncClient) -> None:
    recording = await recorded(web)
    path = f"/v1/recordings/{recording.id}"
    assert (await http.post(f"{path}:erase", json={})).status_code == 200
    answer = await http.get(f"{path}/audio")
    assert (answer.status_code, answer.json()["reason"]) == (422, "NO_SOUND")
    assert await web.count("listenings") == 0


async def test_nobody_listens_through_anothers_eyes(web: World, http: httpx.AsyncClient) -> None:
    recording = await recorded(web)
    colleague = await web.agent()
    seen = {"x-view-as": colleague.id}
    answer = await http.get(f"/v1/recordings/{recording.id}/audio", headers=seen)
    assert (answer.status_code, answer.json()["reason"]) == (403, "VIEWING_NOT_HERE")
