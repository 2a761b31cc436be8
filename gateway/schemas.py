"""JSON Schemas of messages, from descriptors, field rules and the comments of the contracts."""

from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

import chassis
from chassis import contracts
from crm.options.v1 import options_pb2

Schema = dict[str, Any]

_DESCRIPTORS = Path(chassis.__file__).parent.parent / "gen" / "descriptors.binpb"

_INT32 = {"type": "integer", "format": "int32"}
_UINT32 = {"type": "integer", "format": "uint32", "minimum": 0}
# Canonical JSON writes 64 bits as text: most readers' numbers hold 53.
_INT64 = {"type": "string", "format": "int64", "pattern": "^-?[0-9]{1,19}$"}
_TYPES: dict[int, Schema] = {
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.TYPE_FLOAT: {"type": "number", "format": "float"},
    **dict.fromkeys(
        (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_SINT32, FieldDescriptor.TYPE_SFIXED32),
        _INT32,
    ),
    **dict.fromkeys((FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_FIXED32), _UINT32),
    **dict.fromkeys(
        (
            FieldDescriptor.TYPE_INT64,
            FieldDescriptor.TYPE_SINT64,
            FieldDescriptor.TYPE_SFIXED64,
            FieldDescriptor.TYPE_UINT64,
            FieldDescriptor.TYPE_FIXED64,
        ),
        _INT64,
    ),
}
_WELL_KNOWN: dict[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"},
    "google.protobuf.FieldMask": {"type": "string", "description": "Comma-separated field names."},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.Value": {},
    "google.protobuf.ListValue": {"type": "array", "items": {}},
    "google.protobuf.Empty": {"type": "object"},
    "google.protobuf.Any": {"type": "object", "properties": {"@type": {"type": "string"}}},
}
_FORMATS: dict[int, Schema] = {
    options_pb2.FORMAT_UUID: {"format": "uuid", "maxLength": 36},
    options_pb2.FORMAT_FILE: {"format": "uuid", "maxLength": 36},
    options_pb2.FORMAT_EMAIL: {"format": "email"},
    options_pb2.FORMAT_URI: {"format": "uri"},
    options_pb2.FORMAT_LANGUAGE: {"pattern": "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"},
    options_pb2.FORMAT_TIME_ZONE: {"examples": ["Europe/Warsaw"]},
    options_pb2.FORMAT_CURRENCY: {"pattern": "^[A-Z]{3}$"},
    options_pb2.FORMAT_COUNTRY: {"pattern": "^[A-Z]{2}$"},
    options_pb2.FORMAT_DECIMAL: {"pattern": r"^-?[0-9]+(\.[0-9]+)?$"},
    options_pb2.FORMAT_KEY: {"pattern": "^[a-z][a-z0-9_-]*$"},
    options_pb2.FORMAT_COLOR: {"pattern": "^#[0-9a-fA-F]{6}$"},
    options_pb2.FORMAT_TIME_OF_DAY: {"pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"},
}
_MAX_LENGTH, _MAX_ITEMS = 1000, 100


