"""Missed calls: told to whose they are or to the people of the queue, and done when they are made good."""

from typing import Any

import pytest

from chassis.keys import uuid7
from chassis.testing.installation import Person
from crm.notifications.v1.notice_rule_pb2 import DIGEST_DAILY, RECIPIENT_OWNER, RECIPIENT_QUEUE
from crm.telephony.v1 import events_pb2 as events
from crm.telephony.v1.call_pb2 import Call
from tests.service.notifications.world import READER, World, eventually

CALLER = [*READER, {"object": "call", "action": "read", "scope": "subtree"}]


@pytest.fixture(autouse=True)
async def begun(world: World) -> None:
    await world.begin()


def missed(**given: Any) -> Call:
    return Call(
        **{
            "id": uuid7(), "number": "+48600100200", "direction": Call.DIRECTION_INBOUND, "spell_count": 1,
            "missed_reason": Call.MISSED_REASON_NO_ANSWER, "missed_state": Call.MISSED_STATE_OPEN, **given,
        }
    )  # fmt: skip


async def open_notices(world: World, person: Person) -> list[str]:
    return [notice.code for notice in (await world.feed(person)).notices]


async def test_a_missed_call_is_told_to_whose_it_was(world: World) -> None:
    sales = await world.tenant.department()
    ola = await world.tenant.person(CALLER, department_id=sales)
    jan = await world.tenant.person(CALLER, department_id=sales)

    await world.publish(events.CallMissed(call=missed(owner_id=ola.id, department_id=sales)))

    (notice,) = await world.told(ola)
    assert (notice.code, notice.headline, notice.because) == (
        "call_missed",
        "+48600100200",
        RECIPIENT_OWNER,
    )
    assert notice.arguments["call.missed_reason"] == "MISSED_REASON_NO_ANSWER"
    assert await open_notices(world, jan) == []


async def test_a_missed_call_of_a_queue_is_told_to_its_people(world: World) -> None:
    sales, other = await world.tenant.department(), await world.tenant.department()
    ola = await world.tenant.person(CALLER, department_id=sales)
    jan = await world.tenant.person(CALLER, department_id=sales)
    eva = await world.tenant.person(CALLER, department_id=other)

    await world.publish(events.CallMissed(call=missed(department_id=sales)))

    for person in (ola, jan):
        (notice,) = await world.told(person)
        assert (notice.code, notice.because) == ("call_missed", RECIPIENT_QUEUE)
    assert await open_notices(world, eva) == []


async def test_an_imported_missed_call_is_told_to_nobody(world: World) -> None:
    ola = await world.tenant.person(CALLER, department_id=await world.tenant.department())

    await world.publish(events.CallMissed(call=missed(owner_id=ola.id, imported=True)))
    await world.heard()

    assert await open_notices(world, ola) == []


@pytest.mark.parametrize("gathered", [False, True], ids=["in the feed", "waiting for a digest"])
async def test_a_call_back_finishes_the_notices_of_all(world: World, gathered: bool) -> None:
    sales = await world.tenant.department()
    ola = await world.tenant.person(CALLER, department_id=sales)
    jan = await world.tenant.person(CALLER, department_id=sales)
    if gathered:
        wish = {"rule_id": (await world.rule("call_missed")).id, "digest": DIGEST_DAILY}
        await world.prefer(ola, rules=[wish])
    call, other = missed(department_id=sales), missed(department_id=sales)
    await world.publish(events.CallMissed(call=call))
    await world.publish(events.CallMissed(call=other))
    await world.told(jan, 2)
    call.missed_state = Call.MISSED_STATE_RETURNED

    await world.publish(events.CallReturned(call=call), actor_id=ola.id, version=2)
    await world.heard()

    async def done() -> bool:
        (left,) = (await world.feed(jan)).notices
        return bool(left.object_id == other.id)

    await eventually(done, "the call that was made good is done")
    all_of_jan = (await world.feed(jan, all=True)).notices
    assert {n.object_id for n in all_of_jan if n.HasField("done_time")} == {call.id}
    assert await world.count("gathered_notices") == (1 if gathered else 0)
