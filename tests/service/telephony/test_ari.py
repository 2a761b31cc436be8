"""What is the REST interface's own: recorded calls over a real websocket, and the calls that are led by us."""

from dataclasses import replace
from typing import Any

import pytest

from services.telephony import pbx
from services.telephony.pbx import ari, ari_leading
from services.telephony.pbx.adapter import Impossible, Route, Site, TooLarge
from services.telephony.pbx.ari_reading import AriReader
from services.telephony.pbx.facts import Command, Kind, Order
from tests.service.telephony.ari_calls import (
    CALL,
    FIRST,
    SECOND,
    THIRD,
    THREE,
    cut_and_back,
    over,
    paths,
    rings,
    speak,
)
from tests.service.telephony.conformance import DIAL, OURS, Stage, until
from tests.service.telephony.fake_ari import FakeAri
from tests.service.telephony.stories import CUSTOMER, LINE, Call
from tests.service.telephony.world import Connection, World
from tests.unit.telephony import transcripts

# -- what was recorded ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(1, 20))
async def test_recorded_call_comes_over_the_wire_as_it_was_read(
    exchange: FakeAri, stage: Stage, number: int
) -> None:
    reader, wanted = AriReader(transcripts.PHONES), []
    for event in transcripts.ari_events(number):
        wanted += reader.read(event, at=transcripts.RECEIVED)

    for event in transcripts.ari_events(number):
        exchange.send(event)

    assert await until(lambda: len(stage.kept.facts) >= len(wanted))
    assert stage.kept.facts == wanted


async def test_what_cannot_be_read_is_passed_over(exchange: FakeAri, stage: Stage) -> None:
    exchange.send({"type": "ChannelCreated", "channel": {"id": "9"}})
    exchange.send({"type": "ChannelDestroyed"})
    await rings(exchange, FIRST)
    assert stage.kept.derived(CALL).number == CUSTOMER


# -- calls that come in ------------------------------------------------------------------------------------------------------


async def test_first_who_answers_has_the_call(exchange: FakeAri, stage: Stage) -> None:
    stage.route = THREE
    await rings(exchange, FIRST, SECOND, THIRD)
    exchange.picks_up(SECOND)
    await speak(exchange, CALL, SECOND)
    assert set(exchange.channels) == {CALL, SECOND}
    exchange.gone(CALL)

    call = await over(exchange, stage)

    assert (call.outcome, call.spoke) == (Call.OUTCOME_ANSWERED, ("102",))
    assert call.rang == ("101", "102", "103")
    assert not [path for path in paths(exchange, "POST") if path.endswith("record")]


async def test_two_who_answer_at_once_do_not_both_have_it(exchange: FakeAri, stage: Stage) -> None:
    stage.route = THREE
    await rings(exchange, FIRST, SECOND, THIRD)
    exchange.picks_up(FIRST)
    exchange.picks_up(SECOND)
    assert await until(lambda: len(exchange.channels) == 2 and exchange.bridges)
    (winner,) = exchange.channels.keys() - {CALL}
    await speak(exchange, CALL, winner)
    exchange.gone(winner)

    assert len((await over(exchange, stage)).spoke) == 1


async def test_nobody_answers_in_time(exchange: FakeAri, stage: Stage) -> None:
    stage.route = Route(THREE.endpoints, 1)
    await rings(exchange, FIRST, SECOND, THIRD)

    call = await over(exchange, stage)

    assert (call.outcome, call.missed_reason) == (
        Call.OUTCOME_MISSED, Call.MISSED_REASON_NO_ANSWER,
    )  # fmt: skip


STAGED = Route(["PJSIP/agent1"], 20, False, ["PJSIP/agent2", "PJSIP/agent3"], 20)


