"""Callers without a session: counted by address, known only by hashes."""

import hashlib

from chassis.tx import Tx
from services.contacts import errors, store


async def count(tx: Tx, door_id: str, limit: int) -> None:
    """Counts the call against its address, in the database: all processes share the limit; FormRateLimited beyond it."""
    if late := await store.submissions.beyond(limit, tx, door_id):
        raise errors.FormRateLimited(limit, late)


def key_hash(key: str) -> str:
    """What is kept of a personal link's key: 128 random bits need no salt and no slow hash."""
    return hashlib.sha256(key.encode()).hexdigest()
