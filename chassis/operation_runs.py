"""Carries out operations: in any process, by one at a time, resumed by another if its worker dies.

A worker claims a row and shows every few seconds that it lives. A run that has not shown so for `LEASE_S` is taken over: the
body runs again with the same request and the `position` that it saved. Each write of a run is one transaction that also checks
that the run is still ours and not cancelled, and may save the position: so what a step did and how far the run is never differ.
"""

import asyncio
import contextlib
import functools
import logging
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import asyncpg
import orjson
from google.protobuf import any_pb2, empty_pb2
from google.protobuf.message import Message
from nats.errors import Error as NatsError
from sqlalchemy import bindparam, text

from chassis import contracts, errors
from chassis.call import Actor, Cause
from chassis.db.pool import is_lost
from chassis.db.statement import Statement
from chassis.defects import place_of
from chassis.events.leader import Lease
from chassis.events.nats import Nats, ending
from chassis.operations import CANCELLED, DONE, FAILED, OperationCancelled
from chassis.timers import SystemRunner
from chassis.tx import Tx
from chassis.waits import first_of

log = logging.getLogger(__name__)

LEASE_S = 20.0
_SWEEP_S = 2.0
_JUST_S = (
    5.0  # a transaction that started an operation has committed by then; if not, the sweep finds it
)
_AT_ONCE = 3  # of one service in one process
_OF_A_KIND = 2  # a heap of one kind that waits for something leaves a worker to the others

T = TypeVar("T")
Fetch = Callable[..., Awaitable[list[asyncpg.Record]]]
"""Runs a statement as the background role: `await fetch(sql, *arguments)`."""

_OPEN = "(state = 'queued' OR state = 'running' AND heartbeat < clock_timestamp() - $1 * interval '1 second') AND kind = ANY($2::text[])"
_ANY_OPEN = f"SELECT 1 FROM operations WHERE {_OPEN} LIMIT 1"
_CLAIM = f"""
UPDATE operations SET state = 'running', worker = $3, heartbeat = clock_timestamp(), update_time = clock_timestamp()
WHERE (tenant_id, id) = (SELECT tenant_id, id FROM operations WHERE {_OPEN} AND id <> ALL($4::uuid[])
  ORDER BY create_time FOR UPDATE SKIP LOCKED LIMIT 1)
RETURNING tenant_id, id, kind, actor::text AS actor, request, done, total, position::text AS position
"""
_RELEASE = """
UPDATE operations SET state = 'queued', worker = NULL, heartbeat = NULL
WHERE tenant_id = $1 AND id = $2 AND worker = $3 AND state = 'running'
"""
_MINE = "WHERE tenant_id = :tenant_id AND id = :id AND worker = :worker AND state = 'running'"


def _mine(sets: str, *names: str) -> Statement:
    sql = f"UPDATE operations SET heartbeat = clock_timestamp(), update_time = clock_timestamp(), {sets} {_MINE} RETURNING cancel"
    return Statement(
        text(sql).bindparams(*(bindparam(name) for name in ("tenant_id", "id", "worker", *names)))
    )


_STEP = _mine(
    "done = :done, total = :total, position = coalesce(CAST(CAST(:position AS text) AS jsonb), position)",
    "done",
    "total",
    "position",
)
_FINISH = _mine(
    "state = :state, result = :result, error = :error, done = :done, total = :total",
    "state",
    "result",
    "error",
    "done",
    "total",
)


class TakenOver(Exception):
    """Another worker has the operation now; this run must end."""


