"""On whose screens a call shows while it rings, and whose it is (scenario 3)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis.testing.installation import Person
from crm.telephony.v1 import call_messages_pb2, call_pb2, presence_pb2
from crm.telephony.v1.calls_service_pb2_grpc import CallsServiceStub
from crm.telephony.v1.parts_pb2 import PURPOSE_INTERNAL
from services.telephony.pbx.facts import Kind, Side
from tests.service.telephony.parties import CUSTOMER, company, contact
from tests.service.telephony.scenes import Scene
from tests.service.telephony.world import World

Call = call_pb2.Call

_CLOSED = [
    {"weekday": (datetime.now(UTC).isoweekday() + 2) % 7 + 1, "start": "09:00", "end": "10:00"}
]
"""Working hours in three days' time, whatever the zone."""


@pytest.fixture
async def scene(world: World) -> Scene:
    """A line of no department; phone 101 is nobody's."""
    exchange = await world.exchange()
    await world.extension(exchange.id)
    await world.line(connection_id=exchange.id)
    return Scene(world, exchange)


async def queue(world: World, **given: Any) -> tuple[Scene, str]:
    """A line of a department, and the department."""
    department = await world.tenant.department(**given)
    exchange = await world.exchange()
    await world.extension(exchange.id)
    await world.line(connection_id=exchange.id, department_id=department)
    return Scene(world, exchange), department


async def refuse_calls(person: Person) -> None:
    request = presence_pb2.SetPhonePresenceRequest(do_not_disturb=True)
    await person.stub(CallsServiceStub).SetPhonePresence(request)


async def reads(person: Person, call: Any) -> bool:
    """Whether the call is in his list."""
    found = await person.stub(CallsServiceStub).ListCalls(call_messages_pb2.ListCallsRequest())
    return call.id in [one.id for one in found.calls]


def away(**given: Any) -> dict[str, Any]:
    """Absent today."""
    now = datetime.now(UTC).timestamp()
    return {"away_from": now - 3600, "away_until": now + 3600, **given}


async def test_the_customers_own_manager_sees_it(scene: Scene) -> None:
    world = scene.world
    mia = await world.agent()
    await contact(world, CUSTOMER, owner_id=mia.id)
    call = await scene.rings("101")
    assert (call.owner_id, list(call.screen_user_ids)) == (mia.id, [mia.id])
    assert await reads(mia, call)


async def test_who_is_absent_has_a_delegate(scene: Scene) -> None:
    world = scene.world
    delegate = await world.agent()
    mia = await world.agent(**away(delegate_id=delegate.id))
    await contact(world, CUSTOMER, owner_id=mia.id)
    call = await scene.rings("101")
    assert (call.owner_id, list(call.screen_user_ids)) == (mia.id, [delegate.id])
    assert await reads(delegate, call)


@pytest.mark.parametrize("deputy_is_away", [False, True], ids=["deputy", "head"])
async def test_without_delegate_the_deputy_and_then_the_head_stand_in(
    world: World, deputy_is_away: bool
) -> None:
    head, deputy = await world.agent(), await world.agent(**(away() if deputy_is_away else {}))
    scene, home = await queue(world, head_id=head.id, deputy_id=deputy.id)
    mia = await world.agent(home, **away())
    await contact(world, CUSTOMER, owner_id=mia.id)
    call = await scene.rings("101")
    assert list(call.screen_user_ids) == [head.id if deputy_is_away else deputy.id]


async def test_who_wants_no_calls_is_left_alone_and_the_queue_sees_it(world: World) -> None:
    scene, home = await queue(world)
    mia, colleague = await world.agent(home), await world.agent(home)
    await contact(world, CUSTOMER, owner_id=mia.id)
    await refuse_calls(mia)
    call = await scene.rings("101")
    assert (call.owner_id, list(call.screen_user_ids)) == (mia.id, [colleague.id])
    assert await reads(colleague, call)


async def test_a_phone_that_rings_shows_it_whatever_its_owner_said(scene: Scene) -> None:
    world = scene.world
    mia = await world.agent()
    await world.extension(scene.connection.id, number="102", user_id=mia.id)
    await refuse_calls(mia)
    call = await scene.rings("102")
    assert list(call.screen_user_ids) == [mia.id]
    assert await reads(mia, call)


