"""The relay: every committed row is published at least once, recognisable, in order per record, by one process at a time."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import defaultdict
from pathlib import Path

import asyncpg
import orjson
import pytest

from chassis.events.leader import Leader, Lease
from chassis.events.nats import Nats, stream_of
from chassis.events.outbox import Wake
from chassis.events.reading import read
from chassis.events.relay import Publisher, Relay, Row, waves
from chassis.testing import servers
from chassis.testing.events import (
    background_database,
    event_type,
    eventually,
    leading,
    nats_connection,
    new_service,
    put_event,
    running,
)
from chassis.waits import first_of

pytestmark = pytest.mark.asyncio

ROOT = Path(__file__).parents[3]


def relay_of(nats: Nats, service: str) -> Relay:
    return Relay(nats, Wake(nats, service), service)


async def stored(nats: Nats, service: str) -> list[tuple[str, str]]:
    """(record, body) of everything in the service's stream."""
    return [
        ((message.headers or {})["ce-subject"], message.data.decode())
        async for message in read(nats, stream_of(service))
    ]


async def outbox_size(connection: asyncpg.Connection) -> int:
    return int(await connection.fetchval("SELECT count(*) FROM outbox"))


async def test_rows_are_published_with_their_headers_and_deleted() -> None:
    url, service, tenant = background_database(), new_service(), str(uuid.uuid4())
    connection = await asyncpg.connect(url)
    event_id = await put_event(connection, tenant, event_type(service), "r1", 7)

    async with nats_connection() as nats, leading(url, relay_of(nats, service).run):
        await nats.ensure_streams([service])
        await eventually(lambda: empty(connection), "outbox empty")

        (message,) = [message async for message in read(nats, stream_of(service))]
    assert message.subject == f"crm.{tenant}.{service}.ThingChanged"
    assert message.data == b'{"number":7}'
    assert message.headers is not None
    assert message.headers["ce-id"] == message.headers["Nats-Msg-Id"] == event_id


async def empty(connection: asyncpg.Connection) -> bool:
    return await outbox_size(connection) == 0


@pytest.mark.large
async def test_more_rows_than_a_batch_keep_the_order_of_each_record() -> None:
    url, service, tenant = background_database(), new_service(), str(uuid.uuid4())
    connection, event = await asyncpg.connect(url), event_type(service)
    for number in range(1200):
        await put_event(connection, tenant, event, f"r{number % 7}", number)

    async with nats_connection() as nats, leading(url, relay_of(nats, service).run):
        await eventually(lambda: empty(connection), "outbox empty")
        rows = await stored(nats, service)

    assert len(rows) == 1200
    by_record: dict[str, list[int]] = defaultdict(list)
    for record, body in rows:
        by_record[record].append(int(body.removeprefix('{"number":').removesuffix("}")))
    assert all(numbers == sorted(numbers) for numbers in by_record.values())
    assert len(by_record) == 7


def row(seq: int, record: str) -> Row:
    return Row(seq, "crm.t.s.E", record, {}, b"")


async def test_after_a_failure_nothing_of_that_record_is_published_in_the_batch() -> None:
    rows = [row(1, "a"), row(2, "b"), row(3, "a"), row(4, "b"), row(5, "a"), row(6, "")]

    seen = []
    for wave, failed in waves(rows):
        seen.append([r.seq for r in wave])
        if any(r.seq == 1 for r in wave):
            failed.add(wave[0].lane)

    assert seen == [[1, 2, 6], [4]]


async def test_a_refused_publish_stays_with_everything_behind_it_and_is_repeated() -> None:
    """The stream refuses a message that is too large for it, until it is allowed."""
    url, service, tenant = background_database(), new_service(), str(uuid.uuid4())
    connection, event = await asyncpg.connect(url), event_type(service)
    async with nats_connection() as nats:
        await nats.ensure_streams([service])
        config = (await nats.js.stream_info(stream_of(service))).config
        config.max_msg_size = 2000
        await nats.js.update_stream(config)
        await put_event(connection, tenant, event, "a", 1)
        await put_event(connection, tenant, event, "a", "2" * 3000)
        await put_event(connection, tenant, event, "a", 3)
        await put_event(connection, tenant, event, "b", 4)

        async with leading(url, relay_of(nats, service).run):
            await eventually(lambda: size_is(connection, 2), "two rows left")
            before = [body for _, body in await stored(nats, service)]
            config.max_msg_size = -1
            await nats.js.update_stream(config)
            await eventually(lambda: empty(connection), "outbox empty")

        after = [body for record, body in await stored(nats, service) if record == "a"]
    assert sorted(before) == ['{"number":1}', '{"number":4}']
    assert [len(body) for body in after] == [12, 3013, 12]


async def size_is(connection: asyncpg.Connection, size: int) -> bool:
    return await outbox_size(connection) == size


async def test_killed_between_publish_and_delete_nothing_is_lost_and_nothing_is_stored_twice() -> (
    None
):
    """The first relay publishes and never deletes, as one killed at that moment would."""
    url, service, tenant = background_database(), new_service(), str(uuid.uuid4())
    connection, event = await asyncpg.connect(url), event_type(service)
    for number in range(20):
        await put_event(connection, tenant, event, "r", number)
    async with nats_connection() as nats:
        await nats.ensure_streams([service])
        records = await connection.fetch(
            "SELECT seq, subject, record, headers, body FROM outbox ORDER BY seq LIMIT 10"
        )
        rows = [
            Row(r["seq"], r["subject"], "", orjson.loads(r["headers"]), r["body"].encode())
            for r in records
        ]
        assert await Publisher(nats).publish(rows) == [None] * 10

        async with leading(url, relay_of(nats, service).run):
            await eventually(lambda: empty(connection), "outbox empty")

        bodies = [body for _, body in await stored(nats, service)]
    assert bodies == [f'{{"number":{n}}}' for n in range(20)]


