"""Page tokens: where a list goes on, signed, and good for that one list only.

A token is base64url(tag + body). The body is JSON: the direction and the sort values of the last
row. The tag signs the body together with the list's shape, so a token of another filter, order,
search or tenant is refused like a forged one; the shape itself is not in the token.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

import orjson

from chassis import errors

Value: TypeAlias = str | int | bool | Decimal | datetime | date | UUID | None

_TAG_BYTES = 16  # 128 bits: forging stays hopeless, and the token stays short in a URL
_LONGEST = 8192  # four sort keys of 200 characters of four bytes fit; longer is not decoded
_SHORTEST_SECRET = 32


class PageTokenError(errors.InvalidArgument):
    """The token was not made by this list."""

    def __init__(self) -> None:
        told = (
            "page_token does not belong to this list with this filter, order_by and q;"
            " start again without page_token"
        )
        super().__init__(told, [errors.Violation("page_token", told)])


@dataclass(frozen=True, slots=True)
class Token:
    """The sort values of the last row seen, in the order of the sort keys, and their direction."""

    values: tuple[Value, ...]
    descending: bool


class PageTokens:
    """Makes and reads the page tokens of one installation, which shares one secret."""

    def __init__(self, secret: bytes) -> None:
        """Raise ValueError for a secret shorter than 32 bytes."""
        if len(secret) < _SHORTEST_SECRET:
            raise ValueError(f"the page token secret needs {_SHORTEST_SECRET} bytes or more")
        # The installation's secret may sign other things too; a token must not pass for those.
        self._key = hmac.digest(secret, b"page_token v1", "sha256")

    def make(self, values: Sequence[Value], descending: bool, shape: str | bytes) -> str:
        """Return a token for the row after the one with `values`.

        `shape` stands for everything the list depends on (filter, order, q, tenant). Raises
        TypeError for a value of another type, ValueError for a time without zone, an integer of
        more than 64 bits, or values too long for a token.
        """
        written = [descending, *(_written(value) for value in values)]
        try:
            body = orjson.dumps(written)
        except orjson.JSONEncodeError as error:
            raise ValueError(f"a sort value has no place in a page token: {error}") from error
        token = urlsafe_b64encode(self._tag(body, shape) + body).rstrip(b"=").decode()
        if len(token) > _LONGEST:
            raise ValueError(f"a page token has at most {_LONGEST} characters")
        return token

    def read(self, token: str, *, shape: str | bytes) -> Token:
        """Return what `make` was given for the same `shape`; raise `PageTokenError` otherwise."""
        raw = _decoded(token)
        tag, body = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(body, shape)):
            raise PageTokenError
        descending, *values = orjson.loads(body)
        return Token(tuple(_read(value) for value in values), descending)

    def _tag(self, body: bytes, shape: str | bytes) -> bytes:
        shape_bytes = shape.encode() if isinstance(shape, str) else shape
        message = hashlib.sha256(shape_bytes).digest() + body  # fixed length first: no ambiguity
        return hmac.digest(self._key, message, "sha256")[:_TAG_BYTES]


def _decoded(token: str) -> bytes:
    """Decode base64url strictly: one token has one spelling."""
    if len(token) > _LONGEST:
        raise PageTokenError
    try:
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        raise PageTokenError from None
    if urlsafe_b64encode(raw).rstrip(b"=").decode() != token:
        raise PageTokenError
    return raw


def _written(value: Value) -> Any:
    """Return a JSON value; what JSON has no type for becomes [type, text]."""
    match value:
        case None | bool() | int() | str():
            return value
        case datetime():
            if value.tzinfo is None:
                raise ValueError("a time in a page token needs a zone")
            return ["t", value.isoformat()]
        case date():
            return ["d", value.isoformat()]
        case Decimal():
            return ["n", str(value)]
        case UUID():
            return ["u", value.hex]
    raise TypeError(f"a page token cannot carry a {type(value).__name__}")


def _read(value: Any) -> Value:
    match value:
        case ["t", text]:
            return datetime.fromisoformat(text)
        case ["d", text]:
            return date.fromisoformat(text)
        case ["n", text]:
            return Decimal(text)
        case ["u", text]:
            return UUID(text)
    plain: str | int | bool | None = value
    return plain
