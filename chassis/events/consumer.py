"""Runs a service's consumers: pull, effect with its inbox row in one transaction, ack after the commit.

**Order.** Events of one record are processed one after the other, also while one is being retried: those behind it wait in
memory. Events of different records run side by side. To keep that over replicas, one process per database runs the consumers
(see leader.py); the durables belong to all replicas, and the next leader goes on at the ack floor.

**What is heard.** A durable's filter is what the consumer names (`handlers.on`); NATS spends nothing on the rest. Names may come
and go: the filter is brought up to date where the pulling begins, and the durable goes on from its ack floor. Eighty names cost
NATS as much as eight: some 20 us for each delivery, where one without a filter costs 10; an event that a body skips costs us 100.

**The price.** The throughput of a service's consumers is that of one process; and a record whose event keeps failing holds its
later events back for up to `sum(RETRY_DELAYS_S)` (about 13 minutes), other records too if it has more than 500 of them. Then the
event goes to the dead-letter stream and the record's later events go on without it (`dead_letters.py` shows what that omits).

A failure that is not the event's fault (the database is away) is retried without counting, for as long as it takes.
"""

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from google.protobuf.message import Message
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError

from chassis import contracts, handlers, telemetry
from chassis.defects import place_of
from chassis.events import dead_letters
from chassis.events.decode import Undecodable, decode, own
from chassis.events.lanes import Lanes
from chassis.events.leader import Lease
from chassis.events.nats import Nats, ending, stream_of
from chassis.events.outbox import CAUSE_HEADER
from chassis.events.precedence import Precedence
from chassis.events.pull import Pull
from chassis.events.turns import Batch, Turns, not_its_fault
from chassis.tx import EventMeta, Tx
from chassis.waits import first_of

log = logging.getLogger(__name__)

RETRY_DELAYS_S = (1.0, 5.0, 30.0, 120.0, 600.0)  # six tries
SIDE_BY_SIDE = 4
"""Turns of one consumer: each takes a database connection from the process's budget while it runs."""
_PROGRESS_S = 10.0  # a third of the ack wait
_LONGEST_PAUSE_S = 5.0


class EventRunner(Protocol):
    """Runs a body for an event: inbox row, effect and commit in one transaction (chassis.running.run_event)."""

    async def __call__(
        self,
        durable: str,
        body: Callable[[Any, Tx], Awaitable[None]],
        event: Message,
        meta: EventMeta,
    ) -> str:
        """ "done", or "duplicate" if this consumer had processed the event before."""
        ...


class BatchRunner(Protocol):
    """As EventRunner for several events of one tenant in one transaction, all or none (chassis.running.run_events)."""

    async def __call__(
        self, durable: str, body: Callable[[Any, Tx], Awaitable[None]], batch: Batch
    ) -> list[str]: ...


@dataclass(slots=True)
class Delivery:
    """A message in our hands. A redelivery of it replaces `message`, so that the newest is acknowledged."""

    message: Msg
    pull: Pull
    meta: EventMeta
    headers: dict[str, str]


class Consumers:
    """All consumers of one service."""

    def __init__(
        self,
        nats: Nats,
        service: str,
        consumers: Sequence[handlers.Consumer],
        runner: EventRunner,
        *,
        many: BatchRunner | None = None,
        retry_delays_s: Sequence[float] = RETRY_DELAYS_S,
        precedence: Precedence | None = None,
    ) -> None:
        self._nats, self._service, self._consumers = nats, service, tuple(consumers)
        self._each = [
            _Running(nats, service, consumer, runner, many, retry_delays_s, precedence)
            for consumer in consumers
        ]

    async def run(self, lease: Lease, stop: asyncio.Event) -> None:
        """Consume until `stop`; then finish and acknowledge what is under way. Run it under the database's Leader."""
        await self._ensure_streams(stop)
        await self._leave_streams()
        async with asyncio.TaskGroup() as group:
            for running in self._each:
                group.create_task(running.run(stop))

    async def _ensure_streams(self, stop: asyncio.Event) -> None:
        read = {publisher for consumer in self._consumers for publisher in consumer.services}
        while not stop.is_set():
            try:
                return await self._nats.ensure_streams(sorted({self._service, *read}))
            except (NatsError, JetStreamError, OSError, TimeoutError) as error:
                log.warning("%s: streams: %s", self._service, type(error).__name__)
                await first_of(stop, timeout_s=1.0)

    async def _leave_streams(self) -> None:
        """Take away what an older program pulled from and this one does not: it would fill up for ever, unheard."""
        read = {
            (each.durable, publisher) for each in self._consumers for publisher in each.services
        }
        own = {each.durable for each in self._consumers}
        try:
            for publisher in contracts.load_all():
                for durable in own & await self._nats.durables(publisher):
                    if (durable, publisher) not in read:
                        await self._nats.js.delete_consumer(stream_of(publisher), durable)
        except (NatsError, JetStreamError, OSError, TimeoutError) as error:
            log.warning("%s: old consumers stay: %s", self._service, type(error).__name__)


