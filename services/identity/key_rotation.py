"""Making, replacing and forgetting signing keys (I9)."""

from datetime import datetime
from typing import TYPE_CHECKING

from services.identity import errors, signing, store
from services.identity.signing import YOUNGEST_TO_ROTATE, SigningKey

if TYPE_CHECKING:
    from chassis.settings import Settings
    from chassis.tx import Tx

SEALING_KEY = "identity:signing-keys"


async def rotate(tx: "Tx", settings: "Settings", now: datetime) -> SigningKey:
    """Makes a new key now; KeysRotatedRecently if the newest is too young for every process to know it."""
    known = await store.locked_signing_keys(tx)
    if known and (age := now - known[0].create_time) < YOUNGEST_TO_ROTATE:
        raise errors.KeysRotatedRecently((YOUNGEST_TO_ROTATE - age).total_seconds())
    return await _make(tx, settings, now)


async def ensure(tx: "Tx", settings: "Settings", now: datetime) -> None:
    """Makes the first key, replaces one that is 30 days old, and forgets those whose tokens have all ended."""
    known = await store.locked_signing_keys(tx)
    if signing.is_due(known, now):
        await _make(tx, settings, now)
    if retired := signing.retired(known, now):
        await store.drop_retired_keys(tx, retired)
        for kid in retired:
            tx.directory_delete("key", kid)


def put(tx: "Tx", key: SigningKey) -> None:
    """Tells every process the key's public half."""
    tx.directory_put(
        "key", key.kid, {"kid": key.kid, "public_pem": key.public_pem, "alg": signing.ALGORITHM}
    )


async def _make(tx: "Tx", settings: "Settings", now: datetime) -> SigningKey:
    key = signing.new_key(tx.new_id(), settings.derived(SEALING_KEY), now)
    await store.add_signing_key(tx, key)
    put(tx, key)
    return key
