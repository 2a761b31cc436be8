"""Recordings: told by exchanges, fetched, listened to, held, and gone when their time is over."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Person
from chassis.waits import first_of
from crm.telephony.v1 import (
    call_messages_pb2,
    call_pb2,
    connection_pb2,
    exchange_pb2,
    recording_pb2,
    telephony_settings_pb2,
)
from crm.telephony.v1.calls_service_pb2_grpc import CallsServiceStub
from crm.telephony.v1.lines_service_pb2_grpc import LinesServiceStub
from crm.telephony.v1.recordings_service_pb2_grpc import RecordingsServiceStub
from crm.telephony.v1.simulator_service_pb2_grpc import SimulatorServiceStub
from services.telephony import fetching, recordings, store
from services.telephony.pbx import tones
from services.telephony.pbx.adapter import Impossible, TooLarge
from services.telephony.pbx.facts import Kind
from services.telephony.pbx.simulator import Simulator
from tests.service.telephony.scenes import Scene
from tests.service.telephony.world import AGENT, World
from tests.service.worlds import Refused

pytestmark = pytest.mark.large
Recording = recording_pb2.Recording
NAME = "1795396118.4.wav"


@pytest.fixture
async def anna(world: World) -> Person:
    return await world.agent()


@pytest.fixture
async def scene(world: World, anna: Person) -> Scene:
    exchange = await world.exchange()
    await world.extension(exchange.id, user_id=anna.id)
    await world.line(connection_id=exchange.id, record=True)
    return Scene(world, exchange)


def stub(person: Person) -> Any:
    return person.stub(RecordingsServiceStub)


async def recorded(scene: Scene, name: str = NAME) -> Any:
    """A call that is over and was recorded from the answer on."""
    await scene.rings("101")
    await scene.answers("101")
    await scene.tell(begun(scene, name))
    call = await scene.ends("101")
    await scene.tell(complete(scene, name))
    return call


def begun(scene: Scene, name: str = NAME) -> Any:
    return _of_call(scene, Kind.RECORDING, name)


def complete(scene: Scene, name: str = NAME) -> Any:
    return _of_call(scene, Kind.RECORDED, name)


def _of_call(scene: Scene, kind: Kind, name: str) -> Any:
    fact = scene.fact("", kind, recording=name)
    object.__setattr__(fact, "leg", "")
    return fact


async def once(world: World, call_id: str, state: "Recording.State.ValueType") -> Any:
    """The call's recording, once it is so far."""
    async with asyncio.timeout(30):
        while True:
            found = await world.system(lambda tx: store.recordings.of_call(tx, call_id))
            if found and found[0].state == state:
                return found[0]
            await first_of(asyncio.Event(), timeout_s=0.05)


async def files(world: World) -> list[str]:
    """The sha256 of everything that the blob store has of this company."""
    blobs = world.running.process.runtimes["telephony"].blobs
    return [blob.sha256 async for blob in blobs.list(world.tenant.id)]


async def until_files(world: World, count: int) -> None:
    async with asyncio.timeout(30):
        while len(await files(world)) != count:
            await first_of(asyncio.Event(), timeout_s=0.05)


def spoken(scene: Scene) -> Any:
    return connection_pb2.GetConnectionStatusRequest(id=scene.connection.id)


def by(id: str) -> Any:
    return recording_pb2.EraseRecordingRequest(id=id)


def held(id: str, reason: str, *, is_held: bool = True) -> Any:
    recording = Recording(id=id, held=is_held, hold_reason=reason)
    request = recording_pb2.UpdateRecordingRequest(recording=recording)
    request.update_mask.paths.extend(["held", "hold_reason"])
    return request


async def test_what_was_said_is_fetched(scene: Scene, anna: Person) -> None:
    call = await recorded(scene)
    ready = await once(scene.world, call.id, Recording.STATE_READY)

    tone = tones.wav(NAME)
    assert (ready.size, ready.seconds, ready.content_type) == (len(tone), tones.SECONDS, "audio/wav")  # fmt: skip
    assert (ready.owner_id, ready.start_time.seconds) == (anna.id, call.answer_time.seconds + 1)
    assert ready.expire_time.seconds == ready.start_time.seconds + tones.SECONDS + 365 * 86400
    (told,) = await scene.world.events("RecordingReady")
    assert told["recording"]["id"] == ready.id
    listed = await stub(anna).ListRecordings(recording_pb2.ListRecordingsRequest(filter=f'call_id = "{call.id}"'))  # fmt: skip
    assert [each.id for each in listed.recordings] == [ready.id]
    assert await scene.world.count("recording_fetches") == 0