@pytest.mark.large
async def test_of_two_leaders_one_is_active() -> None:
    url = background_database()
    active: list[int] = []

    def work(number: int):
        async def run(_: Lease, stop: asyncio.Event) -> None:
            active.append(number)
            await stop.wait()

        return run

    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for number in (1, 2):
            group.create_task(Leader(url, "relay").run([work(number)], stop))
        await eventually(lambda: len(active) == 1, "one leads")
        await first_of(stop, timeout_s=1.5)  # three polls of the other
        stop.set()
    assert len(active) == 1


_RELAY_PROCESS = """
import asyncio, sys
from chassis.events.leader import Leader
from chassis.events.nats import Nats
from chassis.events.outbox import Wake
from chassis.events.relay import Relay
async def main(database, nats_url, service):
    nats = Nats(nats_url); await nats.connect()
    async def ready(lease, stop):
        print("leading", flush=True); await stop.wait()
    print("contending", flush=True)
    await Leader(database, "relay").run([Relay(nats, Wake(nats, service), service).run, ready], asyncio.Event())
asyncio.run(main(*sys.argv[1:]))
"""


def relay_process(url: str, service: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _RELAY_PROCESS, url, servers.nats_url(), service],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=servers.die_with_parent,
    )


async def line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return (await asyncio.to_thread(process.stdout.readline)).strip()


@pytest.mark.large
async def test_when_the_active_relay_is_killed_the_other_takes_over_within_two_seconds() -> None:
    url, service, tenant = background_database(), new_service(), str(uuid.uuid4())
    connection, event = await asyncpg.connect(url), event_type(service)
    first, second = relay_process(url, service), None
    try:
        assert [await line_of(first), await line_of(first)] == ["contending", "leading"]
        second = relay_process(url, service)
        assert await line_of(second) == "contending"
        for number in range(200):
            await put_event(connection, tenant, event, f"r{number % 3}", number)
            if number == 100:
                os.kill(first.pid, signal.SIGKILL)
                killed_at = time.monotonic()

        assert await line_of(second) == "leading"
        took_s = time.monotonic() - killed_at
        await eventually(lambda: empty(connection), "outbox empty")

        async with nats_connection() as nats:
            rows = await stored(nats, service)
        assert took_s < 2.0
        for record in range(3):
            assert [int(body[10:-1]) for r, body in rows if r == f"r{record}"] == list(
                range(record, 200, 3)
            )
    finally:
        for process in (first, second):
            if process is not None:
                process.kill()
                process.wait()


@pytest.mark.large
async def test_nats_restarted_while_writing_loses_nothing() -> None:
    with servers.scratch() as directory, servers.NatsServer(directory) as server:
        url, service, tenant = background_database(), new_service(), str(uuid.uuid4())
        connection, event = await asyncpg.connect(url), event_type(service)
        async with nats_connection(server.url()) as nats, leading(url, relay_of(nats, service).run):
            await nats.ensure_streams([service])
            for number in range(300):
                await put_event(connection, tenant, event, f"r{number % 5}", number)
                if number == 100:
                    await asyncio.to_thread(server.kill)
                if number == 200:
                    await asyncio.to_thread(server.start)
            await eventually(lambda: empty(connection), "outbox empty", timeout_s=20)
            rows = await stored(nats, service)

    for record in range(5):
        numbers = [int(body[10:-1]) for r, body in rows if r == f"r{record}"]
        assert numbers == list(range(record, 300, 5))


async def test_emptied_nats_gets_its_streams_and_buckets_again() -> None:
    url, service, tenant = background_database(), new_service(), str(uuid.uuid4())
    connection, event = await asyncpg.connect(url), event_type(service)
    bucket = f"B{service}"
    async with nats_connection() as nats, leading(url, relay_of(nats, service).run):
        await put_event(connection, tenant, event, "r", 1)
        await connection.execute(
            "INSERT INTO outbox (tenant_id, subject, record, headers, body) VALUES ($1, $2, 'd', '{}', '{\"a\":1}')",
            tenant,
            f"$KV.{bucket}.{tenant}.user.1",
        )

        await eventually(lambda: empty(connection), "outbox empty")

        entry = await (await nats.js.key_value(bucket)).get(f"{tenant}.user.1")
        assert entry.value == b'{"a":1}'
        assert len(await stored(nats, service)) == 1


@pytest.mark.large
async def test_a_commit_in_another_process_reaches_the_relay_without_waiting_for_its_poll() -> None:
    url, service, tenant = background_database(), new_service(), str(uuid.uuid4())
    connection, event = await asyncpg.connect(url), event_type(service)
    async with nats_connection() as here, nats_connection() as there:
        await here.ensure_streams([service])
        stop, wake = asyncio.Event(), Wake(there, service)
        async with leading(url, relay_of(here, service).run), running(wake.run(stop)):
            times = []
            for number in range(20):
                await first_of(stop, timeout_s=0.05)  # the relay has gone to sleep
                arrived = await here.client.subscribe(f"crm.{tenant}.{service}.>")
                await put_event(connection, tenant, event, "r", number)
                began = asyncio.get_running_loop().time()
                wake.ring()
                await arrived.next_msg(timeout=5)
                times.append(asyncio.get_running_loop().time() - began)
                await arrived.unsubscribe()
    assert sorted(times)[10] < 0.1, times  # a poll would take 0.5 s on average