@pytest.mark.parametrize("why", ["in time", "busy"])
async def test_the_queue_rings_where_the_manager_does_not_answer(
    exchange: FakeAri, stage: Stage, why: str
) -> None:
    stage.route = replace(STAGED, ring_s=1) if why == "in time" else STAGED
    await rings(exchange, FIRST)
    if why == "busy":
        exchange.gone(FIRST, cause=17)
    assert await until(lambda: {SECOND, THIRD} <= exchange.channels.keys())
    assert (FIRST in exchange.channels) is (why == "in time")  # his phone goes on beside theirs
    exchange.picks_up(THIRD)
    await speak(exchange, CALL, THIRD)
    assert set(exchange.channels) == {CALL, THIRD}
    exchange.gone(CALL)

    call = await over(exchange, stage)

    assert (call.outcome, call.spoke) == (Call.OUTCOME_ANSWERED, ("103",))
    assert call.rang == ("101", "102", "103")


async def test_nobody_else_rings_where_the_manager_answers(exchange: FakeAri, stage: Stage) -> None:
    stage.route = STAGED
    await rings(exchange, FIRST)
    exchange.picks_up(FIRST)
    await speak(exchange, CALL, FIRST)
    exchange.gone(CALL)

    call = await over(exchange, stage)

    assert (call.spoke, call.rang) == (("101",), ("101",))


async def test_caller_gives_up(exchange: FakeAri, stage: Stage) -> None:
    await rings(exchange, FIRST)
    exchange._happens("ChannelHangupRequest", exchange.channels[CALL])
    exchange.gone(CALL)

    call = await over(exchange, stage)

    assert (call.outcome, call.missed_reason) == (
        Call.OUTCOME_MISSED, Call.MISSED_REASON_ABANDONED,
    )  # fmt: skip


async def test_everybody_is_busy(exchange: FakeAri, stage: Stage) -> None:
    await rings(exchange, FIRST)
    exchange.gone(FIRST, cause=17)

    assert (await over(exchange, stage)).outcome == Call.OUTCOME_MISSED


@pytest.mark.parametrize(
    "endpoints", [[], ["PJSIP/nobody"]], ids=["nobody is there", "no such phone"]
)
async def test_caller_whom_nobody_can_answer_is_let_go(
    exchange: FakeAri, stage: Stage, endpoints: list[str]
) -> None:
    stage.route = Route(endpoints)
    await rings(exchange)

    assert (await over(exchange, stage)).outcome == Call.OUTCOME_MISSED


@pytest.mark.parametrize("refused", ["", "/bridges/.*/record"], ids=["recorded", "no directory"])
async def test_what_is_said_is_recorded_where_the_line_says_so(
    exchange: FakeAri, stage: Stage, refused: str
) -> None:
    stage.route = Route(["PJSIP/agent1"], 20, record=True)
    exchange.refused.add(refused)
    await rings(exchange, FIRST)
    exchange.picks_up(FIRST)
    await speak(exchange, CALL, FIRST)
    assert await until(lambda: paths(exchange, "POST")[-1].endswith("/record"))
    name = ari_leading.recording(CALL)
    if not refused:
        assert await until(lambda: any(fact.kind is Kind.RECORDING for fact in stage.kept.facts))
        for order in (Order.PAUSE_RECORDING, Order.RESUME_RECORDING):
            await stage.adapter.carry_out(Command(id="1", order=order, call=CALL))
        paused = f"/recordings/live/{name}/pause"
        assert [exchange.asked[-2][:2], exchange.asked[-1][:2]] == [("POST", paused), ("DELETE", paused)]  # fmt: skip
    exchange.gone(FIRST)

    assert (await over(exchange, stage)).outcome == Call.OUTCOME_ANSWERED


async def test_blind_transfer_out_of_our_bridge_goes_on(exchange: FakeAri, stage: Stage) -> None:
    await rings(exchange, FIRST)
    exchange.picks_up(FIRST)
    await speak(exchange, CALL, FIRST)
    exchange.replaced(FIRST, "1795396333.71")
    await speak(exchange, CALL, "1795396333.71")
    assert CALL in exchange.channels
    exchange.gone("1795396333.71")

    assert (await over(exchange, stage)).outcome == Call.OUTCOME_ANSWERED


