"""What the pages of the OpenAPI document share."""

from typing import Any

ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
DEFAULT = {"default": {"$ref": "#/components/responses/Problem"}}
OBJECT = {"type": "object"}


def answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "200": {"description": description, "content": {"application/json": {"schema": schema}}},
        **DEFAULT,
    }


def query(
    name: str, description: str, schema: dict[str, Any], *, required: bool = False
) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": required,
        "description": description,
        "schema": schema,
    }


UNAVAILABLE = {
    "type": "array",
    "items": {"type": "string"},
    "description": "Services that are down; what they own is missing from this answer.",
}
LIST = {"type": "array", "items": OBJECT}
