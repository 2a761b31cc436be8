"""Update masks: which fields a JSON body means, applying them, and what an update changed."""

from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from chassis.codec.decode import Place
from chassis.codec.errors import DecodeError, Expected, Violation
from chassis.codec.paths import Path, find_paths, json_key
from chassis.codec.schema import WELL_KNOWN, FieldShape, shape_of
from chassis.codec.select import copy_field, copy_key


def mask_of(body: dict[str, Any], descriptor: Descriptor) -> list[str]:
    """The update mask of a JSON body, in the order of the body.

    Every key present is a path, also one with null (it clears). A nested message gives the paths
    inside it, unless it is empty (the path itself: it becomes empty), a well-known type or a
    google.type message (one value, one path). A map gives a path per key, so an empty one changes
    nothing and null clears all. A list is replaced whole.

    Raises DecodeError for unknown names and nesting beyond 64. Values are not looked at:
    `from_json` refuses them.
    """
    root = Place(None, "", 1, [])
    paths: dict[str, None] = {}
    try:
        _collect(body, descriptor, "", root, paths)
    except Expected as problem:
        root.violations.append(Violation("", problem.describe(body)))
    if root.violations:
        raise DecodeError(root.violations)
    return list(paths)


def _collect(
    body: dict[str, Any], descriptor: Descriptor, prefix: str, place: Place, paths: dict[str, None]
) -> None:
    if not isinstance(body, dict):
        raise Expected("an object")
    place.check_depth()
    shape = shape_of(descriptor)
    for key, value in body.items():
        field = shape.by_json_key.get(key)
        if field is None:
            place.refuse_unknown(str(key), [known.json_name for known in shape.by_name.values()])
            continue
        path = prefix + field.name
        if field.is_map and isinstance(value, dict):
            paths.update(dict.fromkeys(f"{path}.{map_key}" for map_key in value))
        elif field.message is not None and _has_paths_inside(field, value):
            inside = place.inside(field.json_name)
            _collect(value, field.message, f"{path}.", inside, paths)
        else:
            paths[path] = None


def _has_paths_inside(field: FieldShape, value: Any) -> bool:
    if field.is_list or not isinstance(value, dict) or not value or field.message is None:
        return False
    name = field.message.full_name
    return name not in WELL_KNOWN and not name.startswith("google.type.")


def merge(target: Message, source: Message, paths: Iterable[str]) -> None:
    """Make the target, at these paths, what the source is; both are of one type.

    A list or message at the end of a path is replaced whole, and cleared when the source has none.
    A map's key is set, or removed when the source lacks it or has a null Value. A message on the
    way is created only if the source has it.

    Raises DecodeError naming every unknown path (one through a list is unknown here), with the
    target unchanged.
    """
    found = find_paths(target.DESCRIPTOR, paths := list(paths))
    through_lists = [
        Violation(text, "a list is replaced whole, its elements have no path")
        for text, path in zip(paths, found, strict=True)
        if path.crosses_list
    ]
    if through_lists:
        raise DecodeError(through_lists)
    if target is not source:
        for path in found:
            _merge_path(target, source, path)


def _merge_path(target: Any, source: Any, path: Path) -> None:
    *parents, last = path.fields
    for parent in parents:
        if not source.HasField(parent.name):
            _clear_path(target, path)
            return
        source = getattr(source, parent.name)
    for parent in parents:
        target = getattr(target, parent.name)
    if path.key_text is None:
        copy_field(source, target, last)
    elif _is_null(getattr(source, last.name), path.key):
        getattr(target, last.name).pop(path.key, None)
    else:
        copy_key(source, target, last, path.key)


def _clear_path(target: Any, path: Path) -> None:
    *parents, last = path.fields
    for parent in parents:
        if not target.HasField(parent.name):
            return
        target = getattr(target, parent.name)
    if path.key_text is None:
        target.ClearField(last.name)
    else:
        getattr(target, last.name).pop(path.key, None)


def _is_null(values: Any, key: Any) -> bool:
    """True if the map holds a null Value under the key: an update's way to remove it."""
    if key not in values:
        return False
    value = values[key]
    is_value = getattr(value, "DESCRIPTOR", None) is not None
    return (
        is_value
        and value.DESCRIPTOR.full_name == "google.protobuf.Value"
        and value.WhichOneof("kind") in (None, "null_value")
    )


def changed_paths(old: Message, new: Message) -> list[str]:
    """Sorted names of the fields that differ between two messages of one type.

    Top-level names, also for nested messages; for a map field `<field>.<key>` of each key that
    differs. Fields unknown to this program are not compared.
    """
    shape = shape_of(old.DESCRIPTOR)
    before, after = (
        {field.name: value for field, value in message.ListFields() if not field.is_extension}
        for message in (old, new)
    )
    changed: list[str] = []
    for name in before.keys() | after.keys():
        if shape.by_name[name].is_map:
            keys = _changed_keys(before.get(name, {}), after.get(name, {}))
            changed += [f"{name}.{key}" for key in keys]
        elif not _is_same(before.get(name), after.get(name)):
            changed.append(name)
    return sorted(changed)


def _changed_keys(old: Any, new: Any) -> list[str]:
    return [
        json_key(key)
        for key in set(old) | set(new)
        if (key in old) != (key in new) or not _is_same(old[key], new[key])
    ]


def _is_same(old: Any, new: Any) -> bool:
    # NaN equals nothing, not even itself; a field that stays NaN has not changed.
    is_number = isinstance(old, float) and isinstance(new, float)
    return bool(old == new) or (is_number and old != old and new != new)
