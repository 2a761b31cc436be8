"""Lines of bank statements are matched in steps."""

from typing import Any

from chassis.handlers import timer
from chassis.tx import Tx
from services.deals import invoices, rematching, statements


@timer(statements.MATCH)
async def match(payload: dict[str, Any], tx: Tx) -> None:
    """The next lines of a statement."""
    await statements.match_next(tx, payload["statement_id"])


@timer(invoices.REMATCH)
async def rematch(payload: dict[str, Any], tx: Tx) -> None:
    """The next doubtful lines that may pay an invoice."""
    await rematching.look_again(tx, payload["invoice_id"], payload["after"])
