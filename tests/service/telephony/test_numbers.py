"""Whose number it is: any spelling, several parties, what changes, and who may know."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from chassis.keys import uuid7
from chassis.testing.events import eventually
from chassis.testing.installation import Person
from crm.contacts.v1 import events_pb2 as contacts_events
from crm.telephony.v1 import call_pb2
from crm.telephony.v1.calls_service_pb2_grpc import CallsServiceStub
from services.telephony import consumers_parties, taking
from tests.service.telephony.parties import CUSTOMER, company, contact
from tests.service.telephony.scenes import Scene, tell
from tests.service.telephony.world import World

Call = call_pb2.Call

_READER = [
    {"object": "call", "action": "read", "scope": "own"},
    {"object": "contact", "action": "read", "scope": "own"},
]


@pytest.fixture
async def scene(world: World) -> Scene:
    exchange = await world.exchange()
    await world.extension(exchange.id, user_id=world.tenant.admin.id)
    return Scene(world, exchange)


async def look_up(world: World, number: str, person: Person | None = None, **given: Any) -> Any:
    stub = (person or world.tenant.admin).stub(CallsServiceStub)
    return await stub.LookUpCaller(call_pb2.LookUpCallerRequest(number=number, **given))


async def callers(world: World, number: str, person: Person | None = None) -> list[str]:
    """Whose number it is, contacts and companies."""
    said = await look_up(world, number, person)
    return [caller.contact_id or caller.company_id for caller in said.callers]


@pytest.mark.parametrize(
    "spelling",
    ["+48600100200", "600 100 200", "600-100-200", "0048 600100200", "48600100200", "+48 600 100 200 ext. 12", "tel:+48-600-100-200"],
)  # fmt: skip
async def test_a_number_is_found_in_any_spelling(world: World, spelling: str) -> None:
    ana = await contact(world, CUSTOMER)
    said = await look_up(world, spelling)
    assert (said.number, [c.contact_id for c in said.callers]) == (CUSTOMER, [ana])
    assert said.callers[0].name == "Ana"


async def test_a_trunk_zero_is_read_in_the_country_that_is_asked_for(world: World) -> None:
    ana = await contact(world, "+493012345678")
    said = await look_up(world, "030 12345678", country_code="DE")
    assert [caller.contact_id for caller in said.callers] == [ana]


@pytest.mark.parametrize("spelling", ["anonymous", "Private", "unknown", "*", "0", "12", "+"])
async def test_who_hides_his_number_is_nobody(world: World, spelling: str) -> None:
    await contact(world, CUSTOMER)
    said = await look_up(world, spelling)
    assert (said.number, len(said.callers)) == (spelling, 0)


async def test_only_whom_one_may_read_is_named(world: World) -> None:
    home = await world.tenant.department()
    agent = await world.tenant.person(_READER, department_id=home)
    own = await contact(world, CUSTOMER, owner_id=agent.id)
    await contact(world, CUSTOMER, owner_id=world.tenant.admin.id)
    queued = await contact(world, CUSTOMER, department_id=home)
    followed = await contact(
        world, CUSTOMER, owner_id=world.tenant.admin.id, follower_ids=[agent.id]
    )
    firm = await company(world, CUSTOMER, owner_id=agent.id)

    assert sorted(await callers(world, CUSTOMER, agent)) == sorted([own, queued, followed])
    assert len(await callers(world, CUSTOMER)) == 5
    assert firm in await callers(world, CUSTOMER)


async def test_numbers_change_hands_and_late_news_change_nothing(world: World) -> None:
    ana = await contact(world, CUSTOMER, "+48600100201")
    await contact(world, "+48600100202", id=ana, version=3)
    await contact(world, CUSTOMER, id=ana, version=2)  # late
    await contact(world, CUSTOMER, id=ana, version=3)  # twice
    assert await callers(world, CUSTOMER) == await callers(world, "+48600100201") == []
    assert await callers(world, "+48600100202") == [ana]

    await contact(world, "+48600100202", id=ana, version=4, deleted=True)
    await contact(world, "+48600100202", id=ana, version=3)
    assert await callers(world, "+48600100202") == []

    await contact(world, "+48600100202", id=ana, version=5)  # brought back
    assert await callers(world, "+48600100202") == [ana]


async def test_who_is_written_down_while_it_rings_is_who_calls(scene: Scene) -> None:
    world = scene.world
    agent = await world.agent()
    ringing = await scene.rings("101")
    assert (ringing.contact_id, ringing.company_id) == ("", "")
    ana = await contact(world, CUSTOMER, owner_id=agent.id)

    known = await world.call(ringing.id)
    assert (known.contact_id, known.state) == (ana, Call.STATE_RINGING)
    firm = await company(world, CUSTOMER)
    assert (await world.call(ringing.id)).company_id == firm
    await scene.answers("101")
    assert (await scene.ends("101")).contact_id == ana


async def test_strangers_of_the_last_day_are_known_once_they_are_written_down(scene: Scene) -> None:
    world = scene.world
    await scene.rings("101")
    missed = await scene.ends("101")
    old = Scene(world, scene.connection, key="2", at=scene.at.replace(year=scene.at.year - 1))
    await old.rings("101")
    before = await old.ends("101")
    ana = await contact(world, CUSTOMER)
    assert (await world.call(missed.id)).contact_id == ana
    assert (await world.call(before.id)).contact_id == ""


async def test_a_late_news_of_the_contact_gives_him_no_call_that_is_somebody_elses(
    scene: Scene,
) -> None:
    world = scene.world
    ana = await contact(world, CUSTOMER)
    call = await scene.rings("101")
    assert call.contact_id == ana
    ben = await contact(world, CUSTOMER)
    shown = await world.call(call.id)
    assert (shown.contact_id, sorted(shown.candidate_contact_ids)) == (ana, sorted([ana, ben]))

    etag = shown.etag
    await contact(world, CUSTOMER, id=ben, version=2, display_name="Benjamin")
    assert (await world.call(call.id)).etag == etag  # he has the same numbers


async def test_of_several_it_is_whom_we_spoke_with_last(scene: Scene) -> None:
    world = scene.world
    first = await contact(world, CUSTOMER)
    await scene.rings("101")
    await scene.answers("101")
    await scene.ends("101")
    second = await contact(world, CUSTOMER)

    assert await callers(world, CUSTOMER) == [first, second]
    again = Scene(world, scene.connection, key="2")
    call = await again.rings("101")
    assert (call.contact_id, list(call.candidate_contact_ids)) == (first, [first, second])


async def test_two_of_whom_nobody_spoke_are_both_shown(scene: Scene) -> None:
    both = [await contact(scene.world, CUSTOMER), await contact(scene.world, CUSTOMER)]
    call = await scene.rings("101")
    assert (call.contact_id, sorted(call.candidate_contact_ids)) == ("", sorted(both))


async def test_a_spelled_out_hidden_number_is_withheld(scene: Scene) -> None:
    call = await scene.rings("101", number="Anonymous")
    assert (call.number, call.withheld) == ("", True)


async def held(world: World, first: Any, second: Any) -> None:
    """Does `first(tx)`, and `second` before that is committed: until it waits for it, or is done."""

    async def waits(task: asyncio.Task[Any]) -> bool:
        sql = "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        return task.done() or (await world.running.rows("telephony", sql))[0]["n"] > 0

    async def work(tx: Any) -> asyncio.Task[Any]:
        await first(tx)
        await tx.flush()
        task = asyncio.create_task(second)
        await eventually(lambda: waits(task), "the second waits for the first")
        return task

    await (await world.system(work))


@pytest.mark.parametrize("rings_first", [True, False], ids=["rings first", "written first"])
async def test_who_is_written_down_in_the_moment_it_rings_is_who_calls(
    scene: Scene, rings_first: bool
) -> None:
    world, ana = scene.world, uuid7()
    other = Scene(world, scene.connection, key="other")
    await other.rings("101", number="+48600100299")  # its facts are what the call's are made of
    facts = [replace(fact, call="k", leg=f"k{fact.leg}", number=CUSTOMER if fact.line else fact.number) for fact in other.told]  # fmt: skip
    event = contacts_events.ContactUpdated(change={"version": 1}, contact={"id": ana})
    event.contact.phones.add(number=CUSTOMER)

    if rings_first:
        await held(world, lambda tx: taking.take(tx, scene.connection, facts), contact(world, CUSTOMER, id=ana))  # fmt: skip
    else:
        await held(world, lambda tx: consumers_parties.follow(event, tx), tell(world, scene.connection, facts))  # fmt: skip

    (row,) = await world.running.rows(
        "telephony", "SELECT contact_id FROM calls WHERE tenant_id = $1 AND number = $2", world.tenant.id, CUSTOMER,
    )  # fmt: skip
    assert str(row["contact_id"]) == ana
