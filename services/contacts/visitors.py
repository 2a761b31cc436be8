"""Callers without a session: counted by address, known only by hashes."""

import hashlib
from datetime import UTC, datetime

from chassis.strangers import address_hash
from chassis.tx import Tx
from services.contacts import errors, store


async def count(tx: Tx, door_id: str, limit: int) -> None:
    """Counts the call against its address, in the database: all processes share the limit; FormRateLimited beyond it."""
    # Limits keep real time, whatever a test's clock says.
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    if await store.count_submission(tx, door_id, address_hash(tx, door_id), minute) > limit:
        raise errors.FormRateLimited(limit, datetime.now(UTC))


def key_hash(key: str) -> str:
    """What is kept of a personal link's key: 128 random bits need no salt and no slow hash."""
    return hashlib.sha256(key.encode()).hexdigest()
