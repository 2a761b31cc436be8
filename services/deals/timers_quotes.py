"""What happens to quotes by itself."""

from typing import Any

from chassis.handlers import timer
from chassis.tx import Tx
from services.deals import quote_ends


@timer(quote_ends.EXPIRY)
async def expire(payload: dict[str, Any], tx: Tx) -> None:
    """The last day of a quote is over in the company's time zone."""
    await quote_ends.expire(tx, payload["quote_id"])
