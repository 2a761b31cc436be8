"""Calls that real phones make at a real Asterisk come out as they were, whether we lead them or its dialplan does."""

import io
import math
import struct
import wave

import pytest

from services.telephony.pbx import ami, ari_leading
from services.telephony.pbx.adapter import Impossible
from services.telephony.pbx.facts import Command, Kind, Order
from tests.live.telephony.phones import CUSTOMER
from tests.live.telephony.scenes import DIAL, OURS, Call, Scene

LED, MISSED = "48300000101", Call.OUTCOME_MISSED


async def test_answered(played: Scene) -> None:
    await played.comes_in()
    await played.answers(played.agent)
    await played.speak("101")
    await played.customer.do("hangup")

    call = await played.over()

    assert (call.direction, call.outcome) == (Call.DIRECTION_INBOUND, Call.OUTCOME_ANSWERED)
    assert (call.number, call.line) == (CUSTOMER, LED if played.led else "48300000201")
    assert (call.spoke, call.rang) == (("101",), ("101",))


async def test_nobody_answers(played: Scene) -> None:
    await played.comes_in(ring_s=2)

    call = await played.over()

    assert (call.outcome, call.missed_reason) == (MISSED, Call.MISSED_REASON_NO_ANSWER)
    assert (call.spoke, call.rang) == ((), ("101",))


async def test_caller_gives_up(played: Scene) -> None:
    await played.comes_in()
    await played.customer.do("hangup")

    call = await played.over()

    assert (call.outcome, call.missed_reason) == (MISSED, Call.MISSED_REASON_ABANDONED)


async def test_agent_rejects(played: Scene) -> None:
    await played.comes_in()
    await played.agent.do("hangup")

    call = await played.over()

    assert (call.outcome, call.missed_reason) == (MISSED, Call.MISSED_REASON_REJECTED)


async def test_one_of_three_answers(played: Scene) -> None:
    await played.comes_in(group=True)
    await played.answers(played.other)
    await played.speak("102")
    for phone in (played.agent, played.third):
        await phone.happens("CALL_CLOSED")
    await played.other.do("hangup")

    call = await played.over()

    assert (call.outcome, call.spoke) == (Call.OUTCOME_ANSWERED, ("102",))
    assert sorted(call.rang) == ["101", "102", "103"]


async def test_caller_leaves_the_queue(watched: Scene) -> None:
    await watched.customer.do("dial", f"sip:48300000210@{watched.real.sip}")
    await watched.agent.happens("CALL_INCOMING")
    assert watched.call.state == Call.STATE_QUEUED
    await watched.customer.do("hangup")

    call = await watched.over()

    assert (call.outcome, call.queue) == (Call.OUTCOME_ABANDONED_IN_QUEUE, "sales")
    assert call.missed_reason == Call.MISSED_REASON_ABANDONED


# -- calls that go out -------------------------------------------------------------------------------------------------------


async def dials(scene: Scene) -> None:
    """The own phone is picked up, and the customer's rings."""
    await scene.stage.adapter.carry_out(DIAL)
    await scene.agent.happens("CALL_INCOMING")
    await scene.answers(scene.agent)
    await scene.customer.happens("CALL_INCOMING")


async def test_click_to_call(played: Scene) -> None:
    await dials(played)
    await played.answers(played.customer)
    await played.speak("101")
    await played.agent.do("hangup")

    call = await played.over()

    assert list(played.stage.kept.legs) == [OURS]
    assert (call.direction, call.outcome) == (Call.DIRECTION_OUTBOUND, Call.OUTCOME_ANSWERED)
    assert (call.number, call.caller, call.spoke) == (CUSTOMER, "101", ("101",))


async def test_customer_is_busy(played: Scene) -> None:
    await dials(played)
    await played.customer.do("hangup")

    call = await played.over()

    assert (call.direction, call.outcome) == (Call.DIRECTION_OUTBOUND, Call.OUTCOME_BUSY)


