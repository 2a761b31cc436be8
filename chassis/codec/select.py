"""Part of a message: keep only some paths, or take some away."""

from collections.abc import Iterable
from typing import Any, TypeVar

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from chassis.codec.paths import Tree, tree_of
from chassis.codec.schema import FieldShape

M = TypeVar("M", bound=Message)


def project(message: M, paths: Iterable[str]) -> M:
    """A new message with only what the paths name; unknown fields stay behind.

    Raises DecodeError for unknown paths.
    """
    part: M = type(message)()
    _copy(message, part, tree_of(message.DESCRIPTOR, paths))
    return part


def hide(message: Message, paths: Iterable[str]) -> None:
    """Clear what the paths name, in place.

    Raises DecodeError for unknown paths, with nothing cleared.
    """
    _clear(message, tree_of(message.DESCRIPTOR, paths))


def hide_dict(json_dict: dict[str, Any], descriptor: Descriptor, paths: Iterable[str]) -> None:
    """`hide` on the canonical JSON of a message: remove what the paths name, in place."""
    _remove(json_dict, tree_of(descriptor, paths))


def is_set(message: Any, field: FieldShape) -> bool:
    """True if the field is present; a field without presence always is."""
    return not field.has_presence or message.HasField(field.name)


def copy_field(source: Any, target: Any, field: FieldShape) -> None:
    """Make the target's field what the source's is, absent if absent there."""
    name = field.name
    target.ClearField(name)
    if field.is_map or field.is_list:
        getattr(target, name).MergeFrom(getattr(source, name))
    elif not is_set(source, field):
        return
    elif field.message is not None:
        getattr(target, name).CopyFrom(getattr(source, name))
    else:
        setattr(target, name, getattr(source, name))


def copy_key(source: Any, target: Any, field: FieldShape, key: Any) -> None:
    """Make the target's map entry what the source's is, absent if absent there."""
    values, kept = getattr(source, field.name), getattr(target, field.name)
    if key not in values:
        kept.pop(key, None)
    elif field.message is not None:
        kept[key].CopyFrom(values[key])
    else:
        kept[key] = values[key]


def _copy(source: Any, target: Any, tree: Tree) -> None:
    for name, branch in tree.items():
        field = branch.field
        if branch.is_whole:
            copy_field(source, target, field)
        elif field.is_map:
            for key in branch.keys.values():
                copy_key(source, target, field, key)
        elif field.is_list:
            for item in getattr(source, name):
                _copy(item, getattr(target, name).add(), branch.inner)
        elif source.HasField(name):
            part = getattr(target, name)
            part.SetInParent()  # present there, so present here even if nothing of it is asked for
            _copy(getattr(source, name), part, branch.inner)


def _clear(message: Any, tree: Tree) -> None:
    for name, branch in tree.items():
        field = branch.field
        if branch.is_whole:
            message.ClearField(name)
        elif field.is_map:
            for key in branch.keys.values():
                getattr(message, name).pop(key, None)
        elif field.is_list:
            for item in getattr(message, name):
                _clear(item, branch.inner)
        elif message.HasField(name):
            _clear(getattr(message, name), branch.inner)


def _remove(json_dict: dict[str, Any], tree: Tree) -> None:
    for branch in tree.values():
        name = branch.field.json_name
        value = json_dict.get(name)
        if branch.is_whole:
            json_dict.pop(name, None)
        elif branch.field.is_list:
            for item in value or ():
                _remove(item, branch.inner)
        elif value is not None:
            for key in branch.keys:
                value.pop(key, None)
            _remove(value, branch.inner)
            # Canonical JSON has no empty map; an empty message it has.
            if branch.field.is_map and not value:
                del json_dict[name]
