"""Signing keys (Ed25519) and the access tokens they sign; private keys rest encrypted (AES-256-GCM)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis import sealing

ALGORITHM = "EdDSA"
ROTATE_EVERY = timedelta(days=30)
YOUNGEST_TO_ROTATE = timedelta(minutes=1)
"""A key is at least so old when it is replaced, so that every process has its public half."""
KEEP_PUBLIC = timedelta(hours=1)
"""A replaced key is trusted so much longer: more than an access token lives."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key pair; `sealed` is the private half as it rests in the database."""

    kid: str
    public_pem: str
    sealed: bytes
    create_time: datetime


def new_key(kid: str, sealing_key: bytes, now: datetime) -> SigningKey:
    """A fresh pair, the private half sealed with `sealing_key` (32 bytes) and bound to its kid."""
    private = Ed25519PrivateKey.generate()
    raw = private.private_bytes(
        serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return SigningKey(kid, public.decode(), sealing.seal(sealing_key, raw, kid), now)


def unseal(key: SigningKey, sealing_key: bytes) -> Ed25519PrivateKey:
    """The private half; raises cryptography's InvalidTag if CRM_SECRET is not the one it was sealed with."""
    return Ed25519PrivateKey.from_private_bytes(sealing.unseal(sealing_key, key.sealed, key.kid))


def access_token(
    private: Ed25519PrivateKey,
    kid: str,
    *,
    user_id: str,
    tenant_id: str,
    session_id: str,
    now_s: int,
    life_s: int,
) -> str:
    """A signed JWT (RFC 7519) for one session."""
    claims = {
        "sub": user_id,
        "tid": tenant_id,
        "sid": session_id,
        "iat": now_s,
        "exp": now_s + life_s,
    }
    return jwt.encode(claims, private, algorithm=ALGORITHM, headers={"kid": kid})


def is_due(known: Sequence[SigningKey], now: datetime) -> bool:
    """True if there is no key, or the newest of `known` (newest first) has signed for long enough."""
    return not known or now - known[0].create_time >= ROTATE_EVERY


def retired(known: Sequence[SigningKey], now: datetime) -> list[str]:
    """The kids of those of `known` (newest first) whose tokens have all ended, long after their successor was made."""
    return [older.kid for newer, older in pairwise(known) if now - newer.create_time >= KEEP_PUBLIC]
