"""What a company begins with, and extensions of which people's profiles tell."""

import asyncio
from typing import Any

import pytest

from chassis.testing.events import eventually
from crm.identity.v1 import events_pb2 as identity
from crm.identity.v1 import user_pb2
from crm.telephony.v1 import connection_pb2, disposition_pb2, presence_pb2
from crm.telephony.v1.calls_service_pb2_grpc import CallsServiceStub
from services.telephony import consumers, store
from tests.service.telephony.world import Connection, World

ARI = {
    "name": "Asterisk", "kind": Connection.KIND_ARI, "address": "http://127.0.0.1:8088", "username": "akrab",
}  # fmt: skip


async def begin(world: World) -> None:
    event = identity.TenantCreated(tenant={"id": world.tenant.id})
    await world.system(lambda tx: consumers.seed(event, tx))


async def profile(world: World, version: int, extension: str, user_id: str, **user: Any) -> None:
    """Identity tells of this version of a user."""
    event = identity.UserUpdated(user=user_pb2.User(id=user_id, extension=extension, **user))
    event.change.version = version
    await world.system(lambda tx: consumers.follow_user(event, tx))


async def extensions(world: World, connection_id: str) -> list[tuple[str, str, bool, bool]]:
    """(number, whose, from his profile, retired) at the exchange."""
    there = await world.system(lambda tx: store.extensions_at(tx, connection_id))
    return [(each.number, each.user_id, each.from_profile, each.retired) for each in there]


async def test_a_company_begins_with_a_simulated_exchange_and_dispositions_once(
    world: World,
) -> None:
    for _ in range(2):
        await begin(world)
    listed = await world.exchanges.ListConnections(connection_pb2.ListConnectionsRequest())
    assert [(each.name, each.kind) for each in listed.connections] == [
        ("Simulated exchange", Connection.KIND_SIMULATOR)
    ]
    said = await world.lines.ListDispositions(disposition_pb2.ListDispositionsRequest())
    assert [each.key for each in said.dispositions] == [
        "interested", "agreed", "call_back", "not_now", "not_interested", "solved", "wrong_number",
    ]  # fmt: skip
    assert [each.key for each in said.dispositions if each.next_step_required] == ["agreed", "call_back"]  # fmt: skip
    told = await world.told()
    assert (told.count("ConnectionCreated"), told.count("DispositionCreated")) == (1, 7)


async def test_whoever_was_quicker_keeps_his_exchange(world: World) -> None:
    await world.exchange(**ARI)
    before = await world.state()
    await begin(world)
    assert await world.state() == before


async def test_a_profile_makes_changes_and_retires_its_extension(world: World) -> None:
    exchange = await world.exchange()
    anna = await world.agent()
    await profile(world, 1, "101", anna.id)
    assert await extensions(world, exchange.id) == [("101", anna.id, True, False)]
    await profile(world, 3, "102", anna.id)
    assert await extensions(world, exchange.id) == [("102", anna.id, True, False)]
    await profile(world, 2, "101", anna.id)  # late
    assert await extensions(world, exchange.id) == [("102", anna.id, True, False)]
    await profile(world, 4, "", anna.id)
    assert await extensions(world, exchange.id) == [("102", anna.id, True, True)]
    await profile(world, 5, "103", anna.id)
    assert await extensions(world, exchange.id) == [("103", anna.id, True, False)]
    await profile(world, 6, "103", anna.id, state=user_pb2.USER_STATE_DEACTIVATED)
    assert await extensions(world, exchange.id) == [("103", anna.id, True, True)]
    told = await world.told()
    assert (told.count("ExtensionCreated"), told.count("ExtensionUpdated")) == (1, 4)


async def test_what_a_profile_tells_while_exchanges_are_gone_through_stands(world: World) -> None:
    exchange = await world.exchange()
    anna = await world.agent()
    await profile(world, 1, "101", anna.id)
    told = identity.UserUpdated(user=user_pb2.User(id=anna.id, extension="102"))
    told.change.version = 2
    changed, go = asyncio.Event(), asyncio.Event()

    async def change(tx: Any) -> None:
        await consumers.follow_user(told, tx)
        changed.set()
        await go.wait()

    async def waits() -> bool:
        locks = (
            "SELECT 1 FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database"
            " WHERE l.locktype = 'advisory' AND NOT l.granted AND d.datname = current_database()"
        )
        return bool(await world.running.rows("telephony", locks))

    event = consumers.events.ConnectionCreated(connection={"id": exchange.id})
    async with asyncio.TaskGroup() as group:
        group.create_task(world.system(change))
        await changed.wait()
        group.create_task(world.system(lambda tx: consumers.follow_exchanges(event, tx)))
        await eventually(waits, "the exchanges are gone through")
        go.set()
    assert await extensions(world, exchange.id) == [("102", anna.id, True, False)]


@pytest.mark.parametrize("text", ["ask Marek", "", "+48 12", "101"], ids=["words", "none", "outside", "taken"])  # fmt: skip
async def test_what_cannot_be_an_extension_makes_none(world: World, text: str) -> None:
    exchange = await world.exchange()
    taken = await world.extension(exchange.id, number="101")
    anna = await world.agent()
    before = await world.state()
    await profile(world, 1, text, anna.id)
    assert await extensions(world, exchange.id) == [(taken.number, "", False, False)]
    assert await world.state() == before


async def test_extensions_of_profiles_ring_at_the_real_exchange_once_there_is_one(
    world: World,
) -> None:
    simulated = await world.exchange()
    anna = await world.agent(extension="101")
    await profile(world, 1, "101", anna.id)
    asterisk = await world.exchange(**ARI)
    created = await world.events("ConnectionCreated", 2)
    event = consumers.events.ConnectionCreated(connection={"id": created[1]["connection"]["id"]})
    for _ in range(2):
        await world.system(lambda tx: consumers.follow_exchanges(event, tx))
    assert await extensions(world, simulated.id) == [("101", anna.id, True, True)]
    assert await extensions(world, asterisk.id) == [("101", anna.id, True, False)]


async def test_presences_come_in_pages(world: World) -> None:
    exchange = await world.exchange()
    people = sorted([(await world.agent()).id for _ in range(3)])
    for at, id in enumerate(people):
        await world.extension(exchange.id, number=str(101 + at), user_id=id)
    calls = world.stub(world.tenant.admin, CallsServiceStub)
    first = await calls.ListPhonePresences(presence_pb2.ListPhonePresencesRequest(page_size=2))
    assert [each.user_id for each in first.presences] == people[:2]
    rest = await calls.ListPhonePresences(
        presence_pb2.ListPhonePresencesRequest(page_size=2, page_token=first.next_page_token)
    )
    assert ([each.user_id for each in rest.presences], rest.next_page_token) == (people[2:], "")
