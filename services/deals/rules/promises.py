"""What was promised to a customer, and when what is told of it (S30, S45). Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from chassis.errors import Violation
from chassis.times import to_datetime
from crm.deals.v1 import deal_pb2

Deal = deal_pb2.Deal

NEAR_MINUTES = 24 * 60
"""How long before it a promise is near that does not say."""
MORNING = time(7)
"""When a day begins of which somebody is told, as everybody's day plan."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The moments of which a deal tells; None for never."""

    near: datetime | None = None
    missed: datetime | None = None
    ask_again: datetime | None = None


def plan(deal: Deal, zone: str) -> Plan:
    """By the deal as it is; mornings are those of the company's zone."""
    if deal.HasField("delete_time"):
        return Plan()
    near = missed = ask_again = None
    if is_watched(deal):
        missed = to_datetime(deal.promise.time)
        near = missed - timedelta(minutes=deal.promise.near_minutes or NEAR_MINUTES)
    if deal.state == Deal.STATE_LOST and deal.HasField("ask_again_date"):
        day = deal.ask_again_date
        morning = datetime.combine(date(day.year, day.month, day.day), MORNING, ZoneInfo(zone))
        ask_again = morning.astimezone(UTC)
    return Plan(near, missed, ask_again)


def check(new: Deal, old: Deal, now: datetime) -> list[Violation]:
    """What is wrong with a promise that is new, moved or kept; that it was missed is known here only."""
    if not new.HasField("promise"):
        return []
    promise, before = new.promise, old.promise
    wrong = []
    if is_new(new, old):
        promise.ClearField("miss_time")
        if (at := to_datetime(promise.time)) <= now:
            wrong.append(Violation("promise.time", f"{at.isoformat()} is over; promise what is to come"))  # fmt: skip
    else:
        promise.ClearField("miss_time")
        if before.HasField("miss_time"):
            promise.miss_time.CopyFrom(before.miss_time)
    newly_kept = promise.HasField("kept_time") and promise.kept_time != before.kept_time
    if newly_kept and (at := to_datetime(promise.kept_time)) > now:
        wrong.append(Violation("promise.kept_time", f"{at.isoformat()} is in the future; leave it out until then"))  # fmt: skip
    return wrong


def is_new(new: Deal, old: Deal) -> bool:
    """True for a first promise, and for one that was moved."""
    return new.HasField("promise") and (
        not old.HasField("promise") or new.promise.time != old.promise.time
    )


def is_watched(deal: Deal) -> bool:
    """True while the promise can still be kept or missed."""
    promise = deal.promise
    pending = not promise.HasField("kept_time") and not promise.HasField("miss_time")
    lives = deal.state != Deal.STATE_LOST and not deal.HasField("delete_time")
    return lives and deal.HasField("promise") and pending