@pytest.mark.parametrize("order", ["doubled", "swapped"])
async def test_told_twice_or_in_another_order_it_is_one(scene: Scene, order: str) -> None:
    await scene.rings("101")
    call = await scene.answers("101")
    facts = [begun(scene), complete(scene)]
    await scene.ends("101")
    for fact in facts * 2 if order == "doubled" else facts[::-1]:
        await scene.tell(fact)
    await once(scene.world, call.id, Recording.STATE_READY)
    assert await scene.world.count("recordings") == 1
    assert len(await files(scene.world)) == 1


async def test_a_call_names_its_recordings_each_once(scene: Scene) -> None:
    call = await recorded(scene)
    await scene.tell(begun(scene, "second.wav"))
    await scene.tell(complete(scene))

    known = await scene.world.call(call.id)

    kept = await scene.world.system(lambda tx: store.recordings.of_call(tx, call.id))
    assert len(known.recording_ids) == 2
    assert {*known.recording_ids} == {each.id for each in kept}


async def test_a_recording_whose_end_nobody_tells_is_fetched_after_its_call(scene: Scene) -> None:
    await scene.rings("101")
    await scene.answers("101")
    call = await scene.tell(begun(scene))
    assert (await once(scene.world, call.id, Recording.STATE_PENDING)).seconds == 0
    await scene.ends("101")
    await once(scene.world, call.id, Recording.STATE_READY)


async def test_a_name_that_leads_elsewhere_is_never_asked_for(scene: Scene) -> None:
    call = await recorded(scene, "../../../../etc/passwd")
    failed = await once(scene.world, call.id, Recording.STATE_FAILED)
    assert (failed.problem, failed.sound_id) == (recordings.NAME_REFUSED, "")
    assert await scene.world.count("recording_fetches") == 0


@pytest.mark.parametrize(
    ("gives", "problem", "tries"),
    [
        (b"<html>no such file</html>", "NOT_A_SOUND", 1),
        (TooLarge("the recording has more than 1000 bytes"), "TOO_LARGE", 1),
        (Impossible("no such recording"), "NOT_GIVEN", 3),
    ],
    ids=["not a sound", "too large", "not given"],
)
async def test_what_cannot_be_kept_says_why(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, gives: Any, problem: str, tries: int
) -> None:
    async with asyncio.timeout(30):  # until it is spoken with, a try is in vain
        while not (await scene.world.exchanges.GetConnectionStatus(spoken(scene))).connected:
            await first_of(asyncio.Event(), timeout_s=0.05)
    asked = []

    async def fetch(self: Simulator, name: str) -> bytes:
        asked.append(name)
        if isinstance(gives, Exception):
            raise gives
        return bytes(gives)

    monkeypatch.setattr(Simulator, "fetch", fetch)
    monkeypatch.setattr(fetching, "RETRY_S", (0, 0))
    monkeypatch.setattr(fetching, "MOST_TRIES", 3)
    call = await recorded(scene, f"{uuid7()}.wav")
    failed = await once(scene.world, call.id, Recording.STATE_FAILED)
    assert (failed.problem, len(asked)) == (problem, tries)
    assert await files(scene.world) == []


async def test_bytes_that_a_dead_process_left_are_removed(scene: Scene) -> None:
    """A kill between keeping the bytes and saying so: the next try keeps them once."""
    world, call = scene.world, await recorded(scene)
    ready = await once(world, call.id, Recording.STATE_READY)
    runtime = world.running.process.runtimes["telephony"]
    row = {"tenant_id": world.tenant.id, "recording_id": ready.id, "connection_id": scene.connection.id, "name": NAME, "attempts": 2}  # fmt: skip

    async def again(tx: Any) -> None:
        recording = await store.recordings.recordings.get(tx, ready.id)
        recording.state, recording.sound_id = Recording.STATE_PENDING, ""
        store.recordings.recordings.save(tx, recording)

    await world.system(again)

    class Gives:
        async def fetch(self, name: str) -> bytes:
            return tones.wav(name)

    await fetching._do(runtime, row, lambda *_: Gives())  # type: ignore[arg-type, return-value]
    assert len(await files(world)) == 1


