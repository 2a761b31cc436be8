"""Events that cannot be processed: set aside, shown, tried again, skipped."""

from typing import Any

import pytest

from chassis.events import dead_letters
from chassis.events.nats import Nats
from chassis.testing import servers
from chassis.testing.consuming import Bench, consumer_of, effect, works
from chassis.testing.events import (
    eventually,
    leading,
    nats_connection,
)
from chassis.tx import Tx

pytestmark = pytest.mark.asyncio


@pytest.fixture
async def bench() -> Bench:
    return await Bench().open()


async def test_a_poison_event_becomes_a_dead_letter_and_can_be_driven_again(bench: Bench) -> None:
    healed = False

    async def poisoned(event: Any, tx: Tx) -> None:
        if event.number == 1 and not healed:
            raise ValueError("cannot be")
        await effect(event, tx)

    consumer = consumer_of(bench.event, poisoned)
    async with nats_connection() as nats:
        await bench.put("a", 1)
        await bench.put("a", 2)
        await bench.put("b", 3)
        await nats.ensure_streams([bench.service])
        async with leading(
            bench.url, *works(nats, bench.url, bench.service, consumer, retry_delays_s=(0.05, 0.05))
        ):
            await eventually(lambda: bench.has(2), "the others' effects")
            await eventually(lambda: letters(nats, bench, 1), "a dead letter")
            (letter,) = [letter async for letter in dead_letters.find(nats, bench.service)]
            later = await dead_letters.later_events(nats, letter)
            still_failing = await dead_letters.redrive(nats, bench.service, letter.number)
            healed = True
            outcome = await dead_letters.redrive(nats, bench.service, letter.number)
            await eventually(lambda: letters(nats, bench, 0), "letter gone")

    assert (letter.consumer, letter.record, letter.tries) == (consumer.durable, "a", 3)
    assert letter.error == "ValueError: cannot be"
    assert letter.body == b'{"number":1}'
    assert [(event.state, event.type.rpartition(".")[2]) for event in later] == [
        ("processed", "ThingChanged")
    ]
    assert (still_failing, outcome) == ("failed: ValueError: cannot be", "done")
    assert sorted(await bench.effects()) == ["a:1", "a:2", "b:3"]


async def letters(nats: Nats, bench: Bench, count: int) -> bool:
    return len([letter async for letter in dead_letters.find(nats, bench.service)]) == count


async def test_a_body_that_is_not_its_type_is_dead_at_once_and_can_be_skipped(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    consumer = consumer_of(bench.event)
    async with nats_connection() as nats:
        await nats.ensure_streams([bench.service])
        await bench.put("a", "not a number")
        async with leading(bench.url, *works(nats, bench.url, bench.service, consumer)):
            await eventually(lambda: letters(nats, bench, 1), "a dead letter", timeout_s=5)

        assert await dead_letters.command(servers.nats_url(), ["list", bench.service]) == 0
        assert await dead_letters.command(servers.nats_url(), ["show", bench.service, "1"]) == 0
        assert await dead_letters.command(servers.nats_url(), ["redrive", bench.service, "1"]) == 1
        assert await dead_letters.command(servers.nats_url(), ["skip", bench.service, "1"]) == 0
        assert await dead_letters.command(servers.nats_url(), ["skip", bench.service, "1"]) == 1
        assert await letters(nats, bench, 0)

    printed = capsys.readouterr().out
    assert "not a number" in printed
    assert "later events of the same record: 0" in printed
    assert f"no running process runs {consumer.durable}" in printed
    assert f"{bench.service} has no dead letter 1" in printed
