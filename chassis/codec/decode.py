"""ProtoJSON -> message, by one closure per message type.

A decoder turns a JSON value into arguments of the message's constructor: plain dictionaries and
lists, which protobuf then copies into the message in one call. Refusals are collected beside it in
the `Place`, which knows where it is in the body but writes its path only when something is refused.

Where this is stricter than json_format: numbers as text follow JSON's grammar, true is no number,
base64 must be base64, a field given under both of its names is refused. Where it is milder: a null
as a map's value means that the key is absent (an update removes it), a FieldMask may be in
snake_case.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import orjson
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from chassis.codec import scalars, wellknown
from chassis.codec.errors import DecodeError, Expected, Violation, shown, shown_path, unknown_name
from chassis.codec.schema import (
    WELL_KNOWN,
    WRAPPERS,
    FieldShape,
    any_type,
    class_of,
    shape_of,
    takes_null,
)

M = TypeVar("M", bound=Message)

# Counted in messages inside messages as the wire has them (an object in a Struct is three).
# protobuf itself refuses to read or copy beyond 100; the rest is room for the messages that will
# hold this one.
MAX_DEPTH = 64
# Finding the closest known name is slow; beyond this many, unknown names are only named.
_MAX_SUGGESTIONS = 20


def from_json(data: bytes | str | dict[str, Any], message_class: type[M]) -> M:
    """The message a JSON text (or its parsed value) stands for.

    Raises DecodeError with every violation: unknown names, values of the wrong kind or out of
    range, two fields of a oneof, nesting beyond 64; for a text that is not JSON the position of the
    fault.
    """
    body = parse(data) if isinstance(data, bytes | bytearray | memoryview | str) else data
    root = Place(None, "", 1, [])
    arguments: Any = None
    try:
        arguments = decoder_of(message_class.DESCRIPTOR)(body, root)
    except Expected as problem:
        root.violations.append(Violation("", problem.describe(body)))
    if root.violations:
        raise DecodeError(root.violations)
    message: M = message_class(**arguments) if isinstance(arguments, dict) else arguments
    return message


def parse(data: bytes | bytearray | memoryview | str) -> Any:
    """The value of a JSON text; raises DecodeError with line and column."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise DecodeError([Violation("", f"not valid JSON at {where}: {error.msg}")]) from error


class Place:
    """Where the decoder is in the body, and the violations found so far."""

    __slots__ = ("depth", "parent", "segment", "violations")

    def __init__(
        self, parent: "Place | None", segment: str, depth: int, violations: list[Violation]
    ) -> None:
        self.parent = parent
        self.segment = segment
        self.depth = depth
        self.violations = violations

    def inside(self, segment: str, levels: int = 1) -> "Place":
        """The place `segment` leads to, `levels` messages deeper."""
        return Place(self, segment, self.depth + levels, self.violations)

    def deeper(self) -> "Place":
        """The same place in the body, one message deeper on the wire."""
        return Place(self.parent, self.segment, self.depth + 1, self.violations)

    def refuse(self, segment: str, description: str) -> None:
        """Note a violation at `segment` of this place."""
        path, place = segment, self
        while place.parent is not None:
            dot = "" if path.startswith("[") else "."
            path, place = f"{place.segment}{dot}{path}", place.parent
        self.violations.append(Violation(shown_path(path), description))

    def refuse_unknown(self, name: str, names: list[str]) -> None:
        """Note a name that no field has."""
        known = names if len(self.violations) < _MAX_SUGGESTIONS else ()
        self.refuse(name, unknown_name(name, known))

    def check_depth(self) -> None:
        """Raise Expected beyond the limit of nesting."""
        if self.depth > MAX_DEPTH:
            raise Expected(f"at most {MAX_DEPTH} levels of nesting")


Decode = Callable[[Any, Place], Any]
# Name, JSON name, converter, is the converter a Decode (it wants its place), is null a value,
# oneof.
_Row = tuple[str, str, Callable[..., Any], bool, bool, str | None]

_decoders: dict[Descriptor, Decode] = {}


