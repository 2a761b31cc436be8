"""Consumers: each event has one effect, in order per record, whatever dies, restarts or arrives twice."""

import asyncio
import functools
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from google.protobuf.message import Message
from nats.js.errors import NotFoundError
from sqlalchemy import bindparam, text

from chassis import errors
from chassis.db.statement import Statement
from chassis.events import dead_letters
from chassis.events.consumer import Consumers
from chassis.events.nats import Nats
from chassis.events.outbox import Wake
from chassis.events.relay import Relay
from chassis.handlers import Consumer, on
from chassis.running import run_event
from chassis.testing import servers
from chassis.testing.events import (
    background_database,
    event_type,
    eventually,
    leading,
    nats_connection,
    new_service,
    put_event,
    runtime_of,
)
from chassis.tx import Tx

pytestmark = pytest.mark.asyncio

ROOT = Path(__file__).parents[3]
EFFECT = Statement(
    text("INSERT INTO effects (tenant_id, what) VALUES (:tenant_id, :what)").bindparams(
        bindparam("tenant_id"), bindparam("what")
    )
)
Body = Callable[[Any, Tx], Awaitable[None]]


async def effect(event: Any, tx: Tx) -> None:
    assert tx.event is not None
    await tx.execute(EFFECT, what=f"{tx.event.subject}:{event.number}")


def consumer_of(event: type[Message], body: Body = effect, durable: str = "") -> Consumer:
    marked = on(event, durable=durable or f"d{uuid.uuid4().hex[:8]}")(body)
    return marked.consumer  # type: ignore[attr-defined,no-any-return]


def works(nats: Nats, url: str, service: str, consumer: Consumer, **options: Any) -> list[Any]:
    """A relay and a consumer of the same service."""
    runner = functools.partial(run_event, runtime_of(url))
    return [
        Relay(nats, Wake(nats, service), service).run,
        Consumers(nats, service, [consumer], runner, **options).run,
    ]


class Bench:
    """A service's database with one connection for looking into it."""

    def __init__(self) -> None:
        self.url, self.service, self.tenant = (
            background_database(),
            new_service(),
            str(uuid.uuid4()),
        )
        self.event = event_type(self.service)

    async def open(self) -> "Bench":
        self.connection = await asyncpg.connect(self.url)
        return self

    async def put(self, record: str, number: int | str, event_id: str = "") -> str:
        return await put_event(self.connection, self.tenant, self.event, record, number, event_id)

    async def effects(self) -> list[str]:
        return [
            r["what"] for r in await self.connection.fetch("SELECT what FROM effects ORDER BY seq")
        ]

    async def has(self, count: int) -> bool:
        return len(await self.effects()) >= count


@pytest.fixture
async def bench() -> Bench:
    return await Bench().open()


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


async def all_acknowledged(nats: Nats, bench: Bench, consumer: Consumer) -> bool:
    """True once everything that was put has been published, delivered and acknowledged."""
    try:
        info = await nats.js.consumer_info(bench.service.upper(), consumer.durable)
    except NotFoundError:
        return False
    published = await bench.connection.fetchval("SELECT count(*) = 0 FROM outbox")
    return (
        bool(published)
        and info.num_ack_pending == 0
        and info.num_pending == 0
        and info.delivered.stream_seq > 0
    )


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


async def test_nats_restarted_while_consuming_keeps_order_and_loses_nothing(bench: Bench) -> None:
    with servers.scratch() as directory, servers.NatsServer(directory) as server:
        consumer = consumer_of(bench.event)
        async with (
            nats_connection(server.url()) as nats,
            leading(bench.url, *works(nats, bench.url, bench.service, consumer)),
        ):
            for number in range(300):
                await bench.put(f"r{number % 4}", number)
                if number == 100:
                    await asyncio.to_thread(server.kill)
                if number == 200:
                    await asyncio.to_thread(server.start)
            await eventually(lambda: bench.has(300), "all effects", timeout_s=25)
        effects = await bench.effects()
    for record in range(4):
        mine = [int(e.split(":")[1]) for e in effects if e.startswith(f"r{record}:")]
        assert mine == list(range(record, 300, 4))


_CONSUMER_PROCESS = """
import asyncio, functools, sys
from chassis.testing.events import event_type, runtime_of
from chassis.events.leader import Leader
from chassis.events.nats import Nats
from chassis.events.consumer import Consumers
from chassis.events.outbox import Wake
from chassis.events.relay import Relay
from chassis.handlers import Consumer
from chassis.running import run_event
from sqlalchemy import bindparam, text
from chassis.db.statement import Statement
EFFECT = Statement(text("INSERT INTO effects (tenant_id, what) VALUES (:tenant_id, :what)").bindparams(
    bindparam("tenant_id"), bindparam("what")))
async def main(url, nats_url, service, durable, hang):
    nats = Nats(nats_url); await nats.connect()
    async def body(event, tx):
        await tx.execute(EFFECT, what=f"{tx.event.subject}:{event.number}")
    runtime = runtime_of(url)
    async def runner(durable, body, event, meta):
        outcome = await run_event(runtime, durable, body, event, meta)
        if event.number == 10 and hang == "hang":
            print("hanging", flush=True)
            await asyncio.Event().wait()
        return outcome
    consumer = Consumer(durable, body, event_type(service), (service,))
    print("contending", flush=True)
    await Leader(url, "background").run([
        Relay(nats, Wake(nats, service), service).run, Consumers(nats, service, [consumer], runner).run], asyncio.Event())
asyncio.run(main(*sys.argv[1:]))
"""


async def test_killed_between_effect_and_ack_the_event_has_one_effect_and_the_record_keeps_its_order(
    bench: Bench,
) -> None:
    """The first process commits event 10 and is killed before the ack, with later events of the record in its hands."""
    durable = f"d{uuid.uuid4().hex[:8]}"

    def start(mode: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [
                sys.executable,
                "-c",
                _CONSUMER_PROCESS,
                bench.url,
                servers.nats_url(),
                bench.service,
                durable,
                mode,
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=servers.die_with_parent,
        )

    for number in range(60):
        await bench.put(f"r{number % 2}", number)
    processes = [start("hang")]
    try:
        assert [await line_of(processes[0]), await line_of(processes[0])] == [
            "contending",
            "hanging",
        ]
        processes.append(start("go on"))
        assert await line_of(processes[1]) == "contending"
        os.kill(processes[0].pid, signal.SIGKILL)

        took_s = await eventually(lambda: bench.has(60), "all effects", timeout_s=15)
        effects = await bench.effects()
    finally:
        for process in processes:
            process.kill()
            process.wait()

    assert took_s < 5  # far below the 30 s after which JetStream itself would deliver again
    assert [int(e.split(":")[1]) for e in effects if e.startswith("r0:")] == list(range(0, 60, 2))
    assert [int(e.split(":")[1]) for e in effects if e.startswith("r1:")] == list(range(1, 60, 2))


async def line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return (await asyncio.to_thread(process.stdout.readline)).strip()


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

    assert after_stop == ["r:1"]
    assert info.ack_floor is not None
    assert info.ack_floor.stream_seq == 1
    assert await bench.effects() == ["r:1", "r:2"]
