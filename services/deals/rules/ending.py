"""How a deal is won, lost and opened again (S16, S45). Pure."""

from datetime import datetime

from chassis.errors import Violation
from chassis.times import to_datetime, to_timestamp
from crm.deals.v1 import deal_pb2, deal_reason_pb2
from services.deals import errors

Deal = deal_pb2.Deal
DealReason = deal_reason_pb2.DealReason


def end(
    deal: Deal, state: "Deal.State", *, reason: DealReason | None, note: str, competitor: str, at: datetime, by: str,
    last_touch: deal_pb2.LastTouch | None = None,
) -> None:  # fmt: skip
    """Ends the open deal where it stands; the credit stays with its owner of this moment."""
    if reason is not None and reason.names_competitor and not competitor.strip():
        raise errors.ValuesInvalid(
            [Violation("competitor", f"must be named with the reason {reason.name!r}")]
        )
    deal.ending.CopyFrom(
        deal_pb2.Ending(
            reason_id=reason.id if reason else "", note=note, competitor=competitor, stage_id=deal.stage_id,
            time=to_timestamp(at), user_id=by, owner_id=deal.owner_id, department_id=deal.department_id,
            last_touch=last_touch,
        )
    )  # fmt: skip
    deal.state = state
    for field in ("idle_time", "blocked_move"):
        deal.ClearField(field)


def check_time(deal: Deal, at: datetime, now: datetime) -> None:
    """Refuses an end before the deal came into its stage or in the future."""
    since = to_datetime(deal.stage_time)
    if at < since:
        told = f"{at.isoformat()} is before the deal came into its stage, {since.isoformat()}"
        raise errors.ValuesInvalid([Violation("time", told)])
    if at > now:
        told = f"{at.isoformat()} is in the future; leave it out for now"
        raise errors.ValuesInvalid([Violation("time", told)])


def reopen(deal: Deal) -> None:
    """Opens it again where it stood."""
    if deal.state == Deal.STATE_OPEN:
        raise errors.DealWrongState("reopened", "open", "won or lost")
    deal.state = Deal.STATE_OPEN
    deal.ClearField("ending")
    deal.ClearField("ask_again_date")


def cycle_seconds(deal: Deal, at: datetime) -> int:
    """How long it took since the first request, or since it was made (S114)."""
    first = deal.request_time if deal.HasField("request_time") else deal.create_time
    return max(0, int((at - to_datetime(first)).total_seconds()))
