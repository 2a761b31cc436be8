"""With what others sign the calls that they make: a random seed is kept, and only with the installation's secret it gives theirs.

So it stands in no message, event or backup of this database alone, and is shown when it is made and never again.
"""

import hashlib
import hmac
import os

from chassis.settings import Settings
from chassis.tx import Tx
from services.deals.store.signers import Signers

_PREFIX = "whsec_"
_SEED = 32  # bytes


async def renew(tx: Tx, signers: Signers, id: str) -> str:
    """A new secret of whoever has this id, shown this once; the one before is worth nothing any more."""
    seed = os.urandom(_SEED)
    await signers.put_seed(tx, id, seed)
    return secret_of(tx.runtime.settings, signers, id, seed)


async def current(tx: Tx, signers: Signers, id: str) -> str:
    """His secret."""
    return secret_of(tx.runtime.settings, signers, id, await signers.seed_of(tx, id))


def secret_of(settings: Settings, signers: Signers, id: str, seed: bytes) -> str:
    """What the seed gives for him in this installation."""
    made = hmac.digest(settings.derived(signers.purpose), id.encode() + seed, hashlib.sha256)
    return _PREFIX + made.hex()
