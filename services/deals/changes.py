"""Many deals moved, given to others or labelled in one go: what it would do, the change in steps, and its undo (M9).

What a change is about is fixed when it is made: each deal is an item, and says what became of it. A step is one transaction:
it takes the next items, writes their deals, and notes what became of them; so a run that is killed goes on where it was, and no
deal is changed twice. Histories and events of the deals say why: cause `change` with the change's id, `undo` when put back.
Each deal is told, and goes on, as after the verb for one: DealStageChanged, DealAssigned, or DealUpdated for labels.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from chassis.call import Cause
from chassis.handlers import operation, timer
from chassis.kit import bulk, listing
from chassis.kit.save import Conflict
from chassis.operation_runs import OperationRun
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.deals.v1 import deal_change_events_pb2 as events
from crm.deals.v1 import deal_change_pb2, deal_pb2
from services.deals import errors, handovers, people, store
from services.deals.judging import Judge
from services.deals.rules import changes as rules
from services.deals.store.changes import (
    CHANGED,
    KEPT,
    PLANNED,
    REFUSED,
    RETURNED,
    UNCHANGED,
    Row,
)

Deal = deal_pb2.Deal
DealChange = deal_change_pb2.DealChange
Item = deal_change_pb2.DealChangeItem

RUN, UNDO = "deal_change:run", "deal_change:undo"
"""The kinds of operations."""
MOST = 20_000
"""Deals of one change."""
LASTS = timedelta(days=30)
"""As long as a preview can be run, and a run undone."""

_BATCH = 500
_SAMPLES, _LISTED = 20, 100
_OVER = "deal-change-over"
_UNDER_WAY = (DealChange.STATE_RUNNING, DealChange.STATE_UNDOING)


# -- what it would do ------------------------------------------------------------------------------------------------------


async def plan(tx: Tx, change: DealChange) -> None:
    """Finds the deals and judges each as it is now, for the caller; keeps the items and fills in the counts."""
    judge = Judge(tx, change, tx.rights, writes=False)
    found_count = turns = 0
    async for found in _matched(tx, change):
        if found_count + len(found) > MOST:
            raise errors.TooManyDeals(MOST)
        await judge.look([row for _, row in found if row is not None])
        rows = []
        for id, deal in found:
            row = Row(found_count, PLANNED, Item(deal_id=id))
            row.state, _ = await judge.judged(row.item, deal, _in_turn(change, turns))
            found_count, turns = found_count + 1, turns + (row.state in (PLANNED, UNCHANGED))
            rows.append(row)
        await store.changes.add(tx, change.id, rows)
    change.state = DealChange.STATE_PREVIEWED
    await _expire(tx, change)
    await summarise(tx, change)


async def _matched(tx: Tx, change: DealChange) -> AsyncIterator[list[tuple[str, Any]]]:
    """Pages of the deals that the caller may read, with their rows; of ids also those that there are not, with none."""
    if change.ids:
        wanted = list(dict.fromkeys(change.ids))
        found = {str(row["id"]): row for row in await store.deals.rows(tx, wanted)}
        yield [(id, found.get(id)) for id in wanted]
        return
    asked = SimpleNamespace(
        filter=change.filter, order_by="create_time", q="",
        page_size=listing.LARGEST_PAGE, page_token="", show_deleted=False,
    )  # fmt: skip
    listing.checked(
        tx, store.deals, asked, tx.runtime.page_tokens
    )  # by itself: it must not close our parenthesis
    asked.filter = f"({change.filter}) AND state = OPEN"
    query = listing.checked(tx, store.deals, asked, tx.runtime.page_tokens)
    while True:
        rows = await listing.find(tx, store.deals, query, "doc")
        yield [(str(row["id"]), row) for row in rows[: query.size]]
        if len(rows) <= query.size:
            return
        last = rows[query.size - 1]
        query = replace(query, after=(last["key0"], last["id"]))


def _in_turn(change: DealChange, turn: int) -> str:
    owners = change.assign.owner_ids
    return owners[turn % len(owners)] if owners else ""


# -- forth and back, in steps ----------------------------------------------------------------------------------------------


@operation(RUN)
async def carry_out(run: OperationRun) -> None:
    """Changes the deals with the rights that the asker has at each step."""
    await _in_steps(run, DealChange.STATE_RUNNING, _forth)


@operation(UNDO)
async def take_back(run: OperationRun) -> None:
    """Puts back what nobody changed since. Who may undo the change needs no right on the deals that he gave away by it."""
    await _in_steps(run, DealChange.STATE_UNDOING, _back)


Step = Callable[[Tx, DealChange, OperationRun], Awaitable[int]]


async def _in_steps(run: OperationRun, state: "DealChange.State", step: Step) -> None:
    request: Any = run.request

    async def one(tx: Tx) -> int:
        change = await store.changes.changes.find(tx, request.id)
        if change is None or change.state != state:
            return 0  # stopped, or begun anew by another operation
        kind = "change" if state == DealChange.STATE_RUNNING else "undo"
        tx.actor, tx.cause = run.actor, Cause(kind, change.id)
        if not run.total:
            run.total = change.planned_count if kind == "change" else change.changed_count
        done = await step(tx, change, run)
        if not done:
            await _finish(tx, change)
        return done

    while done := await run.write(one):
        run.done += done
    await run.progress(run.done)


async def _forth(tx: Tx, change: DealChange, run: OperationRun) -> int:
    rows = await store.changes.in_state(tx, change.id, PLANNED, _BATCH)
    rights = tx.runtime.authentication.rights_of(run.tenant, run.actor)
    deals = await store.changes.deals_for_update(tx, [row.item.deal_id for row in rows])
    judge, writes = Judge(tx, change, rights, writes=True), []
    await judge.look(deals.values())
    for row in rows:
        found, owner_id = deals.get(row.item.deal_id), row.item.after.owner_id
        row.state, write = await judge.judged(row.item, found, owner_id)
        if write is not None:
            row.state = CHANGED
            writes.append(write)
    await _write(tx, change, writes)
    if change.HasField("move") and writes:
        moved = [one.message for one in writes]
        by, reason = people.user_of(tx.actor), change.move.skip_reason
        await store.changes.enter_stays(tx, moved, tx.now, user_id=by, skip_reason=reason)
    await store.changes.save(tx, change.id, rows)
    return len(rows)


async def _back(tx: Tx, change: DealChange, run: OperationRun) -> int:
    rows = await store.changes.in_state(tx, change.id, CHANGED, _BATCH)
    deals = await store.changes.deals_for_update(tx, [row.item.deal_id for row in rows])
    judge, writes = Judge(tx, change, tx.rights, writes=True), []
    for row in rows:
        try:
            writes.append(await judge.put_back(row.item, deals.get(row.item.deal_id)))
        except rules.Left as left:
            row.state, row.item.reason = KEPT, left.reason
        else:
            row.state = RETURNED
    await _write(tx, change, writes)
    if change.HasField("move") and writes:
        await store.changes.return_stays(tx, [one.message.id for one in writes])
    await store.changes.save(tx, change.id, rows)
    return len(rows)


async def _write(tx: Tx, change: DealChange, writes: Sequence[bulk.Write]) -> None:
    """Writes the deals; what was made for them goes along to whom they are given."""
    outcome = await bulk.write(tx, store.deals, writes)
    if outcome.lost:
        raise Conflict
    if change.HasField("assign"):
        given = [one.message for one in writes]
        await handovers.follow(tx, store.deals.object, given, tx.actor, tx.cause)


async def _finish(tx: Tx, change: DealChange) -> None:
    """Nothing is left to do: the change says what came of it, and it is told."""
    forth = change.state == DealChange.STATE_RUNNING
    change.state = DealChange.STATE_DONE if forth else DealChange.STATE_UNDONE
    await summarise(tx, change)
    if forth:
        await _expire(tx, change)
    store.changes.changes.save(tx, change)
    told = events.DealChangeDone if forth else events.DealChangeUndone
    tx.emit(told(deal_change=change))


# -- what it says ----------------------------------------------------------------------------------------------------------


async def summarise(tx: Tx, change: DealChange) -> None:
    """Fills in how many there are of each, and the first of those that people want to see."""
    counts = await store.changes.counts(tx, change.id)
    change.matched_count = counts.total()
    change.planned_count, change.unchanged_count = counts[PLANNED], counts[UNCHANGED]
    change.refused_count, change.changed_count = counts[REFUSED], counts[CHANGED]
    change.returned_count, change.kept_count = counts[RETURNED], counts[KEPT]
    if change.state == DealChange.STATE_PREVIEWED:
        await _list(tx, change, change.samples, PLANNED, _SAMPLES)
    await _list(tx, change, change.refused, REFUSED, _LISTED)
    await _list(tx, change, change.kept, KEPT, _LISTED)
    del change.received[:]
    if change.HasField("assign"):
        received = await store.changes.received(tx, change.id)
        for owner_id in sorted(received):
            change.received.add(owner_id=owner_id, count=received[owner_id])


async def _list(tx: Tx, change: DealChange, target: Any, state: int, most: int) -> None:
    rows = await store.changes.in_state(tx, change.id, state, most)
    del target[:]
    target.extend(row.item for row in rows)


async def is_under_way(tx: Tx, change: DealChange) -> bool:
    """True if an operation works on it; one that failed or was cancelled leaves the change as it was then."""
    if change.state not in _UNDER_WAY:
        return False
    id = change.operation.rpartition("/")[2]
    return not (await tx.runtime.operations.get(tx, id)).done


# -- its end ---------------------------------------------------------------------------------------------------------------


async def _expire(tx: Tx, change: DealChange) -> None:
    over = tx.now + LASTS
    change.expire_time.CopyFrom(to_timestamp(over))
    await tx.set_timer(_OVER, change.id, over, {"id": change.id})


@timer(_OVER)
async def close(payload: dict[str, Any], tx: Tx) -> None:
    """Too old to be run or undone: what it kept of each deal goes."""
    change = await store.changes.changes.find(tx, payload["id"])
    if change is None:
        return
    if await is_under_way(tx, change):
        await tx.set_timer(_OVER, change.id, tx.now + timedelta(days=1), payload)
        return
    await store.changes.forget(tx, change.id)
    change.state = DealChange.STATE_CLOSED
    for field in ("samples", "refused", "kept"):
        change.ClearField(field)  # type: ignore[arg-type]
    store.changes.changes.save(tx, change)
