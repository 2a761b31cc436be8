"""Calls that others sign, and those that we sign for them. Pure.

The header is `Akrab-Signature: t=<seconds since 1970>,v1=<HMAC-SHA256 of "<t>.<body>" in hex>`.
"""

import hashlib
import hmac
from datetime import datetime

HEADER = "Akrab-Signature"
OLDEST_S = 300
"""A call that somebody has overheard is worth nothing after that."""
SKEW_S = 30
"""Clocks differ: so far ahead a caller's may be."""

_DIGITS = 12  # of seconds since 1970, for the next thirty thousand years


def sign(secret: str, content: bytes, at_s: int) -> str:
    """The header of a body that is signed at this time."""
    return f"t={at_s},v1={_code(secret, str(at_s), content)}"


def signed_at(secret: str, header: str, content: bytes) -> int | None:
    """When this body was signed by this secret, in seconds since 1970; None if it was not."""
    parts = dict(part.strip().partition("=")[::2] for part in header.split(","))
    signed, given = parts.get("t", ""), parts.get("v1", "")
    if not hmac.compare_digest(given.encode(), _code(secret, signed, content).encode()):
        return None
    return int(signed) if signed.isascii() and signed.isdigit() and len(signed) <= _DIGITS else None


def is_fresh(at_s: int, now: datetime) -> bool:
    """True if a call that was signed then may still be taken."""
    now_s = int(now.timestamp())
    return now_s - OLDEST_S <= at_s <= now_s + SKEW_S


def _code(secret: str, signed: str, content: bytes) -> str:
    signed_bytes = signed.encode() + b"." + content
    return hmac.new(secret.encode(), signed_bytes, hashlib.sha256).hexdigest()
