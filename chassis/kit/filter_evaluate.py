"""Filters in Python: which rows the SQL of `compile_filter` would select, without a database.

    holds = predicate(parse("state = OPEN AND labels:vip"), fields, custom)
    found = [row for row in rows if holds(row)]

A row is its column values as the table would hold them: ids as text, times with their zone, lists
for arrays, a dict for the custom column, None for NULL. NULL is never equal, never in a range and
never like anything; `!=` and NOT include it.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from uuid import UUID

from chassis.kit import custom_values
from chassis.kit.filter_checks import (
    asks_presence,
    check_operator,
    field_named,
    is_contained_json,
    is_pattern,
    opposite,
    pattern_text,
)
from chassis.kit.filter_syntax import CUSTOM, And, Comparison, Node, Not, Or
from chassis.kit.filter_values import Field, json_value, read_value

Row: TypeAlias = Mapping[str, Any]
Predicate: TypeAlias = Callable[[Row], bool]
Operand: TypeAlias = Callable[[Row], Any]


def evaluate(
    node: Node, fields: Mapping[str, Field], custom: Mapping[str, Field], values: Row
) -> bool:
    """Say whether the row with these column values passes; raises `FilterError` as `predicate`."""
    return predicate(node, fields, custom)(values)


def predicate(node: Node, fields: Mapping[str, Field], custom: Mapping[str, Field]) -> Predicate:
    """Check every comparison of `node` once, and return what decides about rows.

    Raises `FilterError` for whatever `compile_filter` refuses.
    """
    match node:
        case And(parts):
            all_of = [predicate(part, fields, custom) for part in parts]
            return lambda row: all(holds(row) for holds in all_of)
        case Or(parts):
            any_of = [predicate(part, fields, custom) for part in parts]
            return lambda row: any(holds(row) for holds in any_of)
        case Not(Comparison(op="=" | "!=") as comparison):
            return predicate(opposite(comparison), fields, custom)
        case Not(part):
            return _negated(predicate(part, fields, custom))
        case Comparison():
            return _comparison(node, field_named(node, fields, custom))


def _comparison(comparison: Comparison, field: Field) -> Predicate:
    is_present = asks_presence(comparison)
    if is_present is not None:
        return _presence(comparison, field, is_present)
    check_operator(comparison, field)
    if comparison.op == "!=" and (field.is_custom or comparison.value.prefix):
        return _negated(_comparison(opposite(comparison), field))
    operand = _operand(comparison, field)
    if is_pattern(comparison, field):
        return _pattern(comparison, field, operand)
    value = read_value(comparison, field)
    if is_contained_json(comparison, field):
        return _contained_json(comparison, field, json_value(value))
    if field.is_list:
        return lambda row: value in (operand(row) or ())
    if field.is_custom and field.kind not in custom_values.NUMBERS:
        value = json_value(value)
    found = _against(value, comparison.op, operand, field)
    if field.sentinel is None or comparison.op in ("=", "!="):
        return found
    present = _against(field.sentinel, "!=", operand, field)
    return lambda row: found(row) and present(row)


def _presence(comparison: Comparison, field: Field, is_present: bool) -> Predicate:
    operand = _operand(comparison, field)
    if field.is_list and not field.is_custom:
        return lambda row: bool(operand(row)) is is_present
    if field.sentinel is not None:
        return _against(field.sentinel, "!=" if is_present else "=", operand, field)
    return lambda row: (operand(row) is not None) is is_present


def _pattern(comparison: Comparison, field: Field, operand: Operand) -> Predicate:
    part = pattern_text(comparison, field)
    if comparison.op == ":":
        return lambda row: part in (operand(row) or "")
    return lambda row: (operand(row) or "").startswith(part)


def _contained_json(comparison: Comparison, field: Field, value: Any) -> Predicate:
    key = comparison.field.removeprefix(CUSTOM)
    wanted = [value] if field.is_list else value
    return lambda row: custom_values.contains(row[field.column].get(key), wanted)


def _against(value: Any, op: str, operand: Operand, field: Field) -> Predicate:
    """Compare with `value`. Without a sentinel NULL is different from any value, as IS DISTINCT."""
    compare, wanted = _OPERATORS[op], _typed(value, field)
    if_null = op == "!=" and field.sentinel is None

    def holds(row: Row) -> bool:
        found = operand(row)
        return if_null if found is None else bool(compare(found, wanted))

    return holds


def _operand(comparison: Comparison, field: Field) -> Operand:
    """Return what stands left of the operator; a custom value that is no number is None."""
    column = field.column
    if not field.is_custom:
        return lambda row: _typed(row[column], field)
    key = comparison.field.removeprefix(CUSTOM)
    read = custom_values.number_of if field.kind in custom_values.NUMBERS else custom_values.text_of
    return lambda row: read(row[column].get(key))


def _typed(value: Any, field: Field) -> Any:
    """Make ids UUIDs: their text may be written in capitals."""
    if value is None or field.kind not in ("uuid", "uuid_array"):
        return value
    return [UUID(str(id)) for id in value] if field.is_list else UUID(str(value))


def _negated(holds: Predicate) -> Predicate:
    return lambda row: not holds(row)


_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
