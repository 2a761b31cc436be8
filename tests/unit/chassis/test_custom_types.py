"""Which values fit which type of custom field."""

from typing import Any

import pytest

from chassis.kit.custom_types import LONGEST_TEXT, problem
from crm.common.v1 import common_pb2 as pb

TEXT, NUMBER, DECIMAL = (
    pb.CUSTOM_FIELD_TYPE_TEXT,
    pb.CUSTOM_FIELD_TYPE_NUMBER,
    pb.CUSTOM_FIELD_TYPE_DECIMAL,
)
DATE, CHOICE, MULTI = (
    pb.CUSTOM_FIELD_TYPE_DATE,
    pb.CUSTOM_FIELD_TYPE_CHOICE,
    pb.CUSTOM_FIELD_TYPE_MULTI_CHOICE,
)
YES_NO, REFERENCE, FILE = (
    pb.CUSTOM_FIELD_TYPE_YES_NO,
    pb.CUSTOM_FIELD_TYPE_REFERENCE,
    pb.CUSTOM_FIELD_TYPE_FILE,
)
SIZES = ("S", "L")


def test_every_type_is_known() -> None:
    types = set(pb.CustomFieldType.values()) - {pb.CUSTOM_FIELD_TYPE_UNSPECIFIED}
    assert all(problem(type, SIZES, object()) for type in types)


@pytest.mark.parametrize(
    ("type", "given"),
    [
        (TEXT, ""), (TEXT, "x" * LONGEST_TEXT), (NUMBER, 5.0), (NUMBER, -(2**53) + 1), (DECIMAL, "-1.50"),
        (DECIMAL, "9" * 30 + "." + "9" * 10), (DATE, "2024-02-29"), (CHOICE, "S"), (MULTI, []), (MULTI, ["L", "S"]),
        (YES_NO, False), (REFERENCE, "01a208de-dfd4-73e8-a484-cd3d6a175b50"), (FILE, "01A208DE-DFD4-7482-98A1-790714524F2C"),
    ],
)  # fmt: skip
def test_what_fits(type: pb.CustomFieldType, given: Any) -> None:
    assert problem(type, SIZES, given) == ""


@pytest.mark.parametrize(
    ("type", "given", "says"),
    [
        (TEXT, 5, "must be a text of at most 4000 characters, got 5"),
        (TEXT, "x" * (LONGEST_TEXT + 1), "must be a text of at most 4000 characters, got 'xxx"),
        (NUMBER, True, "must be a whole number, got True"),
        (NUMBER, 1.5, "must be a whole number, got 1.5"),
        (NUMBER, 2.0**53, "must be a whole number, got"),
        (NUMBER, float("inf"), "must be a whole number, got inf"),
        (NUMBER, float("nan"), "must be a whole number, got nan"),
        (NUMBER, "5", "must be a whole number, got '5'"),
        (DECIMAL, 1.5, "must be a decimal number as text, got 1.5"),
        (DECIMAL, "1e3", "must be a decimal number as text, got '1e3'"),
        (DECIMAL, "١", "must be a decimal number as text, got"),
        (DATE, "20240229", "must be a date YYYY-MM-DD, got '20240229'"),
        (DATE, "2023-02-29", "must be a date YYYY-MM-DD, got '2023-02-29'"),
        (CHOICE, "M", "must be one of S, L, got 'M'"),
        (CHOICE, ["S"], "must be one of S, L, got ['S']"),
        (MULTI, ["S", "M"], "must be a list of S, L, got ['S', 'M']"),
        (MULTI, "S", "must be a list of S, L, got 'S'"),
        (YES_NO, 1, "must be true or false, got 1"),
        (REFERENCE, "Jan", "must be an id, got 'Jan'"),
        (FILE, "photo.png", "must be the id of a file, got 'photo.png'"),
        (TEXT, None, "must be a text of at most 4000 characters, got None"),
    ],
)
def test_what_does_not_fit_is_told_with_value_and_limit(
    type: pb.CustomFieldType, given: Any, says: str
) -> None:
    assert problem(type, SIZES, given).startswith(says)
