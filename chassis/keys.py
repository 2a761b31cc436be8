"""Ids and unguessable keys.

A key (of a form, a link, an API token) carries the tenant it belongs to, so that a caller without a session can be led to
the right tenant without a look-up over all tenants.
"""

import base64
import binascii
import hashlib
import os
import secrets
import time
import uuid

from chassis import errors

_API_TOKEN = "akt_"


def uuid7(now_s: float | None = None) -> str:
    """A UUIDv7 (RFC 9562): 48 bits of milliseconds, then 74 random bits; sorts by time of creation."""
    millis = int((time.time() if now_s is None else now_s) * 1000)
    chance = os.urandom(10).hex()
    variant = "89ab"[int(chance[3], 16) & 3]
    time_ = f"{millis & (1 << 48) - 1:012x}"
    return f"{time_[:8]}-{time_[8:]}-7{chance[:3]}-{variant}{chance[4:7]}-{chance[7:19]}"


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str, length: int) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != length:
        raise errors.NotFound("no such key; check that the link or key is complete")
    return raw


def new_key(tenant_id: str) -> str:
    """43 url-safe characters: the tenant and 128 random bits."""
    return _encode(uuid.UUID(tenant_id).bytes + secrets.token_bytes(16))


def tenant_of(key: str) -> str:
    """The tenant id in a key; NotFound if it is not a key at all."""
    return str(uuid.UUID(bytes=_decode(key, 32)[:16]))


def new_api_token(tenant_id: str, token_id: str) -> tuple[str, str]:
    """A new token text (shown once) and the hash that is kept: (text, sha256 hex)."""
    secret = secrets.token_bytes(32)
    text = _API_TOKEN + _encode(uuid.UUID(tenant_id).bytes + uuid.UUID(token_id).bytes + secret)
    return text, hashlib.sha256(secret).hexdigest()


def is_api_token(text: str) -> bool:
    """True if the text looks like an API token rather than a signed access token."""
    return text.startswith(_API_TOKEN)


def parse_api_token(text: str) -> tuple[str, str, str]:
    """(tenant id, token id, sha256 hex of the secret); NotFound if the text is not a token."""
    raw = _decode(text.removeprefix(_API_TOKEN), 64)
    tenant_id, token_id = uuid.UUID(bytes=raw[:16]), uuid.UUID(bytes=raw[16:32])
    return str(tenant_id), str(token_id), hashlib.sha256(raw[32:]).hexdigest()
