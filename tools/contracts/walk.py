"""Ways through descriptors that several rules share."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, MethodDescriptor

from crm.options.v1 import options_pb2

_SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_SCALARS = {
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_INT64: "int64",
}


def is_snake(text: str) -> bool:
    """True for lower_snake_case."""
    return _SNAKE.fullmatch(text) is not None


def option(
    thing: Descriptor | FieldDescriptor | MethodDescriptor | EnumDescriptor, extension: Any
) -> Any:
    """The value of an option, or None where the contract does not give it."""
    options = thing.GetOptions()
    return options.Extensions[extension] if options.HasExtension(extension) else None


def is_computed(field: FieldDescriptor) -> bool:
    """True for a field that is made for each reader and never stored."""
    return bool(option(field, options_pb2.computed))


def value_message(field: FieldDescriptor) -> Descriptor | None:
    """The message that a field holds; of a map the message of its values; None for scalars."""
    message = field.message_type
    if message is not None and message.GetOptions().map_entry:
        return message.fields_by_name["value"].message_type
    return message


def type_of(field: FieldDescriptor) -> str:
    """`repeated string`, `crm.contacts.v1.Contact`: the type as the proto file writes it, enough to compare."""
    if field.message_type is not None:
        name = field.message_type.full_name
    else:
        name = _SCALARS.get(field.type, str(field.type))
    return f"repeated {name}" if field.is_repeated else name


def reachable(
    roots: Iterable[Descriptor], *, computed: bool = True
) -> Iterator[tuple[str, Descriptor]]:
    """(the field that leads there, message) for the roots and our own messages inside them, each once.

    computed=False does not follow computed fields.
    """
    waiting = [(root.full_name, root) for root in roots]
    seen: set[str] = set()
    while waiting:
        path, message = waiting.pop(0)
        if message.full_name in seen or not _is_ours(message):
            continue
        seen.add(message.full_name)
        yield path, message
        for field in message.fields:
            inner = value_message(field)
            if inner is not None and (computed or not is_computed(field)):
                waiting.append((field.full_name, inner))


def _is_ours(message: Descriptor) -> bool:
    return not message.full_name.startswith("google.")


def uncommented(files: Iterable[descriptor_pb2.FileDescriptorProto]) -> Iterator[str]:
    """Full names of services, RPCs, messages, fields, enums and values without a comment above them."""
    for file in files:
        said = {
            tuple(place.path)
            for place in file.source_code_info.location
            if place.leading_comments.strip()
        }
        for path, name in _named(file, (), file.package):
            if path not in said:
                yield name


def _named(thing: Any, path: tuple[int, ...], name: str) -> Iterator[tuple[tuple[int, ...], str]]:
    """(path in source_code_info, full name) of everything named inside a descriptor; map entries, which protoc makes, are left out."""
    for part, values in thing.ListFields():
        if part.name not in (
            "service",
            "method",
            "message_type",
            "nested_type",
            "enum_type",
            "value",
            "field",
        ):
            continue
        if not part.is_repeated or part.message_type is None:
            continue
        for index, value in enumerate(values):
            if part.name == "nested_type" and value.options.map_entry:
                continue
            here, called = (*path, part.number, index), f"{name}.{value.name}"
            yield here, called
            yield from _named(value, here, called)
