"""Field paths: `display_name`, `birth_date.year`, `phones.number`, `custom.shoe_size`.

A path names fields by their proto names. Behind a map field everything is one key, dots included.
Behind a repeated message a path means every element. A well-known type (Timestamp, Struct, ...) has
no path inside.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field as attribute
from functools import lru_cache
from typing import Any

from google.protobuf.descriptor import Descriptor

from chassis.codec.errors import DecodeError, Expected, Violation, shown_path, unknown_name
from chassis.codec.scalars import key_converter
from chassis.codec.schema import WELL_KNOWN, FieldShape, shape_of

# Callers choose paths freely (`fields`): what is remembered of them is bounded, in number and size.
_REMEMBERED_SETS = 1024
_REMEMBERED_CHARS = 2048


@dataclass(frozen=True, slots=True)
class Path:
    """A path that exists: the fields it leads through and, behind a map, the key."""

    fields: tuple[FieldShape, ...]
    key_text: str | None
    key: Any

    @property
    def crosses_list(self) -> bool:
        """True if the path means a field of every element of a list."""
        return any(step.is_list for step in self.fields[:-1])


@dataclass(slots=True)
class Branch:
    """What a set of paths says about one field: all of it, some keys, or some fields inside."""

    field: FieldShape
    is_whole: bool = False
    keys: dict[str, Any] = attribute(default_factory=dict)
    """Map keys: as JSON has them -> as the message has them."""
    inner: "Tree" = attribute(default_factory=dict)


Tree = dict[str, Branch]


def has_path(descriptor: Descriptor, path: str) -> bool:
    """True if the message type has this path; a map has every key that its key type allows."""
    try:
        find_path(descriptor, path)
    except DecodeError:
        return False
    return True


def crosses_list(descriptor: Descriptor, path: str) -> bool:
    """True if the path means a field of every element of a list. Raises DecodeError for an unknown path."""
    return find_path(descriptor, path).crosses_list


def json_path(descriptor: Descriptor, path: str) -> str:
    """The path with JSON names, `displayName`. Raises DecodeError for an unknown path."""
    found = find_path(descriptor, path)
    names = [step.json_name for step in found.fields]
    return ".".join(names if found.key_text is None else [*names, found.key_text])


def find_path(descriptor: Descriptor, path: str) -> Path:
    """The fields a path leads through. Raises DecodeError naming the closest known field."""
    fields: list[FieldShape] = []
    inside: Descriptor | None = descriptor
    rest: str | None = path
    while rest is not None:
        name, dot, behind = rest.partition(".")
        rest = behind if dot else None
        known = shape_of(inside).by_name if inside is not None else {}
        if name not in known:
            raise DecodeError([Violation(shown_path(path), unknown_name(name, known))])
        fields.append(known[name])
        if known[name].is_map:
            return Path(tuple(fields), rest, None if rest is None else _key(fields[-1], rest, path))
        inside = known[name].message
        if inside is not None and inside.full_name in WELL_KNOWN:
            inside = None
    return Path(tuple(fields), None, None)


def _key(map_field: FieldShape, text: str, path: str) -> Any:
    try:
        return key_converter(map_field.key)(text)
    except Expected as problem:
        described = f"expected a key that is {problem}"
        raise DecodeError([Violation(shown_path(path), described)]) from problem


def find_paths(descriptor: Descriptor, paths: Iterable[str]) -> list[Path]:
    """All paths found; raises DecodeError with a violation for each unknown one."""
    found: list[Path] = []
    violations: list[Violation] = []
    for path in paths:
        try:
            found.append(find_path(descriptor, path))
        except DecodeError as error:
            violations += error.violations
    if violations:
        raise DecodeError(violations)
    return found


def tree_of(descriptor: Descriptor, paths: Iterable[str]) -> Tree:
    """The paths as a tree, to be read only: it is shared. Raises DecodeError for unknown paths."""
    paths = tuple(paths)
    is_small = sum(map(len, paths)) <= _REMEMBERED_CHARS
    return _remembered_tree(descriptor, paths) if is_small else _tree(descriptor, paths)


def _tree(descriptor: Descriptor, paths: tuple[str, ...]) -> Tree:
    root: Tree = {}
    for path in find_paths(descriptor, paths):
        level = root
        for step in path.fields:
            branch = level.setdefault(step.name, Branch(step))
            level = branch.inner
        if path.key_text is None:
            branch.is_whole = True
        else:
            branch.keys[json_key(path.key)] = path.key
    return root


_remembered_tree = lru_cache(_REMEMBERED_SETS)(_tree)


def json_key(key: Any) -> str:
    """A map's key as canonical JSON has it."""
    return str(key).lower() if isinstance(key, bool) else str(key)