async def test_strangers_are_shown_to_everybody_who_is_at_work_in_the_department(
    world: World,
) -> None:
    scene, home = await queue(world)
    there = [await world.agent(home), await world.agent(home)]
    absent = await world.agent(home, **away())
    off = await world.agent(home, working_hours=_CLOSED)
    gone = await world.agent(home, state="suspended")
    elsewhere = await world.agent(await world.tenant.department())

    call = await scene.rings("101")

    assert sorted(call.screen_user_ids) == sorted(person.id for person in there)
    assert (call.owner_id, call.department_id) == ("", home)
    assert not {absent.id, off.id, gone.id, elsewhere.id} & {*call.screen_user_ids, *call.follower_ids}  # fmt: skip
    assert [await reads(person, call) for person in (*there, elsewhere)] == [True, True, False]


async def test_strangers_are_shown_to_whom_the_line_names(world: World) -> None:
    home = await world.tenant.department()
    named, other = await world.agent(), await world.agent(home)
    exchange = await world.exchange()
    await world.extension(exchange.id)
    await world.line(connection_id=exchange.id, department_id=home, user_ids=[named.id])
    call = await Scene(world, exchange).rings("101")
    assert list(call.screen_user_ids) == [named.id]
    assert await reads(named, call)  # although he is in no department
    assert other.id not in call.screen_user_ids


async def test_a_number_of_several_shows_to_all_their_managers(scene: Scene) -> None:
    world = scene.world
    managers = [await world.agent(), await world.agent()]
    for manager in managers:
        await contact(world, CUSTOMER, owner_id=manager.id)
    call = await scene.rings("101")
    assert (call.owner_id, sorted(call.screen_user_ids)) == ("", sorted(m.id for m in managers))
    assert [await reads(manager, call) for manager in managers] == [True, True]


async def test_the_contacts_manager_comes_before_the_companys(scene: Scene) -> None:
    world = scene.world
    mia, ben, gone = await world.agent(), await world.agent(), await world.agent(state="suspended")
    await company(world, CUSTOMER, owner_id=ben.id)
    ana = await contact(world, CUSTOMER, owner_id=mia.id)
    assert (await scene.rings("101")).owner_id == mia.id

    await contact(world, CUSTOMER, id=ana, version=2, owner_id=gone.id)
    again = Scene(world, scene.connection, key="2")
    assert (await again.rings("101")).owner_id == ben.id


async def test_who_answers_has_the_call_and_the_manager_follows_it(scene: Scene) -> None:
    world = scene.world
    mia, ben = await world.agent(), await world.agent()
    await world.extension(scene.connection.id, number="102", user_id=ben.id)
    await contact(world, CUSTOMER, owner_id=mia.id)
    ringing = await scene.rings("102")
    assert (ringing.owner_id, list(ringing.screen_user_ids)) == (mia.id, [mia.id, ben.id])
    call = await scene.answers("102")
    assert (call.owner_id, list(call.follower_ids)) == (ben.id, [mia.id])
    assert [await reads(person, call) for person in (mia, ben)] == [True, True]


async def test_a_manager_who_becomes_known_while_it_rings_sees_it_and_so_does_the_queue(
    world: World,
) -> None:
    scene, home = await queue(world)
    colleague, mia = await world.agent(home), await world.agent()
    call = await scene.rings("101")
    await contact(world, CUSTOMER, owner_id=mia.id)
    known = await world.call(call.id)
    assert (known.owner_id, list(known.screen_user_ids)) == (mia.id, [colleague.id, mia.id])
    assert [await reads(person, known) for person in (colleague, mia)] == [True, True]


async def test_who_dials_himself_has_the_call_and_nobody_elses_screen_shows_it(
    scene: Scene,
) -> None:
    world = scene.world
    mia, ben = await world.agent(), await world.agent()
    await world.extension(scene.connection.id, number="102", user_id=ben.id)
    ana = await contact(world, CUSTOMER, owner_id=mia.id)
    call = await scene.dials("102")
    assert (call.direction, call.contact_id) == (Call.DIRECTION_OUTBOUND, ana)
    assert (call.owner_id, list(call.screen_user_ids)) == (ben.id, [ben.id])


