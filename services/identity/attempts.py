"""Counting attempts to sign in, in PostgreSQL, so that every process and every restart knows them.

An attempt is counted before the password is looked at, in a transaction of its own: a hundred guesses at the same moment are
a hundred attempts, and a refusal does not undo its own counting.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from chassis.call import Cause
from chassis.tx import Tx
from services.identity import errors, signing_in, store
from services.identity.signing_in import Limit

INSTALLATION = "00000000-0000-0000-0000-000000000000"
"""Stands for no company where a transaction needs one."""
_DROP_AFTER = timedelta(days=1)  # a counter that nobody touched so long says nothing any more


async def begin(tx: Tx, counters: Mapping[str, Limit], now: datetime) -> None:
    """Counts one attempt under each key; raises TooManyAttempts, and counts nothing, if one of them has to wait.

    Call it before the body's first statement, so that the request does not hold a connection while it asks for another.
    """
    if tx.tries > 1:
        return  # the body runs again, the caller does not

    async def count(own: Tx) -> float:
        known = await store.attempts_for_update(own, list(counters), now)
        wait = max(signing_in.wait_s(limit, *known[key], now) for key, limit in counters.items())
        if wait == 0:
            for key, (failures, last) in known.items():
                old = now - last >= signing_in.FORGET_FAILURES_AFTER
                await store.count_attempt(own, key, 1 if old else failures + 1, now)
        return wait

    wait = await tx.runtime.run_system(INSTALLATION, Cause("rpc"), count)
    if wait > 0:
        raise errors.TooManyAttempts(wait)


async def succeeded(tx: Tx, account: str, peer: str, now: datetime) -> None:
    """The attempt was right: the account's failures are forgotten, the address gets back this one attempt."""
    await forgiven(tx, peer)
    await store.forget_attempts(tx, [account], before=now - _DROP_AFTER)


async def forgiven(tx: Tx, peer: str) -> None:
    """The attempt was right: the address, if it is known, gets back this one attempt."""
    if peer:
        await store.forgive_attempt(tx, peer)
