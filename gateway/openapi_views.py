"""The part of the OpenAPI document about the joined screens of `views/`."""

from typing import Any

from gateway.openapi_parts import ID, LIST, OBJECT, UNAVAILABLE, answer, query

_CARD = {
    "type": "object",
    "properties": {
        "contact": OBJECT,
        "company": OBJECT,
        "facts": OBJECT,
        "timeline": LIST,
        "requests": LIST,
        "openDeals": LIST,
        "openQuotes": LIST,
        "openInvoices": LIST,
        "openTasks": LIST,
        "notes": LIST,
        "agreements": LIST,
        "consents": LIST,
        "pipelines": LIST,
        "calls": LIST,
        "missedCalls": LIST,
        "unavailable": UNAVAILABLE,
    },
}
_POPUP = {
    "type": "object",
    "properties": {
        "call": {"$ref": "#/components/schemas/telephony.Call"},
        "person": {
            "type": "object",
            "description": "Who the call names; without ids a stranger.",
            "properties": {
                name: {"type": "string"} for name in ("contactId", "companyId", "name", "ownerId")
            },
        },
        "callers": LIST,
        "contact": OBJECT,
        "company": OBJECT,
        "owner": OBJECT,
        "facts": OBJECT,
        "openDeals": LIST,
        "openInvoices": LIST,
        "timeline": LIST,
        "openTasks": LIST,
        "missedCalls": LIST,
        "pipelines": LIST,
        "unavailable": UNAVAILABLE,
    },
}
_MY_DAY = {
    "allOf": [
        {"$ref": "#/components/schemas/tasks.Day"},
        {
            "type": "object",
            "properties": {
                "contacts": LIST,
                "companies": LIST,
                "agreements": LIST,
                "deals": LIST,
                "unavailable": UNAVAILABLE,
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
                "contacts": LIST,
                "companies": LIST,
                "users": LIST,
                "unavailable": UNAVAILABLE,
            },
        },
    ]
}
_FOUND = {
    "type": "object",
    "properties": {
        "contacts": LIST,
        "companies": LIST,
        "requests": LIST,
        "deals": LIST,
        "quotes": LIST,
        "invoices": LIST,
        "calls": LIST,
        "unavailable": UNAVAILABLE,
    },
}
_UUID = {"type": "string", "format": "uuid"}
_WORD = {"type": "string", "pattern": "^[a-z][a-z0-9_]*$", "maxLength": 40}
_RIGHT = (
    query("object", "The kind of record as in grants, e.g. contact.", _WORD, required=True),
    query("action", "What would be done, e.g. read.", _WORD, required=True),
    query("recordId", "The record; absent asks about such records in general.", _UUID),
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
        "grants": LIST,
        "departmentPath": LIST,
        "standsIn": {"type": "boolean"},
        "feature": {"type": "string"},
        "hiddenFields": LIST,
        "readableFields": {"type": "array", "items": {"type": "string"}},
    },
}

_CUSTOMER = {
    "type": "object",
    "properties": {
        name: {"type": "string", "maxLength": 200}
        for name in ("name", "phone", "email", "companyName")
    },
    "additionalProperties": False,
}

VIEWS: dict[str, dict[str, Any]] = {
    "/v1/contacts/{id}/card": {
        "get": {
            "operationId": "Gateway_ContactCard",
            "tags": ["contacts"],
            "summary": "A contact's whole screen in one call",
            "parameters": [ID],
            "responses": answer("The card.", _CARD),
        }
    },
    "/v1/calls/{id}/popup": {
        "get": {
            "operationId": "Gateway_CallPopup",
            "tags": ["calls"],
            "summary": "What is shown of a call while it rings: the person first",
            "parameters": [ID],
            "responses": answer("The popup.", _POPUP),
        }
    },
    "/v1/me/day": {
        "get": {
            "operationId": "Gateway_MyDay",
            "tags": ["tasks"],
            "summary": "What the caller has to do today, with names",
            "parameters": [
                query("pageSize", "How many.", {"type": "integer", "minimum": 0, "maximum": 200}),
                query(
                    "pageToken", "Where the last page ended.", {"type": "string", "maxLength": 4000}
                ),
            ],
            "responses": answer("The day.", _MY_DAY),
        }
    },
    "/v1/departments/{id}/day": {
        "get": {
            "operationId": "Gateway_DepartmentDay",
            "tags": ["tasks"],
            "summary": "What is late and due in a department, with names",
            "parameters": [ID],
            "responses": answer("The day.", _DEPARTMENT_DAY),
        }
    },
    "/v1/search": {
        "get": {
            "operationId": "Gateway_Search",
            "tags": ["search"],
            "summary": "Finds contacts, companies, requests, deals, quotes, invoices and calls",
            "parameters": [
                query(
                    "q",
                    "Part of a name, phone, e-mail or company.",
                    {"type": "string", "minLength": 1, "maxLength": 200},
                    required=True,
                )
            ],
            "responses": answer("Up to ten of each.", _FOUND),
        }
    },
    "/v1/orders": {
        "post": {
            "operationId": "Gateway_PutOrder",
            "tags": ["orders"],
            "summary": "An order from a shop: one deal, and the customer found or made by phone or e-mail",
            "requestBody": {
                "content": {
                    "application/json": {
                        "schema": {
                            "allOf": [
                                {"$ref": "#/components/schemas/deals.PutOrderRequest"},
                                {"type": "object", "properties": {"customer": _CUSTOMER}},
                            ]
                        }
                    }
                }
            },
            "responses": answer(
                "How the order goes.", {"$ref": "#/components/schemas/deals.OrderStatus"}
            ),
        }
    },
    "/v1/requests/{id}:openDeal": {
        "post": {
            "operationId": "Gateway_OpenDeal",
            "tags": ["requests"],
            "summary": "The deal of a request: made once for each pipeline, and tied to the request",
            "parameters": [ID],
            "requestBody": {
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "properties": {
                                "pipelineId": {"type": "string", "format": "uuid"},
                                "title": {"type": "string", "maxLength": 200},
                                "amount": {"type": "string", "maxLength": 40},
                            },
                            "additionalProperties": False,
                        }
                    }
                }
            },
            "responses": answer("The deal.", {"$ref": "#/components/schemas/deals.Deal"}),
        }
    },
    "/v1/explain": {
        "get": {
            "operationId": "Gateway_Explain",
            "tags": ["explain"],
            "summary": "Why somebody may or may not do something",
            "description": "The role, grant, scope, department path or switch that decides. About others it needs user.explain.",
            "parameters": [
                query("userId", "The user; oneself if absent.", _UUID),
                query("apiTokenId", "An API token of the user.", _UUID),
                *_RIGHT,
            ],
            "responses": answer("The explanation.", _EXPLANATION),
        }
    },
    "/v1/explain:who": {
        "get": {
            "operationId": "Gateway_ExplainWho",
            "tags": ["explain"],
            "summary": "Who may do something, each with the reason",
            "parameters": [
                *_RIGHT,
                query("pageSize", "How many.", {"type": "integer", "minimum": 0, "maximum": 200}),
                query(
                    "pageToken", "Where the last page ended.", {"type": "string", "maxLength": 4000}
                ),
            ],
            "responses": answer(
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
}
