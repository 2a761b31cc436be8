"""The AsyncAPI 3.0 document of the events: what an outside subscriber can receive, made from the contracts alone."""

from collections.abc import Mapping
from typing import Any, Protocol

from google.protobuf.descriptor import Descriptor

from chassis import contracts

Document = dict[str, Any]

_ABOUT = """\
Every change of every record is published on NATS JetStream, in the stream of its service (in capital letters, e.g. IDENTITY), \
as a CloudEvent 1.0 in binary mode: attributes are headers, the body is JSON.

Delivery is at least once and, for each record, in the order of its changes. Remember `ce-id` to tell a repetition, and ignore \
fields that you do not know: contracts only grow. `change.version` grows with each change of a record; a smaller one than you \
have is older than what you have. `change.republished` marks present state that was sent again to rebuild a copy.

An API token with `nats` gives a user name, a password and a durable consumer that waits while you are away."""

_HEADERS: Document = {
    "type": "object",
    "required": [
        "ce-specversion",
        "ce-id",
        "ce-type",
        "ce-source",
        "ce-time",
        "ce-subject",
        "content-type",
        "Nats-Msg-Id",
    ],
    "properties": {
        "ce-specversion": {
            "type": "string",
            "const": "1.0",
            "description": "The version of CloudEvents.",
        },
        "ce-id": {
            "type": "string",
            "format": "uuid",
            "description": "The event's id; the same in every repetition.",
        },
        "ce-type": {"type": "string", "description": "The event's full name."},
        "ce-source": {
            "type": "string",
            "format": "uri-reference",
            "description": "The service that published it.",
        },
        "ce-time": {"type": "string", "format": "date-time", "description": "When it happened."},
        "ce-subject": {
            "type": "string",
            "description": "The id of the record that changed; empty where there is none.",
        },
        "ce-cause": {
            "type": "string",
            "description": "The kind of the change's cause (rpc, import, event, ...): who leaves whole imports alone need not read them.",
        },
        "content-type": {
            "type": "string",
            "const": "application/json",
            "description": "The body's form.",
        },
        "Nats-Msg-Id": {
            "type": "string",
            "format": "uuid",
            "description": "The same as ce-id; by it JetStream drops repetitions of two minutes.",
        },
        "traceparent": {
            "type": "string",
            "description": "The W3C trace in which it happened, where there was one.",
        },
    },
}


class Schemas(Protocol):
    """Makes JSON Schemas of messages; `components` holds those that were asked for, under the names in their references."""

    components: dict[str, Document]

    def ref(self, message: Descriptor) -> Document:
        """A reference `#/components/schemas/<name>` to the message's schema."""
        ...


def document(schemas: Schemas, *, version: str) -> Document:
    """The document for every event of every contract, in the order of their names."""
    channels: Document = {}
    operations: Document = {}
    messages: Document = {}
    for event in sorted(contracts.events().values(), key=lambda event: event.full_name):
        name = f"{contracts.service_of(event.full_name)}.{event.name}"
        payload = schemas.ref(event)
        comment = schemas.components[payload["$ref"].rpartition("/")[2]].get("description", "")
        messages[name] = _message(event, payload, comment)
        channels[name] = _channel(event, name, comment)
        operations[name] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{name}"},
            "messages": [{"$ref": f"#/channels/{name}/messages/{event.name}"}],
        }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Events", "version": version, "description": _ABOUT},
        "defaultContentType": "application/json",
        "servers": {"nats": _SERVER},
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": messages,
            "parameters": {
                "tenant": {
                    "description": "The tenant's id; a token reads its own tenant's events only."
                }
            },
            "schemas": {"EventHeaders": _HEADERS, **dict(sorted(schemas.components.items()))},
            "securitySchemes": {
                "token": {"type": "userPassword", "description": "An API token's id and secret."},
            },
        },
    }


_SERVER: Document = {
    "host": "{address}",
    "protocol": "nats",
    "description": "The address is in the answer that made the API token.",
    "variables": {"address": {"default": "localhost:4222", "description": "Host and port."}},
    "security": [{"$ref": "#/components/securitySchemes/token"}],
}


def _channel(event: Descriptor, name: str, comment: str) -> Document:
    service = contracts.service_of(event.full_name)
    return {
        "address": f"crm.{{tenant}}.{service}.{event.name}",
        "title": event.name,
        "description": comment,
        "parameters": {"tenant": {"$ref": "#/components/parameters/tenant"}},
        "messages": {event.name: {"$ref": f"#/components/messages/{name}"}},
    }


def _message(event: Descriptor, payload: Mapping[str, Any], comment: str) -> Document:
    option = contracts.event_option(event)
    assert option is not None
    own = {
        "ce-type": {"const": event.full_name},
        "ce-source": {"const": f"/{contracts.service_of(event.full_name)}"},
    }
    return {
        "name": event.full_name,
        "title": event.name,
        "summary": comment,
        "contentType": "application/json",
        "tags": [{"name": option.kind}],
        "headers": {"allOf": [{"$ref": "#/components/schemas/EventHeaders"}, {"properties": own}]},
        "payload": dict(payload),
    }
