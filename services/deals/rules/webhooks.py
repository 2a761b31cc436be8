"""Calls that others sign: whether they are signed and fresh, and what their bodies say. Pure.

The header is `Akrab-Signature: t=<seconds since 1970>,v1=<HMAC-SHA256 of "<t>.<body>" in hex>`.
"""

import hashlib
import hmac
from collections.abc import Collection, Mapping
from datetime import datetime

import orjson

from chassis.errors import Violation
from services.deals import errors

OLDEST_S = 300
"""A call that somebody has overheard is worth nothing after that."""
SKEW_S = 30
"""Clocks differ: so far ahead a caller's may be."""

_DIGITS = 12  # of seconds since 1970, for the next thirty thousand years


def sign(secret: str, content: bytes, at_s: int) -> str:
    """The header of a body that is signed at this time."""
    return f"t={at_s},v1={_code(secret, str(at_s), content)}"


def verify(secret: str, header: str, content: bytes, now: datetime) -> None:
    """WebhookUnsigned unless the header signs this body by this secret; WebhookStale unless it does so now."""
    parts = dict(part.strip().partition("=")[::2] for part in header.split(","))
    signed, given = parts.get("t", ""), parts.get("v1", "")
    if not hmac.compare_digest(given.encode(), _code(secret, signed, content).encode()):
        raise errors.WebhookUnsigned
    if not (signed.isascii() and signed.isdigit() and len(signed) <= _DIGITS):
        raise errors.WebhookUnsigned
    at_s, now_s = int(signed), int(now.timestamp())
    if not now_s - OLDEST_S <= at_s <= now_s + SKEW_S:
        raise errors.WebhookStale(at_s, now_s, OLDEST_S if at_s < now_s else SKEW_S)


def _code(secret: str, signed: str, content: bytes) -> str:
    signed_bytes = signed.encode() + b"." + content
    return hmac.new(secret.encode(), signed_bytes, hashlib.sha256).hexdigest()


def texts(
    content: bytes, longest: Mapping[str, int], *, optional: Collection[str], types: Collection[str]
) -> dict[str, str]:
    """The texts in a body by these keys, empty for an optional one that it lacks; ValuesInvalid with all that is wrong.

    `type` is one of `types`. Keys that are not named are passed over.
    """
    try:
        given = orjson.loads(content)
    except orjson.JSONDecodeError:
        given = None
    if not isinstance(given, dict):
        raise errors.ValuesInvalid([Violation("content", "is no JSON object; see Akrab-Signature in the documentation")])  # fmt: skip
    wrong = [
        found
        for key, most in longest.items()
        if (found := _wrong(key, given.get(key), most, needed=key not in optional))
    ]
    if not wrong and given["type"] not in types:
        wrong = [Violation("type", f"must be {' or '.join(types)}")]
    if wrong:
        raise errors.ValuesInvalid(wrong)
    return {key: given.get(key) or "" for key in longest}


def moment(text: str) -> datetime:
    """The time in a body; ValuesInvalid if it is none, or names no zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None  # type: ignore[assignment]
    if found is None or found.tzinfo is None:
        raise errors.ValuesInvalid([Violation("time", "is no time with its zone, e.g. 2026-11-20T12:00:00Z")])  # fmt: skip
    return found


def _wrong(key: str, value: object, most: int, *, needed: bool) -> Violation | None:
    if value is None and not needed:
        return None
    if not isinstance(value, str) or (needed and not value):
        return Violation(key, "must be a text" + (" and not empty" if needed else ""))
    if len(value) > most:
        return Violation(key, f"has {len(value)} characters; at most {most}")
    if "\x00" in value:
        return Violation(key, "holds a character that no text has, U+0000")
    return None
