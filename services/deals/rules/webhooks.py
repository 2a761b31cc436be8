"""Calls of payment providers: whether they are signed and fresh, and what they tell. Pure.

The header is `Akrab-Signature: t=<seconds since 1970>,v1=<HMAC-SHA256 of "<t>.<body>" in hex>`.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime

import orjson

from chassis.errors import Violation
from services.deals import errors

RECEIVED, REFUNDED = "payment.received", "payment.refunded"

OLDEST_S = 300
"""A call that somebody has overheard is worth nothing after that."""
SKEW_S = 30
"""Clocks differ: so far ahead a provider's may be."""

_DIGITS = 12  # of seconds since 1970, for the next thirty thousand years

_LONGEST = {
    "id": 200, "type": 30, "amount": 40, "currency": 3, "reference": 500,
    "invoice_number": 100, "payer_name": 200, "time": 40,
}  # fmt: skip
_AMOUNT = re.compile(r"[0-9]{1,30}(\.[0-9]{1,10})?")
_OPTIONAL = ("invoice_number", "payer_name")


@dataclass(frozen=True, slots=True)
class Event:
    """What a provider tells of one payment."""

    id: str
    type: str
    amount: str
    currency: str
    reference: str
    """The provider's name of the payment; a refund has that of what it pays back."""
    time: datetime
    invoice_number: str = ""
    payer_name: str = ""


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


def read(content: bytes) -> Event:
    """The event in a body; ValuesInvalid with everything that is wrong with it. Keys that are not ours are passed over."""
    try:
        given = orjson.loads(content)
    except orjson.JSONDecodeError:
        given = None
    if not isinstance(given, dict):
        raise errors.ValuesInvalid([Violation("content", "is no JSON object; see Akrab-Signature in the documentation")])  # fmt: skip
    wrong = [found for key in _LONGEST if (found := _wrong(key, given.get(key)))]
    if not wrong and not _AMOUNT.fullmatch(given["amount"]):
        wrong = [Violation("amount", "is no decimal number as text, e.g. 1234.50")]
    if not wrong and given["type"] not in (RECEIVED, REFUNDED):
        wrong = [Violation("type", f"must be {RECEIVED} or {REFUNDED}")]
    time = None if wrong else _moment(given["time"])
    if not wrong and time is None:
        wrong = [Violation("time", "is no time with its zone, e.g. 2026-11-20T12:00:00Z")]
    if wrong or time is None:
        raise errors.ValuesInvalid(wrong)
    texts = {key: given.get(key) or "" for key in _LONGEST if key != "time"}
    return Event(**texts, time=time)


def _wrong(key: str, value: object) -> Violation | None:
    if value is None and key in _OPTIONAL:
        return None
    if not isinstance(value, str) or not (value or key in _OPTIONAL):
        return Violation(key, "must be a text" + ("" if key in _OPTIONAL else " and not empty"))
    if len(value) > _LONGEST[key]:
        return Violation(key, f"has {len(value)} characters; at most {_LONGEST[key]}")
    if "\x00" in value:
        return Violation(key, "holds a character that no text has, U+0000")
    return None


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
