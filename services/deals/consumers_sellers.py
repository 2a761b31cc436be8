"""What identity tells of the company, for the legal entity that follows it."""

from typing import Any

from chassis import contracts
from chassis.handlers import on_any
from chassis.tx import Tx
from services.deals import legal_entities


def _concerns_company(event: Any) -> bool:
    option = contracts.event_option(event.DESCRIPTOR)
    return option is not None and option.resource == "tenant"


@on_any(durable="deals-legal-entity", services=("identity",), wants=_concerns_company)
async def follow(event: Any, tx: Tx) -> None:
    """The company's own legal entity is there from the beginning, and in step with its legal data."""
    await legal_entities.follow(tx, event.tenant)
