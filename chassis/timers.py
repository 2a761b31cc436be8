"""Timers: rows that are due at a time. The effect and the removal of the row are one transaction, so a timer fires once; it is
late only by an outage.

The process that leads a database looks for due rows (see events/leader.py), but nothing depends on there being only one: whoever
deletes the row first fires it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import orjson
from sqlalchemy import (
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    bindparam,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from chassis.call import Cause
from chassis.clock import Clock
from chassis.db.pool import is_lost
from chassis.db.statement import Statement
from chassis.defects import place_of
from chassis.errors import Unavailable
from chassis.events.leader import Lease, LeaseLost
from chassis.telemetry import TIMER_LATENESS
from chassis.tx import Tx
from chassis.waits import first_of

log = logging.getLogger(__name__)

LATE_BY = "late_by_s"
"""The key under which a body finds in its payload how many seconds late it runs."""

_POLL_S = 1.0  # how late a timer may be that another process has set
_JUST_S = 5.0  # a transaction that set a timer has committed by then; if not, the poll finds it
_BATCH = 200
_AT_ONCE = 8  # each uses a database connection while it runs
_RETRY_S = (1.0, 5.0, 30.0, 120.0, 600.0)  # then every 10 minutes: a timer is never given up

Body = Callable[[dict[str, Any], Tx], Awaitable[None]]


def timers_table(metadata: MetaData) -> Table:
    """Timers that have not fired. `try_at` is when to try: `due_at`, or later after failures."""
    return Table(
        "timers",
        metadata,
        Column("tenant_id", Uuid, nullable=False),
        Column("kind", Text, nullable=False),
        Column("key", Text, nullable=False),
        Column("due_at", DateTime(timezone=True), nullable=False),
        Column("try_at", DateTime(timezone=True), nullable=False),
        Column("attempts", Integer, nullable=False, server_default="0"),
        Column("payload", JSONB, nullable=False, server_default=text("'{}'")),
        PrimaryKeyConstraint("tenant_id", "kind", "key"),
        Index("ix_timers_try_at", "try_at"),
    )


# rights of the service's role, rights of its background role
GRANTS = ("SELECT, INSERT, UPDATE, DELETE", "SELECT, UPDATE")

_TABLE = timers_table(MetaData())
_PUT = insert(_TABLE).values(
    {name: bindparam(name) for name in ("tenant_id", "kind", "key", "due_at", "try_at", "payload")}
)
_SET = Statement(
    _PUT.on_conflict_do_update(
        index_elements=["tenant_id", "kind", "key"],
        set_={name: _PUT.excluded[name] for name in ("due_at", "try_at", "payload")}
        | {"attempts": text("0")},
    )
)
_THIS = (
    (_TABLE.c.tenant_id == bindparam("tenant_id"))
    & (_TABLE.c.kind == bindparam("kind"))
    & (_TABLE.c.key == bindparam("key"))
)
_CANCEL = Statement(_TABLE.delete().where(_THIS))
# Locked by somebody else means that he is firing it: nothing to wait for.
_TAKE = Statement(
    text(
        "DELETE FROM timers WHERE (tenant_id, kind, key) IN (SELECT tenant_id, kind, key FROM timers WHERE"
        " tenant_id = :tenant_id AND kind = :kind AND key = :key AND due_at = :due_at FOR UPDATE SKIP LOCKED)"
        " RETURNING payload::text AS payload"
    ).bindparams(*(bindparam(name) for name in ("tenant_id", "kind", "key", "due_at")))
)
_DUE = "SELECT tenant_id, kind, key, due_at, attempts FROM timers WHERE try_at <= $1 AND kind = ANY($2::text[]) ORDER BY try_at LIMIT $3"
_NEXT = "SELECT min(try_at) AS at FROM timers WHERE kind = ANY($1::text[])"
_POSTPONE = """
UPDATE timers SET attempts = attempts + 1, try_at = $5 WHERE tenant_id = $1 AND kind = $2 AND key = $3 AND due_at = $4
"""


class SystemRunner(Protocol):
    """Runs work as the system in one transaction of a tenant, again on conflicts (chassis.running.run_system)."""

    async def __call__(
        self, tenant: str, cause: Cause, work: Callable[[Tx], Awaitable[Any]]
    ) -> Any: ...


@dataclass(frozen=True, slots=True)
class Due:
    """A timer whose time has come."""

    tenant: str
    kind: str
    key: str
    due_at: datetime
    attempts: int


class Timers:
    """One service's timers: setting them in a body's transaction, and firing them."""

    def __init__(
        self, service: str, bodies: Mapping[str, Body], runner: SystemRunner, clock: Clock
    ) -> None:
        self._service, self._bodies, self._runner, self._clock = (
            service,
            dict(bodies),
            runner,
            clock,
        )
        self._woken = asyncio.Event()
        self._set_at = -1e9
        clock.on_jump(self._woken.set)

    def wake(self) -> None:
        """Look for due timers if one was just set; call after any commit."""
        if time.monotonic() - self._set_at < _JUST_S:
            self._woken.set()

    async def set(
        self, tx: Tx, kind: str, key: str, due_at: datetime, payload: Mapping[str, Any]
    ) -> None:
        """Set or replace the timer of this kind and key, in the body's transaction."""
        if kind not in self._bodies:
            raise LookupError(f"{self._service} has no @timer({kind!r})")
        self._set_at = time.monotonic()
        await tx.execute(
            _SET, kind=kind, key=key, due_at=due_at, try_at=due_at, payload=dict(payload)
        )

    async def cancel(self, tx: Tx, kind: str, key: str) -> None:
        """Remove the timer of this kind and key, if it is set, in the body's transaction."""
        await tx.execute(_CANCEL, kind=kind, key=key)

    async def run(self, lease: Lease, stop: asyncio.Event) -> None:
        """Fire what is due until `stop`. Timers of kinds that this program does not know stay for one that does."""
        while not stop.is_set():
            self._woken.clear()
            if not await self._fire_due(lease):
                await first_of(self._woken, stop, timeout_s=await self._idle_s(lease))

    async def _idle_s(self, lease: Lease) -> float:
        (row,) = await lease.fetch(_NEXT, list(self._bodies))
        if row["at"] is None:
            return _POLL_S
        ahead: timedelta = row["at"] - self._clock.now()
        return min(_POLL_S, max(0.02, ahead.total_seconds()))

    async def _fire_due(self, lease: Lease) -> bool:
        """Fire a batch; True if at least one fired."""
        rows = await lease.fetch(_DUE, self._clock.now(), list(self._bodies), _BATCH)
        turns = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(
                    self._fire(
                        lease,
                        turns,
                        Due(str(r["tenant_id"]), r["kind"], r["key"], r["due_at"], r["attempts"]),
                    )
                )
                for r in rows
            ]
        return any(task.result() for task in tasks)

    async def _fire(self, lease: Lease, turns: asyncio.Semaphore, due: Due) -> bool:
        """True if this process fired it; a failure postpones it."""
        async with turns:
            try:
                fired = await self._runner(
                    due.tenant, Cause("timer", due.key), lambda tx: self._effect(due, tx)
                )
            except LeaseLost:
                raise
            except Exception as error:  # one timer's failure must not stop the others
                log.warning(
                    "%s: timer %s of tenant %s failed, try %d: %s",
                    self._service,
                    due.kind,
                    due.tenant,
                    due.attempts + 1,
                    place_of(error),
                )
                if not (isinstance(error, Unavailable) or is_lost(error)):
                    await self._postpone(lease, due)
                return False
        if fired:
            TIMER_LATENESS.labels(due.kind).observe(
                max(0.0, (self._clock.now() - due.due_at).total_seconds())
            )
        return bool(fired)

    async def _effect(self, due: Due, tx: Tx) -> bool:
        await tx.begin()
        taken = await tx.fetchrow(_TAKE, kind=due.kind, key=due.key, due_at=due.due_at)
        if taken is None:  # somebody else fires it, or it was cancelled or set anew meanwhile
            return False
        late_by_s = max(0.0, (tx.now - due.due_at).total_seconds())
        await self._bodies[due.kind]({**orjson.loads(taken["payload"]), LATE_BY: late_by_s}, tx)
        return True

    async def _postpone(self, lease: Lease, due: Due) -> None:
        again = self._clock.now() + timedelta(
            seconds=_RETRY_S[min(due.attempts, len(_RETRY_S) - 1)]
        )
        await lease.fetch(_POSTPONE, due.tenant, due.kind, due.key, due.due_at, again)