class _Running:
    """One consumer at work."""

    def __init__(
        self,
        nats: Nats,
        service: str,
        consumer: handlers.Consumer,
        runner: EventRunner,
        many: BatchRunner | None,
        retry_delays_s: Sequence[float],
        precedence: Precedence | None,
    ) -> None:
        self._nats, self._service, self._consumer = nats, service, consumer
        self._precedence = precedence
        self._one = functools.partial(runner, consumer.durable, consumer.body)
        self._many = functools.partial(many, consumer.durable, consumer.body) if many else None
        self._retry_delays_s = tuple(retry_delays_s)
        self._turns: Turns
        self._held: dict[tuple[str, int], Delivery] = {}
        # labels() locks and formats; a consumer has a handful of outcomes.
        self._consumed = functools.cache(
            functools.partial(telemetry.CONSUMED.labels, consumer.durable)
        )
        self._ignored = self._consumed("skipped")

    async def run(self, stop: asyncio.Event) -> None:
        """Pull from every stream that the consumer reads, until `stop`."""
        self._held.clear()  # of an earlier time as leader
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            lanes = Lanes(group)
            self._turns = Turns(group, self._one, self._many, SIDE_BY_SIDE, self._precedence)
            progress = group.create_task(self._report_progress(over))
            redrive = await self._nats.client.subscribe(
                dead_letters.redrive_subject(self._consumer.durable),
                cb=functools.partial(self._on_redrive, lanes),
            )
            try:
                async with asyncio.TaskGroup() as pulls:
                    for publisher in self._consumer.services:
                        pulls.create_task(self._pull(publisher, lanes, stop))
                await lanes.close()
            finally:
                over.set()
                await ending(redrive.unsubscribe())
            await progress

    async def _pull(self, publisher: str, lanes: Lanes, stop: asyncio.Event) -> None:
        subjects = self._consumer.subjects(publisher)
        lag = telemetry.CONSUMER_LAG.labels(self._consumer.durable, publisher)
        pull: Pull

        async def on_message(message: Msg) -> None:
            lag.set(_pending(message.reply))
            if (message.headers or {}).get(CAUSE_HEADER) in self._consumer.ignores:
                await self._ignore(message)
            else:
                self._on_message(message, pull, lanes, stop)

        pull = Pull(self._nats, stream_of(publisher), self._consumer.durable, subjects, on_message)
        await pull.run(stop)

    async def _ignore(self, message: Msg) -> None:
        """Acknowledge an event that the body leaves alone. It need not wait for its record's turn: nothing happens."""
        try:
            await message.ack()
        except NatsError:
            return  # it comes again
        self._ignored.inc()

    def _on_message(self, message: Msg, pull: Pull, lanes: Lanes, stop: asyncio.Event) -> None:
        meta, headers = meta_of(message), message.headers or {}
        place = (meta.stream, meta.sequence)
        if held := self._held.get(place):
            held.message = message
            return
        delivery = self._held[place] = Delivery(message, pull, meta, headers)
        pull.take()
        lanes.put(_lane(meta), functools.partial(self._process, delivery, stop))

    async def _process(self, delivery: Delivery, stop: asyncio.Event) -> None:
        """Bring one event to its end: done, duplicate, skipped or dead. On `stop` it may stay unacknowledged."""
        meta = delivery.meta
        try:
            with telemetry.span(
                f"consume {self._consumer.durable}", delivery.headers.get("traceparent")
            ):
                outcome = await self._outcome(delivery, stop)
            if outcome == "":
                return
            self._consumed(outcome).inc()
            await (delivery.message.term() if outcome == "dead" else delivery.message.ack())
        except NatsError as error:  # not acknowledged: it comes again and the inbox knows it
            log.info("%s: no ack for %s: %s", self._consumer.durable, meta.id, type(error).__name__)
        finally:
            self._held.pop((meta.stream, meta.sequence), None)
            delivery.pull.free()

    async def _outcome(self, delivery: Delivery, stop: asyncio.Event) -> str:
        failures, pause_s = 0, 0.1
        while True:
            try:
                return await self._try(delivery.meta, delivery.message.data)
            except Exception as error:  # the loop must outlive whatever a body raises
                if not_its_fault(error):
                    delay_s = pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)
                else:
                    failures += 1
                    self._log_failure(delivery.meta, failures, error)
                    if failures > len(self._retry_delays_s) or isinstance(error, Undecodable):
                        return "dead" if await self._bury(delivery, failures, error, stop) else ""
                    self._consumed("retried").inc()
                    delay_s = self._retry_delays_s[failures - 1]
            if await first_of(stop, timeout_s=delay_s):
                return ""

    async def _try(self, meta: EventMeta, body: bytes) -> str:
        event = decode(meta.type, body)
        if event is None or not self._consumer.hears(event):
            return "skipped"
        return await self._turns.run(own(event), meta)

    async def _bury(
        self, delivery: Delivery, tries: int, error: Exception, stop: asyncio.Event
    ) -> bool:
        """Put the event into the dead-letter stream; False if `stop` came before that succeeded."""
        while True:
            try:
                await dead_letters.bury(
                    self._nats,
                    self._service,
                    self._consumer.durable,
                    delivery.message,
                    delivery.meta,
                    tries,
                    error,
                )
                return True
            except (NatsError, JetStreamError, OSError, TimeoutError):
                if await first_of(stop, timeout_s=1.0):
                    return False

    def _log_failure(self, meta: EventMeta, failures: int, error: Exception) -> None:
        # No text of the error: it may quote personal data. The dead letter carries it.
        log.warning(
            "%s: try %d of %d failed for %s %s of tenant %s: %s",
            self._consumer.durable,
            failures,
            len(self._retry_delays_s) + 1,
            meta.type,
            meta.id,
            meta.tenant,
            place_of(error),
        )

    async def _report_progress(self, over: asyncio.Event) -> None:
        """Tell JetStream that we still work on what we hold, so that it does not deliver it again."""
        while not await first_of(over, timeout_s=_PROGRESS_S):
            for delivery in list(self._held.values()):
                try:
                    await delivery.message.in_progress()
                except NatsError:
                    break  # disconnected: everything comes again after the reconnection

    async def _on_redrive(self, lanes: Lanes, request: Msg) -> None:
        """Process a dead letter once, in its record's turn, and answer with the outcome."""
        meta = dead_letters.meta_of_letter(request)

        async def job() -> None:
            try:
                answer = await self._try(meta, request.data)
            except Exception as error:  # told to whoever asked for the re-drive
                answer = f"failed: {type(error).__name__}: {error}"
            await request.respond(answer.encode())

        lanes.put(_lane(meta), job)


def meta_of(message: Msg) -> EventMeta:
    """What the headers and the place in the stream say of an event."""
    headers, place = message.headers or {}, message.metadata
    return EventMeta(
        id=headers.get("ce-id", ""),
        type=headers.get("ce-type", ""),
        tenant=message.subject.split(".")[1],
        time=datetime.fromisoformat(headers["ce-time"])
        if "ce-time" in headers
        else place.timestamp,
        subject=headers.get("ce-subject", ""),
        sequence=place.sequence.stream,
        stream=place.stream,
    )


def _pending(reply: str) -> int:
    """How many events of the stream are behind this one: the client's `metadata` reads all the rest too, at ten times the cost."""
    tokens = reply.split(".")
    return int(
        tokens[8 if len(tokens) == 9 else 10]
    )  # ADR-15 of NATS: since 2.8 with domain and account


def _lane(meta: EventMeta) -> str:
    """Events about no record have no order among each other."""
    return f"{meta.tenant}/{meta.subject or meta.id}"
