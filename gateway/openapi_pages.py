"""The part of the OpenAPI document that no contract describes: what the gateway answers by itself."""

from typing import Any

from gateway.openapi_parts import DEFAULT, ID, OBJECT, answer, query
from gateway.openapi_views import VIEWS

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
        "data": OBJECT,
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
_READ = {
    "200": {"description": "The bytes.", "content": {"*/*": {"schema": {"type": "string"}}}},
    "206": {
        "description": "Part of the bytes.",
        "content": {"*/*": {"schema": {"type": "string"}}},
    },
    **DEFAULT,
}
_IN = query(
    "in",
    "The record that holds the file, e.g. contacts/<id>; without it only the uploader may read.",
    {"type": "string", "pattern": "^[a-zA-Z]+/[0-9a-f-]{36}$"},
)

_PAYMENT_EVENT = {
    "type": "object",
    "required": ["id", "type", "amount", "currency", "reference", "time"],
    "properties": {
        "id": {
            "type": "string",
            "description": "The provider's id of the event; each is taken once.",
        },
        "type": {"enum": ["payment.received", "payment.refunded"]},
        "amount": {"type": "string", "examples": ["1234.50"]},
        "currency": {"type": "string", "examples": ["PLN"]},
        "reference": {
            "type": "string",
            "description": "The provider's name of the payment; a refund has that of what it pays back.",
        },
        "time": {"type": "string", "format": "date-time"},
        "invoice_number": {"type": "string", "description": "What it pays, in any spelling."},
        "payer_name": {"type": "string"},
    },
}

_DELIVERY_EVENT = {
    "type": "object",
    "required": ["id", "type", "time"],
    "properties": {
        "id": {
            "type": "string",
            "description": "The carrier's id of the event; each is taken once.",
        },
        "type": {
            "enum": ["delivery.shipped", "delivery.delivered", "delivery.failed"],
            "description": "What is delivered, or failed for good, stays so; what comes late changes nothing.",
        },
        "time": {"type": "string", "format": "date-time"},
        "tracking_number": {
            "type": "string",
            "description": "The carrier's number of it; needed without a reference.",
        },
        "reference": {"type": "string", "description": "The delivery's id here."},
        "tracking_url": {"type": "string", "format": "uri"},
        "reason": {"type": "string", "description": "Why it does not reach the customer."},
    },
}

_PBX_EVENTS = {
    "type": "object",
    "required": ["events"],
    "description": "What each says stands in docs/telephony.md.",
    "properties": {
        "events": {
            "type": "array",
            "maxItems": 100,
            "items": {
                "type": "object",
                "required": ["type", "call_id", "time"],
                "properties": {
                    "id": {"type": "string"},
                    "type": {"type": "string"},
                    "call_id": {"type": "string"},
                    "leg_id": {"type": "string"},
                    "time": {"type": "string", "format": "date-time"},
                },
            },
        }
    },
}


def _signed(
    operation: str, summary: str, signer: str, event: dict[str, Any], answer_field: str
) -> dict[str, Any]:
    """A call whose body is signed over its bytes."""
    return {
        "post": {
            "operationId": operation,
            "tags": ["public"],
            "summary": summary,
            "description": f"Signed with the {signer}'s secret over the body byte by byte; a signature is good for 5 minutes.",
            "security": [],
            "parameters": [
                {"name": "key", "in": "path", "required": True, "schema": {"type": "string"}},
                {
                    "name": "Akrab-Signature",
                    "in": "header",
                    "required": True,
                    "description": 't=<seconds since 1970>,v1=<HMAC-SHA256 of "<t>.<body>" in hex>',
                    "schema": {"type": "string"},
                },
            ],
            "requestBody": {"required": True, "content": {"application/json": {"schema": event}}},
            "responses": answer(
                "Taken.", {"type": "object", "properties": {answer_field: {"type": "string"}}}
            ),
        }
    }


