"""Web Push: what is sent to a browser's push service, and how it is sealed so that only the browser reads it.

RFC 8030 (delivery), RFC 8188 and 8291 (aes128gcm), RFC 8292 (VAPID: who sends). Few lines over `cryptography` and PyJWT, which are
here anyway, tested against the vector of RFC 8291; the known libraries bring two more HTTP clients.
"""

import base64
import binascii
import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import jwt
import orjson
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from chassis.errors import Violation
from crm.notifications.v1 import notice_pb2
from services.notifications import errors

Notice = notice_pb2.Notice

_CURVE = ec.SECP256R1()
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256, FIPS 186-5
_SALT, _POINT, _SECRET = (
    16,
    65,
    16,
)  # bytes: RFC 8188 salt, uncompressed point, RFC 8291 auth secret
_RECORD_SIZE = 4096
MOST_BYTES = 3993
"""The largest text that every push service takes: 4096 bytes less header (86), tag (16) and delimiter (1), RFC 8291 section 4."""
_TOKEN_LIFE_S = 12 * 3600  # RFC 8292 allows 24 hours; clocks differ
_HEADLINE = 200  # characters; a notification on a phone shows fewer
_TOPIC = 32  # characters
KEPT_S = 24 * 3600
"""How long a push service keeps a push for a device that is off (TTL)."""
_LONGEST_WAIT = timedelta(hours=6)  # a push service that asks for more is asked again sooner


@dataclass(frozen=True, slots=True)
class Browser:
    """Where a browser is reached, and its half of the keys."""

    endpoint: str
    p256dh: bytes
    auth: bytes


def actions(notice: Notice) -> list[dict[str, str]]:
    """The buttons done, snooze and call, as far as the matter has them: each a call of our API with the session of its user.

    snooze needs until_time; call reads the person's phone there, because no number travels.
    """
    mine = f"/v1/notices/{notice.id}"
    done = f"/v1/tasks/{notice.object_id}:complete" if notice.object == "task" else f"{mine}:finish"
    found = [
        {"name": "done", "method": "POST", "path": done},
        {"name": "snooze", "method": "POST", "path": f"{mine}:snooze"},
    ]
    if notice.contact_ids:
        path = f"/v1/contacts/{notice.contact_ids[0]}"
        found.append({"name": "call", "method": "GET", "path": path})
    return found


def payload(notice: Notice, *, personal: bool) -> bytes:
    """What the service worker gets, as JSON: codes and ids, and the record's text only where the user allows it."""
    content: dict[str, Any] = {
        "noticeId": notice.id,
        "code": notice.code,
        "object": notice.object,
        "id": notice.object_id,
        "count": notice.count,
        "urgent": notice.urgent,
        "topic": topic(notice),
        "actions": actions(notice),
    }
    if personal and notice.headline:
        content["headline"] = notice.headline[:_HEADLINE]
    return orjson.dumps(content)


def topic(notice: Notice) -> str:
    """What pushes about one matter have in common: a later one replaces an earlier one that was not shown yet.

    32 characters of base64url at most (RFC 8030, 5.4); a digest, because push services read it.
    """
    matter = f"{notice.owner_id}/{notice.code}/{notice.object_id or notice.id}"
    return encoded(hashlib.sha256(matter.encode()).digest())[:_TOPIC]


# -- keys ----------------------------------------------------------------------------------------------


def own_key(seed: bytes, company: str) -> ec.EllipticCurvePrivateKey:
    """The company's VAPID key: derived from the installation's secret, so that no database and no message ever holds it.

    Made by extra random bits (FIPS 186-5, A.2.1).
    """
    material = HKDFExpand(hashes.SHA256(), 48, f"web push of {company}".encode()).derive(seed)
    return ec.derive_private_key(int.from_bytes(material) % (_ORDER - 1) + 1, _CURVE)


def point(key: ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey) -> bytes:
    """The public half as an uncompressed point."""
    public = key.public_key() if isinstance(key, ec.EllipticCurvePrivateKey) else key
    return public.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )


