"""What contacts tells of its labels and sources: their names, so that files may say them."""

from typing import Any

from chassis import contracts
from chassis.handlers import on
from chassis.tx import Tx
from services.deals.store import catalogue_names


@on(*contracts.carrying("label", "source"), durable="deals-catalogue-names")
async def follow(event: Any, tx: Tx) -> None:
    """By version: what comes late or twice changes nothing."""
    object, entry = contracts.carried(event)
    lives = not entry.HasField("delete_time")
    await catalogue_names.put_name(
        tx, object, entry.id, event.change.version, name=entry.name if lives else "",
        key=getattr(entry, "key", "") if lives else "",
    )  # fmt: skip
