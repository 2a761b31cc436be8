"""The language of `filter`: a subset of AIP-160, read into a small tree.

    filter     = [ sequence { ["AND"] sequence } ]        juxtaposition means AND
    sequence   = term { "OR" term }                       OR binds tighter than AND (AIP-160)
    term       = [ "NOT" | "-" ] ( "(" filter ")" | comparison )
    comparison = path ( "=" | "!=" | "<" | "<=" | ">" | ">=" | ":" ) value
    value      = "quoted" | 'quoted' | word               word: 12.5, true, null, 2026-01-31, OPEN
    path       = name { "." name }                        company_id, custom.budget

A value may end in ``*``: the beginning of a text, and ``path:*`` asks whether anything is there.
Inside quotes a backslash protects a quote, a backslash or a star. Names are those of the proto;
their lowerCamelCase JSON form is accepted and read as the proto's.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from types import UnionType
from typing import NoReturn

MAX_LENGTH = 1000
MAX_COMPARISONS = 30
MAX_DEPTH = 10

CUSTOM = "custom."


class FilterError(ValueError):
    """A filter or an order that cannot be followed, said so that its author can mend it.

    `position` counts characters from 0, `text` is what stands there ("" at the end), `message`
    names what was expected.
    """

    def __init__(self, position: int, text: str, message: str) -> None:
        near = f"at {text!r}" if text else "at the end"
        super().__init__(f"character {position + 1}, {near}: {message}")
        self.position = position
        self.text = text
        self.message = message


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as written; what it means is decided by the kind of the field."""

    text: str
    quoted: bool = False
    prefix: bool = False
    """The text was followed by a star."""

    @property
    def is_null(self) -> bool:
        return self.text == "null" and not self.quoted and not self.prefix

    @property
    def is_any(self) -> bool:
        """A star alone: any value."""
        return self.prefix and not self.text


@dataclass(frozen=True, slots=True)
class Comparison:
    field: str
    op: str
    value: Literal
    position: int = attribute(default=0, compare=False)
    value_position: int = attribute(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class And:
    parts: "tuple[Node, ...]"
    """Without any part: true."""


@dataclass(frozen=True, slots=True)
class Or:
    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    part: "Node"


Node = And | Or | Not | Comparison


def parse(text: str) -> Node:
    """Read a filter; the empty filter is ``And(())``. Raises only `FilterError`."""
    if len(text) > MAX_LENGTH:
        limit = f"a filter has at most {MAX_LENGTH} characters, this one has {len(text)}"
        raise FilterError(MAX_LENGTH, text[MAX_LENGTH : MAX_LENGTH + 20], limit)
    unfit = _UNFIT.search(text)
    if unfit:
        code = f"U+{ord(unfit.group()):04X}"
        raise FilterError(unfit.start(), code, "expected text that can be stored")
    return _Parser(text).filter()


def to_text(node: Node) -> str:
    """Write `node` as a filter; `parse` of it gives an equal node."""
    match node:
        case And(parts):
            return " AND ".join(to_text(part) for part in parts)
        case Or(parts):
            return " OR ".join(_enclosed(part, And) for part in parts)
        case Not(part):
            return f"NOT {_enclosed(part, And | Or | Not)}"
        case Comparison(name, op, value):
            return f"{name} {op} {_literal_text(value)}"


def conjunction(parts: Sequence[Node]) -> Node:
    """Return all of `parts` as one node, without an And inside an And."""
    flat = tuple(_flattened(parts, And))
    return flat[0] if len(flat) == 1 else And(flat)


def disjunction(parts: Sequence[Node]) -> Node:
    """Return any of `parts` as one node, without an Or inside an Or."""
    flat = tuple(_flattened(parts, Or))
    return flat[0] if len(flat) == 1 else Or(flat)


def comparisons(node: Node) -> Iterable[Comparison]:
    """Yield every comparison of the tree, from left to right."""
    match node:
        case Comparison():
            yield node
        case Not(part):
            yield from comparisons(part)
        case And(parts) | Or(parts):
            for part in parts:
                yield from comparisons(part)


def fields_named(node: Node) -> set[str]:
    """Return the names of all fields the filter looks at, ``custom.<key>`` included.

    The caller refuses what is hidden from the actor before it compiles the filter.
    """
    return {comparison.field for comparison in comparisons(node)}


def proto_path(path: str) -> str:
    """Return `path` with lowerCamelCase names as the proto spells them; custom keys stay."""
    if path.startswith(CUSTOM):
        return path
    return ".".join(_CAPITAL.sub(_underscored, name) if _CAMEL.fullmatch(name) else name
                    for name in path.split("."))  # fmt: skip


_UNFIT = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL takes no NUL and no lone surrogate
_SPACE = re.compile(r"\s*")
_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_][A-Za-z0-9_-]*)*")
_COMPARATOR = re.compile(r"<=|>=|!=|=|<|>|:")
_WORD = re.compile(r"[^\s()\"'<>=!,\\]+")
_QUOTED = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'", re.DOTALL)
_KEYWORD = re.compile(r"(AND|OR|NOT)(?![A-Za-z0-9_.])")
_FRAGMENT = re.compile(r"\"[^\"]{0,30}\"?|'[^']{0,30}'?|[^\s()]{1,30}|.", re.DOTALL)
_CAMEL = re.compile(r"[a-z][A-Za-z0-9]*")
_CAPITAL = re.compile(r"[A-Z]")
_ESCAPED_CHARACTER = re.compile(r"\\(.)", re.DOTALL)
_UNESCAPED_STAR = re.compile(r"(?<!\\)(?:\\\\)*\*")


