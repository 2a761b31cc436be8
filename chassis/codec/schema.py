"""What the codec needs to know of a message type, read from its descriptor once.

`shape_of(descriptor)` is the only reader of descriptors for masks and paths; encode and decode
compile from it too.
"""

from dataclasses import dataclass
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor

WRAPPERS = frozenset(
    f"google.protobuf.{name}Value"
    for name in ("Bool", "Bytes", "Double", "Float", "Int32", "Int64", "String", "UInt32", "UInt64")
)
# Messages whose JSON is not an object of their fields.
WELL_KNOWN = WRAPPERS | {
    f"google.protobuf.{name}"
    for name in ("Any", "Duration", "FieldMask", "ListValue", "Struct", "Timestamp", "Value")
}


@dataclass(frozen=True, slots=True)
class FieldShape:
    """One field: its two names and what kind of container it is."""

    name: str
    json_name: str
    descriptor: FieldDescriptor
    is_map: bool
    is_list: bool
    has_presence: bool
    oneof: str | None
    """Name of the oneof the field belongs to; proto3 optional does not count as one."""

    @property
    def key(self) -> FieldDescriptor:
        """The key of a map field."""
        return self.descriptor.message_type.fields_by_name["key"]

    @property
    def value(self) -> FieldDescriptor:
        """What one value is: the map's value, the list's element, or the field itself."""
        if self.is_map:
            return self.descriptor.message_type.fields_by_name["value"]
        return self.descriptor

    @property
    def message(self) -> Descriptor | None:
        """The message type of one value, None for scalars."""
        return self.value.message_type


@dataclass(frozen=True, slots=True)
class MessageShape:
    """One message type: its fields by proto name, and by every name JSON may use."""

    by_name: dict[str, FieldShape]
    by_json_key: dict[str, FieldShape]


_shapes: dict[Descriptor, MessageShape] = {}


def shape_of(descriptor: Descriptor) -> MessageShape:
    """The shape of a message type; read once and kept as long as the process runs."""
    shape = _shapes.get(descriptor)
    if shape is None:
        shape = _shapes[descriptor] = _read(descriptor)
    return shape


def _read(descriptor: Descriptor) -> MessageShape:
    by_name = {field.name: _field_shape(field) for field in descriptor.fields}
    # camelCase last: where one field's proto name equals another's JSON name, JSON's meaning wins.
    by_json_key = by_name | {field.json_name: field for field in by_name.values()}
    return MessageShape(by_name=by_name, by_json_key=by_json_key)


def _field_shape(field: FieldDescriptor) -> FieldShape:
    oneof = field.containing_oneof
    # The compiler wraps a proto3 optional field in a oneof of its own, named after the field.
    is_synthetic = oneof is not None and oneof.name == f"_{field.name}" and len(oneof.fields) == 1
    is_map = is_map_field(field)
    return FieldShape(
        name=field.name,
        json_name=field.json_name,
        descriptor=field,
        is_map=is_map,
        is_list=field.is_repeated and not is_map,
        has_presence=field.has_presence,
        oneof=None if oneof is None or is_synthetic else oneof.name,
    )


def is_map_field(field: FieldDescriptor) -> bool:
    """True for map<K, V>, which the compiler writes as a repeated message of key and value."""
    entry = field.message_type
    return bool(field.is_repeated and entry is not None and entry.GetOptions().map_entry)


def class_of(descriptor: Descriptor) -> Any:
    """The Python class of a message type, also one of a pool built at run time."""
    return message_factory.GetMessageClass(descriptor)


def any_type(type_url: str, holder: Descriptor) -> Descriptor | None:
    """The message type an Any names, looked up in the pool of the Any itself; None when unknown."""
    try:
        return holder.file.pool.FindMessageTypeByName(type_url.rpartition("/")[2])
    except KeyError:
        return None


def takes_null(field: FieldDescriptor) -> bool:
    """True for fields in which JSON null is a value and not absence."""
    message, enum = field.message_type, field.enum_type
    if message is not None:
        return bool(message.full_name == "google.protobuf.Value")
    return enum is not None and enum.full_name == "google.protobuf.NullValue"
