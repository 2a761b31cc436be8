"""kill -9 of whatever, at last of everything, while 32 clients create 5,000 contacts: nothing is lost and nothing is twice."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial

from tests.chaos import records
from tests.chaos.load import Load
from tests.chaos.machine import Machine
from tests.e2e.company import Company, ok

CREATES, CLIENTS = 5_000, 32
CHANCE = random.Random(23)


async def test_every_acknowledged_create_exists_once_with_one_event(
    machine: Machine, company: Company
) -> None:
    access = (await company.token(nats=True, natsStart="NATS_START_ALL"))["nats"]
    load = Load(machine, company, "Storm")

    await asyncio.gather(load.run(CREATES, CLIENTS), break_things(machine, load))

    told = load.told
    assert told.rude == []
    assert len(told.acknowledged) + len(told.unanswered) == CREATES
    assert told.unanswered, "nobody was hit: the test proves nothing"
    ids = told.acknowledged | await load.replay(told.unanswered)
    again = set(CHANCE.sample(sorted(told.acknowledged), 50))
    assert await load.replay(again) == {number: ids[number] for number in again}

    names = {ids[number]: f"Storm {number}" for number in range(CREATES)}
    assert await records.listed(company) == names
    events = await records.created_events(access, CREATES)
    once = Counter(list(names))
    assert Counter(event.subject for event in events) == once
    await records.timeline_shows(company, once)
    for id in CHANCE.sample(sorted(names), 20):
        card = ok(await company.admin.http.get(f"/v1/contacts/{id}/timeline"))
        assert [entry["type"] for entry in card["entries"]] == ["crm.contacts.v1.ContactCreated"]


async def break_things(machine: Machine, load: Load) -> None:
    """Something dies whenever another few hundred creates are acknowledged."""
    for mark, act in plan(machine):
        await load.acknowledges(mark)
        await act()


def plan(machine: Machine) -> list[tuple[int, Callable[[], Awaitable[None]]]]:
    """(after how many creates, what dies)."""

    async def app() -> None:
        if alive := machine.apps():
            machine.kill(CHANCE.choice(alive))

    async def leader() -> None:
        if pid := await machine.leader():
            machine.kill(pid)

    async def server(name: str) -> None:
        machine.kill(machine.pids()[name])

    async def everything() -> None:
        await machine.killed_all()
        await machine.up()

    return [
        (400, app),
        (1000, leader),
        (1600, partial(server, "nats")),
        (2300, app),
        (3000, partial(server, "postgres")),
        (3700, leader),
        (4400, everything),
    ]
