"""Which request a stranger's call became: contacts tells, and the call names it."""

import pytest

from chassis.keys import uuid7
from crm.common.v1 import common_pb2
from crm.contacts.v1 import events_pb2 as contacts
from crm.contacts.v1 import request_pb2
from services.telephony import consumers_requests, store
from tests.service.telephony.scenes import Scene
from tests.service.telephony.world import World


@pytest.fixture
async def scene(world: World) -> Scene:
    exchange = await world.exchange()
    await world.extension(exchange.id, user_id=world.tenant.admin.id)
    await world.line(connection_id=exchange.id)
    return Scene(world, exchange)


async def received(world: World, call_id: str) -> str:
    """contacts told of a request of this call; its id."""
    request = request_pb2.Request(id=uuid7(), call_id=call_id)
    event = contacts.RequestReceived(change=common_pb2.Change(version=1), request=request)
    await world.system(lambda tx: consumers_requests.follow(event, tx))
    return request.id


async def test_a_call_names_the_request_that_it_became(world: World, scene: Scene) -> None:
    await scene.rings("101")
    call = await scene.ends("101")

    request_id = await received(world, call.id)

    assert (await world.call(call.id)).request_id == request_id
    told = await world.told()
    assert [name for name in told if name.startswith("Call")][-1] == "CallUpdated"


@pytest.mark.parametrize("whose", ["another call's", "no call's", "of a call that has one"])
async def test_what_says_nothing_of_a_call_changes_nothing(
    world: World, scene: Scene, whose: str
) -> None:
    await scene.rings("101")
    call = await scene.ends("101")
    if whose == "of a call that has one":
        await received(world, call.id)
    before = await world.state()

    await received(world, {"another call's": uuid7(), "no call's": ""}.get(whose, call.id))

    assert await world.state() == before


async def test_what_the_exchange_tells_later_leaves_the_request(world: World, scene: Scene) -> None:
    call = await scene.rings("101")
    request_id = await received(world, call.id)

    await scene.ends("101")

    kept = await world.system(lambda tx: store.calls.calls.find(tx, call.id))
    assert kept.request_id == request_id
