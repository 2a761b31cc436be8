"""The built-in rule paid -> stage: a deal that is paid moves once, forward, through the same guards as by hand (S40).

A payment is never refused for a stage's sake: where the way is closed or something is not filled, the deal shows the move that
waits and what it lacks, and it is made as soon as that is there. Each event is looked at once by its durable, and a deal never
moves by this rule to a stage in which it has been.
"""

from chassis.call import Cause
from chassis.errors import Violation
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from crm.deals.v1 import events_pb2 as events
from services.deals import errors, moving, saving, store
from services.deals.rules import paid_stages as rules

Deal = deal_pb2.Deal

_WHY = "paid"
"""Stands as the reason why stages were passed over."""


async def look(tx: Tx, deal_id: str, event_id: str) -> None:
    """Moves the deal if it is paid, or shows what the move lacks; a move that waits and is not wanted any more is forgotten.

    event_id: what told of the payment; it stays the cause also of a move that had to wait.
    """
    await tx.lock(f"paid stage {deal_id}")
    deal = await store.deals.find(tx, deal_id)
    if deal is None:
        return
    stage_id = await _goal(tx, deal)
    if not stage_id:
        if deal.HasField("blocked_move"):
            deal.ClearField("blocked_move")
            await saving.save(tx, deal)
        return
    first = deal.blocked_move.event_id or event_id
    tx.cause = Cause("event", first)
    way = None
    try:
        way = await moving.way_to(tx, deal, stage_id, roles=None, reason=_WHY)
        assert way is not None, "the goal is ahead"
        lacking = await moving.missing(tx, deal, way)
    except (errors.MoveNotAllowed, errors.SkipReasonMissing) as closed:
        lacking = list(closed.violations)
    if lacking or way is None:
        await _block(tx, deal, stage_id, lacking, first)
    else:
        await moving.go(tx, deal, way, reason=_WHY if way.passed else "")


async def look_again(tx: Tx, party_id: str) -> None:
    """A contact or company was filled: what waits for that moves."""
    for deal_id in await store.waiting_deals(tx, party_id):
        await look(tx, deal_id, "")
        await tx.flush()


async def _goal(tx: Tx, deal: Deal) -> str:
    """The stage to which the deal is to move by now; empty if there is none."""
    pipeline = await store.pipelines.find(tx, deal.pipeline_id)
    if pipeline is None or not pipeline.paid_stage_id or deal.state != Deal.STATE_OPEN:
        return ""
    been_in = {str(stay["stage_id"]) for stay in await store.stays_of(tx, deal.id)}
    stage_id = rules.goal(deal, pipeline, been_in)
    if not stage_id:
        return ""
    issued = await store.issued_of_deal(tx, deal.id)
    return stage_id if rules.is_paid(issued, pipeline.paid_on) else ""


async def _block(
    tx: Tx, deal: Deal, stage_id: str, lacking: list[Violation], event_id: str
) -> None:
    """Shows the move and what it lacks, and tells of it; nothing if it is shown already."""
    missing = [each.field for each in lacking]
    shown = deal.blocked_move
    if shown.stage_id == stage_id and list(shown.missing) == missing:
        return
    since = shown.time if shown.stage_id == stage_id else to_timestamp(tx.now)
    deal.blocked_move.CopyFrom(
        deal_pb2.BlockedMove(stage_id=stage_id, missing=missing, time=since, event_id=event_id)
    )
    await saving.save(tx, deal)
    tx.emit(events.DealMoveBlocked(deal=deal))