class Schemas:
    """The components that the operations refer to; filled while they are asked for.

    A message has up to two schemas: as it is answered, and (`...Input`) as it is sent, without what only the server sets
    and without room for unknown names, which are refused.
    """

    def __init__(self) -> None:
        self.components: dict[str, Schema] = {}

    def ref(self, message: Descriptor, *, sent: bool = False) -> Schema:
        """A reference to the message's schema, which is made at its first use."""
        known = _WELL_KNOWN.get(message.full_name)
        if known is not None:
            return dict(known)
        name = component_name(message.full_name) + ("Input" if sent else "")
        if name not in self.components:
            self.components[name] = {}  # claimed before the fields, which may lead back here
            self.components[name] = self._object(message, sent=sent)
        return {"$ref": f"#/components/schemas/{name}"}

    def _object(self, message: Descriptor, *, sent: bool) -> Schema:
        fields = [field for field in message.fields if not (sent and is_read_only(field))]
        schema: Schema = {
            "type": "object",
            "properties": {f.json_name: self.field(f, sent=sent) for f in fields},
        }
        comment = comment_of(message.full_name)
        if comment:
            schema["description"] = comment
        if sent:
            schema["additionalProperties"] = False
            if contracts.resource_option(message) is None:
                required = required_of(message)
                if required:
                    schema["required"] = required
        return schema

    def field(self, field: FieldDescriptor, *, sent: bool = False) -> Schema:
        """The schema of one field with its comment and rules."""
        rules = field.GetOptions().Extensions[options_pb2.rules]
        if is_map(field):
            value = field.message_type.fields_by_name["value"]
            schema: Schema = {
                "type": "object",
                "additionalProperties": self._single(value, rules, sent=sent),
                "maxProperties": rules.max_items or _MAX_ITEMS,
            }
        elif field.is_repeated:
            schema = {"type": "array", "items": self._single(field, rules, sent=sent)}
            if sent:
                schema["maxItems"] = rules.max_items or _MAX_ITEMS
        else:
            schema = self._single(field, rules, sent=sent)
        comment = comment_of(field.full_name)
        if comment:
            schema["description"] = comment
        if is_read_only(field):
            schema["readOnly"] = True
        return schema

    def _single(
        self, field: FieldDescriptor, rules: options_pb2.FieldRules, *, sent: bool
    ) -> Schema:
        if field.message_type is not None:
            return self.ref(field.message_type, sent=sent)
        if field.enum_type is not None:
            return self._enum(field.enum_type)
        schema = dict(_TYPES[field.type])
        if field.type == FieldDescriptor.TYPE_STRING:
            schema["maxLength"] = rules.max_length or _MAX_LENGTH
            if rules.min_length or rules.required:
                schema["minLength"] = max(rules.min_length, 1)
            if rules.pattern:
                schema["pattern"] = f"^(?:{rules.pattern})$"
            schema |= _FORMATS.get(rules.format, {})
        if rules.HasField("min"):
            schema["minimum"] = rules.min
        if rules.HasField("max"):
            schema["maximum"] = rules.max
        return schema

    def _enum(self, enum: EnumDescriptor) -> Schema:
        name = component_name(enum.full_name)
        if name not in self.components:
            comments = {
                value.name: comment_of(f"{enum.full_name}.{value.name}") for value in enum.values
            }
            lines = [f"- `{value}`: {comment}" for value, comment in comments.items() if comment]
            self.components[name] = {
                "type": "string",
                "enum": [value.name for value in enum.values],
                "description": "\n".join(filter(None, [comment_of(enum.full_name), *lines])),
            }
        return {"$ref": f"#/components/schemas/{name}"}


def component_name(full_name: str) -> str:
    """`contacts.Contact` of `crm.contacts.v1.Contact`."""
    return full_name.removeprefix("crm.").replace(".v1.", ".", 1)


def is_read_only(field: FieldDescriptor) -> bool:
    """True if only the server sets the field."""
    options = field.GetOptions()
    return bool(
        options.Extensions[options_pb2.output_only] or options.Extensions[options_pb2.computed]
    )


def is_map(field: FieldDescriptor) -> bool:
    """True for a map field."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def required_of(message: Descriptor) -> list[str]:
    """JSON names of the fields that a sender must set."""
    return [
        field.json_name
        for field in message.fields
        if field.GetOptions().Extensions[options_pb2.rules].required and not is_read_only(field)
    ]


def comment_of(full_name: str) -> str:
    """The comment above a message, field, enum, value (`<enum>.<value>`), service or RPC in its proto file, or ""."""
    return _comments().get(full_name, "")


@cache
def _comments() -> dict[str, str]:
    files = descriptor_pb2.FileDescriptorSet.FromString(_DESCRIPTORS.read_bytes())
    found: dict[str, str] = {}
    for file in files.file:
        if not file.package.startswith("crm."):
            continue
        for location in file.source_code_info.location:
            if location.leading_comments:
                name = _name_at(file, list(location.path))
                if name:
                    found[name] = " ".join(location.leading_comments.split())
    return found


def _name_at(file: descriptor_pb2.FileDescriptorProto, path: list[int]) -> str:
    """The full name of the thing at a source location's path: pairs of (field number, index), see descriptor.proto."""
    here: Any = file
    names = [file.package]
    for number, index in zip(path[::2], path[1::2], strict=False):
        field = here.DESCRIPTOR.fields_by_number.get(number)
        if field is None or not field.is_repeated or field.message_type is None:
            return ""
        here = getattr(here, field.name)[index]
        if not hasattr(here, "name"):
            return ""
        names.append(here.name)
    return ".".join(names) if len(path) % 2 == 0 and len(names) > 1 else ""
