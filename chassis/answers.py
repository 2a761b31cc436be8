"""Stored answers of requests with an idempotency key end after 24 hours."""

import asyncio

from chassis.events.leader import Lease
from chassis.waits import first_of

_PURGE = """
WITH old AS (SELECT ctid FROM answers WHERE expire_time < now() LIMIT 5000)
DELETE FROM answers USING old WHERE answers.ctid = old.ctid RETURNING 1
"""
_PURGE_EVERY_S = 600.0


async def purge_answers(lease: Lease, stop: asyncio.Event) -> None:
    """Removes expired answers every ten minutes until `stop`; runs under the database's Leader."""
    while not stop.is_set():
        while await lease.fetch(_PURGE) and not stop.is_set():
            pass  # the next 5,000: no statement holds locks for long
        await first_of(stop, timeout_s=_PURGE_EVERY_S)
