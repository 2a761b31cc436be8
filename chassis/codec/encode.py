"""Message -> canonical ProtoJSON, by one closure per message type.

An encoder walks `ListFields()`, which names only the fields that are set, in the order of their
numbers, so that absent fields cost nothing and -0.0 and proto3 optional come out right without a
special case.
"""

import math
import struct
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import orjson
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import DecodeError as WireError
from google.protobuf.message import Message

from chassis.codec import wellknown
from chassis.codec.errors import EncodeError
from chassis.codec.schema import WELL_KNOWN, WRAPPERS, any_type, class_of, is_map_field

Encode = Callable[[Any], Any]
# Keyed by the descriptor itself: it is hashed by identity, and reading its number costs more.
_Table = dict[FieldDescriptor, tuple[str, Encode | None]]

_encoders: dict[Descriptor, Encode] = {}

# Integers up to here are exact as doubles, so a whole Value may be written without ".0".
_EXACT_INTEGER = 2**53


def to_dict(message: Message) -> dict[str, Any]:
    """The canonical JSON of a message as Python values; for a well-known type whatever its JSON is.

    Raises EncodeError for what has no JSON form: times out of range, NaN in a Value, an Any of
    unknown type.
    """
    encoded: dict[str, Any] = encoder_of(message.DESCRIPTOR)(message)
    return encoded


def to_json(message: Message) -> bytes:
    """`to_dict` as UTF-8; equal messages give equal bytes. Raises EncodeError."""
    return orjson.dumps(encoder_of(message.DESCRIPTOR)(message))


def encoder_of(descriptor: Descriptor) -> Encode:
    """The encoder of a message type, compiled at its first use."""
    encode = _encoders.get(descriptor)
    if encode is None:
        compiled: dict[Descriptor, Encode] = {}
        encode = _compile(descriptor, compiled)
        # Published only when all it refers to is complete: another thread never sees a half-filled
        # table.
        _encoders.update(compiled)
    return encode


def _compile(descriptor: Descriptor, compiled: dict[Descriptor, Encode]) -> Encode:
    done = compiled.get(descriptor) or _encoders.get(descriptor)
    if done is not None:
        return done
    table: _Table = {}
    ordinary = _extendable if descriptor.is_extendable else _ordinary
    encode = _well_known(descriptor) or ordinary(table)
    compiled[descriptor] = encode  # before the fields, which may lead back to this very type
    if descriptor.full_name not in WELL_KNOWN:
        for field in descriptor.fields:
            table[field] = (field.json_name, _field(field, compiled))
    return encode


def _ordinary(table: _Table) -> Encode:
    def encode(message: Message) -> dict[str, Any]:
        encoded = {}
        name = ""
        try:
            for field, value in message.ListFields():
                name, convert = table[field]
                encoded[name] = value if convert is None else convert(value)
        except EncodeError as error:
            raise error.within(name) from None
        return encoded

    return encode


def _extendable(table: _Table) -> Encode:
    """As `_ordinary`, with room for extensions, which are known only once they are met."""
    encode_known = _ordinary(table)

    def encode(message: Message) -> Any:
        for field, _ in message.ListFields():
            if field not in table:
                table[field] = (f"[{field.full_name}]", _field(field, {}))
        return encode_known(message)

    return encode


def _field(field: FieldDescriptor, compiled: dict[Descriptor, Encode]) -> Encode | None:
    """How a field's value becomes JSON; None when it is JSON already."""
    if is_map_field(field):
        return _map(field.message_type, compiled)
    convert = _single(field, compiled)
    if not field.is_repeated:
        return convert
    if convert is None:
        return list
    return lambda values: [convert(value) for value in values]


def _single(field: FieldDescriptor, compiled: dict[Descriptor, Encode]) -> Encode | None:
    if field.message_type is not None:
        return _compile(field.message_type, compiled)
    if field.enum_type is not None:
        return _enum(field.enum_type)
    return _SCALARS.get(field.type)


def _map(entry: Descriptor, compiled: dict[Descriptor, Encode]) -> Encode:
    convert = _single(entry.fields_by_name["value"], compiled) or _unchanged
    key_type = entry.fields_by_name["key"].type
    key_text: Encode = str
    if key_type == FieldDescriptor.TYPE_STRING:
        key_text = _unchanged
    elif key_type == FieldDescriptor.TYPE_BOOL:
        key_text = {False: "false", True: "true"}.__getitem__
    # A protobuf map has no order; sorted, equal messages give equal bytes.
    return lambda values: {key_text(key): convert(values[key]) for key in sorted(values)}


