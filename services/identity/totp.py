"""One-time codes (RFC 6238) and recovery codes: pure, on secrets, codes and moments.

Codes come from a clock on somebody's phone, so they keep real time, whatever a test clock says.
"""

import base64
import hashlib
import hmac
import io
import secrets
from datetime import datetime

import pyotp
import segno

STEP_S = 30  # what every authenticator app assumes
SKEW_STEPS = 1
"""A phone may be half a minute off, either way."""
RECOVERY_CODES = 10
_RECOVERY_BYTES = (
    10  # 80 bits: sixteen characters of base32, beyond guessing even with the hashes in hand
)


def new_secret() -> str:
    """A shared secret of 160 bits, base32."""
    return str(pyotp.random_base32(32))


def uri(secret: str, *, account: str, issuer: str) -> str:
    """The otpauth:// address that authenticator apps read."""
    return str(pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=issuer))


def qr_svg(text: str) -> str:
    """`text` as a QR code, an SVG image."""
    image = io.BytesIO()
    segno.make(text, error="m").save(image, kind="svg", scale=4, xmldecl=False)
    return image.getvalue().decode()


def matching_step(secret: str, code: str, *, now: datetime, after_step: int) -> int | None:
    """The time step to which `code` belongs, at most one away from now and later than `after_step`; None if there is none.

    Steps up to `after_step` were used before: a code that somebody has watched being typed is worth nothing.
    """
    device = pyotp.TOTP(secret, interval=STEP_S)
    current = int(now.timestamp()) // STEP_S
    found = None
    for step in range(current - SKEW_STEPS, current + SKEW_STEPS + 1):
        # All are compared, in constant time each: how long it takes tells nothing.
        if (
            hmac.compare_digest(device.generate_otp(step).encode(), code.encode())
            and step > after_step
        ):
            found = step
    return found


def is_recovery_code(code: str) -> bool:
    """True if `code` cannot be what a device shows."""
    return len(_plain(code)) > 6


def new_recovery_codes() -> list[str]:
    """Ten codes such as abcd-efgh-ijkl-mnop."""
    texts = (
        base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode().lower()
        for _ in range(RECOVERY_CODES)
    )
    return ["-".join(text[at : at + 4] for at in range(0, len(text), 4)) for text in texts]


def recovery_hash(code: str, key: bytes, user_id: str) -> bytes:
    """What is kept of a recovery code, however it is typed: HMAC-SHA256 with the installation's key."""
    return hmac.digest(key, f"{user_id}/{_plain(code)}".encode(), hashlib.sha256)


def _plain(code: str) -> str:
    return "".join(code.split()).replace("-", "").lower()