async def test_every_listening_is_noted(scene: Scene, anna: Person) -> None:
    world, call = scene.world, await recorded(scene)
    ready = await once(world, call.id, Recording.STATE_READY)
    rights = [{"object": "recording", "action": a, "scope": "all"} for a in ("read", "play")]
    listener = await world.tenant.person(rights)

    request = recording_pb2.PlayRecordingRequest(id=ready.id)
    played = await stub(listener).PlayRecording(request)
    await stub(listener).PlayRecording(request)

    assert (played.file_id, played.content_type) == (ready.sound_id, "audio/wav")
    asked = recording_pb2.ListListeningsRequest(recording_id=ready.id)
    said = await stub(world.tenant.admin).ListListenings(asked)
    assert [each.user_id for each in said.listenings] == [listener.id]
    (told,) = await world.events("RecordingPlayed")
    assert (told["audited"]["action"], told["audited"]["objectId"]) == ("listen", ready.id)
    assert told["change"]["actor"]["userId"] == listener.id

    await stub(world.tenant.admin).PlayRecording(request)
    asked.page_size = 1
    first = await stub(world.tenant.admin).ListListenings(asked)
    asked.page_token = first.next_page_token
    second = await stub(world.tenant.admin).ListListenings(asked)
    heard = [each.user_id for page in (first, second) for each in page.listenings]
    assert heard == [world.tenant.admin.id, listener.id]
    assert not second.next_page_token
    with pytest.raises(errors.PermissionDenied):
        await stub(listener).ListListenings(asked)


async def test_to_see_is_not_to_listen(scene: Scene, anna: Person) -> None:
    world, call = scene.world, await recorded(scene)
    ready = await once(world, call.id, Recording.STATE_READY)
    request = recording_pb2.PlayRecordingRequest(id=ready.id)
    got = await stub(anna).GetRecording(recording_pb2.GetRecordingRequest(id=ready.id))
    assert got.id == ready.id
    with pytest.raises(errors.PermissionDenied):
        await stub(anna).PlayRecording(request)
    grant = [{"object": "recording", "action": "play", "scope": "own"}]
    other = await world.tenant.person([*AGENT, *grant])
    with pytest.raises(errors.NotFound):
        await stub(other).PlayRecording(request)
    assert await world.count("listenings") == 0


async def test_a_deleted_sound_is_gone_and_its_record_stays(scene: Scene) -> None:
    world, call = scene.world, await recorded(scene)
    ready = await once(world, call.id, Recording.STATE_READY)
    admin = stub(world.tenant.admin)

    erased = await admin.EraseRecording(by(ready.id))
    assert (erased.state, erased.HasField("expire_time")) == (Recording.STATE_DELETED, False)
    async with Refused(world, errors.FailedPrecondition, "NO_SOUND"):
        await admin.PlayRecording(recording_pb2.PlayRecordingRequest(id=ready.id))
    await until_files(world, 0)

    async with asyncio.timeout(20):
        while not (gone := await once(world, call.id, Recording.STATE_DELETED)).HasField("sound_delete_time"):  # fmt: skip
            await first_of(asyncio.Event(), timeout_s=0.05)
    assert (gone.sound_id, gone.seconds) == ("", tones.SECONDS)
    again = await admin.EraseRecording(by(ready.id))
    assert again.etag == gone.etag
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "held"):
        await admin.UpdateRecording(held(ready.id, "a dispute"))


async def test_the_same_sound_in_two_recordings_survives_the_end_of_one(scene: Scene) -> None:
    world, call = scene.world, await recorded(scene)
    other = Scene(world, scene.connection, key="1795396118.9")
    second = await recorded(other)
    ready = await once(world, call.id, Recording.STATE_READY)
    kept = await once(world, second.id, Recording.STATE_READY)
    assert len(set(await files(world))) == 1

    await stub(world.tenant.admin).EraseRecording(by(ready.id))
    await until_files(world, 1)
    blobs = world.running.process.runtimes["telephony"].blobs
    left = b"".join([chunk async for chunk in blobs.read(world.tenant.id, kept.sound_id)])
    assert left == tones.wav(NAME)


