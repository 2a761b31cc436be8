"""How a deal ends, and begins again."""

from datetime import datetime

from chassis.errors import Violation
from chassis.handlers import Servicer, writes
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2 as pb
from crm.deals.v1 import deal_reason_pb2
from crm.deals.v1 import deal_verbs_pb2 as verbs
from crm.deals.v1 import events_pb2 as events
from services.deals import errors, people, places, saving, store
from services.deals.rules import deals as deal_rules
from services.deals.rules import ending as rules
from services.deals.rules import moving

DealReason = deal_reason_pb2.DealReason


class Ending(Servicer):
    """`:win`, `:lose` and `:reopen`."""

    @writes
    async def WinDeal(self, request: verbs.WinDealRequest, tx: Tx) -> pb.Deal:
        deal = await store.deals.get(tx, request.id, etag=request.etag)
        at = await _end(tx, deal, request, pb.Deal.STATE_WON, DealReason.KIND_WON)
        await saving.save(tx, deal)
        tx.emit(events.DealWon(deal=deal, cycle_seconds=rules.cycle_seconds(deal, at)))
        return deal

    @writes
    async def LoseDeal(self, request: verbs.LoseDealRequest, tx: Tx) -> pb.Deal:
        deal = await store.deals.get(tx, request.id, etag=request.etag)
        await _end(tx, deal, request, pb.Deal.STATE_LOST, DealReason.KIND_LOST, request.competitor)
        deal.ClearField("ask_again_date")
        if request.HasField("ask_again_date"):
            deal.ask_again_date.CopyFrom(request.ask_again_date)
            if wrong := deal_rules.check_day(deal, "ask_again_date", people.today_of(tx)):
                raise errors.ValuesInvalid(wrong)
        await saving.save(tx, deal)
        tx.emit(events.DealLost(deal=deal))
        return deal

    @writes
    async def ReopenDeal(self, request: verbs.ReopenDealRequest, tx: Tx) -> pb.Deal:
        deal = await store.deals.get(tx, request.id, etag=request.etag)
        before, state = deal.ending, deal.state
        told = events.DealReopened(previous_ending=before, previous_state=state)
        rules.reopen(deal)
        pipeline = await places.standing(tx, deal.pipeline_id)
        if request.stage_id:
            stage = places.stage_in(pipeline, request.stage_id)
            moving.check_entry(stage, None)
        else:
            stage = places.offered_stage(pipeline, deal.stage_id)
        moving.enter(deal, pipeline, stage, tx.now)
        await saving.save(tx, deal, skip_reason=request.reason)
        told.deal.CopyFrom(deal)
        tx.emit(told)
        return deal


async def _end(
    tx: Tx, deal: pb.Deal, request: verbs.WinDealRequest | verbs.LoseDealRequest,
    state: "pb.Deal.State", kind: "DealReason.Kind", competitor: str = "",
) -> datetime:  # fmt: skip
    """Ends the deal as the request says, and returns when."""
    moving.require_open(deal, "won" if state == pb.Deal.STATE_WON else "lost")
    reason = await _reason(tx, request.reason_id, kind)
    at = to_datetime(request.time) if request.HasField("time") else tx.now
    rules.check_time(deal, at, tx.now)
    rules.end(
        deal, state, reason=reason, note=request.note, competitor=competitor,
        at=at, by=people.user_of(tx.actor), last_touch=await _last_touch(tx, deal.id),
    )  # fmt: skip
    return at


async def _reason(tx: Tx, id: str, kind: "DealReason.Kind") -> DealReason | None:
    """The reason; ReferenceUnknown if there is none of this kind, ValuesInvalid if it is not offered any more."""
    found = await store.deal_reasons.find(tx, id) if id else None
    if id and (found is None or found.kind != kind):
        word = DealReason.Kind.Name(kind).removeprefix("KIND_").lower()
        raise errors.ReferenceUnknown([("reason_id", f"reason {id} for a deal that is {word}")])
    if found is not None and found.retired:
        told = f"{found.name!r} is not offered any more; choose another reason"
        raise errors.ValuesInvalid([Violation("reason_id", told)])
    return found


async def _last_touch(tx: Tx, deal_id: str) -> pb.LastTouch | None:
    touch = await store.life.touch_of(tx, deal_id)
    if touch is None:
        return None
    return pb.LastTouch(
        way=touch.way, time=to_timestamp(touch.time), user_id=touch.user_id, event_id=touch.event_id
    )