class OperationRun:
    """What the body of an operation works with."""

    def __init__(self, runner: SystemRunner, worker: str, row: asyncpg.Record) -> None:
        self._runner, self._worker = runner, worker
        self.tenant, self.id, self.kind = str(row["tenant_id"]), str(row["id"]), str(row["kind"])
        self._request = bytes(row["request"])
        self.actor = Actor(**orjson.loads(row["actor"]))
        """Who asked for it."""
        self.position: dict[str, Any] = orjson.loads(row["position"])
        """What an earlier run saved; empty in the first."""
        self.done, self.total = int(row["done"]), int(row["total"])

    @functools.cached_property
    def request(self) -> Message:
        """What was asked for."""
        packed = any_pb2.Any.FromString(self._request)
        message_class = contracts.message_class(packed.TypeName())
        if message_class is None:
            raise LookupError(f"{packed.TypeName()} is unknown to this program")
        message = message_class()
        packed.Unpack(message)
        return message

    async def write(
        self, work: Callable[[Tx], Awaitable[T]], *, position: Mapping[str, Any] | None = None
    ) -> T:
        """Run `work(tx)` in one transaction as the system, with `position` saved in it; returns what it returns.

        Raises OperationCancelled if somebody cancelled the operation; nothing of this step is written then.
        """

        async def step(tx: Tx) -> T:
            await self._check(tx, position)
            return await work(tx)

        result: T = await self._runner(
            self.tenant, Cause(self.kind.partition(":")[0], self.id), step
        )
        if position is not None:
            self.position = dict(position)
        return result

    async def progress(
        self, done: int, total: int | None = None, *, position: Mapping[str, Any] | None = None
    ) -> None:
        """Show how far it is; also saves `position` if given. Raises OperationCancelled."""
        self.done, self.total = done, self.total if total is None else total
        await self.write(_nothing, position=position)

    async def _check(self, tx: Tx, position: Mapping[str, Any] | None) -> None:
        await tx.begin()
        saved = None if position is None else orjson.dumps(position).decode()
        row = await tx.fetchrow(
            _STEP, id=self.id, worker=self._worker, done=self.done, total=self.total, position=saved
        )
        if row is None:
            raise TakenOver
        if row["cancel"]:
            raise OperationCancelled

    async def finish(self, state: str, result: bytes | None, error: bytes | None) -> None:
        """Write the end (chassis only)."""

        async def end(tx: Tx) -> None:
            await tx.begin()
            values = {
                "state": state,
                "result": result,
                "error": error,
                "done": self.done,
                "total": self.total,
            }
            if await tx.fetchrow(_FINISH, id=self.id, worker=self._worker, **values) is None:
                raise TakenOver

        await self._runner(self.tenant, Cause(self.kind.partition(":")[0], self.id), end)


async def _nothing(_: Tx) -> None:
    return None


Body = Callable[[OperationRun], Awaitable[Message | None]]


