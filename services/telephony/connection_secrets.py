"""What is secret about exchanges: with what providers sign, and the passwords by which we sign in. Neither is ever shown again.

A provider's secret is made of a random seed and the installation's secret; a password rests sealed. Neither stands in a message,
an event, or a backup of this database alone.
"""

import hashlib
import hmac
import os

from chassis import sealing
from chassis.settings import Settings
from chassis.tx import Tx
from services.telephony import store

_PROVIDERS, _PASSWORDS = "telephony-providers", "telephony-passwords"
_PREFIX = "whsec_"
_SEED = 32  # bytes


async def renew(tx: Tx, connection_id: str) -> str:
    """A new secret of the provider, shown this once; the one before is worth nothing any more."""
    _, password = await store.secret_of(tx, connection_id)
    seed = os.urandom(_SEED)
    await store.put_secret(tx, connection_id, seed=seed, password=password)
    return _made(tx.runtime.settings, connection_id, seed)


async def current(tx: Tx, connection_id: str) -> str:
    """The provider's secret."""
    seed, _ = await store.secret_of(tx, connection_id)
    return _made(tx.runtime.settings, connection_id, seed)


async def put_password(tx: Tx, connection_id: str, password: str) -> None:
    """Keeps the password by which we sign in at the exchange."""
    seed, _ = await store.secret_of(tx, connection_id)
    key = tx.runtime.settings.derived(_PASSWORDS)
    sealed = sealing.seal(key, password.encode(), connection_id)
    await store.put_secret(tx, connection_id, seed=seed, password=sealed)


async def password_of(tx: Tx, connection_id: str) -> str:
    """The password by which we sign in at the exchange; empty where none was set."""
    _, sealed = await store.secret_of(tx, connection_id)
    key = tx.runtime.settings.derived(_PASSWORDS)
    return sealing.unseal(key, sealed, connection_id).decode() if sealed else ""


def _made(settings: Settings, connection_id: str, seed: bytes) -> str:
    made = hmac.digest(settings.derived(_PROVIDERS), connection_id.encode() + seed, hashlib.sha256)
    return _PREFIX + made.hex()
