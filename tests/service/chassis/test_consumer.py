"""Consumers: each event has one effect, in order per record, at once."""

import asyncio
import functools
import time
import uuid
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from chassis import errors
from chassis.events import dead_letters
from chassis.events.consumer import Consumers
from chassis.events.nats import Nats
from chassis.events.outbox import CAUSE_HEADER, Wake
from chassis.events.relay import Relay
from chassis.handlers import on
from chassis.running import run_event
from chassis.testing import servers
from chassis.testing.consuming import (
    Bench,
    Body,
    all_acknowledged,
    consumer_of,
    effect,
    works,
)
from chassis.testing.events import (
    event_type,
    eventually,
    leading,
    nats_connection,
    new_service,
    runtime_of,
)
from chassis.tx import Tx

pytestmark = pytest.mark.asyncio


@pytest.fixture
async def bench() -> Bench:
    return await Bench().open()


@pytest.mark.large
async def test_each_event_has_one_effect_and_is_acknowledged(bench: Bench) -> None:
    consumer = consumer_of(bench.event)
    async with nats_connection() as nats:
        for number in range(500):
            await bench.put(f"r{number % 9}", number)

        async with leading(bench.url, *works(nats, bench.url, bench.service, consumer)):
            await eventually(lambda: bench.has(500), "500 effects")
            await eventually(lambda: all_acknowledged(nats, bench, consumer), "acknowledged")

        effects = await bench.effects()
    assert len(effects) == 500
    for record in range(9):
        mine = [int(e.split(":")[1]) for e in effects if e.startswith(f"r{record}:")]
        assert mine == list(range(record, 500, 9))


async def test_what_waits_is_told_for_each_publisher(bench: Bench) -> None:
    publishers = [bench.service, new_service()]
    other = event_type(publishers[1])
    consumer = on(bench.event, other, durable=f"d{uuid.uuid4().hex[:8]}")(effect).consumer  # type: ignore[attr-defined]
    async with nats_connection() as nats:
        await nats.ensure_streams(publishers)
        async with leading(bench.url, *works(nats, bench.url, bench.service, consumer)):
            await bench.put("r", 1)
            headers = {"ce-id": str(uuid.uuid4()), "ce-type": other.DESCRIPTOR.full_name, "ce-subject": "r"}  # fmt: skip
            subject = f"crm.{bench.tenant}.{publishers[1]}.ThingChanged"
            await nats.js.publish(subject, b'{"number":2}', headers=headers)
            await eventually(lambda: bench.has(2), "both effects")

    told = [
        REGISTRY.get_sample_value("akrab_consumer_lag_events", {"consumer": consumer.durable, "publisher": publisher})
        for publisher in publishers
    ]  # fmt: skip
    assert told == [0, 0]


async def test_events_that_share_a_commit_keep_cause_and_id_of_their_own(bench: Bench) -> None:
    seen: dict[int, tuple[str, str]] = {}

    async def body(event: Any, tx: Tx) -> None:
        assert tx.event is not None
        seen[event.number] = (tx.cause.id, tx.event.id)
        await effect(event, tx)

    consumer = consumer_of(bench.event, body)
    async with nats_connection() as nats:
        ids = [await bench.put(f"r{number}", number) for number in range(100)]
        async with leading(bench.url, *works(nats, bench.url, bench.service, consumer)):
            await eventually(lambda: bench.has(100), "100 effects")
    rows = await bench.connection.fetch("SELECT xmin::text AS commit FROM effects")

    assert seen == {number: (id, id) for number, id in enumerate(ids)}
    assert len({row["commit"] for row in rows}) < 50


async def test_one_that_fails_does_not_cost_those_that_shared_its_turn_a_try(bench: Bench) -> None:
    tries: dict[int, int] = {}

    async def body(event: Any, tx: Tx) -> None:
        tries[event.number] = tries.get(event.number, 0) + 1
        await effect(event, tx)
        if event.number == 7:
            raise errors.FailedPrecondition("never")

    consumer = consumer_of(bench.event, body)
    async with nats_connection() as nats:
        for number in range(40):
            await bench.put(f"r{number}", number)
        options = {"retry_delays_s": ()}
        async with leading(bench.url, *works(nats, bench.url, bench.service, consumer, **options)):
            await eventually(lambda: bench.has(39), "39 effects")
            await eventually(lambda: all_acknowledged(nats, bench, consumer), "acknowledged")
        letters = [letter async for letter in dead_letters.find(nats, bench.service)]

    assert sorted(await bench.effects()) == sorted(f"r{n}:{n}" for n in range(40) if n != 7)
    assert len(letters) == 1
    assert max(count for number, count in tries.items() if number != 7) == 2


async def test_an_event_of_an_ignored_cause_is_acknowledged_unread(bench: Bench) -> None:
    consumer = replace(consumer_of(bench.event), ignores=frozenset({"import"}))
    async with nats_connection() as nats:
        for number in range(3):
            await bench.put("r", number)
        header = "headers || jsonb_build_object($2::text, $3::text)"
        sql = f"UPDATE outbox SET headers = {header} WHERE body LIKE $1"
        await bench.connection.execute(sql, '%"number":0%', CAUSE_HEADER, "import")
        await bench.connection.execute(sql, '%"number":1%', CAUSE_HEADER, "rpc")
        await bench.connection.execute(
            "UPDATE outbox SET body = 'no event' WHERE headers ->> $1 = 'import'", CAUSE_HEADER
        )

        async with leading(bench.url, *works(nats, bench.url, bench.service, consumer)):
            await eventually(lambda: bench.has(2), "2 effects")
            await eventually(lambda: all_acknowledged(nats, bench, consumer), "acknowledged")
        letters = [letter async for letter in dead_letters.find(nats, bench.service)]

    assert await bench.effects() == ["r:1", "r:2"]
    assert letters == []
    assert await bench.connection.fetchval("SELECT count(*) FROM inbox") == 2


