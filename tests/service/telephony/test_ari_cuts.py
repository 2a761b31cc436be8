"""Calls that are led by us, through cuts of the session with the REST interface."""

import pytest

from services.telephony.pbx.adapter import Cut
from tests.service.telephony.ari_calls import (
    CALL,
    FIRST,
    SECOND,
    THIRD,
    THREE,
    cut_and_back,
    over,
    rings,
    speak,
)
from tests.service.telephony.conformance import DIAL, OURS, Stage, until
from tests.service.telephony.fake_ari import FakeAri
from tests.service.telephony.stories import CUSTOMER, LINE, Call


async def test_ringing_call_is_led_on_after_a_cut(exchange: FakeAri, stage: Stage) -> None:
    await rings(exchange, FIRST)
    await cut_and_back(stage)
    exchange.picks_up(FIRST)
    await speak(exchange, CALL, FIRST)
    exchange.gone(CALL)

    assert (await over(exchange, stage)).spoke == ("101",)
    assert [asked["channelId"] for _, _, asked in exchange.asked if "channelId" in asked] == [FIRST]


async def test_those_who_speak_go_on_after_a_cut(exchange: FakeAri, stage: Stage) -> None:
    await rings(exchange, FIRST)
    exchange.picks_up(FIRST)
    await speak(exchange, CALL, FIRST)
    await cut_and_back(stage)
    await speak(exchange, CALL, FIRST)
    exchange.gone(FIRST)

    assert (await over(exchange, stage)).outcome == Call.OUTCOME_ANSWERED


async def test_call_rings_again_whose_phone_was_lost_in_a_cut(
    exchange: FakeAri, stage: Stage
) -> None:
    await rings(exchange, FIRST)
    await stage.cut()
    exchange.picks_up(FIRST)
    await stage.begin()
    assert await until(lambda: len(exchange.channels) == 2)
    (again,) = exchange.channels.keys() - {CALL}
    exchange.picks_up(again)
    await speak(exchange, CALL, again)
    exchange.gone(CALL)

    assert again != FIRST
    assert (await over(exchange, stage)).spoke == ("101",)


async def test_nothing_rings_whose_caller_gave_up_in_a_cut(exchange: FakeAri, stage: Stage) -> None:
    stage.route = THREE
    await rings(exchange, FIRST, SECOND, THIRD)
    await stage.cut()
    exchange.gone(CALL)
    await stage.begin()

    assert (await over(exchange, stage)).outcome == Call.OUTCOME_MISSED


async def test_customer_who_was_lost_in_a_cut_is_not_called_twice(
    exchange: FakeAri, stage: Stage
) -> None:
    own, customer = f"{OURS}~1", f"{OURS}~2"
    await stage.adapter.carry_out(DIAL)
    exchange.picks_up(own)
    assert await until(lambda: customer in exchange.channels and customer in stage.kept.legs[OURS])
    await stage.cut()
    exchange.gone(customer, cause=17)
    await stage.begin()

    await over(exchange, stage, OURS)
    asked = [asked["channelId"] for _, _, asked in exchange.asked if "channelId" in asked]
    assert asked == [own, customer]


async def test_bridge_without_anybody_is_ended_after_a_cut(exchange: FakeAri, stage: Stage) -> None:
    await rings(exchange, FIRST)
    exchange.picks_up(FIRST)
    await speak(exchange, CALL, FIRST)
    await stage.cut()
    exchange.gone(CALL)
    exchange.gone(FIRST)
    await stage.begin()

    assert (await over(exchange, stage)).outcome == Call.OUTCOME_ANSWERED


async def test_calls_of_other_applications_are_left_alone(exchange: FakeAri, stage: Stage) -> None:
    await stage.cut()
    exchange.comes_in(CALL, CUSTOMER, LINE)
    exchange.channels[CALL]["dialplan"]["app_data"] = "another,inbound"
    exchange.bridges["b"] = {"id": "b", "bridge_type": "mixing", "creator": "Stasis", "name": "another/1", "channels": [CALL]}  # fmt: skip
    await stage.begin()
    await stage.adapter.carry_out(DIAL)
    exchange.gone(f"{OURS}~1", cause=19)
    assert await until(lambda: stage.kept.derived(OURS).state == Call.STATE_ENDED)

    assert set(exchange.channels) == {CALL}
    assert set(exchange.bridges) == {"b"}


async def test_another_listener_ends_the_session(exchange: FakeAri, stage: Stage) -> None:
    exchange.send({"type": "ApplicationReplaced", "application": "akrab"})
    with pytest.raises(Cut, match="another program"):
        await stage.session
