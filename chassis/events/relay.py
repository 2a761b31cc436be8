"""Outbox rows -> JetStream, in the order in which each record's rows were committed; at least once, recognisable by id.

A batch is published in waves: in one wave each record has at most one row, and the next row of a record is published only when
the one before is acknowledged. So a publish that fails, while later ones succeed, never lets a record's events overtake each
other; what failed stays in the outbox with everything behind it and is repeated with the same `Nats-Msg-Id`, for as long as it
takes. A crash between publishing and deleting repeats rows too: JetStream drops what it has seen within two minutes, and
subscribers dedupe by `ce-id`.
"""

import asyncio
import itertools
import json
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from chassis.defects import place_of
from chassis.events.leader import Lease, LeaseLost
from chassis.events.nats import Nats
from chassis.events.outbox import Wake
from chassis.telemetry import OUTBOX_LAG, PUBLISHED
from chassis.waits import first_of

log = logging.getLogger(__name__)

BATCH = 500
_ACK_S = 5.0  # an election of a stream's leader took 5.2 s; what misses it is simply repeated
_POLL_S = 1.0
_LONGEST_PAUSE_S = 2.0

_SELECT = """
SELECT seq, subject, record, headers::text AS headers, body,
       extract(epoch FROM clock_timestamp() - created)::float8 AS age_s
FROM outbox ORDER BY seq LIMIT $1
"""
_DELETE = "DELETE FROM outbox WHERE seq = ANY($1::bigint[])"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the outbox."""

    seq: int
    subject: str
    record: str
    headers: dict[str, str]
    body: bytes

    @property
    def lane(self) -> str:
        """Rows of one lane keep their order; a row that belongs to no record has a lane of its own."""
        tenant = self.subject.split(".", 2)[1] if not self.subject.startswith("$KV.") else ""
        return f"{tenant}/{self.record}" if self.record else str(self.seq)


def waves(rows: Sequence[Row]) -> Iterator[tuple[list[Row], set[str]]]:
    """Rows in waves with at most one per record. The caller adds to the set the lanes that failed: they are left out from then on."""
    lanes: dict[str, deque[Row]] = {}
    for row in rows:
        lanes.setdefault(row.lane, deque()).append(row)
    failed: set[str] = set()
    while wave := [
        queue.popleft() for lane, queue in lanes.items() if queue and lane not in failed
    ]:
        yield wave, failed
        lanes = {lane: queue for lane, queue in lanes.items() if queue}


class Relay:
    """Empties the outbox of one service's database. Run it under the lock of that database's Leader."""

    def __init__(self, nats: Nats, wake: Wake, service: str) -> None:
        self._nats, self._wake, self._service = nats, wake, service
        self._publisher = Publisher(nats)

    async def run(self, lease: Lease, stop: asyncio.Event) -> None:
        """Publish until `stop`; ends after the batch at hand."""
        await self._wake.listen()
        pause_s = 0.0
        try:
            while not stop.is_set():
                self._wake.told.clear()
                try:
                    emptied = await self._publish_batch(lease)
                    pause_s = 0.0
                except LeaseLost:
                    raise
                except Exception as error:  # the relay must outlive whatever a batch meets
                    pause_s = min(_LONGEST_PAUSE_S, pause_s * 2 or 0.1)
                    log.warning(
                        "%s: publishing failed, next try in %.1f s: %s",
                        self._service,
                        pause_s,
                        place_of(error),
                    )
                    await first_of(stop, timeout_s=pause_s)
                else:
                    if emptied:
                        await first_of(self._wake.told, stop, timeout_s=_POLL_S)
        finally:
            await self._wake.unlisten()

    async def _publish_batch(self, lease: Lease) -> bool:
        """Publish and delete up to BATCH rows. True if none are left; raises if a row could not be published."""
        records = await lease.fetch(_SELECT, BATCH)
        OUTBOX_LAG.labels(self._service).set(records[0]["age_s"] if records else 0.0)
        if not records:
            return True
        rows = [
            Row(r["seq"], r["subject"], r["record"], orjson.loads(r["headers"]), r["body"].encode())
            for r in records
        ]
        published, failure = await self._publish(rows)
        if published:
            await lease.fetch(_DELETE, published)
            PUBLISHED.labels(self._service).inc(len(published))
        if failure is not None:
            await self._ensure_targets(rows)
            raise failure
        return len(records) < BATCH

    async def _ensure_targets(self, rows: Sequence[Row]) -> None:
        """Make the streams and buckets that the rows go to: it may be that NATS was emptied."""
        await self._nats.ensure_streams([self._service])
        for bucket in {row.subject.split(".")[1] for row in rows if row.subject.startswith("$KV.")}:
            await self._nats.ensure_bucket(bucket)

    async def _publish(self, rows: Sequence[Row]) -> tuple[list[int], BaseException | None]:
        """The seqs that JetStream has, and the first failure."""
        published: list[int] = []
        failure: BaseException | None = None
        for wave, failed in waves(rows):
            for row, result in zip(wave, await self._publisher.publish(wave), strict=True):
                if result is None:
                    published.append(row.seq)
                else:
                    failed.add(row.lane)
                    failure = failure or result
        return published, failure


class Publisher:
    """Publishes many messages at once and waits for all their acknowledgements.

    JetStream's own `publish` makes a request of each message; here one subscription takes all answers, at half the CPU.
    """

    def __init__(self, nats: Nats) -> None:
        self._nats = nats
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._inbox = ""
        self._numbers = itertools.count()

    async def publish(self, rows: Sequence[Row]) -> list[BaseException | None]:
        """For each row None if it is stored, else why it is not known to be."""
        client = self._nats.client
        if not self._inbox:
            inbox = client.new_inbox()
            await client.subscribe(f"{inbox}.*", cb=self._on_answer)
            self._inbox = inbox
        if not self._nats.connected:
            raise ConnectionError("NATS is disconnected")
        waiting: list[tuple[str, asyncio.Future[None]]] = []
        try:
            for row in rows:
                number, future = (
                    str(next(self._numbers)),
                    asyncio.get_running_loop().create_future(),
                )
                waiting.append((number, future))
                self._waiting[number] = future
                try:
                    await client.publish(
                        row.subject, row.body, reply=f"{self._inbox}.{number}", headers=row.headers
                    )
                except (NatsError, OSError) as error:
                    future.set_exception(error)
            await asyncio.wait([future for _, future in waiting], timeout=_ACK_S)
            return [_outcome(future) for _, future in waiting]
        finally:
            for number, future in waiting:
                del self._waiting[number]
                future.cancel()

    async def _on_answer(self, message: Msg) -> None:
        future = self._waiting.get(message.subject.rpartition(".")[2])
        if future is None or future.done():
            return
        if message.headers and message.headers.get("Status") == "503":
            future.set_exception(NotStored("no stream takes this subject"))
        elif "error" in (answer := json.loads(message.data)):
            future.set_exception(NotStored(str(answer["error"].get("description", ""))))
        else:
            future.set_result(None)


class NotStored(Exception):
    """JetStream refused a message."""


def _outcome(future: "asyncio.Future[None]") -> BaseException | None:
    return future.exception() if future.done() else TimeoutError("no acknowledgement")
