"""Consumers while servers and processes die: nothing lost, nothing doubled, order kept."""

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import asyncpg
import pytest
from google.protobuf.message import Message

from chassis.testing import servers
from chassis.testing.consuming import (
    Bench,
    consumer_of,
    works,
)
from chassis.testing.events import (
    background_tables,
    event_type,
    eventually,
    leading,
    nats_connection,
    new_service,
    put_event,
)

pytestmark = [pytest.mark.asyncio, pytest.mark.large]

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def bench() -> Bench:
    return await Bench().open()


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


async def test_postgres_killed_while_consuming_loses_nothing_and_doubles_nothing() -> None:
    """Half of the events wait in the outbox, the server dies while they are being processed, then the others come."""
    with servers.scratch() as directory, servers.PostgresServer(directory) as postgres:
        url, service, tenant = postgres.url(), new_service(), str(uuid.uuid4())
        event = event_type(service)
        await filled(url, tenant, event, range(150), tables=True)
        async with (
            nats_connection() as nats,
            leading(url, *works(nats, url, service, consumer_of(event))),
        ):
            await eventually(lambda: effects_at_least(url, 30), "30 effects", timeout_s=20)
            await asyncio.to_thread(postgres.kill)
            await asyncio.to_thread(postgres.start)
            await filled(url, tenant, event, range(150, 300))
            await eventually(lambda: effects_at_least(url, 300), "all effects", timeout_s=30)

        connection = await asyncpg.connect(url)
        effects = [
            r["what"] for r in await connection.fetch("SELECT what FROM effects ORDER BY seq")
        ]
        await connection.close()
    for record in range(5):
        mine = [int(e.split(":")[1]) for e in effects if e.startswith(f"r{record}:")]
        assert mine == list(range(record, 300, 5))


async def filled(
    url: str, tenant: str, event: type[Message], numbers: range, *, tables: bool = False
) -> None:
    connection = await asyncpg.connect(url)
    if tables:
        await connection.execute(background_tables())
    for number in numbers:
        await put_event(connection, tenant, event, f"r{number % 5}", number)
    await connection.close()


async def effects_at_least(url: str, count: int) -> bool:
    connection = await asyncpg.connect(url)
    try:
        return bool(await connection.fetchval("SELECT count(*) >= $1 FROM effects", count))
    finally:
        await connection.close()


_CONSUMER_PROCESS = """
import asyncio, functools, sys
from chassis.testing.events import event_type, runtime_of
from chassis.events.leader import Leader
from chassis.events.nats import Nats
from chassis.events.consumer import Consumers
from chassis.events.outbox import Wake
from chassis.events.relay import Relay
from chassis.handlers import consumer_of, on
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
    consumer = consumer_of(on(event_type(service), durable=durable)(body))
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

        # Far below the 30 s after which JetStream itself would deliver again.
        await eventually(lambda: bench.has(60), "all effects", timeout_s=15)
        effects = await bench.effects()
    finally:
        for process in processes:
            process.kill()
            process.wait()

    assert [int(e.split(":")[1]) for e in effects if e.startswith("r0:")] == list(range(0, 60, 2))
    assert [int(e.split(":")[1]) for e in effects if e.startswith("r1:")] == list(range(1, 60, 2))


async def line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return (await asyncio.to_thread(process.stdout.readline)).strip()
