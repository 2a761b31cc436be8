"""Spells of missed calls: what ends them, also when it comes late or at once."""

import asyncio
from datetime import timedelta
from typing import Any

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


def another(scene: Scene, key: str) -> Scene:
    """The next call at the same exchange, after what has happened so far."""
    return Scene(scene.world, scene.connection, key=key, at=scene.at)


async def told(world: World) -> dict[str, int]:
    """How often which event of calls was told."""
    await world.published()
    names = [name for name in await world.told() if name.startswith("Call")]
    return {name: names.count(name) for name in sorted({*names})}


async def missed(scene: Scene, number: str = CUSTOMER) -> Any:
    await scene.rings("101", number=number)
    return await scene.ends("101")


def spell(*calls: Any) -> list[tuple[str, int]]:
    return [(call.spell_id, call.spell_count) for call in calls]


async def test_two_calls_of_a_number_that_end_at_once_are_one_spell(scene: Scene) -> None:
    scenes = [another(scene, str(n)) for n in range(4)]
    for each in scenes:
        await each.rings("101")
    calls = await asyncio.gather(*(each.ends("101") for each in scenes))
    assert {call.spell_id for call in calls} == {call.id for call in calls if call.spell_count == 1}
    assert sorted(call.spell_count for call in calls) == [1, 2, 3, 4]


async def test_calls_that_are_told_in_one_batch_are_one_spell(scene: Scene) -> None:
    """So an exchange is caught up with after a cut."""
    first, second = another(scene, "1"), another(scene, "2")
    await first.rings("101")
    await second.rings("101")
    facts = [one.fact(leg, Kind.ENDED) for one in (first, second) for leg in ("101", "out")]
    await tell(scene.world, scene.connection, facts)
    rows = await scene.world.running.rows(
        "telephony", "SELECT spell_id FROM calls WHERE tenant_id = $1", scene.world.tenant.id
    )
    assert (len(rows), len({row["spell_id"] for row in rows})) == (2, 1)


async def test_a_call_back_makes_good_what_still_rings(scene: Scene) -> None:
    """The customer rings on a second phone of ours while a colleague calls him back on the first."""
    first = await missed(scene)
    still = another(scene, "2")
    await still.rings("102")
    back = another(still, "3")
    await back.dials("101")
    spoken = await back.answers("101")
    assert (await scene.world.call(first.id)).missed_state == Call.MISSED_STATE_RETURNED
    still.at = back.at
    late = await still.ends("102")

    assert (late.outcome, late.missed_state) == (Call.OUTCOME_MISSED, Call.MISSED_STATE_RETURNED)
    assert (late.made_good_call_id, late.spell_id) == (spoken.id, late.id)
    assert late.missed_end_time == late.end_time
    counts = await told(scene.world)
    assert (counts["CallMissed"], counts["CallReturned"]) == (2, 2)


async def test_who_was_missed_after_we_spoke_waits(scene: Scene) -> None:
    await scene.rings("101")
    await scene.answers("101")
    await scene.ends("101")
    later = await missed(another(scene, "2"))
    assert (later.missed_state, later.spell_id) == (Call.MISSED_STATE_OPEN, later.id)


async def test_a_missed_call_that_was_answered_after_all_ends_its_spell(scene: Scene) -> None:
    """The exchange tells late, after a cut, that they had spoken."""
    first = await missed(scene)
    second = another(scene, "2")
    await second.rings("101")
    answered_at = second.at + timedelta(seconds=1)
    taken = await second.ends("101")
    assert spell(taken) == [(first.id, 2)]

    second.at = answered_at - timedelta(seconds=1)
    call = await second.answers("101")

    assert (call.outcome, call.missed_reason) == (Call.OUTCOME_ANSWERED, Call.MISSED_REASON_UNSPECIFIED)  # fmt: skip
    assert (call.missed_state, call.made_good_call_id) == (Call.MISSED_STATE_CAME_BACK, call.id)
    known = await scene.world.call(first.id)
    assert (known.missed_state, known.made_good_call_id) == (Call.MISSED_STATE_CAME_BACK, call.id)
    counts = await told(scene.world)
    assert (counts["CallReturned"], counts["CallAnswered"], counts["CallMissed"]) == (2, 1, 2)


async def test_what_was_missed_after_a_late_answer_is_a_spell_of_its_own(scene: Scene) -> None:
    await scene.rings("101")
    at = scene.at
    first = await missed(another(scene, "0"))
    await scene.ends("101")
    scene.at += timedelta(minutes=5)
    after = [await missed(another(scene, key)) for key in ("2", "3")]
    assert spell(*after) == [(first.id, 3), (first.id, 4)]

    late = Scene(scene.world, scene.connection, key=scene.key, at=at)
    call = await late.answers("101")

    assert call.missed_state == Call.MISSED_STATE_CAME_BACK
    own = [await scene.world.call(each.id) for each in after]
    assert [each.missed_state for each in own] == [Call.MISSED_STATE_OPEN] * 2
    assert spell(*own) == [(after[0].id, 1), (after[0].id, 2)]
    counts = await told(scene.world)
    assert (counts["CallReturned"], counts["CallMissed"]) == (2, 5)


async def test_attempts_in_vain_at_once_are_all_counted(scene: Scene) -> None:
    first = await missed(scene)
    tries = [another(scene, f"try {n}") for n in range(3)]
    for each in tries:
        await each.dials("101")
    ended = await asyncio.gather(*(each.ends("101", cause=17) for each in tries))
    known = await scene.world.call(first.id)
    assert (known.attempts, known.missed_state) == (3, Call.MISSED_STATE_OPEN)
    assert {call.returns_call_id for call in ended} == {first.id}


async def test_who_hides_his_number_is_never_made_good_by_another(scene: Scene) -> None:
    hidden = await missed(scene, number="")
    again = another(scene, "2")
    await again.rings("101", number="")
    await again.answers("101")
    assert (await scene.world.call(hidden.id)).missed_state == Call.MISSED_STATE_OPEN


async def test_one_number_says_nothing_of_another(scene: Scene) -> None:
    first = await missed(scene)
    other = another(scene, "2")
    await other.rings("101", number="+48600100299")
    await other.answers("101")
    assert (await scene.world.call(first.id)).missed_state == Call.MISSED_STATE_OPEN
