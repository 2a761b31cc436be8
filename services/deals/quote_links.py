"""Links to the pages of quotes. A link is never stored: it is computed from the installation's secret, so that the seller can
see it again, and whoever reads the database cannot (decision: a hash would hide it from the seller, a copy would leak it).

A key is the tenant, the quote and 128 bits that only the secret gives, as url-safe text.
"""

import base64
import binascii
import hashlib
import hmac
import uuid

from chassis.errors import NotFound
from chassis.settings import Settings

_PURPOSE = "quote-links"
_ID, _MAC = 16, 16  # bytes of a UUID, and of a code that nobody guesses
_LENGTH = 2 * _ID + _MAC


def key_of(settings: Settings, tenant_id: str, quote_id: str) -> str:
    """The key of the quote's page: 64 url-safe characters."""
    named = uuid.UUID(tenant_id).bytes + uuid.UUID(quote_id).bytes
    return base64.urlsafe_b64encode(named + _code(settings, named)).decode()


def tenant_of(key: str) -> str:
    """The tenant that a key names, right or wrong; NotFound if it is no key at all."""
    return str(uuid.UUID(bytes=_decoded(key)[:_ID]))


def quote_of(settings: Settings, key: str) -> str:
    """The id of the quote that the key opens; NotFound if it is wrong."""
    raw = _decoded(key)
    named, code = raw[: 2 * _ID], raw[2 * _ID :]
    if not hmac.compare_digest(code, _code(settings, named)):
        raise absent()
    return str(uuid.UUID(bytes=named[_ID:]))


def absent() -> NotFound:
    """The one answer to a link that is wrong, expired or of nobody's."""
    return NotFound("there is nothing at this address; ask whoever sent it to you for a new one")


def _code(settings: Settings, named: bytes) -> bytes:
    return hmac.digest(settings.derived(_PURPOSE), named, hashlib.sha256)[:_MAC]


def _decoded(key: str) -> bytes:
    try:
        raw = base64.b64decode(key.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise absent() from None
    if len(raw) != _LENGTH:
        raise absent()
    return raw