def decoder_of(descriptor: Descriptor) -> Decode:
    """The decoder of a message type, compiled at its first use."""
    decode = _decoders.get(descriptor)
    if decode is None:
        compiled: dict[Descriptor, Decode] = {}
        decode = _compile(descriptor, compiled)
        # Published only when all it refers to is complete: another thread never sees a half-filled
        # table.
        _decoders.update(compiled)
    return decode


def _compile(descriptor: Descriptor, compiled: dict[Descriptor, Decode]) -> Decode:
    done = compiled.get(descriptor) or _decoders.get(descriptor)
    if done is not None:
        return done
    if descriptor.full_name in WELL_KNOWN:
        compiled[descriptor] = _well_known(descriptor)
        return compiled[descriptor]
    rows: dict[str, _Row] = {}
    shape = shape_of(descriptor)
    decode = _ordinary(rows, [field.json_name for field in shape.by_name.values()])
    compiled[descriptor] = decode  # before the fields, which may lead back to this very type
    by_name = {name: _row(field, compiled) for name, field in shape.by_name.items()}
    rows.update({key: by_name[field.name] for key, field in shape.by_json_key.items()})
    return decode


def _ordinary(rows: dict[str, _Row], names: list[str]) -> Decode:
    def decode(value: Any, place: Place) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Expected("an object")
        place.check_depth()
        arguments: dict[str, Any] = {}
        chosen: dict[str, str] = {}
        for key, item in value.items():
            row = rows.get(key)
            if row is None:
                place.refuse_unknown(str(key), names)
                continue
            name, json_name, convert, wants_place, null_is_value, oneof = row
            if item is None and not null_is_value:
                continue
            if name in arguments:
                place.refuse(json_name, "given twice, in camelCase and in snake_case")
            if oneof is not None and chosen.setdefault(oneof, json_name) != json_name:
                place.refuse(json_name, f"excludes {chosen[oneof]}: one of {oneof} at most")
            try:
                arguments[name] = (
                    convert(item, place.inside(json_name)) if wants_place else convert(item)
                )
            except Expected as problem:
                place.refuse(json_name, problem.describe(item))
        return arguments

    return decode


def _row(field: FieldShape, compiled: dict[Descriptor, Decode]) -> _Row:
    null_is_value = takes_null(field.value) and not (field.is_list or field.is_map)
    convert: Callable[..., Any]
    wants_place = True
    if field.is_map:
        convert = _map(
            scalars.key_converter(field.key),
            _element(field, compiled),
            null_is_value=takes_null(field.value),
        )
    elif field.is_list:
        convert = _list(_element(field, compiled), levels=0)
    elif field.message is not None:
        convert = _compile(field.message, compiled)
    else:
        convert, wants_place = scalars.converter(field.descriptor), False
    return field.name, field.json_name, convert, wants_place, null_is_value, field.oneof


def _element(field: FieldShape, compiled: dict[Descriptor, Decode]) -> Decode:
    """How one value of a list or map is decoded; a scalar needs no place."""
    if field.message is not None:
        return _compile(field.message, compiled)
    convert = scalars.converter(field.value)
    return lambda value, place: convert(value)


def _list(decode_item: Decode, *, levels: int) -> Decode:
    def decode(value: Any, place: Place) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise Expected("a list")
        items = []
        for index, item in enumerate(value):
            segment = f"[{index}]"
            try:
                items.append(decode_item(item, place.inside(segment, levels)))
            except Expected as problem:
                place.refuse(segment, problem.describe(item))
        return items

    return decode


def _map(convert_key: scalars.Convert, decode_item: Decode, *, null_is_value: bool) -> Decode:
    def decode(value: Any, place: Place) -> dict[Any, Any]:
        if not isinstance(value, dict):
            raise Expected("an object")
        entries: dict[Any, Any] = {}
        for key, item in value.items():
            try:
                converted = convert_key(key)
            except Expected as problem:
                place.refuse(str(key), f"expected a key that is {problem}, got {shown(key)}")
                continue
            if item is None and not null_is_value:
                continue
            if converted in entries:
                place.refuse(str(key), "given twice, in two spellings of the same key")
            try:
                entries[converted] = decode_item(item, place.inside(str(key)))
            except Expected as problem:
                place.refuse(str(key), problem.describe(item))
        return entries

    return decode


