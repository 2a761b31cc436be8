"""When what was promised is told of, and when a lost customer is asked again."""

from datetime import UTC, datetime, timedelta

from chassis.times import to_timestamp
from crm.deals.v1.deal_pb2 import Deal
from services.deals.rules import promises as rules
from services.deals.rules.promises import Plan

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
FRIDAY = datetime(2026, 11, 27, 15, tzinfo=UTC)


def promised(at: datetime = FRIDAY, near_minutes: int = 0) -> Deal:
    deal = Deal(state=Deal.STATE_OPEN)
    deal.promise.time.CopyFrom(to_timestamp(at))
    deal.promise.near_minutes = near_minutes
    return deal


def test_a_promise_is_near_a_day_before_unless_it_says_otherwise() -> None:
    assert rules.plan(promised(), "UTC") == Plan(FRIDAY - timedelta(days=1), FRIDAY)
    assert rules.plan(promised(near_minutes=90), "UTC") == Plan(FRIDAY - timedelta(minutes=90), FRIDAY)  # fmt: skip


def test_what_was_kept_missed_lost_or_deleted_is_watched_no_more() -> None:
    for field in ("kept_time", "miss_time"):
        deal = promised()
        getattr(deal.promise, field).CopyFrom(to_timestamp(NOW))
        assert rules.plan(deal, "UTC") == Plan()
    lost, deleted, won = promised(), promised(), promised()
    lost.state, won.state = Deal.STATE_LOST, Deal.STATE_WON
    deleted.delete_time.CopyFrom(to_timestamp(NOW))
    assert rules.plan(lost, "UTC") == rules.plan(deleted, "UTC") == Plan()
    assert rules.plan(won, "UTC").missed == FRIDAY


def test_a_lost_customer_is_asked_again_in_the_companys_morning() -> None:
    deal = Deal(state=Deal.STATE_LOST)
    deal.ask_again_date.year, deal.ask_again_date.month, deal.ask_again_date.day = 2027, 3, 1
    assert rules.plan(deal, "Europe/Warsaw").ask_again == datetime(2027, 3, 1, 6, tzinfo=UTC)
    deal.state = Deal.STATE_OPEN
    assert rules.plan(deal, "Europe/Warsaw") == Plan()


def test_a_moved_promise_was_not_missed_and_nobody_writes_that_it_was() -> None:
    old = promised()
    old.promise.miss_time.CopyFrom(to_timestamp(FRIDAY))
    moved = promised(FRIDAY + timedelta(days=3))
    moved.promise.miss_time.CopyFrom(to_timestamp(FRIDAY))
    same = promised()

    assert rules.check(moved, old, NOW) == []
    assert not moved.promise.HasField("miss_time")
    assert rules.check(same, old, NOW) == []
    assert same.promise.miss_time == old.promise.miss_time
