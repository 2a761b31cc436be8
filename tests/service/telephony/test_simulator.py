"""The simulated exchange: calls for whoever has no exchange, played by the process that holds its lease."""

import asyncio
from typing import Any

import pytest

from chassis import errors
from chassis.testing.installation import Person
from chassis.waits import first_of
from crm.telephony.v1 import call_pb2, connection_pb2, exchange_pb2
from crm.telephony.v1.calls_service_pb2_grpc import CallsServiceStub
from crm.telephony.v1.simulator_service_pb2_grpc import SimulatorServiceStub
from services.telephony import store
from tests.service.telephony.world import Connection, World
from tests.service.worlds import Refused

Call = call_pb2.Call
Request = exchange_pb2.SimulateCallRequest
Act = exchange_pb2.ActSimulatedCallRequest


@pytest.fixture
async def anna(world: World) -> Person:
    return await world.agent()


@pytest.fixture
async def exchange(world: World) -> Any:
    made = await world.exchange()
    await world.line(connection_id=made.id)
    return made


def simulator(world: World) -> Any:
    return world.tenant.admin.stub(SimulatorServiceStub)


async def until(world: World, id: str, state: "Call.State.ValueType") -> Any:
    """The call, once it is so far."""
    async with asyncio.timeout(30):
        while (call := await world.call(id)).state != state:
            await first_of(asyncio.Event(), timeout_s=0.05)
    return call


@pytest.mark.parametrize(
    ("script", "outcome", "reason"),
    [
        ("SCRIPT_ANSWERED", "OUTCOME_ANSWERED", ""),
        ("SCRIPT_NO_ANSWER", "OUTCOME_MISSED", "MISSED_REASON_NO_ANSWER"),
        ("SCRIPT_ABANDONED", "OUTCOME_MISSED", "MISSED_REASON_ABANDONED"),
        ("SCRIPT_REJECTED", "OUTCOME_MISSED", "MISSED_REASON_REJECTED"),
        ("SCRIPT_ABANDONED_IN_QUEUE", "OUTCOME_ABANDONED_IN_QUEUE", "MISSED_REASON_ABANDONED"),
        ("SCRIPT_HELD", "OUTCOME_ANSWERED", ""),
        ("SCRIPT_BLIND_TRANSFER", "OUTCOME_TRANSFERRED", ""),
        ("SCRIPT_ATTENDED_TRANSFER", "OUTCOME_TRANSFERRED", ""),
        ("SCRIPT_RING_GROUP", "OUTCOME_ANSWERED", ""),
    ],
)
async def test_each_script_has_its_outcome(
    world: World, exchange: Connection, anna: Person, script: str, outcome: str, reason: str
) -> None:
    call = await simulator(world).SimulateCall(
        Request(
            number="600100200",
            script=Request.Script.Value(script),
            at_once=True,
            user_ids=[anna.id, world.tenant.admin.id],
        )
    )
    assert call.number == "+48600100200"
    assert (Call.Outcome.Name(call.outcome), call.state) == (outcome, Call.STATE_ENDED)
    assert Call.MissedReason.Name(call.missed_reason) == (reason or "MISSED_REASON_UNSPECIFIED")
    assert call.hold_seconds == (2 if script == "SCRIPT_HELD" else call.hold_seconds)
    if script.endswith("TRANSFER"):
        assert list(call.spoke_user_ids) == [anna.id, world.tenant.admin.id]


async def test_one_who_does_not_answer_has_rejected_nothing(
    world: World, exchange: Connection, anna: Person
) -> None:
    call = await simulator(world).SimulateCall(
        Request(
            number="600100200", script=Request.SCRIPT_NO_ANSWER, at_once=True, user_ids=[anna.id]
        )
    )
    assert call.missed_reason == Call.MISSED_REASON_NO_ANSWER


@pytest.mark.large
async def test_a_call_rings_at_once_and_is_played_to_its_end(
    world: World, exchange: Connection, anna: Person
) -> None:
    call = await simulator(world).SimulateCall(
        Request(number="600100200", ring_seconds=1, talk_seconds=1, user_ids=[anna.id])
    )
    assert (call.state, list(call.screen_user_ids)) == (Call.STATE_RINGING, [anna.id])
    ended = await until(world, call.id, Call.STATE_ENDED)
    assert (ended.outcome, ended.owner_id) == (Call.OUTCOME_ANSWERED, anna.id)


