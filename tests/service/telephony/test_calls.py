"""What people add to calls and read of them: results, legs, figures, dialling, presence."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.type.date_pb2 import Date

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Person
from crm.telephony.v1 import call_messages_pb2, call_pb2, presence_pb2
from crm.telephony.v1.calls_service_pb2_grpc import CallsServiceStub
from tests.service.telephony.scenes import CUSTOMER, Scene
from tests.service.telephony.world import World
from tests.service.worlds import Refused

Call = call_pb2.Call


@pytest.fixture
async def anna(world: World) -> Person:
    return await world.agent()


@pytest.fixture
async def scene(world: World, anna: Person) -> Scene:
    exchange = await world.exchange()
    await world.extension(exchange.id, user_id=anna.id)
    await world.line(connection_id=exchange.id)
    return Scene(world, exchange)


def calls(person: Person, **metadata: Any) -> Any:
    return person.stub(CallsServiceStub, **metadata)


async def answered(scene: Scene, key: str = "1") -> Any:
    one = Scene(scene.world, scene.connection, key=key, at=scene.at)
    await one.rings("101")
    await one.answers("101")
    call = await one.ends("101")
    scene.at = one.at  # what comes next begins after it
    return call


async def test_a_result_ends_the_time_after_the_call(scene: Scene, anna: Person) -> None:
    disposition = await scene.world.disposition(note_required=True, next_step_required=True)
    call = await answered(scene)
    busy = await calls(anna).ListPhonePresences(presence_pb2.ListPhonePresencesRequest())
    assert busy.presences[0].call_id == call.id

    request = call_pb2.DispositionCallRequest(id=call.id, disposition_id=disposition.id)
    async with Refused(
        scene.world, errors.InvalidArgument, "DISPOSITION_INCOMPLETE", "note", "next_step"
    ):
        await calls(anna).DispositionCall(request)
    request.note, request.next_step = "Wants doors", "Send the catalogue"
    said = await calls(anna).DispositionCall(request)

    assert (said.disposition_id, said.note, said.next_step) == (disposition.id, "Wants doors", "Send the catalogue")  # fmt: skip
    assert said.HasField("wrap_up_time")
    free = await calls(anna).ListPhonePresences(presence_pb2.ListPhonePresencesRequest())
    assert free.presences[0].call_id == ""
    (told,) = await scene.world.events("CallDispositioned")
    assert told["call"]["dispositionId"] == disposition.id


async def test_a_ringing_call_has_no_result_yet(scene: Scene, anna: Person) -> None:
    disposition = await scene.world.disposition()
    call = await scene.rings("101")
    async with Refused(scene.world, errors.FailedPrecondition, "CALL_WRONG_STATE"):
        await calls(anna).DispositionCall(
            call_pb2.DispositionCallRequest(id=call.id, disposition_id=disposition.id)
        )


async def test_only_missed_calls_are_written_off(scene: Scene, anna: Person) -> None:
    spoken = await answered(scene)
    request = call_pb2.WriteOffCallRequest(id=spoken.id, reason="Wrong number")
    async with Refused(scene.world, errors.FailedPrecondition, "CALL_WRONG_STATE"):
        await calls(anna).WriteOffCall(request)
    missed = Scene(scene.world, scene.connection, key="2", at=scene.at)
    await missed.rings("101")
    request.id = (await missed.ends("101")).id
    said = await calls(anna).WriteOffCall(request)
    assert (said.missed_state, said.note) == (Call.MISSED_STATE_WRITTEN_OFF, "Wrong number")


async def test_the_phones_of_a_call_are_listed(scene: Scene, anna: Person) -> None:
    call = await answered(scene)
    listed = await calls(anna).ListCallLegs(call_pb2.ListCallLegsRequest(call_id=call.id))
    assert [leg.number for leg in listed.legs] == [CUSTOMER, "101"]
    assert listed.legs[1].user_id == anna.id


async def test_calls_are_counted_by_person_and_day(scene: Scene, anna: Person) -> None:
    call = await answered(scene)
    missed = Scene(scene.world, scene.connection, key="2", at=scene.at)
    await missed.rings("101")
    await missed.ends("101")
    today = call.start_time.ToDatetime(UTC)
    days = [today - timedelta(days=1), today + timedelta(days=1)]
    request = call_pb2.GetCallStatisticsRequest(start_date=dated(days[0]), end_date=dated(days[1]))
    said = await calls(anna).GetCallStatistics(request)

    (line,) = said.lines
    assert (line.user_id, line.answered, line.talk_seconds) == (anna.id, 1, 30)
    assert (said.missed, said.missed_open) == (1, 1)
    other = await scene.world.agent()
    assert not (await calls(other).GetCallStatistics(request)).lines

    async with Refused(scene.world, errors.InvalidArgument, "VALUES_INVALID", "end_date"):
        request.end_date.year += 2
        await calls(anna).GetCallStatistics(request)


def dated(moment: datetime) -> Date:
    return Date(year=moment.year, month=moment.month, day=moment.day)


_HELD_ELSEWHERE = (
    "UPDATE exchange_leases SET owner = $2, lease_until = 'infinity' WHERE tenant_id = $1"
)
"""Another process speaks with the exchange: nobody here takes what it is asked."""


async def test_dialling_asks_the_exchange_once(scene: Scene, anna: Person) -> None:
    await scene.world.running.rows("telephony", _HELD_ELSEWHERE, scene.world.tenant.id, uuid7())
    contact = uuid7()
    request = call_pb2.DialCallRequest(number="600 100 200", contact_id=contact, request_id="r1")
    call = await calls(anna).DialCall(request)
    again = await calls(anna).DialCall(request)

    assert again.id == call.id
    assert (call.number, call.direction, call.contact_id) == (CUSTOMER, Call.DIRECTION_OUTBOUND, contact)  # fmt: skip
    asked = await scene.world.system(
        lambda tx: tx.runtime.fetch_in_background(
            "SELECT body FROM exchange_commands WHERE tenant_id = $1 ORDER BY id",
            scene.world.tenant.id,
        )
    )
    assert [row["body"]["order"] for row in asked] == ["dial"]
    assert asked[0]["body"]["endpoint"] == "PJSIP/101"
    await calls(anna).HangUpCall(call_pb2.HangUpCallRequest(id=call.id))
    assert await scene.world.count("exchange_commands") == 2


async def test_what_cannot_be_dialled_is_refused(scene: Scene, anna: Person) -> None:
    other = await scene.world.agent()
    async with Refused(scene.world, errors.FailedPrecondition, "NO_EXTENSION"):
        await calls(other).DialCall(call_pb2.DialCallRequest(number=CUSTOMER))
    async with Refused(scene.world, errors.InvalidArgument, "NOT_A_NUMBER", "number"):
        await calls(anna).DialCall(call_pb2.DialCallRequest(number="12"))
    for field in ("line_id", "extension_id"):
        async with Refused(scene.world, errors.InvalidArgument, "REFERENCE_UNKNOWN", field):
            await calls(anna).DialCall(
                call_pb2.DialCallRequest(number=CUSTOMER, **{field: uuid7()})
            )


async def test_who_wants_no_calls_says_so(scene: Scene, anna: Person) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    request = presence_pb2.SetPhonePresenceRequest(do_not_disturb=True)
    request.until.FromDatetime(until)
    assert (await calls(anna).SetPhonePresence(request)).do_not_disturb
    await scene.world.line(name="Doors", number="+48300000102", user_ids=[anna.id])
    scene.line = "+48300000102"
    call = await scene.rings()
    assert anna.id not in call.screen_user_ids


async def test_a_colleague_finds_only_his_calls(scene: Scene, anna: Person) -> None:
    call = await answered(scene)
    assert (await calls(anna).GetCall(call_messages_pb2.GetCallRequest(id=call.id))).id == call.id
    other = await scene.world.agent()
    with pytest.raises(errors.NotFound):
        await calls(other).GetCall(call_messages_pb2.GetCallRequest(id=call.id))
