"""Filters of lists, compiled to SQL that uses indexes and never holds a literal.

    node = parse('state = OPEN AND labels:"vip" AND custom.budget > 1000')
    refuse_hidden(fields_named(node))                               # the caller's duty
    compiled = compile_filter(node, fields, custom)
    statement = statements.get(compiled.shape) or build(compiled.clause(view.c))
    rows = await fetch(statement, compiled.params)

Equal shapes give equal SQL: columns, kinds and operators are in the shape; values and custom keys
are parameters f0, f1, ... Logic is two-valued: `!=` and NOT include what is empty, ranges never do.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

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
from chassis.kit.filter_evaluate import evaluate, predicate
from chassis.kit.filter_order import Order, parse_order
from chassis.kit.filter_relative import anchored, is_relative, now_of
from chassis.kit.filter_syntax import (
    CUSTOM,
    And,
    Comparison,
    FilterError,
    Literal,
    Node,
    Not,
    Or,
    fields_named,
    parse,
    to_text,
)
from chassis.kit.filter_values import Field, Kind, json_value, read_value

__all__ = [
    "And",
    "Comparison",
    "Compiled",
    "Field",
    "FilterError",
    "Kind",
    "Literal",
    "Node",
    "Not",
    "Or",
    "Order",
    "anchored",
    "compile_filter",
    "evaluate",
    "fields_named",
    "is_relative",
    "now_of",
    "parse",
    "parse_order",
    "predicate",
    "to_text",
]

Shape: TypeAlias = tuple[Any, ...]


class Columns(Protocol):
    """The columns of a table, view or subquery by name: ``view.c``."""

    def __getitem__(self, name: str, /) -> sa.ColumnElement[Any]: ...


Operand: TypeAlias = Callable[[Columns], sa.ColumnElement[Any]]
Clause: TypeAlias = Callable[[Columns], sa.ColumnElement[bool]]
Part: TypeAlias = tuple[Shape, Clause]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A filter as SQL: cache the statement by `shape`, run it with `params`."""

    shape: Shape
    clause: Clause
    params: dict[str, Any]


def compile_filter(
    node: Node, fields: Mapping[str, Field], custom: Mapping[str, Field]
) -> Compiled:
    """Check every comparison of `node` and return it as SQL.

    `fields` is by proto path, `custom` by key without ``custom.``. Raises `FilterError` for an
    unknown field, an operator the field does not offer, or a value that is not of its kind.
    """
    compiler = _Compiler(fields, custom)
    shape, clause = compiler.part(node)
    return Compiled(shape, clause, compiler.params)


