"""Callers without a session: counted by a hash of their address."""

from datetime import UTC, datetime

from chassis.call import Cause
from chassis.strangers import address_hash
from chassis.tx import Tx
from services.deals import errors, store

RATE_LIMIT = 10
"""Answers that one address may send to one quote in a minute."""
WEBHOOK_LIMIT = 600
"""Calls that one address may make for one signer in a minute."""


async def count(tx: Tx, quote_id: str) -> None:
    """Counts an answer against its address, in the database: all processes share the limit; QuoteRateLimited beyond it.

    In a transaction of its own, so that a refusal does not undo the counting; call it before the body's first statement.
    """
    if tx.tries > 1:
        return  # the body runs again, the caller does not
    assert tx.tenant is not None
    now, minute = _now()
    sender = address_hash(tx, quote_id)

    async def counted(own: Tx) -> int:
        return await store.count_answer(own, quote_id, sender, minute)

    if await tx.runtime.run_system(tx.tenant, Cause("link", quote_id), counted) > RATE_LIMIT:
        raise errors.QuoteRateLimited(RATE_LIMIT, now)


async def count_call(tx: Tx, own: Tx, signer_id: str) -> errors.WebhookRateLimited | None:
    """Counts the call of `tx` in `own`, which is written whatever becomes of `tx`; how to refuse it where it was one too many."""
    if tx.tries > 1:
        return None
    now, minute = _now()
    calls = await store.count_answer(own, signer_id, address_hash(tx, signer_id), minute)
    return errors.WebhookRateLimited(WEBHOOK_LIMIT, now) if calls > WEBHOOK_LIMIT else None


def _now() -> tuple[datetime, datetime]:
    """This moment and its minute: limits keep real time, whatever a test's clock says."""
    now = datetime.now(UTC)
    return now, now.replace(second=0, microsecond=0)
