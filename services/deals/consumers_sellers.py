"""What identity tells of the company, for the legal entity that follows it."""

from typing import Any

from chassis import contracts
from chassis.handlers import on
from chassis.tx import Tx
from services.deals import legal_entities


@on(*contracts.carrying("tenant"), durable="deals-legal-entity")
async def follow(event: Any, tx: Tx) -> None:
    """The company's own legal entity is there from the beginning, and in step with its legal data."""
    await legal_entities.follow(tx, event.tenant)
