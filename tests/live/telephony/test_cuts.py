"""The connection to the exchange is cut in the middle of a call: calls go on, and what happened meanwhile is made up."""

from services.telephony.pbx.facts import Kind
from tests.live.telephony.scenes import DIAL, OURS, Call, Scene


async def test_those_who_speak_go_on(played: Scene) -> None:
    await played.comes_in()
    await played.answers(played.agent)
    await played.speak("101")
    await played.stage.cut()
    await played.stage.begin()
    await played.speak("101")
    assert await played.real.living("channels")
    await played.agent.do("hangup")

    call = await played.over()

    assert (call.outcome, call.spoke) == (Call.OUTCOME_ANSWERED, ("101",))


async def test_agent_hangs_up_meanwhile(played: Scene) -> None:
    await played.comes_in()
    await played.answers(played.agent)
    await played.speak("101")
    await played.stage.cut()
    await played.agent.do("hangup")
    await played.agent.happens("CALL_CLOSED")
    await played.stage.begin()

    call = await played.over()

    assert (call.outcome, call.spoke) == (Call.OUTCOME_ANSWERED, ("101",))


async def test_ringing_call_is_answered_afterwards(played: Scene) -> None:
    await played.comes_in(group=True)
    await played.stage.cut()
    await played.stage.begin()
    await played.answers(played.other)
    await played.speak("102")
    await played.agent.happens("CALL_CLOSED")
    await played.customer.do("hangup")

    call = await played.over()

    assert (call.outcome, call.spoke) == (Call.OUTCOME_ANSWERED, ("102",))
    assert played.agent.told.count("CALL_INCOMING") == 1


async def test_ringing_call_is_picked_up_meanwhile(played: Scene) -> None:
    """Where we lead it the phone that was picked up is lost, and so it rings again."""
    await played.comes_in()
    await played.stage.cut()
    await played.agent.do("accept")
    await played.agent.happens("CALL_CLOSED" if played.led else "CALL_ESTABLISHED")
    await played.stage.begin()
    if played.led:
        await played.agent.happens("CALL_INCOMING", 2)
        await played.answers(played.agent)
    await played.speak("101")
    await played.customer.do("hangup")

    call = await played.over()

    assert (call.outcome, call.spoke) == (Call.OUTCOME_ANSWERED, ("101",))


async def test_caller_gives_up_meanwhile(played: Scene) -> None:
    await played.comes_in()
    await played.stage.cut()
    await played.customer.do("hangup")
    await played.customer.happens("CALL_CLOSED")
    await played.stage.begin()

    call = await played.over()

    assert (call.outcome, call.spoke) == (Call.OUTCOME_MISSED, ())
    await played.agent.happens("CALL_CLOSED")


async def test_nobody_answers_afterwards(played: Scene) -> None:
    await played.comes_in(ring_s=2)
    await played.stage.cut()
    await played.stage.begin()

    call = await played.over()

    assert (call.outcome, call.missed_reason) == (
        Call.OUTCOME_MISSED, Call.MISSED_REASON_NO_ANSWER,
    )  # fmt: skip


async def test_own_phone_is_picked_up_afterwards(played: Scene) -> None:
    await played.stage.adapter.carry_out(DIAL)
    await played.agent.happens("CALL_INCOMING")
    await played.until(Kind.RANG)
    await played.stage.cut()
    await played.stage.begin()
    await played.answers(played.agent)
    await played.customer.happens("CALL_INCOMING")
    await played.answers(played.customer)
    await played.speak("101")
    await played.agent.do("hangup")

    call = await played.over()

    assert list(played.stage.kept.legs) == [OURS]
    assert (call.direction, call.outcome) == (Call.DIRECTION_OUTBOUND, Call.OUTCOME_ANSWERED)


async def test_customer_answers_afterwards(played: Scene) -> None:
    await played.stage.adapter.carry_out(DIAL)
    await played.agent.happens("CALL_INCOMING")
    await played.answers(played.agent)
    await played.customer.happens("CALL_INCOMING")
    await played.stage.cut()
    await played.stage.begin()
    await played.answers(played.customer)
    await played.speak("101")
    await played.customer.do("hangup")

    call = await played.over()

    assert (call.direction, call.outcome) == (Call.DIRECTION_OUTBOUND, Call.OUTCOME_ANSWERED)


async def test_customer_rejects_meanwhile(led: Scene) -> None:
    """The number outside is not called a second time."""
    await led.stage.adapter.carry_out(DIAL)
    await led.agent.happens("CALL_INCOMING")
    await led.answers(led.agent)
    await led.customer.happens("CALL_INCOMING")
    await led.stage.cut()
    await led.customer.do("hangup")
    await led.customer.happens("CALL_CLOSED")
    await led.stage.begin()

    call = await led.over()

    assert (call.direction, call.spoke) == (Call.DIRECTION_OUTBOUND, ())
    assert led.customer.told.count("CALL_INCOMING") == 1