async def test_a_hold_stops_the_clock_and_whoever_deletes(scene: Scene) -> None:
    world, call = scene.world, await recorded(scene)
    ready = await once(world, call.id, Recording.STATE_READY)
    admin = stub(world.tenant.admin)
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "hold_reason"):
        await admin.UpdateRecording(held(ready.id, " "))
    holding = await admin.UpdateRecording(held(ready.id, "A dispute about the price"))
    assert not holding.HasField("expire_time")
    async with Refused(world, errors.FailedPrecondition, "RECORDING_HELD"):
        await admin.EraseRecording(by(ready.id))
    await world.system(lambda tx: recordings.expired({"id": ready.id}, tx))
    assert len(await files(world)) == 1

    freed = await admin.UpdateRecording(held(ready.id, "", is_held=False))
    assert freed.expire_time == ready.expire_time
    assert (await admin.EraseRecording(by(ready.id))).state == Recording.STATE_DELETED


async def test_the_clock_deletes_what_is_too_old(scene: Scene) -> None:
    world = scene.world
    scene.at -= timedelta(days=8)
    settings = telephony_settings_pb2.TelephonySettings(recording_days=7)
    request = telephony_settings_pb2.UpdateTelephonySettingsRequest(telephony_settings=settings)
    request.update_mask.paths.append("recording_days")
    await world.tenant.admin.stub(LinesServiceStub).UpdateTelephonySettings(request)
    call = await recorded(scene)
    await once(world, call.id, Recording.STATE_DELETED)
    await until_files(world, 0)


async def test_recordings_are_for_ever_where_the_company_says_so(scene: Scene) -> None:
    settings = telephony_settings_pb2.TelephonySettings(recording_days=0)
    request = telephony_settings_pb2.UpdateTelephonySettingsRequest(telephony_settings=settings)
    request.update_mask.paths.append("recording_days")
    await scene.world.tenant.admin.stub(LinesServiceStub).UpdateTelephonySettings(request)
    call = await recorded(scene)
    ready = await once(scene.world, call.id, Recording.STATE_READY)
    assert not ready.HasField("expire_time")


async def test_the_simulated_exchange_records_where_the_line_says_so(scene: Scene) -> None:
    world = scene.world
    simulate = exchange_pb2.SimulateCallRequest(number="600100200", at_once=True)
    call = await world.tenant.admin.stub(SimulatorServiceStub).SimulateCall(simulate)
    ready = await once(world, call.id, Recording.STATE_READY)
    assert ready.owner_id == call.owner_id == world.tenant.admin.id

    await world.line(name="Doors", number="+48300000102", connection_id=scene.connection.id)
    simulate.to_number = "+48300000102"
    unrecorded = await world.tenant.admin.stub(SimulatorServiceStub).SimulateCall(simulate)
    found = await world.system(lambda tx: store.recordings.of_call(tx, unrecorded.id))
    assert found == []


async def test_what_is_said_in_a_pause_is_not_recorded(scene: Scene, anna: Person) -> None:
    """The exchange is asked, as for everything else that it does."""
    world = scene.world
    await scene.rings("101")
    call = await scene.answers("101")
    asked: list[Any] = []

    async def ask(tx: Any, connection_id: str, body: dict[str, Any]) -> None:
        asked.append((connection_id, body["order"], body["call"]))

    request = recording_pb2.PauseRecordingRequest(call_id=call.id)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store.leases, "ask", ask)
        await stub(anna).PauseRecording(request)
        request.resume = True
        await stub(anna).PauseRecording(request)
    assert asked == [
        (scene.connection.id, "pause recording", scene.key),
        (scene.connection.id, "resume recording", scene.key),
    ]
    await scene.ends("101")
    async with Refused(world, errors.FailedPrecondition, "CALL_WRONG_STATE"):
        await stub(anna).PauseRecording(request)
    other = await world.agent()
    with pytest.raises(errors.NotFound):
        await stub(other).PauseRecording(request)


async def test_whom_a_recording_is_of_changes_with_its_call(scene: Scene, anna: Person) -> None:
    world, call = scene.world, await recorded(scene)
    ready = await once(world, call.id, Recording.STATE_READY)
    contact = uuid7()
    changed = call_pb2.Call(id=call.id, contact_id=contact)
    request = call_messages_pb2.UpdateCallRequest(call=changed)
    request.update_mask.paths.append("contact_id")
    await anna.stub(CallsServiceStub).UpdateCall(request)
    found = await stub(anna).GetRecording(recording_pb2.GetRecordingRequest(id=ready.id))
    assert found.contact_id == contact
