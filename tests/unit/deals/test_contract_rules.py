"""Contracts: when each comes up and is over by a clock that jumps, and for how long the next one runs."""

from datetime import UTC, date, datetime

import pytest

from chassis.times import to_timestamp
from crm.deals.v1.contract_pb2 import Contract
from services.deals import errors
from services.deals.rules import contracts as rules
from services.deals.rules import days

TODAY = date(2026, 3, 1)


def contract(**given: object) -> Contract:
    made: dict[str, object] = {
        "id": "c", "title": "Maintenance", "value": "100", "currency": "PLN", "state": Contract.STATE_ACTIVE,
        "start_date": days.to_date(date(2026, 1, 1)), "end_date": days.to_date(date(2026, 12, 31)),
    }  # fmt: skip
    found = Contract(**made | given)  # type: ignore[arg-type]
    rules.settle(found, None)
    return found


def test_it_comes_up_in_the_morning_before_the_notice_and_is_over_at_midnight() -> None:
    plan = rules.plan(contract(notice_days=60), "Europe/Warsaw")

    # 31 December less 60 days is 1 November, less 30 days 2 October: summer time; the year ends in winter time.
    assert plan.due == datetime(2026, 10, 2, 5, 0, tzinfo=UTC)
    assert plan.over == datetime(2026, 12, 31, 23, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "end", "over"),
    [
        ("Europe/Warsaw", date(2026, 3, 28), datetime(2026, 3, 28, 23, tzinfo=UTC)),
        ("Europe/Warsaw", date(2026, 3, 29), datetime(2026, 3, 29, 22, tzinfo=UTC)),
        ("Africa/Cairo", date(2026, 4, 23), datetime(2026, 4, 23, 22, tzinfo=UTC)),  # no midnight
        ("Asia/Jakarta", date(2026, 3, 28), datetime(2026, 3, 28, 17, tzinfo=UTC)),
    ],
)
def test_the_midnight_is_that_of_the_zone_also_when_clocks_jump(
    zone: str, end: date, over: datetime
) -> None:
    assert rules.plan(contract(end_date=days.to_date(end)), zone).over == over


@pytest.mark.parametrize("remind", [0, 10])
def test_how_long_before_somebody_is_told_is_the_contracts_affair(remind: int) -> None:
    made = contract(remind_days=remind, notice_days=1)
    assert days.day_of(made, "renewal_date") == date(2026, 12, 30)
    assert days.day_of(made, "remind_date") == date(2026, 12, 30 - remind)


def test_what_was_told_renewed_ended_or_runs_on_is_not_told() -> None:
    told = contract(due_time=to_timestamp(datetime(2026, 3, 1, tzinfo=UTC)))
    assert rules.plan(told, "UTC").due is None
    assert rules.plan(told, "UTC").over is not None
    endless = contract()
    endless.ClearField("end_date")
    rules.settle(endless, None)
    for made in (contract(state=Contract.STATE_ENDED), contract(state=Contract.STATE_RENEWED), endless):  # fmt: skip
        assert rules.plan(made, "UTC") == rules.Plan()


def test_another_last_day_comes_up_again() -> None:
    old = contract(due_time=to_timestamp(datetime(2026, 3, 1, tzinfo=UTC)))
    new = Contract()
    new.CopyFrom(old)
    rules.settle(new, old)
    assert new.HasField("due_time")
    new.end_date.CopyFrom(days.to_date(date(2027, 3, 31)))
    rules.settle(new, old)
    assert not new.HasField("due_time")


@pytest.mark.parametrize(
    ("start", "last", "following"),
    [
        (date(2026, 1, 1), date(2026, 12, 31), date(2027, 12, 31)),
        (date(2026, 2, 1), date(2026, 2, 28), date(2026, 3, 31)),
        (date(2027, 3, 1), date(2028, 2, 29), date(2029, 2, 28)),
        (date(2026, 1, 15), date(2026, 4, 14), date(2026, 7, 14)),
        (date(2026, 1, 1), date(2026, 1, 10), date(2026, 1, 20)),
        (date(2026, 5, 5), date(2026, 5, 5), date(2026, 5, 6)),
    ],
)
def test_the_next_one_runs_as_long(start: date, last: date, following: date) -> None:
    assert rules.next_end(start, last) == following


def test_the_next_one_begins_the_day_after_and_takes_the_terms_along() -> None:
    old = contract(
        number="7/2026", note="call Jan", file_ids=["f"], auto_renewal=True, notice_days=30,
        due_time=to_timestamp(datetime(2026, 3, 1, tzinfo=UTC)),
    )  # fmt: skip
    new = rules.following(old, None, "120")

    assert (new.id, new.previous_id, new.number, new.note, list(new.file_ids)) == ("", "c", "", "", [])  # fmt: skip
    assert (new.value, new.title, new.auto_renewal, new.notice_days) == ("120", "Maintenance", True, 30)  # fmt: skip
    assert days.day_of(new, "start_date") == date(2027, 1, 1)
    assert days.day_of(new, "end_date") == date(2027, 12, 31)
    assert not new.HasField("due_time")


def test_everything_that_is_wrong_is_named_at_once() -> None:
    made = contract(
        value="10.001", auto_renewal=True,
        start_date=days.to_date(date(2226, 1, 1)), end_date={"year": 2026, "month": 2, "day": 30},
    )  # fmt: skip
    with pytest.raises(errors.ValuesInvalid) as refused:
        rules.check(made, None, TODAY)
    assert [each.field for each in refused.value.violations] == [
        "end_date", "start_date", "auto_renewal", "value",
    ]  # fmt: skip


def test_a_last_day_that_is_over_is_refused_only_when_it_is_new() -> None:
    made = contract(end_date=days.to_date(date(2026, 2, 28)))
    with pytest.raises(errors.ValuesInvalid, match="1 value"):
        rules.check(made, None, TODAY)
    rules.check(made, made, TODAY)
    assert made.value == "100.00"
