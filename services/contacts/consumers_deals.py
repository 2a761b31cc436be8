"""What deals tells of deals and invoices, for the facts of cards."""

from typing import Any

from chassis import contracts
from chassis.handlers import on
from chassis.tx import Tx
from services.contacts import facts
from services.contacts.rules.card_items import ITEMS


@on(*contracts.carrying(*ITEMS), durable="contacts-deals")
async def follow(event: Any, tx: Tx) -> None:
    """By version: what comes late or twice changes nothing. An imported purchase is one, too."""
    object, record = contracts.carried(event)
    await facts.note_item(tx, ITEMS[object](record, event.change.version))