class _Compiler:
    """Turns nodes into (shape, clause) and numbers the parameters on its way."""

    def __init__(self, fields: Mapping[str, Field], custom: Mapping[str, Field]) -> None:
        self._fields = fields
        self._custom = custom
        self.params: dict[str, Any] = {}

    def part(self, node: Node) -> Part:
        match node:
            case And(()):
                return ("true",), lambda columns: sa.true()
            case And(parts):
                return _joined("and", [self.part(part) for part in parts], sa.and_)
            case Or(parts):
                return self._any(parts)
            case Not(Comparison(op="=" | "!=") as comparison):
                return self._comparison(opposite(comparison))
            case Not(part):
                return _complement(self.part(part))
            case Comparison():
                return self._comparison(node)

    def _any(self, parts: Sequence[Node]) -> Part:
        """Merge alternatives for one field: ``= any(array)`` is one index scan for any number."""
        equalities: dict[str, list[Comparison]] = {}
        others: list[Node] = []
        for part in parts:
            if isinstance(part, Comparison) and self._is_mergeable(part):
                equalities.setdefault(part.field, []).append(part)
            else:
                others.append(part)
        done = [self._one_of(group) for group in equalities.values()]
        done += [self.part(part) for part in others]
        return done[0] if len(done) == 1 else _joined("or", done, sa.or_)

    def _is_mergeable(self, comparison: Comparison) -> bool:
        field = self._field(comparison)
        plain = not comparison.value.is_null and not comparison.value.prefix
        return plain and not field.is_custom and comparison.op == (":" if field.is_list else "=")

    def _one_of(self, group: Sequence[Comparison]) -> Part:
        if len(group) == 1:
            return self._comparison(group[0])
        field = self._field(group[0])
        values = [read_value(comparison, field) for comparison in group]
        bind = self._bind(values)

        def clause(columns: Columns) -> sa.ColumnElement[bool]:
            column, array = columns[field.column], _array(bind, field, columns)
            return _is(column, "&&", array) if field.is_list else column == sa.any_(array)

        part: Part = (field.column, field.kind, "any"), clause
        return part if field.sentinel in values else _in_index(part, field)

    def _comparison(self, comparison: Comparison) -> Part:
        field = self._field(comparison)
        is_present = asks_presence(comparison)
        if is_present is not None:
            part = self._presence(comparison, field, is_present)
            return _in_index(part, field) if is_present else part
        check_operator(comparison, field)
        if comparison.op == "!=" and (field.is_custom or comparison.value.prefix):
            return _complement(self._comparison(opposite(comparison)))
        if is_pattern(comparison, field):
            return _in_index(self._pattern(comparison, field), field)
        if is_contained_json(comparison, field):
            return self._contained_json(comparison, field)
        if field.is_list:
            return _in_index(self._contained_element(comparison, field), field)
        return self._ordered(comparison, field)

    def _field(self, comparison: Comparison) -> Field:
        return field_named(comparison, self._fields, self._custom)

    def _presence(self, comparison: Comparison, field: Field, is_present: bool) -> Part:
        shape, operand = self._operand(comparison, field)
        if field.is_list and not field.is_custom:
            zero = sa.literal_column("0", sa.Integer())
            filled: Part = (
                (*shape, "filled"),
                lambda columns: sa.func.cardinality(operand(columns)) > zero,
            )
            return filled if is_present else _complement(filled)
        if field.sentinel is not None:
            return self._against(field.sentinel, "!=" if is_present else "=", shape, operand, field)
        if is_present:
            return (*shape, "is not null"), lambda columns: operand(columns).is_not(None)
        return (*shape, "is null"), lambda columns: operand(columns).is_(None)

    def _ordered(self, comparison: Comparison, field: Field) -> Part:
        """Compare a scalar. A range leaves out the sentinel, which stands for nothing."""
        op = comparison.op
        shape, operand = self._operand(comparison, field)
        value = read_value(comparison, field)
        if field.is_custom and field.kind not in custom_values.NUMBERS:
            value = json_value(value)
        found = self._against(value, op, shape, operand, field)
        if op == "!=" or (op == "=" and value == field.sentinel):
            return found
        if field.sentinel is None or op == "=":
            return _in_index(found, field)
        present = self._against(field.sentinel, "!=", shape, operand, field)
        return _in_index(_joined("and", [found, present], sa.and_), field)

    def _against(self, value: Any, op: str, shape: Shape, operand: Operand, field: Field) -> Part:
        bind = self._bind(value)
        compare = _OPERATORS[op]
        if op == "!=" and field.sentinel is None:
            compare = sa.ColumnElement.is_distinct_from  # NULL is different from any value
        return (*shape, op), lambda columns: compare(
            operand(columns), _scalar(bind, field, columns)
        )

    def _pattern(self, comparison: Comparison, field: Field) -> Part:
        """A text's beginning, or with ``:`` any part of it, as LIKE."""
        text = pattern_text(comparison, field)
        escaped = _LIKE_SPECIAL.sub(r"\\\g<0>", text)
        shape, operand = self._operand(comparison, field)
        bind = self._bind(f"%{escaped}%" if comparison.op == ":" else f"{escaped}%")
        return (*shape, "like"), lambda columns: operand(columns).like(
            _scalar(bind, field, columns)
        )

    def _contained_element(self, comparison: Comparison, field: Field) -> Part:
        bind = self._bind(read_value(comparison, field))

        def clause(columns: Columns) -> sa.ColumnElement[bool]:
            element = _scalar(bind, field, columns)
            array = sa.cast(
                postgresql.array([element]), postgresql.ARRAY(_sql_type(field, columns))
            )
            return _is(columns[field.column], "@>", array)

        return (field.column, field.kind, "@>"), clause

    def _contained_json(self, comparison: Comparison, field: Field) -> Part:
        """The key is in the parameter, so all equalities of custom fields have one shape."""
        value = json_value(read_value(comparison, field))
        key = comparison.field.removeprefix(CUSTOM)
        bind = self._bind({key: [value] if field.is_list else value})
        return (field.column, "json", "@>"), lambda columns: _is(
            columns[field.column], "@>", sa.bindparam(bind, type_=postgresql.JSONB())
        )

    def _operand(self, comparison: Comparison, field: Field) -> tuple[Shape, Operand]:
        """Return what stands left of the operator; a custom value that is no number is NULL."""
        shape = (field.column, field.kind)
        if not field.is_custom:
            return shape, lambda columns: columns[field.column]
        bind = self._bind(comparison.field.removeprefix(CUSTOM))

        def operand(columns: Columns) -> sa.ColumnElement[Any]:
            key = sa.bindparam(bind, type_=sa.Text())
            text = custom_values.text_in_sql(columns[field.column], key)
            is_number = field.kind in custom_values.NUMBERS
            return custom_values.number_in_sql(text) if is_number else text

        return shape, operand

    def _bind(self, value: Any) -> str:
        name = f"f{len(self.params)}"
        self.params[name] = value
        return name


