"""NATS account keys: an Ed25519 key in NATS's own spelling (base32 with a kind and a CRC-16).

The package nkeys offers this too, but only as source that has to be built on the user's machine.
"""

import base64
import binascii
import secrets

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_SEED, _ACCOUNT = 18 << 3, 0 << 3  # the five bits that become the first letter: S and A


class AccountKey:
    """The key pair of a NATS account."""

    def __init__(self, seed: str) -> None:
        """Raises ValueError when `seed` is not that of an account."""
        try:
            raw = base64.b32decode(seed + "=" * (-len(seed) % 8))
        except binascii.Error as error:
            raise ValueError(f"not a NATS seed: {error}") from None
        if len(raw) != 36 or seed != _spell(raw[:-2]) or not seed.startswith("SA"):
            raise ValueError("not the seed of a NATS account")
        self._key = Ed25519PrivateKey.from_private_bytes(raw[2:34])

    @property
    def public_key(self) -> str:
        """`A...`, as NATS's configuration and tokens name the account."""
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return _spell(bytes([_ACCOUNT]) + raw)

    def sign(self, data: bytes) -> bytes:
        """The 64 bytes of the signature."""
        return self._key.sign(data)


def new_account_seed() -> str:
    """A new secret account key, `SA...`."""
    # The kind of a seed's key is spread over two bytes, five bits from each (nkeys, EncodeSeed).
    head = bytes([_SEED | _ACCOUNT >> 5, (_ACCOUNT & 31) << 3])
    return _spell(head + secrets.token_bytes(32))


def _spell(raw: bytes) -> str:
    checksum = binascii.crc_hqx(raw, 0)  # CRC-16/XMODEM
    return base64.b32encode(raw + checksum.to_bytes(2, "little")).decode().rstrip("=")
