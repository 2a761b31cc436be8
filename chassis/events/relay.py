"""Outbox rows -> JetStream, in the order in which each record's rows were committed; at least once, recognisable by id.

A batch is published in waves: in one wave each record has at most one row, and the next row of a record is published only when
the one before is acknowledged. So a publish that fails, while later ones succeed, never lets a record's events overtake each
other; what failed stays in the outbox with everything behind it and is repeated with the same `Nats-Msg-Id`, for as long as it
takes. A crash between publishing and deleting repeats rows too: JetStream drops what it has seen within two minutes, and
subscribers dedupe by `ce-id`.
"""

import asyncio
import itertools
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
from chassis.events.precedence import Precedence
from chassis.telemetry import OUTBOX_LAG, PUBLISHED
from chassis.waits import first_of

log = logging.getLogger(__name__)

BATCH = 1000
_AT_ONCE = 100  # published without giving way: about three milliseconds
_ACK_S = 5.0  # an election of a stream's leader took 5.2 s; what misses it is simply repeated
_POLL_S = 1.0
_LONGEST_PAUSE_S = 2.0

# One round trip takes away what was published and reads what follows. Both halves see the table as it was before, so the second
# leaves out by number what the first deletes.
_NEXT = """
WITH published AS (DELETE FROM outbox WHERE seq = ANY($2::bigint[]))
SELECT seq, subject, record, headers::text AS headers, body,
       extract(epoch FROM clock_timestamp() - created)::float8 AS age_s
FROM outbox WHERE seq <> ALL($2::bigint[]) ORDER BY seq LIMIT $1
"""


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

    def __init__(
        self, nats: Nats, wake: Wake, service: str, *, precedence: Precedence | None = None
    ) -> None:
        self._nats, self._wake, self._service = nats, wake, service
        self._precedence = precedence or Precedence()
        self._publisher = Publisher(nats)
        self._published: list[int] = []
        """What JetStream has and the outbox still holds."""

    async def run(self, lease: Lease, stop: asyncio.Event) -> None:
        """Publish until `stop`; ends when what was published until then is deleted."""
        self._published = []  # of an earlier term: who led since has repeated it
        await self._wake.listen()
        try:
            await self._run(lease, stop)
        finally:
            self._precedence.claim(self, has_rows=False)
            await self._wake.unlisten()

    async def _run(self, lease: Lease, stop: asyncio.Event) -> None:
        pause_s = 0.0
        while True:
            self._wake.told.clear()
            try:
                rows = await self._next(lease)
                if stop.is_set():
                    return
                self._precedence.claim(self, has_rows=bool(rows))
                await self._publish(rows)
                pause_s = 0.0
            except LeaseLost:
                raise
            except Exception as error:  # the relay must outlive whatever a batch meets
                self._precedence.claim(self, has_rows=False)
                if stop.is_set():
                    return
                pause_s = min(_LONGEST_PAUSE_S, pause_s * 2 or 0.1)
                log.warning(
                    "%s: publishing failed, next try in %.1f s: %s",
                    self._service,
                    pause_s,
                    place_of(error),
                )
                await first_of(stop, timeout_s=pause_s)
            else:
                if not rows:
                    await first_of(self._wake.told, stop, timeout_s=_POLL_S)

    async def _next(self, lease: Lease) -> list[Row]:
        """Up to BATCH rows; those that were published before are deleted."""
        records = await lease.fetch(_NEXT, BATCH, self._published)
        PUBLISHED.labels(self._service).inc(len(self._published))
        self._published = []
        OUTBOX_LAG.labels(self._service).set(records[0]["age_s"] if records else 0.0)
        return [
            Row(r["seq"], r["subject"], r["record"], orjson.loads(r["headers"]), r["body"].encode())
            for r in records
        ]

    async def _ensure_targets(self, rows: Sequence[Row]) -> None:
        """Make the streams and buckets that the rows go to: it may be that NATS was emptied."""
        await self._nats.ensure_streams([self._service])
        for bucket in {row.subject.split(".")[1] for row in rows if row.subject.startswith("$KV.")}:
            await self._nats.ensure_bucket(bucket)

    async def _publish(self, rows: Sequence[Row]) -> None:
        """Publish the rows; raises the first failure, when all that could be published is."""
        failure: BaseException | None = None
        for wave, failed in waves(rows):
            for row, result in zip(wave, await self._publisher.publish(wave), strict=True):
                if result is None:
                    self._published.append(row.seq)
                else:
                    failed.add(row.lane)
                    failure = failure or result
        if failure is not None:
            await self._ensure_targets(rows)
            raise failure


class Publisher:
    """Publishes many messages at once and waits for all their acknowledgements.

    JetStream's own `publish` makes a request of each message; here one subscription takes all answers, at half the CPU.
    """

    def __init__(self, nats: Nats) -> None:
        self._nats = nats
        self._under_way: dict[str, _Answers] = {}
        self._inbox = ""
        self._turns = itertools.count()

    async def publish(self, rows: Sequence[Row]) -> list[BaseException | None]:
        """For each row None if it is stored, else why it is not known to be."""
        client = self._nats.client
        if not self._inbox:
            inbox = client.new_inbox()
            await client.subscribe(f"{inbox}.*.*", cb=self._on_answer)
            self._inbox = inbox
        if not self._nats.connected:
            raise ConnectionError("NATS is disconnected")
        turn, answers = str(next(self._turns)), _Answers(len(rows))
        self._under_way[turn] = answers
        try:
            for number, row in enumerate(rows):
                reply = f"{self._inbox}.{turn}.{number}"
                try:
                    await client.publish(row.subject, row.body, reply=reply, headers=row.headers)
                except (NatsError, OSError) as error:
                    answers.put(number, error)
                if number % _AT_ONCE == _AT_ONCE - 1:
                    # The client's publish never waits: here the server gets what it can already store,
                    # its first answers are read, and everybody else in this process has a turn.
                    await asyncio.sleep(0)  # others' turn
            await first_of(answers.complete, timeout_s=_ACK_S)
            return answers.outcomes
        finally:
            del self._under_way[turn]

    async def _on_answer(self, message: Msg) -> None:
        _, turn, number = message.subject.rsplit(".", 2)
        answers = self._under_way.get(turn)
        if answers is not None:
            answers.put(int(number), _refusal(message))


class _Answers:
    """What became of messages that were published together."""

    def __init__(self, count: int) -> None:
        self.outcomes: list[BaseException | None] = [TimeoutError("no acknowledgement")] * count
        self.complete = asyncio.Event()
        self._missing = set(range(count))

    def put(self, number: int, outcome: BaseException | None) -> None:
        """The first answer to a message counts."""
        if number in self._missing:
            self._missing.remove(number)
            self.outcomes[number] = outcome
            if not self._missing:
                self.complete.set()


def _refusal(answer: Msg) -> BaseException | None:
    if answer.headers and answer.headers.get("Status") == "503":
        return NotStored("no stream takes this subject")
    # An acknowledgement names stream and sequence, nothing else: almost none has to be parsed.
    if b'"error"' in answer.data and (error := orjson.loads(answer.data).get("error")):
        return NotStored(str(error.get("description", "")))
    return None


class NotStored(Exception):
    """JetStream refused a message."""
