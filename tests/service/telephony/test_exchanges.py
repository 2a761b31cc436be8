"""Who speaks with an exchange: one process at a time, again after every cut; nothing rings for ever."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from chassis.call import Cause
from chassis.keys import uuid7
from chassis.waits import first_of
from crm.telephony.v1 import call_pb2, connection_pb2, events_pb2
from services.telephony import dialling, pbx, store
from services.telephony.pbx import simulator
from services.telephony.pbx.adapter import Cut, Site
from services.telephony.pbx.facts import Command, Fact, Kind, Order
from tests.service.telephony.scenes import Scene
from tests.service.telephony.world import Connection, World

Call = call_pb2.Call


async def status(world: World, connection: Connection) -> Any:
    return await world.exchanges.GetConnectionStatus(
        connection_pb2.GetConnectionStatusRequest(id=connection.id)
    )


async def once(found: Any, deadline_s: float = 20) -> Any:
    """The first true answer."""
    async with asyncio.timeout(deadline_s):
        while not (answer := await found()):
            await first_of(asyncio.Event(), timeout_s=0.05)
    return answer


async def is_connected(world: World, connection: Connection) -> bool:
    return (await status(world, connection)).connected


async def test_an_exchange_is_spoken_with_until_it_is_retired(world: World) -> None:
    made = await world.exchange()
    await once(lambda: is_connected(world, made))
    assert await world.count("exchange_leases") == 1
    request = connection_pb2.UpdateConnectionRequest(
        connection=Connection(id=made.id, retired=True)
    )
    request.update_mask.paths.append("retired")
    await world.exchanges.UpdateConnection(request)
    assert await world.count("exchange_leases") == 0


@pytest.mark.large
async def test_calls_that_the_exchange_lost_are_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulator, "PATIENCE", timedelta(0))
    made = await world.exchange()
    await once(lambda: is_connected(world, made))
    agent = await world.agent()
    await world.extension(made.id, user_id=agent.id)
    scene = Scene(world, made)
    ringing = await scene.rings("101")

    await world.exchanges.SetConnectionPassword(
        connection_pb2.SetConnectionPasswordRequest(id=made.id, password="another")
    )  # the session begins anew, and the exchange knows nothing of this call

    async def over() -> bool:
        return (await world.call(ringing.id)).state == Call.STATE_ENDED

    await once(over)


async def test_a_lease_that_is_held_is_nobody_elses(world: World) -> None:
    made = await world.exchange()
    await once(lambda: is_connected(world, made))
    runtime = world.running.process.runtimes["telephony"]
    other = uuid7()
    assert made.id not in {post.connection_id for post in await store.leases.hold(runtime, other)}
    await store.leases.release(runtime, other)


class _Cut:
    """An exchange that cuts its first two sessions. Those of other tests try again and again meanwhile, and are not counted."""

    sessions: ClassVar[Counter[str]] = Counter()

    def __init__(self, site: Site) -> None:
        self._site = site

    async def session(self) -> None:
        id = self._site.connection.id
        _Cut.sessions[id] += 1
        if _Cut.sessions[id] <= 2:
            raise Cut("the other side hung up")
        await self._site.connected()
        await asyncio.Event().wait()

    async def carry_out(self, command: Command) -> None:
        raise AssertionError


@pytest.mark.large
async def test_a_cut_session_is_followed_by_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(pbx.ADAPTERS, Connection.KIND_AMI, _Cut)  # type: ignore[arg-type]
    made = await world.exchange(kind=Connection.KIND_AMI, address="10.0.0.5:5038", username="crm")

    async def told() -> bool:
        return "hung up" in (await status(world, made)).problem

    await once(told)
    await once(lambda: is_connected(world, made))
    assert _Cut.sessions[made.id] == 3


class _Garbled:
    """An exchange that begins with what no database keeps."""

    sessions: ClassVar[Counter[str]] = Counter()

    def __init__(self, site: Site) -> None:
        self._site = site

    async def session(self) -> None:
        id = self._site.connection.id
        _Garbled.sessions[id] += 1
        if _Garbled.sessions[id] == 1:
            await self._site.hear(
                [Fact(call="1", leg="a\x00", kind=Kind.BEGAN, time=self._site.now())]
            )
        await self._site.connected()
        await asyncio.Event().wait()

    async def carry_out(self, command: Command) -> None:
        raise AssertionError


@pytest.mark.large
async def test_what_cannot_be_kept_ends_its_session_and_no_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(pbx.ADAPTERS, Connection.KIND_AMI, _Garbled)  # type: ignore[arg-type]
    made = await world.exchange(kind=Connection.KIND_AMI, address="10.0.0.5:5038", username="crm")

    await once(lambda: is_connected(world, made))
    assert _Garbled.sessions[made.id] == 2


class _Asked:
    """An exchange that only notes what it is asked."""

    commands: ClassVar[list[Command]] = []

    def __init__(self, site: Site) -> None:
        self._site = site

    async def session(self) -> None:
        await self._site.connected()
        await asyncio.Event().wait()

    async def carry_out(self, command: Command) -> None:
        _Asked.commands.append(command)


async def test_what_was_not_done_in_time_is_not_done_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(pbx.ADAPTERS, Connection.KIND_AMI, _Asked)  # type: ignore[arg-type]
    made = await world.exchange(kind=Connection.KIND_AMI, address="10.0.0.5:5038", username="crm")
    await once(lambda: is_connected(world, made))

    async def ask(tx: Any) -> list[str]:
        """A call that was asked for too long ago, and one that is in time."""
        ids = []
        for late in (timedelta(seconds=1), -dialling.WAITS):
            call = Call(id=tx.new_id(), connection_id=made.id, direction=Call.DIRECTION_OUTBOUND, state=Call.STATE_RINGING)  # fmt: skip
            call.start_time.FromDatetime(tx.now)
            store.calls.calls.save(tx, call)
            tx.emit(events_pb2.CallRinging(call=call))
            await store.calls.add_key(tx, made.id, call.id, call.id)
            body = {"order": Order.DIAL.value, "call": call.id, "until": (tx.now - late).isoformat()}  # fmt: skip
            await store.leases.ask(tx, made.id, body)
            ids.append(call.id)
        return ids

    late, in_time = await world.system(ask)

    async def both_are_handed_out() -> bool:
        ended = (await world.call(late)).state == Call.STATE_ENDED
        return ended and bool(_Asked.commands)

    await once(both_are_handed_out)
    assert [command.call for command in _Asked.commands] == [in_time]
    assert (await world.call(late)).outcome == Call.OUTCOME_NOT_CONNECTED


async def test_a_call_that_no_exchange_begins_is_not_connected(world: World) -> None:
    made = await world.exchange()
    call = Call(id=uuid7(), connection_id=made.id, direction=Call.DIRECTION_OUTBOUND, state=Call.STATE_RINGING)  # fmt: skip

    async def begin(tx: Any) -> None:
        call.start_time.FromDatetime(tx.now)
        store.calls.calls.save(tx, call)
        tx.emit(events_pb2.CallRinging(call=call))
        await store.calls.add_key(tx, made.id, call.id, call.id)

    runtime = world.running.process.runtimes["telephony"]
    await runtime.run_system(world.tenant.id, Cause("test"), begin)
    await world.system(
        lambda tx: dialling.unheard({"connection_id": made.id, "call_id": call.id}, tx)
    )
    assert (await world.call(call.id)).outcome == Call.OUTCOME_NOT_CONNECTED