_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_LIKE_SPECIAL = re.compile(r"[\\%_]")
_SQL_TYPES: Mapping[Kind, sa.types.TypeEngine[Any]] = {
    "text": sa.Text(),
    "number": sa.BigInteger(),
    "decimal": sa.Numeric(),
    "timestamp": sa.TIMESTAMP(timezone=True),
    "date": sa.Date(),
    "bool": sa.Boolean(),
    "uuid": sa.Uuid(),
    "text_array": sa.Text(),
    "uuid_array": sa.Uuid(),
    "custom_number": sa.Numeric(),
    "custom_decimal": sa.Numeric(),
}


def _in_index(part: Part, field: Field) -> Part:
    """What holds for no row that the field's index leaves out, said so that the index can be used."""
    if field.sparse is None:
        return part
    column, literal = field.sparse
    present: Part = (
        (column, "not", literal),
        lambda columns: columns[column] != sa.literal_column(literal, columns[column].type),
    )
    return _joined("and", [part, present], sa.and_)


def _sql_type(field: Field, columns: Columns) -> sa.types.TypeEngine[Any]:
    if field.kind == "enum":
        return columns[field.column].type
    return _SQL_TYPES.get(field.kind, sa.Text())


def _scalar(name: str, field: Field, columns: Columns) -> sa.ColumnElement[Any]:
    return _placeholder(name, _sql_type(field, columns), field)


def _array(name: str, field: Field, columns: Columns) -> sa.ColumnElement[Any]:
    return _placeholder(name, postgresql.ARRAY(_sql_type(field, columns)), field)


def _placeholder(
    name: str, sql_type: sa.types.TypeEngine[Any], field: Field
) -> sa.ColumnElement[Any]:
    """Without the cast a number larger than an integer column would be the driver's error."""
    bind = sa.bindparam(name, type_=sql_type)
    return sa.cast(bind, sql_type) if field.kind == "number" else bind


def _is(
    left: sa.ColumnElement[Any], symbol: str, right: sa.ColumnElement[Any]
) -> sa.ColumnElement[bool]:
    return left.op(symbol, is_comparison=True, return_type=sa.Boolean())(right)


def _complement(part: Part) -> Part:
    """Negate with NULL counted as false, so that NOT includes what is empty."""
    shape, clause = part
    return ("not", shape), lambda columns: sa.not_(sa.func.coalesce(clause(columns), sa.false()))


def _joined(word: str, parts: Sequence[Part], join: Callable[..., sa.ColumnElement[bool]]) -> Part:
    shape = (word, *(shape for shape, _ in parts))
    return shape, lambda columns: join(*(clause(columns) for _, clause in parts))
