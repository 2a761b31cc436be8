"""The one way by which deals are saved: the record, then what follows from the change."""

from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from services.deals import checking, following, life, people, promises, quote_ends, sales, store

Deal = deal_pb2.Deal


async def create(tx: Tx, deal: Deal) -> Deal:
    """Makes a deal for a rule or an order, as CreateDeal does for a caller; DealCreated tells of it."""
    await checking.check(tx, deal, None)
    return await save(tx, deal)


async def save(tx: Tx, deal: Deal, *, skip_reason: str = "") -> Deal:
    """Records a save and does what follows from it; without a fact of its own it is told as DealUpdated."""
    store.deals.save(tx, deal)
    return await followed(tx, deal, skip_reason=skip_reason)


async def followed(tx: Tx, deal: Deal, *, skip_reason: str = "") -> Deal:
    """The deal, after what follows from a save that is recorded and not yet flushed."""
    loaded = tx.loaded.get((store.deals.name, deal.id))
    old = Deal.FromString(loaded[1]) if loaded else None
    if old is not None and any(save.message is deal for save in tx.recorded.saves):
        if tx.cause.kind == "rpc":
            deal.activity_time.CopyFrom(to_timestamp(tx.now))
        await life.keep(tx, deal)
    await promises.follow(tx, deal, old)
    await _follow_stage(tx, deal, old, skip_reason)
    await quote_ends.with_deal(tx, deal, old)
    await sales.follow_deal(tx, deal, old)
    if following.is_moved(deal, old):
        await following.follow_owner(tx, deal)
    return deal


async def _follow_stage(tx: Tx, deal: Deal, old: Deal | None, skip_reason: str) -> None:
    """A stay ends when the deal leaves the stage or ends, and one begins when it comes or is opened again."""
    was = "" if old is None or old.state != Deal.STATE_OPEN else old.stage_id
    now = deal.stage_id if deal.state == Deal.STATE_OPEN else ""
    if was == now:
        return
    number = 1
    if old is not None:
        number += len(await store.stays_of(tx, deal.id))
        at = tx.now if now else to_datetime(deal.ending.time)
        await store.end_stay(tx, deal.id, at)
    if now:
        at = to_datetime(deal.stage_time)
        by = people.user_of(tx.actor)
        await store.add_stay(tx, deal, number, at, user_id=by, skip_reason=skip_reason)
