"""The part of the OpenAPI document that no contract describes: what the gateway answers by itself."""

from typing import Any

_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
_DEFAULT = {"default": {"$ref": "#/components/responses/Problem"}}
_OBJECT = {"type": "object"}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "200": {"description": description, "content": {"application/json": {"schema": schema}}},
        **_DEFAULT,
    }


def _query(
    name: str, description: str, schema: dict[str, Any], *, required: bool = False
) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": required,
        "description": description,
        "schema": schema,
    }


_UNAVAILABLE = {
    "type": "array",
    "items": {"type": "string"},
    "description": "Services that are down; what they own is missing from this answer.",
}
_LIST = {"type": "array", "items": _OBJECT}

_CARD = {
    "type": "object",
    "properties": {
        "contact": _OBJECT,
        "company": _OBJECT,
        "facts": _OBJECT,
        "timeline": _LIST,
        "requests": _LIST,
        "openTasks": _LIST,
        "unavailable": _UNAVAILABLE,
    },
}
_MY_DAY = {
    "allOf": [
        {"$ref": "#/components/schemas/tasks.Day"},
        {
            "type": "object",
            "properties": {
                "contacts": _LIST,
                "companies": _LIST,
                "agreements": _LIST,
                "unavailable": _UNAVAILABLE,
            },
        },
    ]
}
_DEPARTMENT_DAY = {
    "allOf": [
        {"$ref": "#/components/schemas/tasks.DepartmentDay"},
        {
            "type": "object",
            "properties": {
                "contacts": _LIST,
                "companies": _LIST,
                "users": _LIST,
                "unavailable": _UNAVAILABLE,
            },
        },
    ]
}
_FOUND = {
    "type": "object",
    "properties": {
        "contacts": _LIST,
        "companies": _LIST,
        "requests": _LIST,
        "unavailable": _UNAVAILABLE,
    },
}
_EVENT = {
    "type": "object",
    "properties": {
        "id": {
            "type": "string",
            "format": "uuid",
            "description": "The same in every delivery; ignore repetitions.",
        },
        "type": {"type": "string", "examples": ["crm.contacts.v1.RequestReceived"]},
        "time": {"type": "string", "format": "date-time"},
        "kind": {"type": "string"},
        "subject": {"type": "string", "description": "The id of the record."},
        "data": _OBJECT,
    },
}
_FILE = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "name": {"type": "string"},
        "type": {"type": "string"},
        "size": {"type": "string", "format": "int64"},
        "sha256": {"type": "string"},
        "createTime": {"type": "string", "format": "date-time"},
    },
}
_BYTES = {
    "application/octet-stream": {
        "schema": {"type": "string", "contentMediaType": "application/octet-stream"}
    }
}
_IN = _query(
    "in",
    "The record that holds the file, e.g. contacts/<id>; without it only the uploader may read.",
    {"type": "string", "pattern": "^[a-zA-Z]+/[0-9a-f-]{36}$"},
)

_UUID = {"type": "string", "format": "uuid"}
_WORD = {"type": "string", "pattern": "^[a-z][a-z0-9_]*$", "maxLength": 40}
_RIGHT = (
    _query("object", "The kind of record as in grants, e.g. contact.", _WORD, required=True),
    _query("action", "What would be done, e.g. read.", _WORD, required=True),
    _query("recordId", "The record; absent asks about such records in general.", _UUID),
)
_EXPLANATION = {
    "type": "object",
    "properties": {
        "userId": _UUID,
        "userName": {"type": "string"},
        "object": {"type": "string"},
        "action": {"type": "string"},
        "recordId": _UUID,
        "allowed": {"type": "boolean"},
        "reason": {"type": "string", "examples": ["ACCESS_REASON_COLLEAGUE"]},
        "text": {"type": "string", "description": "The same in a sentence."},
        "decidedBy": {"type": "string"},
        "scope": {"type": "string"},
        "grants": _LIST,
        "departmentPath": _LIST,
        "standsIn": {"type": "boolean"},
        "feature": {"type": "string"},
        "hiddenFields": _LIST,
        "readableFields": {"type": "array", "items": {"type": "string"}},
    },
}

