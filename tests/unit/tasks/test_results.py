"""The typed result of a task."""

from typing import Any

import pytest

from chassis.keys import uuid7
from crm.common.v1 import common_pb2 as common
from crm.tasks.v1.task_type_pb2 import Outcome, ResultField, TaskType
from services.tasks import errors
from services.tasks.rules import results
from tests.service.tasks.world import values

FILE = uuid7()
MEASURE = TaskType(
    outcomes=[Outcome(key="measured", label="M"), Outcome(key="nobody", label="N", without_result=True)],
    result_fields=[
        ResultField(key="width_mm", label="Width", type=common.CUSTOM_FIELD_TYPE_NUMBER, required=True, min=100, max=6000, unit="mm"),
        ResultField(key="depth", label="Depth", type=common.CUSTOM_FIELD_TYPE_DECIMAL, min=0.1),
        ResultField(key="note", label="Note", type=common.CUSTOM_FIELD_TYPE_TEXT),
        ResultField(key="on", label="On", type=common.CUSTOM_FIELD_TYPE_DATE),
        ResultField(key="colour", label="Colour", type=common.CUSTOM_FIELD_TYPE_CHOICE, choices=["white", "oak"]),
        ResultField(key="extras", label="Extras", type=common.CUSTOM_FIELD_TYPE_MULTI_CHOICE, choices=["sill", "net"]),
        ResultField(key="lift", label="Lift", type=common.CUSTOM_FIELD_TYPE_YES_NO),
        ResultField(key="fitter", label="Fitter", type=common.CUSTOM_FIELD_TYPE_REFERENCE),
        ResultField(key="photo", label="Photo", type=common.CUSTOM_FIELD_TYPE_FILE),
    ],
)  # fmt: skip
GOOD: dict[str, Any] = {
    "width_mm": 1200, "depth": "0.10", "note": "a", "on": "2026-05-04", "colour": "oak", "extras": ["net"], "lift": False,
    "fitter": uuid7(), "photo": FILE,
}  # fmt: skip


def wrong(outcome: str = "measured", **result: Any) -> dict[str, str]:
    """Field -> description of what is refused."""
    with pytest.raises(errors.ResultInvalid) as refused:
        results.check(MEASURE, outcome, values(**result), {FILE})
    return {v.field: v.description for v in refused.value.violations}


def test_a_result_that_fits_is_taken_and_names_its_files() -> None:
    assert results.check(MEASURE, "measured", values(**GOOD), {FILE}) == [FILE]


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("width_mm", "1200", "whole number, got '1200'"),
        ("width_mm", 1200.5, "whole number, got 1200.5"),
        ("width_mm", True, "whole number, got True"),
        ("width_mm", 99, "is 99 mm, at least 100 mm"),
        ("width_mm", 6001, "is 6001 mm, at most 6000 mm"),
        ("width_mm", 2.0**53, "whole number"),
        ("depth", 0.5, "a decimal number as text, got 0.5"),
        ("depth", "1e3", "a decimal number as text"),
        ("depth", "0.09", "is 0.09, at least 0.1"),
        ("note", 5, "a text of at most 4000 characters"),
        ("note", "x" * 4001, "a text of at most 4000 characters"),
        ("on", "2026-02-30", "a date YYYY-MM-DD"),
        ("on", "20260504", "a date YYYY-MM-DD"),
        ("colour", "red", "one of white, oak, got 'red'"),
        ("extras", ["sill", "red"], "a list of sill, net"),
        ("extras", "sill", "a list of sill, net"),
        ("lift", "yes", "true or false"),
        ("fitter", "Jan", "an id"),
        ("photo", "0197c0de-0000-7000-8000-000000000000", "there is no file"),
        ("height", 5, "is unknown; the result fields are width_mm, depth"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_value_and_limit(
    key: str, value: Any, says: str
) -> None:
    found = wrong(**{**GOOD, key: value})
    assert list(found) == [f"result.{key}"]
    assert says in found[f"result.{key}"]


@pytest.mark.parametrize("empty", ["", None])
def test_a_required_field_is_named(empty: str | None) -> None:
    given = {} if empty is None else {"width_mm": empty}
    assert wrong(**given) == {"result.width_mm": "is required"}


def test_an_outcome_without_result_needs_none() -> None:
    assert results.check(MEASURE, "nobody", {}, set()) == []
    assert list(wrong("nobody", width_mm=1)) == [
        "result.width_mm"
    ]  # what is said must fit all the same


@pytest.mark.parametrize(
    ("outcome", "says"),
    [("", "is required; the outcomes of this type are measured, nobody"), ("gone", "is 'gone'")],
)
def test_the_outcome_is_one_of_the_types(outcome: str, says: str) -> None:
    assert says in wrong(outcome, width_mm=500)["outcome"]


def test_everything_wrong_is_named_at_once() -> None:
    assert list(wrong("gone", colour="red")) == ["outcome", "result.colour", "result.width_mm"]


def test_without_a_schema_nothing_may_be_said() -> None:
    assert results.check(TaskType(), "", {}, set()) == []
    with pytest.raises(errors.ResultInvalid) as refused:
        results.check(TaskType(), "done", values(a=1), set())
    assert [v.field for v in refused.value.violations] == ["outcome", "result.a"]
