"""telephony's part when a person is erased, and when he asks for his data."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from chassis.call import Cause
from chassis.errors import NotFound
from chassis.events.reading import read as read_stream
from chassis.keys import uuid7
from crm.contacts.v1 import contact_pb2, events_pb2
from crm.contacts.v1 import privacy_events_pb2 as contacts
from crm.telephony.v1 import call_messages_pb2, call_pb2, recording_pb2
from crm.telephony.v1.calls_service_pb2_grpc import CallsServiceStub
from services.telephony import consumers_parties, erasing, personal_data, store
from services.telephony.store import privacy
from tests.service.telephony.scenes import CUSTOMER, Scene
from tests.service.telephony.world import Connection, World

Call = call_pb2.Call
Recording = recording_pb2.Recording

SURNAME = "Brzozowiczowna"
OTHER = "+48600999888"
BY_ID = {"operations", "timers", "stream", "number_parties"}
"""Where the bare id stays: in what the erasure itself was asked for, and in the empty row that keeps what comes late out."""


@pytest.fixture
async def exchange(world: World) -> Connection:
    made = await world.exchange()
    await world.line(connection_id=made.id)
    await world.extension(made.id, user_id=(await world.agent()).id)
    return made


async def system(world: World, work: Any) -> Any:
    runtime = world.running.process.runtimes["telephony"]
    return await runtime.run_system(world.tenant.id, Cause("event"), work)


async def known(world: World, id: str, *numbers: str, version: int = 1) -> None:
    """contacts tells of a person with these numbers."""
    phones = [{"number": number} for number in numbers]
    contact = contact_pb2.Contact(id=id, display_name=SURNAME, phones=phones)
    event = events_pb2.ContactUpdated(contact=contact)
    event.change.version = version
    await system(world, lambda tx: consumers_parties.follow(event, tx))


async def erased(world: World, *ids: str) -> dict[str, Any]:
    """contacts has erased the person; what telephony reports."""
    event = contacts.ContactErased(erasure_id=uuid7(), contact_id=ids[0], merged_ids=ids[1:])
    await system(world, lambda tx: erasing.erased.begin(event, tx))
    (done,) = await world.running.events(world.tenant, "ErasureDone", count=1, timeout_s=60)
    report = dict(done["report"])
    assert (report["erasureId"], report["service"]) == (event.erasure_id, "telephony")
    return report


async def places_of(world: World, *texts: str) -> dict[str, int]:
    """Table or stream -> rows or messages of the tenant in which one of the texts stands, in whatever spelling."""
    found: dict[str, int] = {}
    tables = await world.running.rows(
        "telephony",
        "SELECT table_name AS name FROM information_schema.columns WHERE column_name = 'tenant_id'"
        " AND table_schema = 'public' AND table_name IN (SELECT tablename FROM pg_tables)",
    )
    nats = world.running.process.nats
    for text in texts:
        for table in tables:
            sql = (
                f"SELECT count(*) AS n FROM {table['name']} t WHERE tenant_id = $1"
                " AND (t::text LIKE '%' || $2 || '%' OR t::text LIKE '%' || $3 || '%')"
            )
            spelled = (text, text.encode().hex())
            rows = await world.running.rows("telephony", sql, world.tenant.id, *spelled)
            if count := rows[0]["n"]:
                found[table["name"]] = found.get(table["name"], 0) + count
        async for message in read_stream(nats, "TELEPHONY", subjects=[f"crm.{world.tenant.id}.>"]):
            if text.encode() in message.data:
                found["stream"] = found.get("stream", 0) + 1
    return found


async def spoken(scene: Scene, number: str = CUSTOMER) -> Call:
    await scene.rings("101", number=number)
    await scene.answers("101")
    return await scene.ends("101")


async def recorded(world: World, call: Call, *, held: bool = False) -> Recording:
    """Something was recorded of the call, and its sound is here."""

    async def sound() -> AsyncIterator[bytes]:
        yield f"sound of {call.id}".encode()

    runtime = world.running.process.runtimes["telephony"]
    blob = await runtime.blobs.put(
        world.tenant.id, sound(), type="audio/wav", name="a.wav", owner_id=world.tenant.admin.id, max_bytes=1000,
    )  # fmt: skip
    made = Recording(
        id=uuid7(), call_id=call.id, contact_id=call.contact_id, state=Recording.STATE_READY, sound_id=blob.id,
        owner_id=call.owner_id, held=held, hold_reason=f"{SURNAME} sues us" if held else "",
    )  # fmt: skip
    made.start_time.CopyFrom(call.start_time)

    async def save(tx: Any) -> None:
        store.recordings.recordings.save(tx, made)

    await system(world, save)
    return made


async def is_file(world: World, id: str) -> bool:
    try:
        await world.running.process.runtimes["telephony"].blobs.get(world.tenant.id, id)
    except NotFound:
        return False
    return True


async def figures(world: World) -> list[dict[str, Any]]:
    """What statistics count."""
    sql = (
        "SELECT owner_id, direction, outcome, missed_state = 0 AS answered, count(*) AS n, sum(talk_seconds) AS talk"
        " FROM calls WHERE tenant_id = $1 GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
    )
    return [dict(row) for row in await world.running.rows("telephony", sql, world.tenant.id)]


async def test_nothing_tells_of_the_person_any_more_and_the_counts_stay(
    world: World, exchange: Connection
) -> None:
    person = uuid7()
    early = await spoken(
        Scene(world, exchange, key="1.1")
    )  # before anybody knew whose number it is
    await known(world, person, CUSTOMER)
    call = await spoken(Scene(world, exchange, key="1.2"))
    later = datetime.now(UTC) + timedelta(minutes=5)  # nobody has spoken with the caller since
    missed = Scene(world, exchange, key="1.3", at=later)
    await missed.rings("101")
    open_missed = await missed.ends("101", cause=19)
    calls = world.stub(world.tenant.admin, CallsServiceStub)
    await calls.UpdateCall(
        call_messages_pb2.UpdateCallRequest(
            call=Call(id=call.id, note=f"{SURNAME} wants oak"), update_mask={"paths": ["note"]}
        )
    )
    recording = await recorded(world, call)
    stranger = await spoken(Scene(world, exchange, key="1.4"), OTHER)
    assert (call.contact_id, open_missed.missed_state) == (person, Call.MISSED_STATE_OPEN)
    before = await figures(world)
    report = await erased(world, person)
    assert await places_of(world, SURNAME, CUSTOMER) == {}
    assert (await places_of(world, person)).keys() <= BY_ID
    assert await figures(world) == before
    bare = await world.call(call.id)
    assert (bare.number, bare.contact_id, bare.note) == ("", "", "")
    assert (bare.outcome, bare.talk_seconds, bare.owner_id) == (
        Call.OUTCOME_ANSWERED, call.talk_seconds, call.owner_id,
    )  # fmt: skip
    assert (await world.call(early.id)).number == ""
    assert (await world.call(open_missed.id)).missed_state == Call.MISSED_STATE_WRITTEN_OFF
    assert await world.call(stranger.id) == stranger
    deaf = await system(world, lambda tx: store.recordings.recordings.find(tx, recording.id))
    assert (deaf.state, deaf.sound_id) == (Recording.STATE_DELETED, "")
    assert not await is_file(world, recording.sound_id)
    counts = {place["name"]: int(place["count"]) for place in report["places"]}
    assert (counts["calls"], counts["recordings"], counts["files"]) == (3, 1, 1)
    assert "remains" not in report


async def test_what_comes_late_brings_nothing_back(world: World, exchange: Connection) -> None:
    person = uuid7()
    await known(world, person, CUSTOMER)
    scene = Scene(world, exchange)
    call = await spoken(scene)
    await erased(world, person)
    bare = await world.call(call.id)
    assert await scene.tell(*scene.told) is None
    await known(world, person, CUSTOMER, version=7)
    assert await world.call(call.id) == bare
    assert await places_of(world, SURNAME, CUSTOMER) == {}


async def test_a_recording_held_for_a_legal_reason_keeps_its_sound_and_the_report_says_so(
    world: World, exchange: Connection
) -> None:
    person = uuid7()
    await known(world, person, CUSTOMER)
    recording = await recorded(world, await spoken(Scene(world, exchange)), held=True)
    report = await erased(world, person)
    assert await is_file(world, recording.sound_id)
    (remains,) = report["remains"]
    assert remains.startswith("1 recordings keep their sound")


async def test_the_call_of_another_with_the_same_number_stays_his(
    world: World, exchange: Connection
) -> None:
    person, other = uuid7(), uuid7()
    await known(world, person, CUSTOMER)
    await known(world, other, CUSTOMER)
    call = await spoken(Scene(world, exchange))
    assert set(call.candidate_contact_ids) == {person, other}
    mine = call_messages_pb2.UpdateCallRequest(
        call=Call(id=call.id, contact_id=other), update_mask={"paths": ["contact_id"]}
    )
    await world.stub(world.tenant.admin, CallsServiceStub).UpdateCall(mine)
    await erased(world, person)
    kept = await world.call(call.id)
    assert (kept.contact_id, kept.number) == (other, CUSTOMER)
    assert person not in kept.candidate_contact_ids


async def test_a_person_gets_his_calls_and_recordings_with_what_they_were(
    world: World, exchange: Connection
) -> None:
    person = uuid7()
    await known(world, person, CUSTOMER)
    call = await spoken(Scene(world, exchange, key="1.1"))
    recording = await recorded(world, call)
    await spoken(Scene(world, exchange, key="1.2"), OTHER)
    event = contacts.PersonalDataRequested(contact_id=person)
    content = await system(world, lambda tx: personal_data.everything(tx, event))
    assert [each.id for each in content["calls"]] == [call.id]
    assert [each.id for each in content["recordings"]] == [recording.id]
    assert {each.id for each in content["calls_history"]} == {call.id}
    assert orjson.dumps([each.state for each in content["calls_history"]])[-2:] == b"4]"


def test_every_table_says_what_it_holds_of_persons() -> None:
    assert privacy.unplaced() == []
