"""What a call is about: guessed from the customer's open deals and tasks, and correctable."""

from typing import Any

import pytest

from chassis.keys import uuid7
from crm.deals.v1.deal_pb2 import Deal
from crm.tasks.v1.task_pb2 import Task
from crm.telephony.v1 import call_pb2
from crm.telephony.v1.parts_pb2 import (
    PURPOSE_INTERNAL,
    PURPOSE_SALES,
    PURPOSE_SERVICE,
    PURPOSE_UNSPECIFIED,
)
from services.telephony import store
from services.telephony.pbx.facts import Kind, Side
from tests.service.telephony.parties import CUSTOMER, company, contact, deal, task
from tests.service.telephony.scenes import Scene
from tests.service.telephony.world import World

Call = call_pb2.Call


@pytest.fixture
async def scene(world: World) -> Scene:
    exchange = await world.exchange()
    await world.extension(exchange.id, user_id=world.tenant.admin.id)
    return Scene(world, exchange)


def about(call: Any) -> tuple[str, str]:
    return call.deal_id, call.task_id


async def test_the_only_open_deal_and_task_are_what_it_is_about(scene: Scene) -> None:
    world = scene.world
    ana = await contact(world, CUSTOMER)
    only, todo = await deal(world, contact_id=ana), await task(world, contact_id=ana)
    await deal(world, contact_id=ana, state=Deal.STATE_LOST)
    await deal(world, contact_id=ana, deleted=True)
    await task(world, contact_id=ana, state=Task.STATE_DONE)
    await deal(world, contact_id=uuid7())
    assert about(await scene.rings("101")) == (only, todo)


async def test_of_several_none_is_guessed(scene: Scene) -> None:
    world = scene.world
    ana = await contact(world, CUSTOMER)
    for _ in range(2):
        await deal(world, contact_id=ana)
        await task(world, contact_id=ana)
    assert about(await scene.rings("101")) == ("", "")


async def test_the_contacts_own_come_before_the_companys(scene: Scene) -> None:
    world = scene.world
    ana, firm = await contact(world, CUSTOMER), await company(world, CUSTOMER)
    theirs = await deal(world, company_id=firm)
    assert about(await scene.rings("101"))[0] == theirs
    hers = await deal(world, contact_id=ana)
    assert about(await Scene(world, scene.connection, key="2").rings("101"))[0] == hers


async def test_late_and_doubled_news_change_nothing(scene: Scene) -> None:
    world = scene.world
    ana = await contact(world, CUSTOMER)
    id = await deal(world, contact_id=ana)
    await deal(world, id=id, contact_id=ana, version=3, state=Deal.STATE_LOST)
    await deal(world, id=id, contact_id=ana, version=2)
    await deal(world, id=id, contact_id=ana, version=3)
    assert about(await scene.rings("101")) == ("", "")


async def test_what_somebody_corrected_stays(scene: Scene) -> None:
    world = scene.world
    ana = await contact(world, CUSTOMER)
    await deal(world, contact_id=ana)
    call = await scene.rings("101")
    right = uuid7()

    async def correct(tx: Any) -> None:
        known = await store.calls.calls.get(tx, call.id)
        known.deal_id = right
        store.calls.calls.save(tx, known)

    await world.system(correct)
    await company(world, CUSTOMER)  # the number is somebody's more: it is guessed again
    await scene.answers("101")
    assert (await scene.ends("101")).deal_id == right


async def test_who_becomes_known_while_it_rings_brings_his_deal(scene: Scene) -> None:
    world = scene.world
    ana = uuid7()
    only = await deal(world, contact_id=ana)
    call = await scene.rings("101")
    await contact(world, CUSTOMER, id=ana)
    assert (await world.call(call.id)).deal_id == only


@pytest.mark.parametrize(
    ("states", "line", "purpose"),
    [
        ([Deal.STATE_WON], PURPOSE_UNSPECIFIED, PURPOSE_SERVICE),
        ([Deal.STATE_WON, Deal.STATE_OPEN], PURPOSE_UNSPECIFIED, PURPOSE_UNSPECIFIED),
        ([Deal.STATE_LOST], PURPOSE_UNSPECIFIED, PURPOSE_UNSPECIFIED),
        ([], PURPOSE_UNSPECIFIED, PURPOSE_UNSPECIFIED),
        ([Deal.STATE_WON], PURPOSE_SALES, PURPOSE_SALES),
        ([], PURPOSE_SERVICE, PURPOSE_SERVICE),
    ],
    ids=["bought", "buys again", "lost", "nothing", "sales line", "service line"],
)
async def test_the_purpose(scene: Scene, states: list[Any], line: Any, purpose: Any) -> None:
    world = scene.world
    await world.line(connection_id=scene.connection.id, purpose=line)
    ana = await contact(world, CUSTOMER)
    for state in states:
        await deal(world, contact_id=ana, state=state)
    assert (await scene.rings("101")).purpose == purpose


async def test_a_line_that_is_told_late_says_what_brought_the_caller(scene: Scene) -> None:
    world = scene.world
    line = await world.line(
        connection_id=scene.connection.id, purpose=PURPOSE_SALES, campaign="Spring", keyword="glass"
    )
    first = Scene(world, scene.connection, line="")
    assert (await first.rings("101")).line_id == ""
    call = await first.tell(
        first.fact("out", Kind.BEGAN, side=Side.OUTSIDE, number=CUSTOMER, line=line.number)
    )
    assert (call.line_id, call.campaign, call.keyword) == (line.id, "Spring", "glass")
    assert call.purpose == PURPOSE_SALES


async def test_colleagues_among_themselves(scene: Scene) -> None:
    world = scene.world
    mia = await world.agent()
    await world.extension(scene.connection.id, number="102", user_id=mia.id)
    call = await scene.tell(
        scene.fact("102", Kind.BEGAN, side=Side.COLLEAGUE, number="102"),
        scene.fact("101", Kind.BEGAN, side=Side.COLLEAGUE, number="101"),
        scene.fact("101", Kind.RANG),
    )
    assert (call.direction, call.purpose) == (Call.DIRECTION_INTERNAL, PURPOSE_INTERNAL)
    assert (call.owner_id, list(call.follower_ids)) == (mia.id, [world.tenant.admin.id])
    assert list(call.screen_user_ids) == [world.tenant.admin.id]
