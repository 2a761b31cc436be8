"""Event bodies -> messages."""

from google.protobuf import json_format
from google.protobuf.message import Message

from chassis import codec, contracts


class Undecodable(Exception):
    """The body is not an event of its type, whatever the reader's version."""


def decode(type_name: str, body: bytes) -> Message | None:
    """The event message; fields that a newer publisher added are ignored. None for a type that this program does not know."""
    message_class = contracts.message_class(type_name)
    if message_class is None:
        return None
    try:
        return codec.from_json(body, message_class)
    except codec.DecodeError:
        pass  # of another version: the library knows how to leave out what we do not know, at five times the cost
    try:
        return json_format.Parse(body, message_class(), ignore_unknown_fields=True)
    except (json_format.ParseError, UnicodeDecodeError) as error:
        raise Undecodable(f"{type_name}: {error}") from error