# -- calls that go out -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", ["never", "own phone rings", "customer's phone rings"])
async def test_own_phone_then_the_customer(exchange: FakeAri, stage: Stage, cut: str) -> None:
    own, customer = f"{OURS}~1", f"{OURS}~2"
    await stage.adapter.carry_out(DIAL)
    if cut == "own phone rings":
        await cut_and_back(stage)
    exchange.picks_up(own)
    assert await until(lambda: customer in exchange.channels)
    if cut == "customer's phone rings":
        await cut_and_back(stage)
    exchange.picks_up(customer)
    await speak(exchange, own, customer)
    exchange.gone(own)

    call = await over(exchange, stage, OURS)

    assert (call.direction, call.outcome) == (Call.DIRECTION_OUTBOUND, Call.OUTCOME_ANSWERED)
    assert (call.number, call.spoke) == ("+48600100200", ("101",))


async def test_customer_is_busy(exchange: FakeAri, stage: Stage) -> None:
    await stage.adapter.carry_out(DIAL)
    exchange.picks_up(f"{OURS}~1")
    assert await until(lambda: f"{OURS}~2" in exchange.channels)
    exchange.gone(f"{OURS}~2", cause=17)

    assert (await over(exchange, stage, OURS)).outcome == Call.OUTCOME_BUSY


async def test_own_phone_is_not_picked_up(exchange: FakeAri, stage: Stage) -> None:
    await stage.adapter.carry_out(DIAL)
    exchange.gone(f"{OURS}~1", cause=19)

    assert (await over(exchange, stage, OURS)).outcome == Call.OUTCOME_NOT_CONNECTED
    assert f"{OURS}~2" not in {asked.get("channelId") for _, _, asked in exchange.asked}


# -- sound -------------------------------------------------------------------------------------------------------------------


async def site(exchange: FakeAri, stage: Stage, password: str = "secret") -> Site:
    kept = stage.kept
    return Site(stage._connection, password, kept.hear, kept.living, kept.stands)


async def test_stored_recording_is_fetched(
    exchange: FakeAri, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange.sounds["a/b c"] = b"RIFFsound"
    assert await ari.sound(await site(exchange, stage), "a/b c") == b"RIFFsound"
    with pytest.raises(Impossible, match="404"):
        await ari.sound(await site(exchange, stage), "../../channels")
    with pytest.raises(Impossible, match="401"):
        await ari.sound(await site(exchange, stage, "wrong"), "a/b c")
    monkeypatch.setattr(ari, "MOST_SOUND", 4)
    with pytest.raises(TooLarge, match="more than 4 bytes"):
        await ari.sound(await site(exchange, stage), "a/b c")


# -- everything together -----------------------------------------------------------------------------------------------------


@pytest.mark.large
async def test_stranger_rings_at_whom_the_line_says(world: World, exchange: FakeAri) -> None:
    opened = await exchange.open()
    made = await world.exchange(kind=Connection.KIND_ARI, address=opened.address, username="crm")
    agent, other = await world.agent(), await world.agent()
    await world.line(number=f"+{LINE}", user_ids=[agent.id], connection_id=made.id)
    await world.extension(
        made.id, user_id=agent.id, endpoint="PJSIP/agent1", mobile_number="+48501502503"
    )
    await world.extension(made.id, number="102", user_id=other.id, endpoint="PJSIP/agent2")
    await world.set_password(made, "secret")
    assert await until(lambda: ("GET", "/bridges", {}) in exchange.asked, 20)
    assert await until(lambda: exchange._sockets)

    exchange.comes_in(CALL, CUSTOMER, LINE)
    assert await until(lambda: {FIRST, SECOND} <= exchange.channels.keys(), 20)
    asked: list[Any] = [asked["endpoint"] for _, _, asked in exchange.asked if "endpoint" in asked]
    exchange.picks_up(FIRST)
    await speak(exchange, CALL, FIRST)
    exchange.gone(CALL)
    call = await world.ended_call()

    assert asked == ["PJSIP/agent1", "PJSIP/+48501502503@trunk"]
    assert (call.number, call.outcome) == (f"+{CUSTOMER}", Call.OUTCOME_ANSWERED)
    assert (call.owner_id, list(call.spoke_user_ids)) == (agent.id, [agent.id])
    await exchange.close()


def test_it_speaks_with_connections_of_its_kind() -> None:
    kinds: Any = pbx.ADAPTERS
    assert kinds[Connection.KIND_ARI] is ari.Ari