async def test_an_event_published_twice_has_one_effect(bench: Bench) -> None:
    consumer = consumer_of(bench.event)
    async with (
        nats_connection() as nats,
        leading(bench.url, *works(nats, bench.url, bench.service, consumer)),
    ):
        event_id = await bench.put("r", 1)
        await eventually(lambda: bench.has(1), "the effect")
        subject = f"crm.{bench.tenant}.{bench.service}.ThingChanged"
        headers = {
            "ce-id": event_id,
            "ce-type": bench.event.DESCRIPTOR.full_name,
            "ce-subject": "r",
        }  # no Nats-Msg-Id
        await nats.js.publish(subject, b'{"number":1}', headers=headers)
        await bench.put("r", 2)

        await eventually(lambda: bench.has(2), "the next effect")

    assert await bench.effects() == ["r:1", "r:2"]


async def test_a_lone_event_is_delivered_at_once(bench: Bench) -> None:
    arrived: asyncio.Queue[float] = asyncio.Queue()

    async def body(event: Any, tx: Tx) -> None:
        arrived.put_nowait(time.monotonic())

    consumer = consumer_of(bench.event, body)
    async with nats_connection() as nats:
        wake = Wake(nats, bench.service)
        consumers = Consumers(
            nats, bench.service, [consumer], functools.partial(run_event, runtime_of(bench.url))
        )
        async with leading(bench.url, Relay(nats, wake, bench.service).run, consumers.run):
            took = []
            for number in range(11):  # the first finds everything cold
                await bench.put("r", number)
                began = time.monotonic()
                wake.ring()
                took.append(await asyncio.wait_for(arrived.get(), 10) - began)
    assert sorted(took[1:])[5] < 0.05, took


async def test_while_one_event_is_retried_its_record_waits_and_others_go_on(bench: Bench) -> None:
    tries: list[int] = []

    async def failing_twice(event: Any, tx: Tx) -> None:
        await effect(event, tx)
        if event.number == 1:
            tries.append(1)
            if len(tries) < 3:
                raise errors.FailedPrecondition("not yet")

    consumer = consumer_of(bench.event, failing_twice)
    async with nats_connection() as nats:
        for record, number in (("a", 1), ("a", 2), ("b", 3), ("a", 4)):
            await bench.put(record, number)
        async with leading(
            bench.url,
            *works(nats, bench.url, bench.service, consumer, retry_delays_s=(0.3, 0.3, 0.3)),
        ):
            await eventually(lambda: bench.has(4), "all effects")

    assert len(tries) == 3
    assert await bench.effects() == ["b:3", "a:1", "a:2", "a:4"]


async def test_fields_of_a_newer_publisher_are_ignored(bench: Bench) -> None:
    consumer = consumer_of(bench.event)
    async with (
        nats_connection() as nats,
        leading(bench.url, *works(nats, bench.url, bench.service, consumer)),
    ):
        event_id = await bench.put("a", 1)
        await bench.connection.execute(
            'UPDATE outbox SET body = \'{"number":1,"newer":{"x":[1]}}\''
        )
        await eventually(lambda: bench.has(1), event_id)
    assert await bench.effects() == ["a:1"]


@pytest.mark.large
async def test_a_database_that_is_away_costs_no_tries(bench: Bench) -> None:
    tried: list[int] = []

    async def runner(durable: str, body: Body, message: Any, meta: Any) -> str:
        tried.append(message.number)
        if len(tried) < 4:
            raise errors.Unavailable("the database is down")
        return "done"

    consumer = consumer_of(bench.event)
    consumers = Consumers(
        nats := Nats(servers.nats_url()), bench.service, [consumer], runner, retry_delays_s=()
    )
    await nats.connect()
    relay = Relay(nats, Wake(nats, bench.service), bench.service)
    await nats.ensure_streams([bench.service])
    async with leading(bench.url, relay.run, consumers.run):
        await bench.put("r", 1)
        await eventually(lambda: all_acknowledged(nats, bench, consumer), "acknowledged")
        found = [letter async for letter in dead_letters.find(nats, bench.service)]
    await nats.close()

    assert tried == [1, 1, 1, 1]
    assert found == []


async def test_stopping_finishes_what_is_under_way_and_leaves_the_rest(bench: Bench) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow(event: Any, tx: Tx) -> None:
        entered.set()
        await go_on.wait()
        await effect(event, tx)

    consumer = consumer_of(bench.event, slow)
    async with nats_connection() as nats:
        await bench.put("r", 1)
        await bench.put("r", 2)
        async with leading(bench.url, *works(nats, bench.url, bench.service, consumer)) as stop:
            await asyncio.wait_for(entered.wait(), 10)
            stop.set()
            go_on.set()
        info = await nats.js.consumer_info(bench.service.upper(), consumer.durable)
        after_stop = await bench.effects()

        async with leading(bench.url, *works(nats, bench.url, bench.service, consumer)):
            await eventually(lambda: bench.has(2), "the rest")

    # The stop reaches the lanes a moment later, so the next event may have begun; what has begun is finished and acked.
    assert after_stop in (["r:1"], ["r:1", "r:2"])
    assert info.ack_floor is not None
    assert info.ack_floor.stream_seq == len(after_stop)
    assert await bench.effects() == ["r:1", "r:2"]
