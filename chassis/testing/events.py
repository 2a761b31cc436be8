"""What tests of events, timers and operations share: a database with the background tables, and event types of their own."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import asyncpg
import orjson
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from nats.js.errors import NotFoundError
from sqlalchemy import MetaData
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from chassis.clock import Clock
from chassis.db.pool import Pools
from chassis.events import inbox
from chassis.events.inbox import inbox_table
from chassis.events.leader import Leader, Work
from chassis.events.nats import Nats, stream_of
from chassis.events.outbox import outbox_table
from chassis.operations import operations_table
from chassis.testing import servers
from chassis.timers import timers_table


def background_tables() -> str:
    """The SQL that makes outbox, inbox, timers, operations and a table `effects` for what tests do."""
    metadata = MetaData()
    for make in (outbox_table, inbox_table, timers_table, operations_table):
        make(metadata)
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    statements = [
        str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables
    ]
    statements += [
        str(CreateIndex(i).compile(dialect=dialect))
        for t in metadata.sorted_tables
        for i in t.indexes
    ]
    statements.append(
        "CREATE TABLE effects (seq bigserial PRIMARY KEY, tenant_id uuid, what text NOT NULL)"
    )
    return ";\n".join(statements)


def background_database() -> str:
    """The URL of a new database with the background tables, in the run's PostgreSQL."""
    name = servers.create_database()
    servers.run_sql(background_tables(), name)
    return servers.postgres_url(name)


def new_service() -> str:
    """A service name that no other test uses, so that streams and durables are this test's own."""
    return f"t{uuid.uuid4().hex[:10]}"


def event_type(service: str, name: str = "ThingChanged") -> type[Message]:
    """A new event class `crm.<service>.v1.<name>` with the field `number`."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"crm/{service}/v1/{name}.proto", package=f"crm.{service}.v1", syntax="proto3"
    )
    field = descriptor_pb2.FieldDescriptorProto
    file.message_type.add(name=name).field.add(
        name="number",
        number=1,
        type=field.TYPE_INT32,
        label=field.LABEL_OPTIONAL,
        json_name="number",
    )
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    made: type[Message] = message_factory.GetMessageClass(
        pool.FindMessageTypeByName(f"crm.{service}.v1.{name}")
    )
    return made


async def put_event(
    connection: asyncpg.Connection,
    tenant: str,
    event: type[Message],
    record: str,
    number: int | str,
    event_id: str = "",
) -> str:
    """Put an event into the outbox as the kit does; returns its id."""
    service, event_id = event.DESCRIPTOR.full_name.split(".")[1], event_id or str(uuid.uuid4())
    headers = {
        "ce-id": event_id,
        "ce-type": event.DESCRIPTOR.full_name,
        "ce-subject": record,
        "ce-specversion": "1.0",
        "ce-time": datetime.now(UTC).isoformat(),
        "ce-source": f"/{service}",
        "Nats-Msg-Id": event_id,
        "content-type": "application/json",
    }
    await connection.execute(
        "INSERT INTO outbox (tenant_id, subject, record, headers, body) VALUES ($1, $2, $3, $4::text::jsonb, $5)",
        tenant,
        f"crm.{tenant}.{service}.{event.DESCRIPTOR.name}",
        f"things/{record}",
        orjson.dumps(headers).decode(),
        orjson.dumps({"number": number}).decode(),
    )
    return event_id


def runtime_of(
    url: str, clock: Clock | None = None, committed: Callable[[], None] = lambda: None
) -> Any:
    """As much of a Runtime as running bodies needs, on real connections."""
    return SimpleNamespace(
        pools=Pools(10),
        database_url=url,
        clock=clock or Clock(),
        settings=SimpleNamespace(force_retry=False),
        conflicts=0,
        outbox_written=lambda: None,
        committed=committed,
        inbox=inbox,
        directory=None,
    )


@asynccontextmanager
async def nats_connection(url: str = "") -> AsyncIterator[Nats]:
    """A connection to this worker's NATS, or another one."""
    nats = Nats(url or servers.nats_url(), "test")
    await nats.connect()
    try:
        yield nats
    finally:
        await nats.close()


@asynccontextmanager
async def running(
    *coroutines: Coroutine[Any, Any, Any],
) -> AsyncIterator[Sequence["asyncio.Future[Any]"]]:
    """Run beside the block; cancelled at its end. A failure in them fails the block."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(coroutine) for coroutine in coroutines]
        yield tasks
        for task in tasks:
            task.cancel()


@asynccontextmanager
async def leading(url: str, *works: Work, key: str = "test") -> AsyncIterator[asyncio.Event]:
    """Run works under the database's Leader beside the block; gives their `stop`, which is set at the end."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(Leader(url, key).run(works, stop))
        try:
            yield stop
        finally:
            stop.set()


async def eventually(
    condition: Callable[[], bool | Awaitable[bool]], what: str, timeout_s: float = 10.0
) -> float:
    """Wait until the condition holds; returns how many seconds that took, fails with `what` after the deadline."""
    began = time.monotonic()
    while True:
        held = condition()
        if held if isinstance(held, bool) else await held:
            return time.monotonic() - began
        assert time.monotonic() - began < timeout_s, f"not within {timeout_s:g} s: {what}"
        await asyncio.sleep(0.02)  # conditions look into databases and streams, which ring no bell


async def heard_by(nats: Nats, service: str, durable: str, tenant: str) -> bool:
    """True once a consumer has acknowledged all that the service has told of the tenant so far, as far as it hears that.

    How much waits for a consumer the server counts a moment after it has taken a message; what is the last it knows at once.
    """
    stream, last = stream_of(service), 0
    try:
        info = await nats.js.consumer_info(stream, durable)
    except NotFoundError:  # nobody has begun to listen
        return False
    every = info.config.filter_subjects or [info.config.filter_subject or f"crm.*.{service}.>"]
    for subject in every:
        with suppress(NotFoundError):
            newest = await nats.js.get_last_msg(stream, subject.replace("*", tenant, 1))
            last = max(last, newest.seq or 0)
    return info.ack_floor is not None and info.ack_floor.stream_seq >= last