class OperationRuns:
    """The workers of one service's operations in this process."""

    def __init__(
        self,
        service: str,
        bodies: Mapping[str, Body],
        runner: SystemRunner,
        fetch: Fetch,
        *,
        nats: Nats | None = None,
        lease_s: float = LEASE_S,
    ) -> None:
        self._service, self._bodies, self._runner, self._fetch = (
            service,
            dict(bodies),
            runner,
            fetch,
        )
        self._nats, self._subject = nats, f"crm-operations.{service}"
        self._lease_s, self._worker = lease_s, str(uuid.uuid4())
        self._woken = asyncio.Event()
        self._claiming, self._under_way = asyncio.Lock(), dict[str, str]()
        """What this process works on: id -> kind."""
        self._expected_at = -1e9

    def expect(self) -> None:
        """Say that the transaction under way starts an operation."""
        self._expected_at = time.monotonic()

    def wake(self) -> None:
        """Look for operations if one was just started; call after any commit."""
        if time.monotonic() - self._expected_at < _JUST_S:
            self._woken.set()

    async def sweep(self, lease: Lease, stop: asyncio.Event) -> None:
        """Wake every process's workers for operations that nobody works on. Run it under the database's Leader."""
        while not stop.is_set():
            if await lease.fetch(_ANY_OPEN, self._lease_s, list(self._bodies)):
                self._woken.set()
                if self._nats is not None:  # this process's workers may all be at work
                    with contextlib.suppress(NatsError, OSError):  # the next sweep tells again
                        await self._nats.client.publish(self._subject)
            await first_of(stop, timeout_s=min(_SWEEP_S, self._lease_s))

    async def run(self, stop: asyncio.Event) -> None:
        """Carry out operations whenever woken, until `stop`; what is under way then goes back into the queue."""

        async def on_message(_: object) -> None:
            self._woken.set()

        told = None
        if self._nats is not None:
            told = await self._nats.client.subscribe(self._subject, cb=on_message)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(_AT_ONCE):
                    group.create_task(self._work(stop))
        finally:
            if told is not None:
                await ending(told.unsubscribe())

    async def _work(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                row = await self._claim()
            except (
                OSError,
                asyncpg.PostgresError,
                asyncpg.InterfaceError,
                errors.Unavailable,
                TimeoutError,
            ) as error:
                log.warning("%s: operations: %s", self._service, type(error).__name__)
                await first_of(stop, timeout_s=1.0)
            else:
                if row is None:
                    await first_of(self._woken, stop)
                    self._woken.clear()
                else:
                    try:
                        await self._carry_out(row, stop)
                    finally:
                        del self._under_way[str(row["id"])]

    async def _claim(self) -> asyncpg.Record | None:
        """An open operation of a kind of which this process has not enough under way yet, and none that it has itself.

        A process that stood still for longer than its lease goes on with what it has: taken over by itself it would run twice.
        """
        async with self._claiming:
            counts = Counter(self._under_way.values())
            kinds = [kind for kind in self._bodies if counts[kind] < _OF_A_KIND]
            mine = list(self._under_way)
            rows = await self._fetch(_CLAIM, self._lease_s, kinds, self._worker, mine)
            if not rows:
                return None
            self._under_way[str(rows[0]["id"])] = str(rows[0]["kind"])
            return rows[0]

    async def _carry_out(self, row: asyncpg.Record, stop: asyncio.Event) -> None:
        run = OperationRun(self._runner, self._worker, row)
        body = asyncio.create_task(self._judged(run))
        life = asyncio.create_task(self._show_life(run))
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([body, life, stopped], return_when=asyncio.FIRST_COMPLETED)
            if not body.done():
                body.cancel()
                await asyncio.wait([body])
                if life.done() and life.result() == CANCELLED:
                    await self._end(run, CANCELLED, OperationCancelled())
                else:
                    await self._fetch(_RELEASE, run.tenant, run.id, self._worker)
        finally:
            for task in (body, life, stopped):
                task.cancel()

    async def _judged(self, run: OperationRun) -> None:
        """Run the body and write how it ended; leave it to be resumed if the database went away."""
        refusal: errors.CrmError
        try:
            result, packed = await self._bodies[run.kind](run), any_pb2.Any()
            packed.Pack(result if result is not None else empty_pb2.Empty())
            return await run.finish(DONE, packed.SerializeToString(), None)
        except TakenOver:
            return
        except OperationCancelled as cancelled:
            ending, refusal = CANCELLED, cancelled
        except Exception as error:  # an operation that failed is told to whoever waits for it
            if isinstance(error, errors.Unavailable) or is_lost(error):
                return
            ending, refusal = FAILED, self._told(run, error)
        await self._end(run, ending, refusal)

    def _told(self, run: OperationRun, error: Exception) -> errors.CrmError:
        """A refusal as it is; of a defect only that there was one."""
        if isinstance(error, errors.CrmError):
            return error
        log.error(
            "%s: operation %s %s failed: %s", self._service, run.kind, run.id, place_of(error)
        )
        return errors.Internal("the operation failed; tell support its id")

    async def _end(self, run: OperationRun, state: str, refusal: errors.CrmError) -> None:
        with contextlib.suppress(
            TakenOver, errors.Unavailable
        ):  # whoever has it, or takes it over, writes the end
            await run.finish(state, None, errors.to_status(refusal).SerializeToString())

    async def _show_life(self, run: OperationRun) -> str:
        """Keep the claim alive; returns when it is lost, or the operation cancelled between two steps."""
        while True:
            await asyncio.sleep(self._lease_s / 4)  # a pace, not a wait: ended by cancellation
            try:
                await run.write(_nothing)
            except OperationCancelled:
                return CANCELLED
            except TakenOver:
                return ""
            except errors.Unavailable:
                continue