def _well_known(descriptor: Descriptor) -> Decode:
    """The decoder of a message whose JSON is not an object of its fields."""
    name = descriptor.full_name
    if name in WRAPPERS:
        convert = scalars.converter(descriptor.fields_by_name["value"])
        return lambda value, place: {"value": convert(value)}
    if name in _TEXTS:
        from_text = _TEXTS[name]
        return lambda value, place: from_text(value)
    return _STRUCTURED[name](descriptor)


def _value(descriptor: Descriptor) -> Decode:
    fields = descriptor.fields_by_name
    decode_struct = _struct(fields["struct_value"].message_type)
    decode_list = _list_value(fields["list_value"].message_type)

    def decode(value: Any, place: Place) -> dict[str, Any]:
        if isinstance(value, str):
            return {"string_value": scalars.string(value)}
        if value is None:
            return {"null_value": 0}
        if isinstance(value, bool):
            return {"bool_value": value}
        if isinstance(value, int | float):
            return {"number_value": scalars.double(value)}
        if isinstance(value, dict):
            return {"struct_value": decode_struct(value, place.deeper())}
        if isinstance(value, list | tuple):
            return {"list_value": decode_list(value, place.deeper())}
        raise Expected("a JSON value")

    return decode


def _struct(descriptor: Descriptor) -> Decode:
    message_class = class_of(descriptor)
    value_type = shape_of(descriptor).by_name["fields"].message
    # Resolved when used: a Value may hold the Struct that is being compiled.
    decode_fields = _map(
        scalars.string,
        lambda value, place: decoder_of(value_type)(value, place),
        null_is_value=True,
    )

    def decode(value: Any, place: Place) -> Any:
        place.check_depth()
        # A message and not its arguments: protobuf would read a dictionary as the content of the
        # Struct.
        return message_class(fields=decode_fields(value, place.deeper()))

    return decode


def _list_value(descriptor: Descriptor) -> Decode:
    message_class = class_of(descriptor)
    value_type = shape_of(descriptor).by_name["values"].message
    decode_values = _list(lambda value, place: decoder_of(value_type)(value, place), levels=1)

    def decode(value: Any, place: Place) -> Any:
        place.check_depth()
        return message_class(values=decode_values(value, place))

    return decode


def _any(descriptor: Descriptor) -> Decode:
    def decode(value: Any, place: Place) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Expected("an object")
        if not value:
            return {}
        type_url = value.get("@type")
        packed_type = any_type(type_url, descriptor) if isinstance(type_url, str) else None
        if packed_type is None:
            place.refuse("@type", f"expected a known message type, got {shown(type_url)}")
            return {}
        content: Any = {key: item for key, item in value.items() if key != "@type"}
        if packed_type.full_name in WELL_KNOWN:
            if content.keys() != {"value"}:
                raise Expected('an object of "@type" and "value"')
            content = content["value"]
        arguments = decoder_of(packed_type)(content, place.deeper())
        if place.violations:  # refused anyway; what was collected may not fit the constructor
            return {}
        packed = class_of(packed_type)(**arguments) if isinstance(arguments, dict) else arguments
        return {"type_url": type_url, "value": packed.SerializeToString(deterministic=True)}

    return decode


_TEXTS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "google.protobuf.Duration": wellknown.duration_from,
    "google.protobuf.FieldMask": wellknown.field_mask_from,
    "google.protobuf.Timestamp": wellknown.timestamp_from,
}
_STRUCTURED: dict[str, Callable[[Descriptor], Decode]] = {
    "google.protobuf.Any": _any,
    "google.protobuf.ListValue": _list_value,
    "google.protobuf.Struct": _struct,
    "google.protobuf.Value": _value,
}