async def test_own_phone_is_not_picked_up(played: Scene) -> None:
    await played.stage.adapter.carry_out(DIAL)
    await played.agent.happens("CALL_INCOMING")
    await played.agent.do("hangup")

    assert (await played.over()).outcome == Call.OUTCOME_NOT_CONNECTED
    assert "CALL_INCOMING" not in played.customer.told


async def test_we_hang_up(played: Scene) -> None:
    await dials(played)
    await played.answers(played.customer)
    await played.speak("101")
    await played.stage.adapter.carry_out(Command(id="2", order=Order.HANG_UP, call=OURS))

    assert (await played.over()).outcome == Call.OUTCOME_ANSWERED


async def test_phone_that_is_not_there(played: Scene) -> None:
    with pytest.raises(Impossible):
        await played.stage.adapter.carry_out(Command(id="1", order=Order.DIAL, call=OURS, endpoint="PJSIP/nobody", number=CUSTOMER))  # fmt: skip
    assert not played.stage.kept.legs


# -- what happens in a call --------------------------------------------------------------------------------------------------


async def test_hold(played: Scene) -> None:
    await played.comes_in()
    await played.answers(played.agent)
    await played.speak("101")
    await played.agent.do("hold")
    await played.until(Kind.HELD)
    await played.lasts(2)
    await played.agent.do("resume")
    await played.until(Kind.RESUMED)
    await played.customer.do("hangup")

    call = await played.over()

    assert (call.outcome, call.spoke) == (Call.OUTCOME_ANSWERED, ("101",))
    assert 2 <= call.hold_seconds <= call.talk_seconds


async def test_blind_transfer(played: Scene) -> None:
    await played.comes_in()
    await played.answers(played.agent)
    await played.speak("101")
    await played.agent.do("transfer", f"sip:102@{played.real.sip}")
    await played.other.happens("CALL_INCOMING")
    await played.answers(played.other)
    await played.speak("101", "102")
    await played.other.do("hangup")

    call = await played.over()

    assert (call.outcome, call.spoke) == (Call.OUTCOME_TRANSFERRED, ("101", "102"))


async def test_attended_transfer(played: Scene) -> None:
    await played.comes_in()
    await played.answers(played.agent)
    await played.speak("101")
    await played.hands_on_after(await played.a_word())
    await played.speak("101", "102")
    await played.other.do("hangup")

    call = await played.over()

    assert (call.outcome, call.spoke) == (Call.OUTCOME_TRANSFERRED, ("101", "102"))
    assert 0 < call.hold_seconds <= call.talk_seconds
    (word,) = played.words
    assert (word.direction, word.outcome) == (Call.DIRECTION_INTERNAL, Call.OUTCOME_ANSWERED)
    assert (word.caller, word.spoke) == ("101", ("101", "102"))


async def test_recorded(played: Scene) -> None:
    await played.comes_in()
    await played.answers(played.agent)
    await played.speak("101")
    await played.until(Kind.RECORDING)
    await played.lasts(2)
    await played.customer.do("hangup")
    await played.over()
    await played.until(Kind.RECORDED)

    (name,) = {fact.recording for fact in played.told(Kind.RECORDED)}
    if played.led:
        (key,) = played.stage.kept.legs
        assert name == ari_leading.recording(key)
        assert loudest(await played.stage.adapter.fetch(name)) == 440
    else:
        assert name == f"{ami.MONITOR}{next(iter(played.stage.kept.legs))}.wav"
        assert loudest(await played.stage.adapter.fetch(name)) == 440


def loudest(sound: bytes) -> int:
    """Which of some tones is the loudest in the middle of a sound."""
    with wave.open(io.BytesIO(sound)) as file:
        rate, count = file.getframerate(), file.getnframes()
        heard = struct.unpack(f"<{count}h", file.readframes(count))
    second = heard[len(heard) // 2 :][: rate // 2]

    def power(hertz: int) -> float:
        angle = 2 * math.pi * hertz / rate
        return math.hypot(
            sum(value * math.cos(angle * at) for at, value in enumerate(second)),
            sum(value * math.sin(angle * at) for at, value in enumerate(second)),
        )

    return max((220, 330, 440, 550, 660), key=power)
