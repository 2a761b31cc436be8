"""What deals tells of deals and invoices, for the facts of cards."""

from typing import Any

from chassis import contracts
from chassis.handlers import on_any
from chassis.tx import Tx
from services.contacts import facts
from services.contacts.rules.card_items import ITEMS


def _concerns_facts(event: Any) -> bool:
    option = contracts.event_option(event.DESCRIPTOR)
    return option is not None and option.resource in ITEMS


@on_any(durable="contacts-deals", services=("deals",), wants=_concerns_facts)
async def follow(event: Any, tx: Tx) -> None:
    """By version: what comes late or twice changes nothing. An imported purchase is one, too."""
    option = contracts.event_option(event.DESCRIPTOR)
    assert option is not None
    record = getattr(event, option.resource)
    await facts.note_item(tx, ITEMS[option.resource](record, event.change.version))
