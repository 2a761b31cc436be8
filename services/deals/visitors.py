"""Callers without a session: counted by a hash of their address."""

from datetime import datetime

from chassis.call import Cause
from chassis.tx import Tx
from services.deals import errors, store

RATE_LIMIT = 10
"""Answers that one address may send to one quote in a minute."""
WEBHOOK_LIMIT = 600
"""Calls that one address may make for one signer in a minute."""


async def count(tx: Tx, quote_id: str) -> None:
    """Counts an answer against its address; QuoteRateLimited beyond the limit.

    In a transaction of its own, so that a refusal does not undo the counting; call it before the body's first statement.
    """
    assert tx.tenant is not None

    async def counted(own: Tx) -> datetime | None:
        return await store.answer_counts.beyond(RATE_LIMIT, tx, quote_id, own)

    if late := await tx.runtime.run_system(tx.tenant, Cause("link", quote_id), counted):
        raise errors.QuoteRateLimited(RATE_LIMIT, late)


async def count_call(tx: Tx, own: Tx, signer_id: str) -> errors.WebhookRateLimited | None:
    """Counts the call of `tx` in `own`, which is written whatever becomes of `tx`; how to refuse it where it was one too many."""
    late = await store.answer_counts.beyond(WEBHOOK_LIMIT, tx, signer_id, own)
    return errors.WebhookRateLimited(WEBHOOK_LIMIT, late) if late else None
