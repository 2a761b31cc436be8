"""A service of a test that publishes events and consumes them itself."""

import functools
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
from google.protobuf.message import Message
from nats.js.errors import NotFoundError
from sqlalchemy import bindparam, text

from chassis.db.statement import Statement
from chassis.events.consumer import Consumers
from chassis.events.nats import Nats
from chassis.events.outbox import Wake
from chassis.events.relay import Relay
from chassis.handlers import Consumer, on
from chassis.running import run_event, run_events
from chassis.testing.events import (
    background_database,
    event_type,
    new_service,
    put_event,
    runtime_of,
)
from chassis.tx import Tx

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
    runtime = runtime_of(url)
    one, many = functools.partial(run_event, runtime), functools.partial(run_events, runtime)
    return [
        Relay(nats, Wake(nats, service), service).run,
        Consumers(nats, service, [consumer], one, many=many, **options).run,
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