def _unchanged(value: Any) -> Any:
    return value


def _enum(enum: EnumDescriptor) -> Encode:
    if enum.full_name == "google.protobuf.NullValue":
        return lambda number: None
    names: dict[int, str] = {}
    for value in enum.values:  # of aliases the one declared first is canonical
        names.setdefault(value.number, value.name)
    return lambda number: names.get(number, number)


def _double(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _float(value: float) -> float | str:
    """The shortest decimal that is the same 32-bit float: 0.1, not 0.10000000149011612."""
    if not math.isfinite(value):
        return _double(value)
    # 6 digits always fit a float, 9 always identify one.
    for digits in (6, 7, 8):
        short = float(f"{value:.{digits}g}")
        if struct.unpack("f", struct.pack("f", short))[0] == value:
            return short
    return float(f"{value:.9g}")


def _bytes(value: bytes) -> str:
    return b64encode(value).decode("ascii")


_SCALARS: dict[int, Encode] = {
    **dict.fromkeys(
        (
            FieldDescriptor.TYPE_INT64,
            FieldDescriptor.TYPE_UINT64,
            FieldDescriptor.TYPE_SINT64,
            FieldDescriptor.TYPE_FIXED64,
            FieldDescriptor.TYPE_SFIXED64,
        ),
        str,
    ),
    FieldDescriptor.TYPE_DOUBLE: _double,
    FieldDescriptor.TYPE_FLOAT: _float,
    FieldDescriptor.TYPE_BYTES: _bytes,
}


def _well_known(descriptor: Descriptor) -> Encode | None:
    """The encoder of a message whose JSON is not an object of its fields; None for all others."""
    name = descriptor.full_name
    if name in WRAPPERS:
        convert = _single(descriptor.fields_by_name["value"], {}) or _unchanged
        return lambda message: convert(message.value)
    return _WELL_KNOWN.get(name)


def _value(message: Any) -> Any:
    kind = message.WhichOneof("kind")
    if kind == "string_value":
        return message.string_value
    if kind == "number_value":
        return _number(message.number_value)
    if kind == "bool_value":
        return message.bool_value
    if kind == "struct_value":
        return _struct(message.struct_value)
    if kind == "list_value":
        return _list(message.list_value)
    return None


def _number(value: float) -> float | int:
    if not math.isfinite(value):
        raise EncodeError("NaN and Infinity cannot be told from a text in a Value")
    is_whole = value.is_integer() and abs(value) <= _EXACT_INTEGER
    # -0.0 stays a float: as an integer it would lose its sign.
    return int(value) if is_whole and (value or math.copysign(1, value) > 0) else value


def _struct(message: Any) -> dict[str, Any]:
    fields = message.fields
    return {key: _value(fields[key]) for key in sorted(fields)}


def _list(message: Any) -> list[Any]:
    return [_value(value) for value in message.values]


def _any(message: Any) -> dict[str, Any]:
    if not message.type_url and not message.value:
        return {}
    descriptor = any_type(message.type_url, message.DESCRIPTOR)
    if descriptor is None:
        raise EncodeError(f"Any of unknown type {message.type_url}")
    try:
        packed = class_of(descriptor).FromString(message.value)
    except WireError as error:
        raise EncodeError(f"Any does not hold a {descriptor.full_name}") from error
    encoded = encoder_of(descriptor)(packed)
    if descriptor.full_name in WELL_KNOWN:
        return {"@type": message.type_url, "value": encoded}
    return {"@type": message.type_url, **encoded}


_WELL_KNOWN: dict[str, Encode] = {
    "google.protobuf.Any": _any,
    "google.protobuf.Duration": lambda m: wellknown.duration_text(m.seconds, m.nanos),
    "google.protobuf.FieldMask": lambda m: wellknown.field_mask_text(m.paths),
    "google.protobuf.ListValue": _list,
    "google.protobuf.Struct": _struct,
    "google.protobuf.Timestamp": lambda m: wellknown.timestamp_text(m.seconds, m.nanos),
    "google.protobuf.Value": _value,
}
