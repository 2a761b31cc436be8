"""What a resource offers to filter and sort by, and how a written value becomes a typed one."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NoReturn, TypeAlias
from typing import Literal as OneOf
from uuid import UUID

from chassis.kit.filter_syntax import Comparison, FilterError

Kind: TypeAlias = OneOf[
    "text", "number", "decimal", "timestamp", "date", "bool", "uuid", "enum",
    "text_array", "uuid_array",
    "custom_text", "custom_number", "custom_decimal", "custom_date", "custom_bool",
    "custom_choice", "custom_choices", "custom_reference",
]  # fmt: skip
"""`number` is a whole number (up to bigint), `decimal` an exact fraction (numeric).

Custom kinds live in one jsonb column, an object by key. It holds text as the field's fold makes
it (unchanged without one), a JSON number for number, a number or its text for decimal,
"YYYY-MM-DD" for date, true and false for bool, the option's stored value for choice, an array of
them for choices, the id's text for reference, and no key for an empty field. Equality uses a GIN
index (jsonb_path_ops), except that of decimal: 1.50 and 1.5 are equal numbers, not equal texts.
"""

_ORDERED = frozenset(
    ["text", "number", "decimal", "timestamp", "date",
     "custom_text", "custom_number", "custom_decimal", "custom_date"]
)  # fmt: skip
_LISTS = frozenset(["text_array", "uuid_array", "custom_choices"])
_TEXTS = frozenset(["text", "custom_text"])


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a resource that lists may filter or sort by."""

    column: str
    """The column of the view; for a custom field the jsonb column that holds it."""
    kind: Kind
    fold: Callable[[str], str] | None = None
    """What made the stored text, so applied to the given one (`search_key`, `phone_digits`).

    For ``=`` with a star it must keep beginnings, which `sort_key` does not.
    """
    enum: Mapping[str, Any] | None = None
    """Stored value by API name, for enum, choice and choices."""
    sentinel: Any = None
    """What a NOT NULL column holds for "nothing"; None when it holds NULL."""
    sortable: bool = False
    hidden_as: str = ""
    """The proto path whose value this field reveals; "" when it is the field's own name."""
    trigram: bool = False
    """The column has a trigram index, so that ``field:"part"`` may look inside the text."""
    day_of_year: bool = False
    """The number is a day without a year: month times 100 plus day."""
    sparse: tuple[str, str] | None = None
    """(column, SQL literal): an index leaves out the many rows whose column holds the literal and so nothing of this field;
    whatever asks for a value says so in these words, by which PostgreSQL knows that the index will do."""
    sort_column: str = ""
    """The NOT NULL column to order by when it is not `column`."""

    @property
    def is_custom(self) -> bool:
        return self.kind.startswith("custom_")

    @property
    def is_list(self) -> bool:
        return self.kind in _LISTS

    @property
    def is_text(self) -> bool:
        return self.kind in _TEXTS

    @property
    def order_column(self) -> str:
        return self.sort_column or self.column

    @property
    def operators(self) -> tuple[str, ...]:
        """The comparators this field understands, apart from ``:*`` which all do."""
        if self.is_list:
            return (":",)
        ordered = ("<", "<=", ">", ">=") if self.kind in _ORDERED else ()
        return ("=", "!=", *ordered, *((":",) if self.trigram else ()))


def read_value(comparison: Comparison, field: Field) -> Any:
    """Return the value of `comparison` as the driver wants it for `field`; raise `FilterError`.

    Text is folded; a timestamp is UTC; an enum's name becomes what is stored.
    """
    if field.enum is not None:
        return _enum(comparison, field.enum)
    read = _READERS.get(field.kind.removeprefix("custom_"))
    if read is not None:
        return read(comparison)
    return field.fold(comparison.value.text) if field.fold else comparison.value.text


def json_value(value: Any) -> Any:
    """Return a value of `read_value` as a custom column holds it."""
    if isinstance(value, UUID):
        return str(value)
    return value.isoformat() if isinstance(value, date) else value


def refuse_value(comparison: Comparison, message: str) -> NoReturn:
    """Raise `FilterError` at the value of `comparison`, naming field, fact and value."""
    value = comparison.value
    written = f"{value.text}*" if value.prefix else value.text
    full = f"{comparison.field} {message}, got {written!r}"
    raise FilterError(comparison.value_position, written, full)


# Bounds keep a literal from becoming a number of a hundred thousand digits (1e99999).
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,2})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_BIGINT = 2**63
_NAMES_SHOWN = 20


def _decimal(comparison: Comparison) -> Decimal:
    if not _NUMBER.fullmatch(comparison.value.text):
        refuse_value(comparison, "must be a number")
    return Decimal(comparison.value.text)


def _whole_number(comparison: Comparison) -> int:
    value = _decimal(comparison)
    if value != value.to_integral_value():
        refuse_value(comparison, "must be a whole number")
    if not -_BIGINT <= value < _BIGINT:
        refuse_value(comparison, "must fit in 64 bits")
    return int(value)


def _date(comparison: Comparison) -> date:
    try:
        if _DATE.fullmatch(comparison.value.text):
            return date.fromisoformat(comparison.value.text)
    except ValueError:
        pass  # 2026-02-30 looks like a date
    refuse_value(comparison, "must be a date (2026-01-31)")


def _timestamp(comparison: Comparison) -> datetime:
    """A date alone is its midnight in UTC."""
    text = comparison.value.text
    try:
        if _DATE.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        if _TIMESTAMP.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # the 30th of February, or year 1 moved to UTC
    refuse_value(comparison, "must be a time with its zone (2026-01-31T08:00:00Z) or a date")


def _bool(comparison: Comparison) -> bool:
    if comparison.value.text not in ("true", "false"):
        refuse_value(comparison, "must be true or false")
    return comparison.value.text == "true"


def _uuid(comparison: Comparison) -> UUID:
    if not _UUID.fullmatch(comparison.value.text):
        refuse_value(comparison, "must be an id (UUID)")
    return UUID(comparison.value.text)


def _enum(comparison: Comparison, names: Mapping[str, Any]) -> Any:
    if comparison.value.text not in names:
        shown = ", ".join(list(names)[:_NAMES_SHOWN])
        more = ", ..." if len(names) > _NAMES_SHOWN else ""
        refuse_value(comparison, f"must be one of {shown}{more}")
    return names[comparison.value.text]


_READERS: Mapping[str, Callable[[Comparison], Any]] = {
    "number": _whole_number,
    "decimal": _decimal,
    "timestamp": _timestamp,
    "date": _date,
    "bool": _bool,
    "uuid": _uuid,
    "uuid_array": _uuid,
    "reference": _uuid,
}