PAGES: dict[str, dict[str, Any]] = {
    "/v1/contacts/{id}/card": {
        "get": {
            "operationId": "Gateway_ContactCard",
            "tags": ["contacts"],
            "summary": "A contact's whole screen in one call",
            "parameters": [_ID],
            "responses": _json("The card.", _CARD),
        }
    },
    "/v1/me/day": {
        "get": {
            "operationId": "Gateway_MyDay",
            "tags": ["tasks"],
            "summary": "What the caller has to do today, with names",
            "parameters": [
                _query("pageSize", "How many.", {"type": "integer", "minimum": 0, "maximum": 200}),
                _query(
                    "pageToken", "Where the last page ended.", {"type": "string", "maxLength": 4000}
                ),
            ],
            "responses": _json("The day.", _MY_DAY),
        }
    },
    "/v1/departments/{id}/day": {
        "get": {
            "operationId": "Gateway_DepartmentDay",
            "tags": ["tasks"],
            "summary": "What is late and due in a department, with names",
            "parameters": [_ID],
            "responses": _json("The day.", _DEPARTMENT_DAY),
        }
    },
    "/v1/search": {
        "get": {
            "operationId": "Gateway_Search",
            "tags": ["search"],
            "summary": "Finds contacts, companies and requests",
            "parameters": [
                _query(
                    "q",
                    "Part of a name, phone, e-mail or company.",
                    {"type": "string", "minLength": 1, "maxLength": 200},
                    required=True,
                )
            ],
            "responses": _json("Up to ten of each.", _FOUND),
        }
    },
    "/v1/explain": {
        "get": {
            "operationId": "Gateway_Explain",
            "tags": ["explain"],
            "summary": "Why somebody may or may not do something",
            "description": "The role, grant, scope, department path or switch that decides. About others it needs user.explain.",
            "parameters": [
                _query("userId", "The user; oneself if absent.", _UUID),
                _query("apiTokenId", "An API token of the user.", _UUID),
                *_RIGHT,
            ],
            "responses": _json("The explanation.", _EXPLANATION),
        }
    },
    "/v1/explain:who": {
        "get": {
            "operationId": "Gateway_ExplainWho",
            "tags": ["explain"],
            "summary": "Who may do something, each with the reason",
            "parameters": [
                *_RIGHT,
                _query("pageSize", "How many.", {"type": "integer", "minimum": 0, "maximum": 200}),
                _query(
                    "pageToken", "Where the last page ended.", {"type": "string", "maxLength": 4000}
                ),
            ],
            "responses": _json(
                "A page of users.",
                {
                    "type": "object",
                    "properties": {
                        "explanations": {"type": "array", "items": _EXPLANATION},
                        "nextPageToken": {"type": "string"},
                    },
                },
            ),
        }
    },
    "/v1/events": {
        "get": {
            "operationId": "Gateway_Events",
            "tags": ["events"],
            "summary": "What happens, as it happens",
            "description": "Server-Sent Events; with `Accept: application/json` one page of what happened since `since`.",
            "parameters": [
                _query(
                    "since",
                    "Where to resume; the same as Last-Event-ID.",
                    {"type": "string", "maxLength": 1000},
                ),
                _query(
                    "types",
                    "Only these event types, comma-separated.",
                    {"type": "string", "maxLength": 2000},
                ),
                _query(
                    "kinds",
                    "Only these kinds, comma-separated.",
                    {"type": "string", "maxLength": 500},
                ),
                _query(
                    "pageSize",
                    "How many events a page has.",
                    {"type": "integer", "minimum": 1, "maximum": 200},
                ),
            ],
            "responses": {
                "200": {
                    "description": "The stream or the page.",
                    "content": {
                        "text/event-stream": {"schema": {"type": "string"}},
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "properties": {
                                    "events": {"type": "array", "items": _EVENT},
                                    "next": {"type": "string"},
                                    "reset": {
                                        "type": "boolean",
                                        "description": "Events before these are gone; read the records again.",
                                    },
                                },
                            }
                        },
                    },
                },
                **_DEFAULT,
            },
        }
    },
    "/v1/files": {
        "post": {
            "operationId": "Gateway_UploadFile",
            "tags": ["files"],
            "summary": "Uploads a file",
            "description": "The raw bytes with their Content-Type and `?name=`, or multipart/form-data with one file.",
            "parameters": [
                _query("name", "The file's name.", {"type": "string", "maxLength": 255})
            ],
            "requestBody": {
                "required": True,
                "content": {
                    **_BYTES,
                    "multipart/form-data": {
                        "schema": {
                            "type": "object",
                            "required": ["file"],
                            "properties": {
                                "file": {
                                    "type": "string",
                                    "contentMediaType": "application/octet-stream",
                                }
                            },
                        }
                    },
                },
            },
            "responses": _json("The file.", _FILE),
        }
    },
    "/v1/auth/oidc/{key}": {
        "get": {
            "operationId": "Gateway_BeginProviderSignIn",
            "tags": ["auth"],
            "summary": "Leads a browser to a company's identity provider",
            "parameters": [
                {"name": "key", "in": "path", "required": True, "schema": {"type": "string"}},
                _query(
                    "returnPath",
                    "The page to open afterwards, a path of this installation.",
                    {"type": "string", "maxLength": 1000},
                ),
            ],
            "responses": {"303": {"description": "To the provider's page."}, **_DEFAULT},
        }
    },
    "/v1/auth/oidc/callback": {
        "get": {
            "operationId": "Gateway_FinishProviderSignIn",
            "tags": ["auth"],
            "summary": "Where the provider sends the browser back; sets the cookies of the session",
            "parameters": [
                _query("state", "Which sign-in.", {"type": "string"}, required=True),
                _query("code", "The authorization code.", {"type": "string"}),
                _query("iss", "The issuer, as RFC 9207 says.", {"type": "string"}),
                _query("error", "Why the provider refused.", {"type": "string"}),
            ],
            "responses": {
                "303": {"description": "To the page that was asked for; a challenge follows #."},
                **_DEFAULT,
            },
        }
    },
    "/v1/files/{id}": {
        "get": {
            "operationId": "Gateway_ReadFile",
            "tags": ["files"],
            "summary": "Reads a file, or a range of it",
            "parameters": [
                _ID,
                _IN,
                {"name": "Range", "in": "header", "schema": {"type": "string"}},
            ],
            "responses": {
                "200": {
                    "description": "The bytes.",
                    "content": {"*/*": {"schema": {"type": "string"}}},
                },
                "206": {
                    "description": "Part of the bytes.",
                    "content": {"*/*": {"schema": {"type": "string"}}},
                },
                **_DEFAULT,
            },
        },
        "delete": {
            "operationId": "Gateway_DeleteFile",
            "tags": ["files"],
            "summary": "Deletes a file that no record holds; only its uploader may",
            "parameters": [_ID],
            "responses": _json("Gone.", _OBJECT),
        },
    },
}
