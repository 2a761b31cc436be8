"""kill -9 of the supervisor, while people work: nothing stays behind, and the next start continues."""

import asyncio

from tests.chaos import records
from tests.chaos.load import Load
from tests.chaos.machine import Machine
from tests.e2e.company import Company


async def test_a_killed_supervisor_leaves_nothing_and_the_next_start_continues(
    machine: Machine, company: Company
) -> None:
    load = Load(machine, company, "Left")
    writing = asyncio.create_task(load.run(1_000_000, 8))
    await load.acknowledges(100)

    machine.kill(machine.pids()["supervisor"])
    await machine.gone()
    before = len(load.told.acknowledged)
    await machine.up()

    await load.acknowledges(before + 50)
    load.stop.set()
    await writing
    assert load.told.rude == []
    ids = load.told.acknowledged | await load.replay(load.told.unanswered)
    assert await records.listed(company) == {id: f"Left {number}" for number, id in ids.items()}
