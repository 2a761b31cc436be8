"""Commissions after a change for the past: what is lacking is added, some facts in each transaction."""

from datetime import date
from typing import Any

from chassis.handlers import timer
from chassis.tx import Tx
from services.deals import earning, sales, store
from services.deals.store import sales_facts as facts

_AT_ONCE = 25
"""Facts in one transaction: each reads a few sums, and their sellers wait meanwhile."""


@timer(earning.ADJUST)
async def adjust(payload: dict[str, Any], tx: Tx) -> None:
    """The next facts of these days; safe to repeat, because only what is lacking is added."""
    first, last = (date.fromisoformat(payload[name]) for name in ("first", "last"))
    found = await facts.next_between(tx, first, last, after=payload["after"], most=_AT_ONCE)
    await sales.lock(tx, *(str(fact["owner_id"] or "") for fact in found))
    plans = await store.all_commission_plans(tx)
    for fact in found:
        await earning.adjust(tx, fact, plans)
    if len(found) == _AT_ONCE:
        following = {**payload, "after": found[-1]["seq"]}
        await tx.set_timer(earning.ADJUST, tx.new_id(), tx.now, following)
