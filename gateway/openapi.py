"""OpenAPI 3.1 of everything this gateway answers, made from the contracts; no line per RPC."""

from typing import Any

import orjson

from chassis import contracts
from crm.options.v1 import options_pb2
from gateway import schemas
from gateway.openapi_boards import BOARDS
from gateway.openapi_pages import PAGES
from gateway.routes import Binding, Shared, Table, parse_template
from gateway.schemas import Schemas
from gateway.transcode import query_fields

Document = dict[str, Any]

_HEADERS: dict[str, tuple[str, str]] = {
    "etag": (
        "If-Match",
        "The etag you saw; the change is refused if the record is another by now.",
    ),
    "request_id": (
        "Idempotency-Key",
        "Makes a repetition answer like the first call; kept for 24 hours.",
    ),
}

_PROBLEM: Document = {
    "type": "object",
    "description": "RFC 9457 problem details.",
    "required": ["type", "title", "status", "detail", "reason", "violations", "traceId"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {
            "type": "string",
            "description": "The fact, the value and the limit, for the API's user.",
        },
        "reason": {"type": "string", "description": "A constant to program against."},
        "violations": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "description"],
                "properties": {"field": {"type": "string"}, "description": {"type": "string"}},
            },
        },
        "traceId": {"type": "string"},
        "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}


def document(table: Table) -> bytes:
    """The whole document as JSON."""
    components = Schemas()
    paths: dict[str, Document] = {}
    seen: set[tuple[str, str]] = set()
    numbers: dict[str, int] = {}
    for binding in table.bindings:
        path, verb = _path(binding), binding.verb.lower()
        if (path, verb) in seen:
            continue
        seen.add((path, verb))
        name = f"{binding.method.descriptor.containing_service.name}_{binding.method.name}"
        numbers[name] = numbers.get(name, 0) + 1
        operation = _operation(binding, components, _shared(table, binding))
        operation["operationId"] = name if numbers[name] == 1 else f"{name}_{numbers[name]}"
        paths.setdefault(path, {})[verb] = operation
    for path, operations in (PAGES | BOARDS).items():
        paths.setdefault(path, {}).update(operations)
    return orjson.dumps(_frame(paths, components))


def _frame(paths: dict[str, Document], components: Schemas) -> Document:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Akrab",
            "version": "1",
            "description": "Open-source CRM. JSON is canonical proto3 JSON: lowerCamelCase names, 64-bit numbers as text, "
            "enums by name, RFC 3339 times, unset fields left out. The gRPC API is the same contract.",
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"cookie": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {"Problem": _PROBLEM, **dict(sorted(components.components.items()))},
            "responses": {
                "Problem": {
                    "description": "Refused; `reason` says why, `violations` which fields.",
                    "content": {
                        "application/problem+json": {
                            "schema": {"$ref": "#/components/schemas/Problem"}
                        }
                    },
                }
            },
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Access token or API token.",
                },
                "cookie": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "crm_access",
                    "description": "Set by /v1/auth:login with the header X-CSRF; changes need X-CSRF too.",
                },
            },
        },
    }


def _path(binding: Binding) -> str:
    """The template with plain parameter names: `{contact.id}` would not be a name in most generators."""
    path = binding.template
    for name in binding.variables:
        path = path.replace("{" + name + "}", "{" + _plain(name) + "}")
    return path


def _plain(name: str) -> str:
    return name.rpartition(".")[2] if name.endswith(".id") else name.replace(".", "_")


def _shared(table: Table, binding: Binding) -> list[str]:
    """The resources among which a shared path chooses, empty for an ordinary path."""
    segments = parse_template(binding.template)[0]
    path = "/" + "/".join("x" if segment is None else segment for segment in segments)
    custom = parse_template(binding.template)[1]
    target, _ = table.match(binding.verb, f"{path}:{custom}" if custom else path)
    return sorted(target.bindings) if isinstance(target, Shared) else []


def _operation(binding: Binding, components: Schemas, resources: list[str]) -> Document:
    method = binding.method
    comment = schemas.comment_of(method.descriptor.full_name)
    operation: Document = {
        "tags": [binding.template.split("/")[2].partition(":")[0]],
        "summary": comment.partition(". ")[0].rstrip("."),
        "description": " ".join(filter(None, [comment, _right(binding)])),
        "parameters": _parameters(binding, components, resources),
        "responses": {
            "200": {
                "description": "Done.",
                "content": {
                    "application/json": {"schema": components.ref(method.output.DESCRIPTOR)}
                },
            },
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }
    if method.public:
        operation["security"] = []
    if binding.body:
        operation["requestBody"] = _body(binding, components)
    return operation


def _right(binding: Binding) -> str:
    permission = binding.method.permission
    if permission.access == options_pb2.ACCESS_PUBLIC:
        return "Needs no session."
    if permission.access == options_pb2.ACCESS_SIGNED_IN:
        return "Needs any session."
    return f"Needs the right {permission.object}.{permission.action}."


def _body(binding: Binding, components: Schemas) -> Document:
    message = binding.method.input.DESCRIPTOR
    if binding.body == "*":
        schema, required = components.ref(message, sent=True), bool(schemas.required_of(message))
    else:
        part = message.fields_by_name[binding.body].message_type
        schema, required = components.ref(part, sent=True), True
        needed = schemas.required_of(part) if binding.verb == "POST" else []
        if needed and contracts.resource_option(part) is not None:
            schema = {"allOf": [schema, {"required": needed}]}
    return {"required": required, "content": {"application/json": {"schema": schema}}}


def _parameters(binding: Binding, components: Schemas, resources: list[str]) -> list[Document]:
    message = binding.method.input.DESCRIPTOR
    found: list[Document] = []
    for name in binding.variables:
        field = _leaf(message, name)
        schema = components.field(field, sent=True)
        schema.pop("readOnly", None)
        found.append(
            {
                "name": _plain(name),
                "in": "path",
                "required": True,
                "schema": {"minLength": 1, **schema},
            }
        )
    for field in query_fields(message):
        taken = field.name in binding.variables or field.name == binding.body
        if taken or field.name in _HEADERS or (binding.body == "*" and field.name != "resource"):
            continue
        schema = components.field(field)
        if field.name == "resource" and resources:
            schema["enum"] = resources
        if binding.body == "*" and not resources:
            continue
        required = field.json_name in schemas.required_of(message) or (
            field.name == "resource" and bool(resources)
        )
        found.append(
            {"name": field.json_name, "in": "query", "required": required, "schema": schema}
        )
    for name, (header, text) in _HEADERS.items():
        if name in message.fields_by_name:
            schema = {"type": "string", "maxLength": 100, "pattern": "^[!-~]+$"}
            found.append({"name": header, "in": "header", "description": text, "schema": schema})
    return found


def _leaf(message: Any, name: str) -> Any:
    *parents, last = name.split(".")
    for parent in parents:
        message = message.fields_by_name[parent].message_type
    return message.fields_by_name[last]
