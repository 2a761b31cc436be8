"""An HTTP request as the bytes of a request message; generic over every RPC, guided by its descriptor only.

Path variables, query and body become one JSON value that the codec decodes at once, so that a caller sees all violations of a
request together. Precedence: path, then query, then body.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from chassis import codec, errors
from chassis.errors import Violation
from gateway.exchange import Exchange
from gateway.problems import UnsupportedType
from gateway.routes import Binding

FORM = "application/x-www-form-urlencoded"

_BOOLS = {"true": True, "1": True, "": True, "false": False, "0": False}
# What a caller sends back from a resource he read, and the server keeps for itself.
_NOT_UPDATED = ("id", "etag")
# Messages whose JSON is one text, so that a query parameter can carry them.
_TEXT_MESSAGES = {
    "google.protobuf.Timestamp",
    "google.protobuf.FieldMask",
    "google.protobuf.Duration",
} | {
    f"google.protobuf.{kind}Value"
    for kind in ("String", "Int32", "Int64", "UInt32", "UInt64", "Bool", "Double", "Float")
}


def request_bytes(
    binding: Binding, variables: tuple[str, ...], exchange: Exchange, body: bytes
) -> bytes:
    """The serialized request message; raises InvalidArgument with every violation of path, query and body."""
    descriptor = binding.method.input.DESCRIPTOR
    if binding.verb == "GET" and len(variables) == 1 and not exchange.scope["query_string"]:
        prefix = _only_text(descriptor, binding.variables[0])
        if prefix:
            text = variables[0].encode()
            return prefix + _varint(len(text)) + text
    message = decode(binding, variables, exchange, parse_body(exchange, body))
    return bytes(message.SerializeToString())


def decode(binding: Binding, variables: tuple[str, ...], exchange: Exchange, body: Any) -> Message:
    """The request message of a parsed body (None without one)."""
    descriptor = binding.method.input.DESCRIPTOR
    value: dict[str, Any] = {}
    mask: list[str] | None = None
    if binding.body == "*":
        value = _object(body)
    elif binding.body:
        target = descriptor.fields_by_name[binding.body]
        part = _object(body)
        if binding.verb == "PATCH":
            _lift_etag(part, value, descriptor)
            mask = _mask(part, target.message_type)
        value[target.json_name] = part
    elif body not in (None, {}):
        raise errors.InvalidArgument(
            "this method takes no body; send the values in the path and the query"
        )
    _put_query(descriptor, exchange, value)
    for name, text in zip(binding.variables, variables, strict=True):
        _put(value, _resolve(descriptor, name)[0], text)
    _put_headers(descriptor, exchange, value)
    message = from_json(value, binding.method.input, binding.body)
    if (
        mask is not None
        and "update_mask" in descriptor.fields_by_name
        and "updateMask" not in value
    ):
        message.update_mask.paths.extend(mask)  # type: ignore[attr-defined]
    return message


def parse_body(exchange: Exchange, body: bytes) -> Any:
    """The body's JSON value; a form's fields as texts; raises InvalidArgument or UnsupportedType."""
    if not body:
        return None
    kind = exchange.header(b"content-type").partition(";")[0].strip().lower()
    if kind in ("", "application/json") or (
        kind.startswith("application/") and kind.endswith("+json")
    ):
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            where = f"line {error.lineno} column {error.colno}"
            raise errors.InvalidArgument(
                f"the body is not valid JSON at {where}: {error.msg}"
            ) from None
    raise UnsupportedType(f"the body is {kind[:60]!r}; send application/json")


def parse_form(body: bytes) -> list[tuple[str, str]]:
    """The pairs of a form body; raises InvalidArgument if it is not one."""
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=200, errors="strict")
    except ValueError:
        raise errors.InvalidArgument(
            "the form is not readable; use UTF-8 and at most 200 fields"
        ) from None


def from_json(value: dict[str, Any], message_class: type[Message], body_field: str = "") -> Message:
    """`codec.from_json` whose refusal is an InvalidArgument that names fields as the body has them."""
    try:
        return codec.from_json(value, message_class)
    except codec.DecodeError as error:
        raise refused(error, body_field, message_class.DESCRIPTOR) from None


def refused(
    error: codec.DecodeError, body_field: str = "", request: Descriptor | None = None
) -> errors.InvalidArgument:
    """The codec's violations as a refusal."""
    found = [
        Violation(field_of(v.field, body_field, request), v.description) for v in error.violations
    ]
    first = found[0]
    return errors.InvalidArgument(f"{first.field or 'the body'}: {first.description}", found)


def field_of(path: str, body_field: str, request: Descriptor | None = None) -> str:
    """A violation's path as the HTTP caller knows it: JSON names, and without the request message around the body."""
    parts = path.split(".")
    body = request.fields_by_name.get(body_field) if request is not None else None
    inside = body.message_type if body is not None else request
    if (
        body_field not in ("", "*")
        and len(parts) > 1
        and parts[0] in (body_field, camel(body_field))
    ):
        parts = parts[1:]
    names = _names(parts, inside)
    return ".".join([*map(camel, parts[:names]), *parts[names:]])


