"""The OpenAPI page of the board, whose path is a joined screen and no RPC."""

from typing import Any

_RECORDS = {"type": "array", "items": {"type": "object"}}
_NAMED = {
    "type": "object",
    "properties": {
        "contacts": _RECORDS, "companies": _RECORDS, "users": _RECORDS,
        "unavailable": {
            "type": "array", "items": {"type": "string"},
            "description": "Services that are down; what they own is missing from this answer.",
        },
    },
}  # fmt: skip


def _query(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}  # fmt: skip


BOARDS: dict[str, dict[str, Any]] = {
    "/v1/pipelines/{id}/board": {
        "get": {
            "operationId": "Gateway_Board",
            "tags": ["deals"],
            "summary": "The open deals of a pipeline by stage, with sums and the names of whom they are about",
            "parameters": [
                {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}},
                _query("filter", "Which deals, in the language of their list.", {"type": "string", "maxLength": 3800}),
                _query("orderBy", "In which order they stand.", {"type": "string", "maxLength": 200}),
                _query("pageSize", "How many of each column.", {"type": "integer", "minimum": 0, "maximum": 200}),
                _query("fields", "Only these fields of the deals.", {"type": "string"}),
                _query("asOf", "The board as it was then.", {"type": "string", "format": "date-time"}),
            ],
            "responses": {
                "200": {
                    "description": "The board.",
                    "content": {"application/json": {"schema": {"allOf": [{"$ref": "#/components/schemas/deals.Board"}, _NAMED]}}},
                },
                "default": {"$ref": "#/components/responses/Problem"},
            },
        }
    }
}  # fmt: skip
