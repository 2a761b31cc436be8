"""Lines of bank statements are matched in steps."""

from typing import Any

from chassis.handlers import timer
from chassis.tx import Tx
from services.deals import statements


@timer(statements.MATCH)
async def match(payload: dict[str, Any], tx: Tx) -> None:
    """The next lines of a statement."""
    await statements.match_next(tx, payload["statement_id"])
