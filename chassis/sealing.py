"""Secrets at rest: AES-256-GCM with a key derived from CRM_SECRET, bound to the row they belong to."""

import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12  # bytes; what GCM is made for


def seal(key: bytes, plain: bytes, row: str) -> bytes:
    """`plain` sealed with `key` (32 bytes); it opens only together with the same `row`."""
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, row.encode())


def unseal(key: bytes, sealed: bytes, row: str) -> bytes:
    """What was sealed; raises cryptography's InvalidTag for another key or row."""
    return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], row.encode())