def _names(parts: list[str], inside: Descriptor | None) -> int:
    """How many of the parts are names of fields: behind a map's name are keys that somebody has chosen."""
    for count, part in enumerate(parts, start=1):
        name = part.partition("[")[0]
        field = inside.fields_by_name.get(name) if inside is not None else None
        inside = field.message_type if field is not None else None
        is_map = inside is not None and inside.GetOptions().map_entry
        if is_map or name == "custom":
            return count
    return len(parts)


@lru_cache(4096)
def camel(name: str) -> str:
    """`displayName` of `display_name`, by the rule of protobuf's JSON names."""
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def _object(body: Any) -> dict[str, Any]:
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise errors.InvalidArgument("the body is not a JSON object; send {...}")
    return dict(body)


def _lift_etag(part: dict[str, Any], value: dict[str, Any], descriptor: Descriptor) -> None:
    """Whoever sends back a whole resource sends its id and etag too: the id is in the path, the etag guards the update."""
    for name in _NOT_UPDATED:
        sent = part.pop(name, None)
        if name == "etag" and sent and "etag" in descriptor.fields_by_name:
            value["etag"] = sent


def _mask(part: dict[str, Any], descriptor: Descriptor) -> list[str]:
    try:
        return codec.mask_of(part, descriptor)
    except codec.DecodeError as error:
        raise refused(error) from None


def _put_query(descriptor: Descriptor, exchange: Exchange, value: dict[str, Any]) -> None:
    violations = []
    for name, text in exchange.query:
        found = _find(descriptor, name)
        if found is None:
            violations.append(Violation(name[:80], "unknown parameter"))
            continue
        path, field = found
        if field.is_repeated:
            _put(value, path, [*_at(value, path, []), *_items(field, text)])
        else:
            _put(value, path, _value(field, text))
    if violations:
        raise errors.InvalidArgument("the query has unknown parameters", violations)


def _put_headers(descriptor: Descriptor, exchange: Exchange, value: dict[str, Any]) -> None:
    match = exchange.headers.get(b"if-match")
    if match is not None and "etag" in descriptor.fields_by_name and match != b"*":
        value["etag"] = match.decode("latin-1").strip().removeprefix("W/").strip('"')
    key = exchange.headers.get(b"idempotency-key")
    if key is not None and "request_id" in descriptor.fields_by_name:
        value["requestId"] = key.decode("latin-1").strip().strip('"')


def _items(field: FieldDescriptor, text: str) -> list[Any]:
    """A repeated field takes `ids=a&ids=b` and, where commas cannot be meant, `ids=a,b`."""
    return (
        [_value(field, part) for part in text.split(",") if part]
        if field.name == "ids"
        else [_value(field, text)]
    )


def _value(field: FieldDescriptor, text: str) -> Any:
    if field.type == FieldDescriptor.TYPE_BOOL:
        return _BOOLS.get(text, text)
    if field.type == FieldDescriptor.TYPE_ENUM and text.isdigit():
        return int(text)
    return text


def _put(value: dict[str, Any], path: tuple[str, ...], leaf: Any) -> None:
    for name in path[:-1]:
        inner = value.get(name)
        if not isinstance(inner, dict):
            inner = value[name] = {}
        value = inner
    value[path[-1]] = leaf


def _at(value: Mapping[str, Any], path: tuple[str, ...], default: Any) -> Any:
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            return default
        value = value[name]
    return value


def _resolve(descriptor: Descriptor, name: str) -> tuple[tuple[str, ...], FieldDescriptor]:
    found = _find(descriptor, name)
    if found is None:
        raise ValueError(f"{descriptor.full_name} has no field {name}")
    return found


@lru_cache(4096)
def _find(descriptor: Descriptor, name: str) -> tuple[tuple[str, ...], FieldDescriptor] | None:
    """(JSON path, leaf field) of `a.b` in camelCase or snake_case; None if a query parameter cannot mean it."""
    path: list[str] = []
    inside: Descriptor | None = descriptor
    field: FieldDescriptor | None = None
    for part in name.split("."):
        if inside is None or (field is not None and field.is_repeated):
            return None
        field = inside.fields_by_name.get(part) or inside.fields_by_camelcase_name.get(part)
        if field is None:
            return None
        path.append(field.json_name)
        inside = field.message_type
    if field is None or (
        field.message_type is not None and field.message_type.full_name not in _TEXT_MESSAGES
    ):
        return None
    return tuple(path), field


@lru_cache(1024)
def _only_text(descriptor: Descriptor, name: str) -> bytes:
    """The wire tag of a top-level text field, empty if the fast path does not fit it."""
    field = descriptor.fields_by_name.get(name)
    if field is None or field.type != FieldDescriptor.TYPE_STRING or field.is_repeated:
        return b""
    return _varint(field.number << 3 | 2)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def query_fields(descriptor: Descriptor) -> list[FieldDescriptor]:
    """The top-level fields that a query parameter can carry."""
    return [field for field in descriptor.fields if _find(descriptor, field.name) is not None]
