"""JSON -> scalar: a converter per kind of field checks type and range; each raises Expected."""

import binascii
import math
import re
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from chassis.codec.errors import Expected

Convert = Callable[[Any], Any]

_INT32 = (-(2**31), 2**31 - 1)
_INT64 = (-(2**63), 2**63 - 1)
_UINT32 = (0, 2**32 - 1)
_UINT64 = (0, 2**64 - 1)
# The largest finite 32-bit float.
_FLOAT_MAX = float.fromhex("0x1.fffffep+127")

# JSON's own number grammar, with leading zeros: int() and float() alone would take "1_000" and " 1
# " too.
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
# Longer texts than any 64-bit integer has digits go through float, so that int() stays cheap.
_INTEGER = re.compile(r"-?[0-9]{1,20}")
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_FROM_URL_SAFE = str.maketrans("-_", "+/")


def converter(field: FieldDescriptor) -> Convert:
    """How a JSON value becomes the value of a scalar or enum field."""
    if field.enum_type is not None:
        return _enum(field.enum_type)
    return _CONVERTERS[field.type]


def key_converter(field: FieldDescriptor) -> Convert:
    """How a JSON object's key becomes the key of a map field."""
    return _bool_key if field.type == FieldDescriptor.TYPE_BOOL else _CONVERTERS[field.type]


def _integer(limits: tuple[int, int]) -> Convert:
    low, high = limits
    expected = f"an integer from {low} to {high}"

    def convert(value: Any) -> int:
        number: int | None = value if type(value) is int else _whole(value)
        if number is None or not low <= number <= high:
            raise Expected(expected)
        return number

    return convert


def _whole(value: Any) -> int | None:
    """The integer a text or a float stands for ("7", 7.0, "7e0"); None when it stands for none."""
    if isinstance(value, str):
        if _INTEGER.fullmatch(value):
            return int(value)
        value = float(value) if _NUMBER.fullmatch(value) else None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return int(value) if is_integer else None


def _enum(enum: EnumDescriptor) -> Convert:
    numbers: dict[str, int] = {name: value.number for name, value in enum.values_by_name.items()}
    known = frozenset(numbers.values()) if enum.is_closed else None
    is_null = enum.full_name == "google.protobuf.NullValue"
    low, high = _INT32
    expected = f"one of {', '.join(numbers)}"

    def convert(value: Any) -> int:
        if isinstance(value, str) and value in numbers:
            return numbers[value]
        if value is None and is_null:
            return 0
        whole = _whole(value)
        if whole is None or not low <= whole <= high or (known and whole not in known):
            raise Expected(expected)
        return whole

    return convert


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise Expected("true or false")


def _bool_key(value: Any) -> bool:
    if isinstance(value, str) and value in ("true", "false"):
        return value == "true"
    raise Expected('"true" or "false"')


def string(value: Any) -> str:
    """A text that UTF-8 can carry."""
    if not isinstance(value, str):
        raise Expected("a text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise Expected("a text without unpaired surrogates") from error
    return value


def double(value: Any) -> float:
    """A number, a text of one, or the texts NaN, Infinity and -Infinity."""
    if isinstance(value, str):
        if value in _NON_FINITE:
            return _NON_FINITE[value]
        value = float(value) if _NUMBER.fullmatch(value) else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise Expected('a number within the range of a double, "NaN", "Infinity" or "-Infinity"')


def _float(value: Any) -> float:
    number = double(value)
    if math.isfinite(number) and abs(number) > _FLOAT_MAX:
        raise Expected("a number within the range of a 32-bit float")
    return number


def _bytes(value: Any) -> bytes:
    expected = "base64 or base64url text"
    if not isinstance(value, str):
        raise Expected(expected)
    digits = value.translate(_FROM_URL_SAFE).rstrip("=")
    try:
        return binascii.a2b_base64(digits + "=" * (-len(digits) % 4), strict_mode=True)
    except ValueError as error:  # binascii.Error, or a character outside ASCII
        raise Expected(expected) from error


_CONVERTERS: dict[int, Convert] = {
    **dict.fromkeys(
        (
            FieldDescriptor.TYPE_INT32,
            FieldDescriptor.TYPE_SINT32,
            FieldDescriptor.TYPE_SFIXED32,
        ),
        _integer(_INT32),
    ),
    **dict.fromkeys(
        (
            FieldDescriptor.TYPE_INT64,
            FieldDescriptor.TYPE_SINT64,
            FieldDescriptor.TYPE_SFIXED64,
        ),
        _integer(_INT64),
    ),
    FieldDescriptor.TYPE_UINT32: _integer(_UINT32),
    FieldDescriptor.TYPE_FIXED32: _integer(_UINT32),
    FieldDescriptor.TYPE_UINT64: _integer(_UINT64),
    FieldDescriptor.TYPE_FIXED64: _integer(_UINT64),
    FieldDescriptor.TYPE_BOOL: _bool,
    FieldDescriptor.TYPE_STRING: string,
    FieldDescriptor.TYPE_BYTES: _bytes,
    FieldDescriptor.TYPE_DOUBLE: double,
    FieldDescriptor.TYPE_FLOAT: _float,
}
