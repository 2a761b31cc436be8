"""How long the old versions of records are kept: as many days as the tenant says, for ever if it says nothing (ADR-0009).

A version ends when the next one begins. What ended before the tenant's days goes, in small batches, at night; the present
version of a record stays, deleted or not.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import DateTime, Uuid, bindparam, delete, func, select

from chassis import errors
from chassis.call import Cause
from chassis.db.statement import Statement
from chassis.errors import Violation
from chassis.events.leader import Lease
from chassis.times import to_datetime
from chassis.tx import Tx
from chassis.waits import first_of

if TYPE_CHECKING:
    from chassis.kit.resource import Resource
    from chassis.runtime import Runtime

log = logging.getLogger(__name__)

NIGHT_HOUR = (
    2  # UTC; the batches are small, so it does not matter where in the world it is night then
)
_BATCH = 2_000  # rows in one transaction: a few milliseconds of locks
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


class AsOfOutOfReach(errors.FailedPrecondition):
    """The instant lies where nothing is kept, or in the future."""

    reason = "AS_OF_OUT_OF_REACH"


def days_kept(tenant: Mapping[str, Any]) -> int:
    """The days that the tenant keeps old versions, by its directory entry; 0 = for ever."""
    return int(tenant.get("history_days") or 0)


def horizon(tx: Tx) -> datetime | None:
    """Versions that ended before may be gone; None if the tenant keeps everything."""
    days = days_kept(tx.directory.tenant())
    return tx.now - timedelta(days=days) if days else None


def check_reach(tx: Tx, moment: Any) -> None:
    """AsOfOutOfReach for an instant of which only a part is kept: half a list would look like a whole one."""
    kept_since = horizon(tx)
    if kept_since is not None and to_datetime(moment) < kept_since:
        days = days_kept(tx.directory.tenant())
        raise AsOfOutOfReach(
            f"as_of {moment.ToJsonString()} is more than {days} days ago, and old versions are kept for {days} days;"
            f" ask for {kept_since:%Y-%m-%dT%H:%M:%SZ} or later",
            [Violation("as_of", f"is before {kept_since:%Y-%m-%dT%H:%M:%SZ}")],
        )


class Forgetting:
    """The deletion of one resource's old versions, compiled once."""

    def __init__(self, resource: "Resource[Any]") -> None:
        h = resource.history
        before = bindparam("before", type_=DateTime(timezone=True))
        mine = h.c.tenant_id == bindparam("tenant_id", type_=Uuid)
        # A version that ended before also began before: so the index over the beginnings finds them, from where the last
        # batch stopped.
        old = (
            select(h.c.id, h.c.version, h.c.valid_from)
            .where(
                mine,
                h.c.valid_from >= bindparam("after", type_=DateTime(timezone=True)),
                h.c.valid_from < before,
                h.c.valid_to < before,
            )
            .order_by(h.c.valid_from)
            .limit(_BATCH)
            .cte("old")
        )
        gone = delete(h).where(mine, h.c.id == old.c.id, h.c.version == old.c.version).cte("gone")
        self.batch = Statement(
            select(func.count().label("rows"), func.max(old.c.valid_from).label("after"))
            .select_from(old)
            .add_cte(gone)
        )

    async def run(self, tx: Tx, before: datetime, after: datetime) -> tuple[int, datetime]:
        """Delete a batch in the transaction of `tx`; (how many, where the next batch begins)."""
        await tx.begin()
        row = await tx.fetchrow(self.batch, before=before, after=after)
        assert row is not None
        return row["rows"], row["after"] if row["rows"] == _BATCH else before


async def forget(runtime: "Runtime", tenant: str, stop: asyncio.Event) -> int:
    """Delete the old versions that a tenant does not keep any more, and what else the service forgets; how many there were."""
    days, now = days_kept(runtime.directory.of(tenant).tenant()), runtime.clock.now()
    gone = 0
    for resource in runtime.resources.values() if days else ():
        gone += await _forget_of(runtime, tenant, resource, now - timedelta(days=days), stop)
    for more in runtime.service.nightly:
        gone += 0 if stop.is_set() else await more(runtime, tenant, now)
    return gone


async def _forget_of(
    runtime: "Runtime",
    tenant: str,
    resource: "Resource[Any]",
    before: datetime,
    stop: asyncio.Event,
) -> int:
    forgetting, after, gone = Forgetting(resource), _EARLIEST, 0

    async def batch(tx: Tx) -> tuple[int, datetime]:
        return await forgetting.run(tx, before, after)

    while after < before and not stop.is_set():
        rows, after = await runtime.run_system(tenant, Cause("retention"), batch)
        gone += rows
    return gone


def nightly(runtime: "Runtime") -> Callable[[Lease, asyncio.Event], Awaitable[None]]:
    """The loop that forgets for all tenants; run it under the database's Leader."""
    jumped = asyncio.Event()
    runtime.clock.on_jump(jumped.set)

    async def run(lease: Lease, stop: asyncio.Event) -> None:
        """Once at the beginning, because a machine may be off at night, then each night, until `stop`."""
        while not stop.is_set():
            jumped.clear()
            for tenant in runtime.directory.tenants():
                try:
                    if gone := await forget(runtime, tenant, stop):
                        log.info("%s: %d old rows deleted", runtime.service.name, gone)
                except errors.CrmError as error:  # the database is away: the next night will do
                    log.warning("%s: retention: %s", runtime.service.name, type(error).__name__)
            await first_of(stop, jumped, timeout_s=seconds_to_night(runtime.clock.now()))

    return run


def seconds_to_night(now: datetime) -> float:
    """Seconds until the next NIGHT_HOUR."""
    night = now.replace(hour=NIGHT_HOUR, minute=0, second=0, microsecond=0)
    return (night + timedelta(days=now >= night) - now).total_seconds()