class _Parser:
    """Recursive descent over the text: what a character means depends on what is expected."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._comparisons = 0

    def filter(self) -> Node:
        self._skip_space()
        if self._at == len(self._text):
            return And(())
        node = self._conjunction(depth=0)
        if self._at < len(self._text):
            self._refuse('expected AND, OR or the end; this ")" closes nothing')
        return node

    def _conjunction(self, depth: int) -> Node:
        parts = [self._disjunction(depth)]
        while self._at < len(self._text) and self._text[self._at] != ")":
            self._take_keyword("AND")
            parts.append(self._disjunction(depth))
        return conjunction(parts)

    def _disjunction(self, depth: int) -> Node:
        parts = [self._term(depth)]
        while self._take_keyword("OR"):
            parts.append(self._term(depth))
        return disjunction(parts)

    def _term(self, depth: int) -> Node:
        if self._take_keyword("NOT") or self._take("-"):
            return Not(self._simple(depth))
        return self._simple(depth)

    def _simple(self, depth: int) -> Node:
        opening = self._at
        if not self._take("("):
            return self._comparison()
        if depth == MAX_DEPTH:
            self._refuse(f"parentheses may be nested {MAX_DEPTH} deep", at=opening)
        node = self._conjunction(depth + 1)
        if not self._take(")"):
            self._refuse(f'expected ")" for the "(" at character {opening + 1}')
        return node

    def _comparison(self) -> Comparison:
        start = self._at
        path = self._take_path()
        comparator = _COMPARATOR.match(self._text, self._at)
        if not comparator and path.upper() in ("AND", "OR", "NOT"):
            self._refuse(f"expected a comparison; write {path.upper()} in capitals", at=start)
        if not comparator:
            hint = f"expected one of = != < <= > >= : after {path}; to search for words use q"
            self._refuse(hint, at=start)
        if self._comparisons == MAX_COMPARISONS:
            self._refuse(f"a filter has at most {MAX_COMPARISONS} comparisons", at=start)
        self._comparisons += 1
        self._advance_to(comparator.end())
        value_at = self._at
        value = self._take_value(comparator.group())
        return Comparison(proto_path(path), comparator.group(), value, start, value_at)

    def _take_path(self) -> str:
        keyword = _KEYWORD.match(self._text, self._at)
        if keyword:
            self._refuse(f"expected a comparison (field = value) instead of {keyword.group()}")
        path = _PATH.match(self._text, self._at)
        if not path:
            self._refuse("expected a comparison (field = value); to search for words use q")
        if self._text.startswith("(", path.end()):
            self._refuse(f"functions are not supported: {path.group()}()")
        self._advance_to(path.end())
        return path.group()

    def _take_value(self, comparator: str) -> Literal:
        start = self._at
        quoted = _QUOTED.match(self._text, start)
        if quoted:
            self._advance_to(quoted.end())
            inner = quoted.group(1) if quoted.group(1) is not None else quoted.group(2)
            return self._literal(inner, start, quoted=True)
        if self._text[start : start + 1] in ('"', "'"):
            self._refuse(f"expected a closing {self._text[start]}")
        word = _WORD.match(self._text, start)
        if not word or _KEYWORD.match(self._text, start):
            self._refuse(f"expected a value after {comparator}")
        if self._text.startswith("(", word.end()):
            self._refuse(f"functions are not supported: {word.group()}()")
        self._advance_to(word.end())
        return self._literal(word.group(), start, quoted=False)

    def _literal(self, written: str, start: int, *, quoted: bool) -> Literal:
        star = _UNESCAPED_STAR.search(written)
        if star and star.end() < len(written):
            self._refuse("a * may stand at the end of a value only; write \\* for a star", at=start)
        body = written[:-1] if star else written
        return Literal(_ESCAPED_CHARACTER.sub(r"\1", body), quoted, prefix=star is not None)

    def _take(self, character: str) -> bool:
        found = self._text.startswith(character, self._at)
        if found:
            self._advance_to(self._at + len(character))
        return found

    def _take_keyword(self, keyword: str) -> bool:
        found = _KEYWORD.match(self._text, self._at)
        if not found or found.group(1) != keyword:
            return False
        self._advance_to(found.end())
        return True

    def _advance_to(self, position: int) -> None:
        self._at = position
        self._skip_space()

    def _skip_space(self) -> None:
        space = _SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at

    def _refuse(self, message: str, *, at: int | None = None) -> NoReturn:
        position = self._at if at is None else at
        fragment = _FRAGMENT.match(self._text, position)
        raise FilterError(position, fragment.group() if fragment else "", message)


def _flattened(parts: Iterable[Node], kind: type[And] | type[Or]) -> Iterable[Node]:
    for part in parts:
        if isinstance(part, kind):
            yield from part.parts
        else:
            yield part


def _enclosed(node: Node, looser: type[Node] | UnionType) -> str:
    return f"({to_text(node)})" if isinstance(node, looser) else to_text(node)


def _literal_text(value: Literal) -> str:
    star = "*" if value.prefix else ""
    if not value.quoted:
        return value.text + star
    escaped = re.sub(r'([\\"*])', r"\\\1", value.text)
    return f'"{escaped}{star}"'


def _underscored(capital: re.Match[str]) -> str:
    return "_" + capital.group().lower()
