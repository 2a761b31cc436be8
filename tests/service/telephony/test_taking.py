"""What exchanges tell becomes calls, each thing told once."""

import asyncio
import random

import pytest

from chassis.testing.installation import Person
from crm.telephony.v1 import call_pb2
from services.telephony.pbx.facts import Kind
from tests.service.telephony.scenes import CUSTOMER, Scene, tell
from tests.service.telephony.world import World

Call = call_pb2.Call


@pytest.fixture
async def anna(world: World) -> Person:
    return await world.agent()


@pytest.fixture
async def scene(world: World, anna: Person) -> Scene:
    exchange = await world.exchange()
    await world.extension(exchange.id, user_id=anna.id)
    await world.extension(exchange.id, number="102", user_id=world.tenant.admin.id)
    await world.line(connection_id=exchange.id)
    return Scene(world, exchange)


async def names(world: World) -> list[str]:
    """The events of calls that were told, in their order."""
    await world.published()
    return [name for name in await world.told() if name.startswith("Call")]


async def test_a_call_that_is_answered(scene: Scene, anna: Person) -> None:
    ringing = await scene.rings("101", "102")
    assert (ringing.state, ringing.direction) == (Call.STATE_RINGING, Call.DIRECTION_INBOUND)
    assert (ringing.number, list(ringing.rung_user_ids)) == (CUSTOMER, [anna.id, scene.world.tenant.admin.id])  # fmt: skip
    assert anna.id in ringing.screen_user_ids

    active = await scene.answers("101", ["102"])
    assert (active.state, active.owner_id) == (Call.STATE_ACTIVE, anna.id)

    ended = await scene.ends("101")
    assert (ended.state, ended.outcome) == (Call.STATE_ENDED, Call.OUTCOME_ANSWERED)
    assert ended.talk_seconds == 30
    assert await names(scene.world) == ["CallRinging", "CallAnswered", "CallEnded"]


async def test_a_call_that_nobody_answers_is_missed(scene: Scene) -> None:
    await scene.rings("101")
    ended = await scene.ends("101", after=8)

    assert (ended.outcome, ended.missed_state) == (Call.OUTCOME_MISSED, Call.MISSED_STATE_OPEN)
    assert (ended.spell_id, ended.spell_count) == (ended.id, 1)
    assert await names(scene.world) == ["CallRinging", "CallMissed"]


async def test_that_they_speak_is_told_in_the_name_of_who_speaks(
    scene: Scene, anna: Person
) -> None:
    """Whoever answers, or calls back, hears nothing of what he did himself."""
    first = Scene(scene.world, scene.connection, key="missed", at=scene.at)
    await first.rings("102")
    await first.ends("102")
    scene.at = first.at
    await scene.rings("101")
    await scene.answers("101")
    await scene.ends("101")

    await scene.world.published()
    told = {
        name: [event["change"]["actor"].get("userId", "") for event in await scene.world.running.events(scene.world.tenant, name)]
        for name in ("CallMissed", "CallAnswered", "CallReturned", "CallEnded")
    }  # fmt: skip
    assert told == {
        "CallMissed": [""], "CallAnswered": [anna.id], "CallReturned": [anna.id], "CallEnded": [""],
    }  # fmt: skip


async def test_calls_that_are_told_at_once_are_each_told_in_the_right_name(
    scene: Scene, anna: Person
) -> None:
    one, other = [Scene(scene.world, scene.connection, key=key, at=scene.at) for key in "12"]
    await one.rings("101")
    await other.rings("102", number="+48600100299")
    facts = [
        one.fact("out", Kind.JOINED, room="b"), one.fact("101", Kind.JOINED, room="b"),
        other.fact("out", Kind.ENDED), other.fact("102", Kind.ENDED),
    ]  # fmt: skip

    await tell(scene.world, scene.connection, facts)

    await scene.world.published()
    (answered,), (missed,) = [
        await scene.world.running.events(scene.world.tenant, name)
        for name in ("CallAnswered", "CallMissed")
    ]
    assert answered["change"]["actor"]["userId"] == anna.id
    assert "userId" not in missed["change"]["actor"]


async def test_facts_twice_and_in_any_order_make_the_same_call(scene: Scene) -> None:
    await scene.rings("101")
    await scene.answers("101")
    once = await scene.ends("101")
    before = await names(scene.world)

    shuffled = [*scene.told, *scene.told]
    random.Random(7).shuffle(shuffled)
    for fact in shuffled:
        again = await tell(scene.world, scene.connection, [fact])
    assert again == once
    assert await names(scene.world) == before


async def test_two_processes_that_hear_of_a_call_at_once_make_one(scene: Scene) -> None:
    first = Scene(scene.world, scene.connection)
    second = Scene(scene.world, scene.connection)
    one, two = await asyncio.gather(first.rings("101"), second.rings("101"))
    assert one.id == two.id
    assert await scene.world.count("calls") == 1


async def test_who_calls_back_makes_good_what_was_missed(scene: Scene, anna: Person) -> None:
    await scene.rings("101")
    first = await scene.ends("101")
    again = Scene(scene.world, scene.connection, key="2")
    await again.rings("101")
    second = await again.ends("101")
    assert (second.spell_id, second.spell_count) == (first.id, 2)

    vain = Scene(scene.world, scene.connection, key="3")
    await vain.dials("101")
    ended = await vain.ends("101", cause=17)
    assert ended.outcome in (Call.OUTCOME_BUSY, Call.OUTCOME_NO_ANSWER)
    assert (await scene.world.call(first.id)).attempts == 1

    back = Scene(scene.world, scene.connection, key="4")
    await back.dials("101")
    spoken = await back.answers("101")
    assert (spoken.direction, spoken.returns_call_id) == (Call.DIRECTION_OUTBOUND, first.id)
    for id in (first.id, second.id):
        known = await scene.world.call(id)
        assert (known.missed_state, known.made_good_call_id) == (Call.MISSED_STATE_RETURNED, spoken.id)  # fmt: skip
    assert (await names(scene.world)).count("CallReturned") == 2


async def test_who_calls_again_and_is_answered_came_back(scene: Scene) -> None:
    await scene.rings("101")
    missed = await scene.ends("101")
    again = Scene(scene.world, scene.connection, key="2")
    await again.rings("101")
    await again.answers("101")
    known = await scene.world.call(missed.id)
    assert known.missed_state == Call.MISSED_STATE_CAME_BACK


async def test_calls_without_a_number_stand_for_themselves(scene: Scene) -> None:
    await scene.rings("101", number="")
    first = await scene.ends("101")
    again = Scene(scene.world, scene.connection, key="2")
    await again.rings("101", number="")
    second = await again.ends("101")
    assert first.withheld
    assert (second.spell_id, second.spell_count) == (second.id, 1)
