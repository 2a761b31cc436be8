"""Deals that waited for a rate get their base amount in steps, once it holds."""

from typing import Any

from chassis.handlers import timer
from chassis.tx import Tx
from services.deals import converting


@timer(converting.FILL)
async def fill(payload: dict[str, Any], tx: Tx) -> None:
    """The next deals in the rate's currency; safe to repeat, because only what is empty is filled."""
    if after := await converting.fill_next(tx, payload["currency"], payload["after"]):
        await tx.set_timer(converting.FILL, tx.new_id(), tx.now, {**payload, "after": after})
