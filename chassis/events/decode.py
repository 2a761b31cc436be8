"""Event bodies -> messages."""

from functools import lru_cache
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from chassis import codec, contracts

_REMEMBERED = 512
"""Events: several consumers of a process are given an event within moments of each other."""
_LONGEST_REMEMBERED = 16_384  # bytes of a body, so that 512 of them are nothing to mind


class Undecodable(Exception):
    """The body is not an event of its type, whatever the reader's version."""


def decode(type_name: str, body: bytes) -> Message | None:
    """The event message, for reading only: all who decode the same body in this process share it.

    Fields that a newer publisher added are ignored. None for a type that this program does not know.
    """
    message_class = contracts.message_class(type_name)
    if message_class is None:
        return None
    if len(body) > _LONGEST_REMEMBERED:
        return _decoded(message_class, body)
    return _remembered(message_class, body)  # type: ignore[arg-type]  # a class is hashable


def own(event: Message) -> Message:
    """A copy, for a body that may change what it is given."""
    copied = type(event)()
    copied.CopyFrom(event)
    return copied


def _decoded(message_class: type[Message], body: bytes) -> Message:
    try:
        return codec.from_json(body, message_class)
    except codec.DecodeError:
        pass  # of another version: the library knows how to leave out what we do not know, at five times the cost
    try:
        return json_format.Parse(body, message_class(), ignore_unknown_fields=True)
    except (json_format.ParseError, UnicodeDecodeError) as error:
        raise Undecodable(f"{message_class.DESCRIPTOR.full_name}: {error}") from error


@lru_cache(_REMEMBERED)
def _remembered(message_class: Any, body: bytes) -> Message:
    return _decoded(message_class, body)