PAGES: dict[str, dict[str, Any]] = {
    **VIEWS,
    "/v1/public/webhooks/payments/{key}": _signed(
        "PaymentProvidersService_TakePaymentEvent",
        "Takes what a payment provider tells of a payment",
        "provider",
        _PAYMENT_EVENT,
        "paymentId",
    ),
    "/v1/public/webhooks/deliveries/{key}": _signed(
        "CarriersService_TakeDeliveryEvent",
        "Takes what a carrier tells of a delivery",
        "carrier",
        _DELIVERY_EVENT,
        "deliveryId",
    ),
    "/v1/public/webhooks/telephony/{key}": _signed(
        "ExchangeEventsService_TakePbxEvents",
        "Takes what a telephone exchange tells of its calls",
        "exchange",
        _PBX_EVENTS,
        "taken",
    ),
    "/v1/events": {
        "get": {
            "operationId": "Gateway_Events",
            "tags": ["events"],
            "summary": "What happens, as it happens",
            "description": "Server-Sent Events; with `Accept: application/json` one page of what happened since `since`.",
            "parameters": [
                query(
                    "since",
                    "Where to resume; the same as Last-Event-ID.",
                    {"type": "string", "maxLength": 1000},
                ),
                query(
                    "types",
                    "Only these event types, comma-separated.",
                    {"type": "string", "maxLength": 2000},
                ),
                query(
                    "kinds",
                    "Only these kinds, comma-separated.",
                    {"type": "string", "maxLength": 500},
                ),
                query(
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
                **DEFAULT,
            },
        }
    },
    "/v1/files": {
        "post": {
            "operationId": "Gateway_UploadFile",
            "tags": ["files"],
            "summary": "Uploads a file",
            "description": "The raw bytes with their Content-Type and `?name=`, or multipart/form-data with one file.",
            "parameters": [query("name", "The file's name.", {"type": "string", "maxLength": 255})],
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
            "responses": answer("The file.", _FILE),
        }
    },
    "/v1/auth/oidc/{key}": {
        "get": {
            "operationId": "Gateway_BeginProviderSignIn",
            "tags": ["auth"],
            "summary": "Leads a browser to a company's identity provider",
            "parameters": [
                {"name": "key", "in": "path", "required": True, "schema": {"type": "string"}},
                query(
                    "returnPath",
                    "The page to open afterwards, a path of this installation.",
                    {"type": "string", "maxLength": 1000},
                ),
            ],
            "responses": {"303": {"description": "To the provider's page."}, **DEFAULT},
        }
    },
    "/v1/auth/oidc/callback": {
        "get": {
            "operationId": "Gateway_FinishProviderSignIn",
            "tags": ["auth"],
            "summary": "Where the provider sends the browser back; sets the cookies of the session",
            "parameters": [
                query("state", "Which sign-in.", {"type": "string"}, required=True),
                query("code", "The authorization code.", {"type": "string"}),
                query("iss", "The issuer, as RFC 9207 says.", {"type": "string"}),
                query("error", "Why the provider refused.", {"type": "string"}),
            ],
            "responses": {
                "303": {"description": "To the page that was asked for; a challenge follows #."},
                **DEFAULT,
            },
        }
    },
    "/v1/recordings/{id}/audio": {
        "get": {
            "operationId": "Gateway_PlayRecording",
            "tags": ["recordings"],
            "summary": "Plays a recording, or a range of it; who listens is noted",
            "parameters": [ID, {"name": "Range", "in": "header", "schema": {"type": "string"}}],
            "responses": _READ,
        }
    },
    "/v1/files/{id}": {
        "get": {
            "operationId": "Gateway_ReadFile",
            "tags": ["files"],
            "summary": "Reads a file, or a range of it",
            "parameters": [
                ID,
                _IN,
                {"name": "Range", "in": "header", "schema": {"type": "string"}},
            ],
            "responses": _READ,
        },
        "delete": {
            "operationId": "Gateway_DeleteFile",
            "tags": ["files"],
            "summary": "Deletes a file that no record holds; only its uploader may",
            "parameters": [ID],
            "responses": answer("Gone.", OBJECT),
        },
    },
}
