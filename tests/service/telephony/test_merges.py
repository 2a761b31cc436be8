"""Calls follow contacts and companies that are merged, and come back; numbers follow by the records' own events."""

from typing import Any

import pytest

from services.telephony import store
from tests.service.telephony.parties import CUSTOMER, contact, merge, unmerge
from tests.service.telephony.scenes import Scene
from tests.service.telephony.world import World


@pytest.fixture
async def scene(world: World) -> Scene:
    exchange = await world.exchange()
    await world.extension(exchange.id, user_id=world.tenant.admin.id)
    return Scene(world, exchange)


def names(call: Any) -> tuple[str, list[str]]:
    return call.contact_id, list(call.candidate_contact_ids)


async def whose(world: World, number: str) -> list[str]:
    parties = await world.system(lambda tx: store.numbers.whose(tx, number))
    return [party.id for party in parties]


async def test_calls_follow_the_survivor_and_come_back(scene: Scene) -> None:
    world = scene.world
    ana = await contact(world, CUSTOMER)
    survivor = await contact(world, "+48600100201")
    call = await scene.rings("101")
    assert call.contact_id == ana
    own = await Scene(world, scene.connection, key="2").rings("101", number="+48600100201")

    id = await merge(world, survivor, ana)
    assert (await world.call(call.id)).contact_id == survivor
    assert (await world.call(own.id)).etag == own.etag
    later = await Scene(world, scene.connection, key="3").rings("101")
    assert later.contact_id == survivor  # although the number is said to be hers still

    await unmerge(world, id, survivor, [ana])
    assert (await world.call(call.id)).contact_id == ana
    assert (await world.call(later.id)).contact_id == survivor


async def test_numbers_follow_by_the_records_own_events(scene: Scene) -> None:
    world = scene.world
    ana, survivor = await contact(world, CUSTOMER), await contact(world, "+48600100201")
    id = await merge(world, survivor, ana)
    await contact(world, id=ana, version=2, deleted=True)
    await contact(world, "+48600100201", CUSTOMER, id=survivor, version=2)
    assert await whose(world, CUSTOMER) == await whose(world, "+48600100201") == [survivor]

    await unmerge(world, id, survivor, [ana])
    await contact(world, CUSTOMER, id=ana, version=3)
    await contact(world, "+48600100201", id=survivor, version=3)
    assert (await whose(world, CUSTOMER), await whose(world, "+48600100201")) == ([ana], [survivor])


async def test_two_who_turn_out_to_be_one_are_whose_call_it_is(scene: Scene) -> None:
    world = scene.world
    ana, twin = await contact(world, CUSTOMER), await contact(world, CUSTOMER)
    call = await scene.rings("101")
    assert names(call) == ("", sorted([ana, twin]))

    await merge(world, ana, twin)
    await contact(world, CUSTOMER, id=twin, version=2, deleted=True)
    assert names(await world.call(call.id)) == (ana, [])


async def test_a_call_of_one_of_several_follows_with_its_others(scene: Scene) -> None:
    world = scene.world
    ana = await contact(world, CUSTOMER)
    call = await scene.rings("101")
    twin, survivor = await contact(world, CUSTOMER), await contact(world, "+48600100201")
    assert names(await world.call(call.id)) == (ana, sorted([ana, twin]))

    id = await merge(world, survivor, ana)
    merged, others = names(await world.call(call.id))
    assert (merged, sorted(others)) == (survivor, sorted([survivor, twin]))
    await unmerge(world, id, survivor, [ana])
    assert (await world.call(call.id)).contact_id == ana
    counts = [await world.count(table) for table in ("merge_moves", "merged_parties")]
    assert counts == [0, 0]
