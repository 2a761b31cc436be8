"""Who gets a request."""

from collections import Counter
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.hours import hours_of
from chassis.tenant_view import TenantView
from crm.contacts.v1.form_pb2 import Assignment
from services.contacts import assignment

MONDAY_NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
ROUND, FEWEST = Assignment.RULE_ROUND_ROBIN, Assignment.RULE_FEWEST_OPEN
OFFICE = [{"weekday": day, "start": "09:00", "end": "17:00"} for day in range(1, 6)]


def user(**changes: Any) -> dict[str, Any]:
    return {"state": "active", "department_id": "d", "time_zone": "", "working_hours": [], "away_from": None,
            "away_until": None, "capacity": 0} | changes  # fmt: skip


def choose(
    rule: Any,
    users: dict[str, Any],
    *,
    at: datetime = MONDAY_NOON,
    zone: str = "UTC",
    last_id: str = "",
    **open_: int,
) -> str | None:
    view = directory(zone, users)
    return assignment.choose(
        rule, users, at=at, hours_of=partial(hours_of, view), last_id=last_id, open_counts=open_
    )


def directory(zone: str, users: dict[str, Any]) -> TenantView:
    """The directory of a company on this clock."""
    view = TenantView("t")
    view.put("tenant", "t", {"time_zone": zone})
    for id, one in users.items():
        view.put("user", id, one)
    return view


def at_work(one: dict[str, Any], at: datetime, zone: str) -> bool:
    return assignment.present(one, at, hours_of(directory(zone, {"u": one}), "u"))


def test_each_in_turn_and_round_again() -> None:
    users = {id: user() for id in "abc"}
    assert [choose(ROUND, users, last_id=last) for last in ("", "a", "b", "c")] == [
        "a",
        "b",
        "c",
        "a",
    ]


def test_the_turn_goes_on_when_the_last_one_has_left() -> None:
    assert choose(ROUND, {"a": user(), "c": user()}, last_id="b") == "c"


def test_fewest_open() -> None:
    assert choose(FEWEST, {"a": user(), "b": user(), "c": user()}, a=3, b=1, c=2) == "b"


def test_equally_few_share_in_turn() -> None:
    assert (
        choose(FEWEST, {"a": user(), "b": user(), "c": user()}, last_id="a", a=1, b=1, c=2) == "b"
    )
    assert (
        choose(FEWEST, {"a": user(), "b": user(), "c": user()}, last_id="b", a=1, b=1, c=2) == "a"
    )


@pytest.mark.parametrize("state", ["invited", "deactivated"])
def test_only_active_users(state: str) -> None:
    assert choose(ROUND, {"a": user(state=state)}) is None


def test_absent_users_are_passed_over_until_they_return() -> None:
    since, until = MONDAY_NOON.timestamp() - 3600, MONDAY_NOON.timestamp() + 3600
    assert choose(ROUND, {"a": user(away_from=since, away_until=until), "b": user()}) == "b"
    assert choose(ROUND, {"a": user(away_from=since)}) is None
    assert choose(ROUND, {"a": user(away_from=until)}) == "a"
    assert choose(ROUND, {"a": user(away_from=since, away_until=MONDAY_NOON.timestamp())}) == "a"


@pytest.mark.parametrize(
    ("zone", "hour", "present"),
    [
        ("Europe/Warsaw", 6, False),
        ("Europe/Warsaw", 7, True),
        ("Europe/Warsaw", 14, True),
        ("Europe/Warsaw", 15, False),
        ("Asia/Jakarta", 2, True),
        ("Asia/Jakarta", 10, False),
    ],
)
def test_working_hours_are_read_on_the_users_own_clock(zone: str, hour: int, present: bool) -> None:
    at = MONDAY_NOON.replace(hour=hour)
    assert at_work(user(working_hours=OFFICE, time_zone=zone), at, "UTC") is present


def test_without_a_zone_the_companys_clock_counts() -> None:
    at = MONDAY_NOON.replace(hour=2)
    assert at_work(user(working_hours=OFFICE), at, "Asia/Jakarta")
    assert not at_work(user(working_hours=OFFICE), at, "Europe/Warsaw")


def test_weekends_are_free() -> None:
    assert not at_work(user(working_hours=OFFICE), datetime(2026, 5, 9, 12, tzinfo=UTC), "UTC")


def test_a_day_that_ends_at_midnight_ends_at_midnight() -> None:
    night = user(working_hours=[{"weekday": 1, "start": "22:00", "end": "23:59"}])
    assert at_work(night, datetime(2026, 5, 4, 23, 59, 30, tzinfo=UTC), "UTC")
    assert not at_work(night, datetime(2026, 5, 5, 0, 0, tzinfo=UTC), "UTC")


def test_an_unknown_zone_does_not_stop_the_intake() -> None:
    assert at_work(user(working_hours=OFFICE, time_zone="Mars/Base"), MONDAY_NOON, "UTC")


def test_whoever_is_full_is_passed_over() -> None:
    assert choose(ROUND, {"a": user(capacity=2), "b": user()}, a=2) == "b"
    assert choose(ROUND, {"a": user(capacity=2)}, a=2) is None


def test_no_rule_and_nobody_choose_nobody() -> None:
    assert choose(Assignment.RULE_UNSPECIFIED, {"a": user()}) is None
    assert choose(ROUND, {}) is None


def test_members_of_a_department() -> None:
    users = [("a", user()), ("b", user(department_id="e")), ("c", user(department_id=""))]
    assert list(assignment.members(users, "d")) == ["a"]
    assert assignment.members(users, "") == {}


@given(st.integers(1, 7), st.integers(1, 60))
def test_round_robin_gives_everybody_the_same_share(people: int, requests: int) -> None:
    users = {chr(97 + n): user() for n in range(people)}
    last, given_to = "", Counter[str]()
    for _ in range(requests):
        last = choose(ROUND, users, last_id=last) or ""
        given_to[last] += 1
    shares = [given_to[id] for id in users]
    assert max(shares) - min(shares) <= 1
