"""Columns of boards and what they come to; what figures of pipelines mean."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.deals.v1 import deal_pb2, pipeline_pb2
from services.deals.rules import board as rules
from services.deals.rules import figures
from services.deals.rules.board import Group, Shown

Deal = deal_pb2.Deal
Pipeline = pipeline_pb2.Pipeline
Stage = pipeline_pb2.Stage

EVERYTHING = Shown(amount=True, base_amount=True, weighted=True)


def pipeline() -> Pipeline:
    return Pipeline(
        stages=[
            Stage(id="new", name="New", probability=10),
            Stage(id="old", name="Old", probability=20, retired=True),
            Stage(id="agreed", name="Agreed", probability=80),
        ]
    )


def group(stage: str, amount: str, currency: str = "PLN", probability: int | None = None, count: int = 1) -> Group:  # fmt: skip
    return Group(stage, currency, probability, count, Decimal(amount), Decimal(amount), 0)


def test_an_empty_board_has_a_column_for_each_stage_in_use() -> None:
    made = rules.columns(pipeline(), [], EVERYTHING, "PLN")
    assert [(c.stage_id, c.count, len(c.sums), c.base_amount) for c in made] == [
        ("new", 0, 0, "0.00"), ("agreed", 0, 0, "0.00"),
    ]  # fmt: skip


def test_deals_are_weighted_as_they_say_themselves_else_as_their_stage_says() -> None:
    groups = [group("new", "1000", count=3), group("new", "500", probability=50)]
    [column, _] = rules.columns(pipeline(), groups, EVERYTHING, "PLN")
    assert (column.count, column.sums[0].count) == (4, 4)
    assert (column.sums[0].amount, column.sums[0].weighted_amount) == ("1500.00", "350.00")
    assert (column.base_amount, column.weighted_base_amount) == ("1500.00", "350.00")


def test_currencies_are_never_added_to_each_other() -> None:
    [column, _] = rules.columns(pipeline(), [group("new", "10.50"), group("new", "300", "JPY")], EVERYTHING, "PLN")  # fmt: skip
    assert [(s.currency, s.amount, s.weighted_amount) for s in column.sums] == [
        ("JPY", "300", "30"), ("PLN", "10.50", "1.05"),
    ]  # fmt: skip


def test_retired_and_removed_stages_stand_where_deals_are_in_them() -> None:
    groups = [group("old", "10"), group("gone", "20")]
    made = rules.columns(pipeline(), groups, EVERYTHING, "PLN")
    assert [(c.stage_id, c.retired, c.count) for c in made] == [
        ("new", False, 0), ("old", True, 1), ("agreed", False, 0), ("gone", True, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("amount", "base_amount", "lacks"),
    [("10", "", True), ("10", "0.00", False), ("0.00", "", False), ("", "", False)],
    ids=["no-rate", "next-to-nothing", "nothing", "no-amount"],
)
def test_what_is_worth_something_and_nobody_knows_what_lacks_a_rate(
    amount: str, base_amount: str, lacks: bool
) -> None:
    [found] = rules.groups_of([Deal(stage_id="new", amount=amount, base_amount=base_amount)])
    shown = Shown(amount=True, base_amount=True, weighted=True)
    column = rules.columns(pipeline(), [found, group("new", "5")], shown, "PLN")[0]
    assert (found.unconverted, column.unconverted_count) == (lacks, int(lacks))


def test_what_the_caller_may_not_see_is_in_no_sum() -> None:
    hidden = Shown(amount=False, base_amount=True, weighted=False)
    [column, _] = rules.columns(pipeline(), [group("new", "10")], hidden, "PLN")
    assert (column.count, len(column.sums)) == (1, 0)
    assert (column.base_amount, column.weighted_base_amount) == ("10.00", "")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["new", "old", "agreed"]), st.integers(0, 10**9),
            st.none() | st.integers(0, 100), st.sampled_from(["PLN", "EUR"]),
        ),
        max_size=40,
    )
)  # fmt: skip
def test_columns_come_to_the_whole(deals: list[tuple[str, int, int | None, str]]) -> None:
    groups = [
        group(stage, str(Decimal(cents) / 100), currency, percent)
        for stage, cents, percent, currency in deals
    ]
    made = rules.columns(pipeline(), groups, EVERYTHING, "PLN")
    assert sum(column.count for column in made) == len(deals)
    for currency in ("PLN", "EUR"):
        shown = sum(Decimal(s.amount) for c in made for s in c.sums if s.currency == currency)
        assert shown == sum((g.amount for g in groups if g.currency == currency), Decimal(0))


def test_the_filter_of_a_column_keeps_what_the_caller_asked_together() -> None:
    assert rules.column_filter("p", "s") == "pipeline_id = p AND stage_id = s AND state = OPEN"
    assert rules.column_filter("p", "s", "a = 1 OR b = 2").endswith(" AND (a = 1 OR b = 2)")


# -- figures ---------------------------------------------------------------------------------------------------------------


def departure(stage: str, count: int, *, to: str | None = None, goes_on: bool = True, state: int = 1) -> dict[str, object]:  # fmt: skip
    return {"stage_id": stage, "next_stage_id": to, "goes_on": goes_on, "state": state, "count": count}  # fmt: skip


def test_forward_is_to_a_later_stage_or_won() -> None:
    found = figures.forward_counts(
        pipeline(),
        [
            departure("new", 5, to="agreed"), departure("agreed", 2, to="new"), departure("agreed", 3, goes_on=False, state=2),
            departure("agreed", 4, goes_on=False, state=3), departure("new", 6, to=None),
        ],
    )  # fmt: skip
    assert (found["new"], found["agreed"]) == (5, 3)


def test_skipped_are_the_stages_in_use_between() -> None:
    stages = [Stage(id=id, retired=id == "c") for id in "abcd"]
    arrivals = [
        {"previous_stage_id": "a", "stage_id": "d", "count": 2},
        {"previous_stage_id": "d", "stage_id": "a", "count": 9},
        {"previous_stage_id": "gone", "stage_id": "d", "count": 9},
    ]
    assert figures.skipped_counts(Pipeline(stages=stages), arrivals) == {"b": 2}


@pytest.mark.parametrize(("part", "whole", "shown"), [(0, 0, ""), (1, 3, "33.3"), (2, 3, "66.7"), (3, 3, "100.0")])  # fmt: skip
def test_percent_of_what_left(part: int, whole: int, shown: str) -> None:
    assert figures.percent(part, whole) == shown


def test_days_to_one_decimal() -> None:
    assert (figures.days(None), figures.days(0), figures.days(129_600.0)) == ("", "0.0", "1.5")


def test_months_go_over_the_year() -> None:
    assert figures.month_after(date(2026, 11, 1), 2) == date(2027, 1, 1)
    assert figures.month_after(date(2026, 12, 1), 12) == date(2027, 12, 1)
