"""Callers without a session: counted by address, known only by hashes."""

import hashlib
import ipaddress
from datetime import UTC, datetime

from chassis.tx import Tx
from services.contacts import errors, store


async def count(tx: Tx, door_id: str, limit: int) -> None:
    """Counts the call against its address, in the database: all processes share the limit; FormRateLimited beyond it."""
    # Limits keep real time, whatever a test's clock says.
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    if await store.count_submission(tx, door_id, address_hash(tx, door_id), minute) > limit:
        raise errors.FormRateLimited(limit, datetime.now(UTC))


def address_hash(tx: Tx, door_id: str) -> str:
    """The caller without his address: a hash that differs from door to door; an IPv6 network of one house is one caller."""
    assert tx.call is not None
    peer = tx.call.peer
    try:
        address = ipaddress.ip_address(peer)
        if address.version == 6:
            peer = str(ipaddress.ip_network((address, 64), strict=False))
    except ValueError:
        pass  # no address, as in a call from within: such callers share one count
    return hashlib.sha256(f"{door_id}/{peer}".encode()).hexdigest()[:32]


def key_hash(key: str) -> str:
    """What is kept of a personal link's key: 128 random bits need no salt and no slow hash."""
    return hashlib.sha256(key.encode()).hexdigest()
