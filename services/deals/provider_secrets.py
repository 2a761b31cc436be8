"""With what payment providers sign: a random seed is kept, and only with the installation's secret it gives the provider's.

So it stands in no message, event or backup of this database alone, and is shown when it is made and never again.
"""

import hashlib
import hmac
import os

from chassis.settings import Settings
from chassis.tx import Tx
from services.deals import store

_PURPOSE = "payment-providers"
_PREFIX = "whsec_"
_SEED = 32  # bytes


async def renew(tx: Tx, provider_id: str) -> str:
    """A new secret of the provider, shown this once; the one before is worth nothing any more."""
    seed = os.urandom(_SEED)
    await store.put_provider_seed(tx, provider_id, seed)
    return secret_of(tx.runtime.settings, provider_id, seed)


async def current(tx: Tx, provider_id: str) -> str:
    """The provider's secret."""
    return secret_of(tx.runtime.settings, provider_id, await store.seed_of_provider(tx, provider_id))  # fmt: skip


def secret_of(settings: Settings, provider_id: str, seed: bytes) -> str:
    """What the seed gives for this provider in this installation."""
    made = hmac.digest(settings.derived(_PURPOSE), provider_id.encode() + seed, hashlib.sha256)
    return _PREFIX + made.hex()