async def test_what_is_told_backwards_shows_where_it_should(scene: Scene) -> None:
    """The phone is told of before the caller: until then it looks like a call within the company."""
    world = scene.world
    mia, ben = await world.agent(), await world.agent()
    await world.extension(scene.connection.id, number="102", user_id=ben.id)
    await contact(world, CUSTOMER, owner_id=mia.id)
    other = Scene(world, scene.connection, key=scene.key)
    forwards = await other.rings("102")
    call = None
    for fact in reversed(other.told):
        one = type(fact)(**{name: getattr(fact, name) for name in fact.__slots__} | {"call": "back", "leg": f"back{fact.leg}"})  # fmt: skip
        call = await scene.tell(one)
    for field in ("direction", "number", "line_id", "owner_id", "purpose", "contact_id", "department_id"):  # fmt: skip
        assert getattr(call, field) == getattr(forwards, field), field
    assert sorted(call.screen_user_ids) == sorted(forwards.screen_user_ids)
    assert call.purpose != PURPOSE_INTERNAL


async def test_who_handed_the_customer_on_speaks_no_more(scene: Scene) -> None:
    world = scene.world
    mia, ben = await world.agent(), await world.agent()
    await world.extension(scene.connection.id, number="102", user_id=mia.id)
    await world.extension(scene.connection.id, number="103", user_id=ben.id)
    await scene.rings("102")
    await scene.answers("102")
    assert await speaking(world) == {mia.id}
    await hand_on(scene, "102", "103")
    assert await speaking(world) == {ben.id}
    await scene.ends("103")
    assert await speaking(world) == set()


async def hand_on(scene: Scene, giver: str, taker: str) -> None:
    await scene.tell(
        scene.fact(taker, Kind.BEGAN, side=Side.COLLEAGUE, number=taker),
        scene.fact(taker, Kind.ANSWERED),
        scene.fact(giver, Kind.TRANSFERRED),
        scene.fact(giver, Kind.LEFT, room="b1"),
        scene.fact(taker, Kind.JOINED, room="b1", after=0),
        scene.fact(giver, Kind.ENDED),
    )


async def speaking(world: World) -> set[str]:
    request = presence_pb2.ListPhonePresencesRequest()
    said = await world.tenant.admin.stub(CallsServiceStub).ListPhonePresences(request)
    return {presence.user_id for presence in said.presences if presence.speaking}


async def test_out_of_hours_a_stranger_rings_nobodys_screen_and_is_due_at_the_opening(
    world: World,
) -> None:
    scene, home = await queue(world)
    await work(world, home, _CLOSED)
    await world.agent(home)
    ringing = await scene.rings("101")
    assert list(ringing.screen_user_ids) == []
    call = await scene.ends("101")
    assert call.missed_reason == Call.MISSED_REASON_OUT_OF_HOURS
    due = call.due_back_time.ToDatetime(tzinfo=UTC)
    assert (due.isoweekday(), due.minute) == (_CLOSED[0]["weekday"], 0)
    assert timedelta(0) < due - scene.at < timedelta(days=7)


@pytest.mark.parametrize("closed_then", [True, False], ids=["closed", "open"])
async def test_the_hours_at_the_begin_count_however_late_it_is_told(
    world: World, closed_then: bool
) -> None:
    scene, home = await queue(world)
    scene.at = (scene.at - timedelta(days=4)).replace(hour=11)
    then = scene.at.isoweekday()  # and another day of the week is today
    week = [day for day in range(1, 8) if (day == then) != closed_then]
    await work(world, home, [{"weekday": day, "start": "00:00", "end": "23:59"} for day in week])
    await scene.rings("101")
    call = await scene.ends("101")
    assert (call.missed_reason == Call.MISSED_REASON_OUT_OF_HOURS) is closed_then


async def work(world: World, department_id: str, hours: list[dict[str, Any]]) -> None:
    """From now on the department works at these hours."""
    people = world.running.process.directory.of(world.tenant.id)
    entry = people.entry("department", department_id)
    await world.tenant.put("department", department_id, {**entry, "working_hours": hours})