def encoded(raw: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """The bytes of base64url, padded or not; ValueError if it is none."""
    plain = text.rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error


def browser(endpoint: str, p256dh: str, auth: str, *, private: bool) -> Browser:
    """What PushManager.subscribe gave; PushSubscriptionInvalid names all that is wrong with it.

    private: also plain http, for push services in one's own network, and tests.
    """
    wrong = []
    parts = urlsplit(endpoint)
    if parts.scheme != "https" and not (private and parts.scheme == "http"):
        wrong.append(Violation("endpoint", "must begin with https://"))
    if not parts.hostname or parts.username is not None or parts.fragment:
        wrong.append(Violation("endpoint", "must name a host, without a user and a fragment"))
    key = _bytes("p256dh", p256dh, _POINT, wrong)
    secret = _bytes("auth", auth, _SECRET, wrong)
    if key:
        try:
            ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, key)
        except ValueError:
            wrong.append(Violation("p256dh", "is not a point of P-256"))
    if wrong:
        raise errors.PushSubscriptionInvalid(wrong)
    return Browser(endpoint, key, secret)


def _bytes(field: str, text: str, size: int, wrong: list[Violation]) -> bytes:
    try:
        raw = decoded(text)
    except ValueError:
        wrong.append(Violation(field, "must be base64url"))
        return b""
    if len(raw) != size:
        wrong.append(Violation(field, f"has {len(raw)} bytes; it must be {size}"))
        return b""
    return raw


# -- sealing -------------------------------------------------------------------------------------------


def sealed(text: bytes, to: Browser, *, salt: bytes, sender: ec.EllipticCurvePrivateKey) -> bytes:
    """The body of a push (RFC 8291): readable by that browser alone. `sender` and `salt` (16 bytes) are new for each push."""
    if len(text) > MOST_BYTES:
        raise ValueError(f"a push of {len(text)} bytes; at most {MOST_BYTES}")
    receiver = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, to.p256dh)
    shared, sender_point = sender.exchange(ec.ECDH(), receiver), point(sender)
    ikm = _derived(shared, to.auth, b"WebPush: info\0" + to.p256dh + sender_point, 32)
    key = _derived(ikm, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(ikm, salt, b"Content-Encoding: nonce\0", 12)
    header = salt + struct.pack("!IB", _RECORD_SIZE, len(sender_point)) + sender_point
    return header + AESGCM(key).encrypt(nonce, text + b"\x02", None)  # 2 ends the last record


def _derived(material: bytes, salt: bytes, purpose: bytes, size: int) -> bytes:
    return HKDF(hashes.SHA256(), size, salt, purpose).derive(material)


def authorization(
    endpoint: str, key: ec.EllipticCurvePrivateKey, *, contact: str, now_s: int
) -> str:
    """The Authorization header (RFC 8292) for this push service. `contact` is mailto: or https:, empty for none."""
    parts = urlsplit(endpoint)
    claims: dict[str, str | int] = {
        "aud": f"{parts.scheme}://{parts.netloc}",
        "exp": now_s + _TOKEN_LIFE_S,
    }
    if contact:
        claims["sub"] = contact
    return f"vapid t={jwt.encode(claims, key, algorithm='ES256')}, k={encoded(point(key))}"


def headers(notice: Notice) -> dict[str, str]:
    """What a push says beside its body (RFC 8030)."""
    return {
        "ttl": str(KEPT_S),
        "urgency": "high" if notice.urgent else "normal",
        "topic": topic(notice),
        "content-encoding": "aes128gcm",
        "content-type": "application/octet-stream",
    }


# -- answers -------------------------------------------------------------------------------------------


def is_gone(status: int) -> bool:
    """True if the push service does not know the browser any more and never will again (RFC 8030, 7.3)."""
    return status in (404, 410)


def is_temporary(status: int) -> bool:
    """True if the same push may be taken later."""
    return status in (408, 429) or status >= 500


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """What Retry-After says, as seconds or as a date (RFC 9110, 10.2.3), within six hours; None if it says nothing."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), _LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(at - now, timedelta()), _LONGEST_WAIT)
