"""Whether a value fits a type of custom field: for custom fields themselves, and for whatever else is described by such types."""

import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from crm.common.v1 import common_pb2 as pb

LONGEST_TEXT = 4000
CHOOSING = (pb.CUSTOM_FIELD_TYPE_CHOICE, pb.CUSTOM_FIELD_TYPE_MULTI_CHOICE)
"""The types whose fields list their choices."""
_EXACT = 2**53  # beyond, whole numbers in JSON are not exact
_DECIMAL = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,10})?")  # lists compare it, any program reads it
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def problem(type: pb.CustomFieldType, choices: Sequence[str], given: Any) -> str:
    """Why the plain value does not fit the type; empty if it does. Whether a file exists is asked elsewhere."""
    fits, wanted = _KINDS[type]
    if fits(given, choices):
        return ""
    listed = f" {', '.join(choices)}" if type in CHOOSING else ""
    return f"must be {wanted}{listed}, got {repr(given)[:60]}"


def is_id(given: Any) -> bool:
    """True for the text of a UUID."""
    return isinstance(given, str) and _UUID.fullmatch(given) is not None


def _is_text(given: Any, _: Sequence[str]) -> bool:
    return isinstance(given, str) and len(given) <= LONGEST_TEXT


def _is_whole(given: Any, _: Sequence[str]) -> bool:
    number = isinstance(given, int | float) and not isinstance(given, bool)
    return bool(number and abs(given) < _EXACT and given == int(given))


def _is_decimal(given: Any, _: Sequence[str]) -> bool:
    return isinstance(given, str) and _DECIMAL.fullmatch(given) is not None


def _is_date(given: Any, _: Sequence[str]) -> bool:
    try:  # ISO 8601 has other spellings, which would not sort
        return isinstance(given, str) and date.fromisoformat(given).isoformat() == given
    except ValueError:
        return False


def _chooses(given: Any, choices: Sequence[str]) -> bool:
    return isinstance(given, str) and given in choices


def _chooses_many(given: Any, choices: Sequence[str]) -> bool:
    return isinstance(given, list) and all(_chooses(each, choices) for each in given)


_KINDS: dict[int, tuple[Callable[[Any, Sequence[str]], bool], str]] = {
    pb.CUSTOM_FIELD_TYPE_TEXT: (_is_text, f"a text of at most {LONGEST_TEXT} characters"),
    pb.CUSTOM_FIELD_TYPE_NUMBER: (_is_whole, "a whole number"),
    pb.CUSTOM_FIELD_TYPE_DECIMAL: (_is_decimal, "a decimal number as text"),
    pb.CUSTOM_FIELD_TYPE_DATE: (_is_date, "a date YYYY-MM-DD"),
    pb.CUSTOM_FIELD_TYPE_CHOICE: (_chooses, "one of"),
    pb.CUSTOM_FIELD_TYPE_MULTI_CHOICE: (_chooses_many, "a list of"),
    pb.CUSTOM_FIELD_TYPE_YES_NO: (lambda given, _: isinstance(given, bool), "true or false"),
    pb.CUSTOM_FIELD_TYPE_REFERENCE: (lambda given, _: is_id(given), "an id"),
    pb.CUSTOM_FIELD_TYPE_FILE: (lambda given, _: is_id(given), "the id of a file"),
}
"""Type -> whether a value fits, and what it must be."""
