"""What happens around a deal and shows in it: activity, when it is idle, and the next step (S35).

A touch or a task changes neither version nor etag of the deal. Who saves a deal and who shows something in it both hold its row,
so that none of them writes over what the other has just written.
"""

from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from services.deals import store
from services.deals.rules import moving
from services.deals.rules import pipelines as pipeline_rules
from services.deals.store import life

Deal = deal_pb2.Deal

SHOW_AGAIN = "stages-show"
"""The kind of the timer; the key is the pipeline."""
_AT_ONCE = 100
"""Deals that show something else in one transaction: nobody else writes them meanwhile."""
_FIRST = "00000000-0000-0000-0000-000000000000"


async def keep(tx: Tx, deal: Deal) -> None:
    """For a save of a known deal that is recorded and not written yet: it shows what is so by now."""
    await life.locked(tx, deal.id)
    await _show(tx, deal)


async def refresh(tx: Tx, deal_id: str) -> None:
    """Shows in the deal what is so by now."""
    deal = await life.locked(tx, deal_id)
    if deal is None:
        return
    before = deal.SerializeToString(deterministic=True)
    await _show(tx, deal)
    if deal.SerializeToString(deterministic=True) != before:
        await life.show(tx, deal)


async def touch(tx: Tx, deal_id: str, touch: life.Touch) -> None:
    """Something happened between us and the customer of this deal."""
    if await life.put_touch(tx, deal_id, touch):
        await refresh(tx, deal_id)


async def _show(tx: Tx, deal: Deal) -> None:
    row = await life.next_task(tx, deal.id)
    deal.next_task_id = str(row["task_id"]) if row is not None else ""
    deal.ClearField("next_task_time")
    if row is not None and row["due_time"] is not None:
        deal.next_task_time.CopyFrom(to_timestamp(row["due_time"]))
    last = await life.touch_of(tx, deal.id)
    if last is not None and last.time > to_datetime(deal.activity_time):
        deal.activity_time.CopyFrom(to_timestamp(last.time))
    pipeline = await store.pipelines.find(tx, deal.pipeline_id, deleted=True)
    stage = pipeline_rules.stage_of(pipeline, deal.stage_id) if pipeline is not None else None
    stage = stage or pipeline_rules.Stage()
    moving.show_steps(deal, stage)
    moving.show_idle(deal, stage)


# -- when the stage itself says something else -------------------------------------------------------------------------------


async def show_again(tx: Tx, pipeline_id: str) -> None:
    """Lets all open deals of the pipeline show what their stages say, soon; asked for often, it is done once."""
    payload = {"pipeline_id": pipeline_id, "after": _FIRST}
    await tx.set_timer(SHOW_AGAIN, pipeline_id, tx.now, payload)


async def show_next(tx: Tx, pipeline_id: str, after: str) -> None:
    """So many deals in one transaction, in the order of their ids; the others in the next."""
    ids = await life.open_deals_after(tx, pipeline_id, after, _AT_ONCE)
    for id in ids:
        await refresh(tx, id)
    if len(ids) == _AT_ONCE:
        payload = {"pipeline_id": pipeline_id, "after": ids[-1]}
        await tx.set_timer(SHOW_AGAIN, pipeline_id, tx.now, payload)
