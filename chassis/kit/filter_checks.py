"""What a comparison may ask of a field: read once here, for SQL and for Python alike."""

from collections.abc import Mapping
from dataclasses import replace

from chassis.fold import trigrams_useful
from chassis.kit.filter_syntax import CUSTOM, Comparison, FilterError
from chassis.kit.filter_values import Field, read_value, refuse_value


def field_named(
    comparison: Comparison, fields: Mapping[str, Field], custom: Mapping[str, Field]
) -> Field:
    """Return the field that `comparison` names; raise `FilterError` if there is none."""
    name = comparison.field
    is_custom = name.startswith(CUSTOM)
    field = custom.get(name[len(CUSTOM) :]) if is_custom else fields.get(name)
    if field is None:
        # Custom fields are not listed: some may be hidden from the caller.
        known = "" if is_custom else f"; expected one of {', '.join(sorted(fields))}"
        message = f"cannot filter by {name}{known}"
        raise FilterError(comparison.position, name, message)
    return field


def asks_presence(comparison: Comparison) -> bool | None:
    """Return True if it asks for something, False if for nothing, None if for a certain value.

    ``f:*`` and ``f != null`` ask for something, ``f != *`` and ``f = null`` for nothing.
    """
    op, value = comparison.op, comparison.value
    if not value.is_any and not value.is_null:
        return None
    if op not in ("=", "!=") and (value.is_null or op != ":"):
        refuse_value(comparison, f"cannot be compared with nothing by {op}")
    return (op == "!=") == value.is_null


def check_operator(comparison: Comparison, field: Field) -> None:
    """Raise `FilterError` if the field does not offer the operator, or not before a star."""
    op, value = comparison.op, comparison.value
    if op not in field.operators:
        known = " ".join(field.operators)
        message = f"{comparison.field} has no {op}; expected one of {known}"
        raise FilterError(comparison.position, comparison.field, message)
    if value.prefix and not field.is_text:
        refuse_value(comparison, "has no beginning to look for: only text ends in *")
    if value.prefix and op not in ("=", "!=", ":"):
        refuse_value(comparison, "has no beginning to look for: write = before *")


def is_pattern(comparison: Comparison, field: Field) -> bool:
    """Say whether it asks for a part of a text: its beginning, or with ``:`` any."""
    return comparison.value.prefix or (comparison.op == ":" and field.is_text)


def pattern_text(comparison: Comparison, field: Field) -> str:
    """Return the folded part of a text that is asked for; raise `FilterError` if it is none."""
    text: str = read_value(comparison, field)
    if comparison.op == ":" and not trigrams_useful(text):
        refuse_value(comparison, "needs three letters or digits in a row to look inside")
    if not text:
        refuse_value(comparison, "needs a letter or digit before *")
    return text


def is_contained_json(comparison: Comparison, field: Field) -> bool:
    """Say whether it is answered by jsonb containment; 1.50 and 1.5 are equal, but not as JSON text."""
    return field.is_custom and comparison.op in "=:" and field.kind != "custom_decimal"


def opposite(comparison: Comparison) -> Comparison:
    """Turn = into != and != into =."""
    return replace(comparison, op="!=" if comparison.op == "=" else "=")