async def test_somebody_answers_and_hangs_up_by_hand(
    world: World, exchange: Connection, anna: Person
) -> None:
    call = await simulator(world).SimulateCall(
        Request(number="600100200", script=Request.SCRIPT_BY_HAND, user_ids=[anna.id])
    )
    active = await simulator(world).ActSimulatedCall(
        Act(id=call.id, act=Act.ACT_ANSWER, user_id=anna.id)
    )
    assert (active.state, active.owner_id) == (Call.STATE_ACTIVE, anna.id)
    ended = await simulator(world).ActSimulatedCall(Act(id=call.id, act=Act.ACT_CUSTOMER_HANGS_UP))
    assert ended.outcome == Call.OUTCOME_ANSWERED
    async with Refused(world, errors.FailedPrecondition, "CALL_WRONG_STATE"):
        await simulator(world).ActSimulatedCall(Act(id=call.id, act=Act.ACT_ANSWER))


@pytest.mark.large
async def test_dialling_rings_ones_own_phone_first(
    world: World, exchange: Connection, anna: Person
) -> None:
    await world.extension(exchange.id, user_id=anna.id)
    calls = anna.stub(CallsServiceStub)
    call = await calls.DialCall(call_pb2.DialCallRequest(number="600100200"))
    active = await until(world, call.id, Call.STATE_ACTIVE)
    assert (active.direction, active.number) == (Call.DIRECTION_OUTBOUND, "+48600100200")
    await calls.HangUpCall(call_pb2.HangUpCallRequest(id=call.id))
    assert (await until(world, call.id, Call.STATE_ENDED)).outcome == Call.OUTCOME_ANSWERED


@pytest.mark.large
async def test_whoever_is_given_an_extension_can_dial_at_once(
    world: World, exchange: Connection, anna: Person
) -> None:
    """The session that stands has not heard of the extension yet."""
    asked = connection_pb2.GetConnectionStatusRequest(id=exchange.id)
    async with asyncio.timeout(20):
        while not (await world.exchanges.GetConnectionStatus(asked)).connected:
            await first_of(asyncio.Event(), timeout_s=0.05)

    await world.extension(exchange.id, user_id=anna.id)
    call = await anna.stub(CallsServiceStub).DialCall(call_pb2.DialCallRequest(number="600100200"))

    async with asyncio.timeout(20):
        while (now := await world.call(call.id)).state == Call.STATE_RINGING:
            await first_of(asyncio.Event(), timeout_s=0.05)
    assert Call.State.Name(now.state) == "STATE_ACTIVE"


@pytest.mark.large
async def test_a_customer_who_is_busy(world: World, exchange: Connection, anna: Person) -> None:
    await world.extension(exchange.id, user_id=anna.id)
    call = await anna.stub(CallsServiceStub).DialCall(call_pb2.DialCallRequest(number="600100200"))
    async with asyncio.timeout(20):
        while len(await world.system(lambda tx: legs(tx, call.id))) < 2:
            await first_of(asyncio.Event(), timeout_s=0.05)
    ended = await simulator(world).ActSimulatedCall(Act(id=call.id, act=Act.ACT_CUSTOMER_BUSY))
    assert ended.outcome == Call.OUTCOME_BUSY


async def legs(tx: Any, id: str) -> dict[str, Any]:

    return await store.calls.legs_of(tx, id)


async def test_the_simulated_exchange_is_off_beside_another(
    world: World, exchange: Connection
) -> None:
    await world.exchange(
        name="Asterisk", kind=Connection.KIND_WEBHOOK, address="https://pbx.example/dial"
    )
    async with Refused(world, errors.FailedPrecondition, "SIMULATOR_OFF"):
        await simulator(world).SimulateCall(Request(number="600100200"))


async def test_a_call_without_an_own_extension_gets_one(world: World, exchange: Connection) -> None:
    call = await simulator(world).SimulateCall(Request(number="600100200", at_once=True))
    assert list(call.rung_user_ids) == [world.tenant.admin.id]
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "user_ids"):
        await simulator(world).SimulateCall(
            Request(number="600100200", script=Request.SCRIPT_BLIND_TRANSFER)
        )
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "to_number"):
        await simulator(world).SimulateCall(Request(to_number="+48300000999"))
