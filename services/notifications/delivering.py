"""Hands waiting notices to their ways, outside any transaction: a loop in each process of the service.

    claim   what is due, of all tenants: due_time moves ahead, so a process that dies gives it back by time
    carry   the way's own function, with a time limit
    settle  one transaction: the queue's row and the receipt on the notice

So a way may be given a notice twice (a kill between carry and settle) and never not at all. What fails is tried again, more
and more slowly; after MOST_TRIES it is dead and says so on the notice and in the metric.
"""

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from prometheus_client import Counter

from chassis.call import Cause
from chassis.db.pool import DRIVER_ERRORS
from chassis.errors import CrmError
from chassis.times import to_timestamp
from chassis.tx import Tx
from chassis.waits import first_of
from crm.notifications.v1 import notice_pb2, notice_rule_pb2
from services.notifications import store, ways
from services.notifications.rules.recipients import is_active
from services.notifications.ways import Outcome, Parcel, State

if TYPE_CHECKING:
    from chassis.runtime import Runtime

log = logging.getLogger(__name__)

DELIVERIES = Counter(
    "akrab_notice_deliveries", "Tries to hand a notice to a way.", ["way", "outcome"]
)

CARRY_S = 20.0
"""How long one try may take."""
CLAIMED = timedelta(seconds=60)
"""Longer than a try: until then nobody else takes it."""
RETRY_S = (5, 30, 120, 600, 3600, 6 * 3600)
MOST_TRIES = len(RETRY_S) + 1
_POLL_S = 0.5  # of a table that is empty almost always: an index look-up
_AT_ONCE = 16

Receipt = notice_pb2.Receipt


async def run(runtime: "Runtime", stop: asyncio.Event) -> None:
    """Delivers until `stop`."""
    while not stop.is_set():
        try:
            claimed = await _claim(runtime)
            async with asyncio.TaskGroup() as group:
                for row in claimed:
                    group.create_task(_deliver(runtime, row))
        except* (*DRIVER_ERRORS, CrmError) as failed:
            # The database is away: what was claimed comes again by time.
            log.info("notices: delivering begins anew: %s", type(failed.exceptions[0]).__name__)
            claimed = []
        if not claimed:
            await first_of(stop, timeout_s=_POLL_S)


async def _claim(runtime: "Runtime") -> list[Any]:
    now = runtime.clock.now()
    return await store.deliveries.claim(runtime, now, now + CLAIMED, _AT_ONCE)


async def _deliver(runtime: "Runtime", row: Any) -> None:
    tenant, notice_id, way = str(row["tenant_id"]), str(row["notice_id"]), int(row["way"])
    parcel = await runtime.run_system(
        tenant, Cause("delivery", notice_id), lambda tx: _parcel(tx, notice_id, row["attempts"])
    )
    outcome = await _carry(runtime, way, parcel)
    DELIVERIES.labels(notice_rule_pb2.Way.Name(way), str(outcome.state)).inc()  # type: ignore[arg-type]
    await runtime.run_system(
        tenant,
        Cause("delivery", notice_id),
        lambda tx: _settle(tx, notice_id, way, outcome, row["attempts"]),
    )


async def _parcel(tx: Tx, notice_id: str, attempt: int) -> Parcel | None:
    """What a carrier is given; None if nobody is to be told any more."""
    notice = await store.notices.notices.find(tx, notice_id)
    if notice is None or not is_active(tx.directory, notice.owner_id):
        return None
    if notice.HasField("read_time") or notice.HasField("done_time"):
        return None  # he has seen it meanwhile
    assert tx.tenant is not None
    return Parcel(tx.tenant, notice, await store.preferences_of(tx, notice.owner_id), attempt)


async def _carry(runtime: "Runtime", way: int, parcel: Parcel | None) -> Outcome:
    carrier = ways.CARRIERS.get(way)
    if parcel is None or carrier is None:
        return Outcome(State.NOWHERE, "NOBODY_TO_TELL" if parcel is None else "NOT_CONNECTED")
    try:
        async with asyncio.timeout(CARRY_S):
            return await carrier(runtime, parcel)
    except TimeoutError:
        return Outcome(State.LATER, "TIMEOUT")
    except OSError as error:
        return Outcome(State.LATER, type(error).__name__.upper())


async def _settle(tx: Tx, notice_id: str, way: int, outcome: Outcome, attempts: int) -> None:
    if outcome.state is State.LATER and attempts < MOST_TRIES:
        wait = max(timedelta(seconds=RETRY_S[attempts - 1]), outcome.after or timedelta())
        await store.deliveries.settle(
            tx, notice_id, way, state="waiting", due_time=tx.now + wait, problem=outcome.problem
        )
        return
    dead = outcome.state in (State.LATER, State.REFUSED)
    state = "dead" if dead else "over"
    settled = await store.deliveries.settle(
        tx, notice_id, way, state=state, due_time=tx.now, problem=outcome.problem
    )
    if not settled or outcome.state is State.NOWHERE:
        return  # another try was quicker; or most people have no device, and their notices need no second version
    notice = await store.notices.notices.find(tx, notice_id)
    if notice is None:
        return  # erased, or too old
    notice.receipts.append(
        Receipt(
            way=way, state=Receipt.STATE_DEAD if dead else Receipt.STATE_SENT, time=to_timestamp(tx.now),  # type: ignore[arg-type]
            attempts=attempts, problem=outcome.problem,
        )
    )  # fmt: skip
    store.notices.notices.save(tx, notice)
