"""What contacts tells of contacts and companies, kept for the guards of stages and for invoices."""

from typing import Any

from chassis import contracts
from chassis.handlers import on
from chassis.tx import Tx
from services.deals import paid_stages, store
from services.deals.rules import buyers, fields


@on(*contracts.carrying("contact", "company"), durable="deals-parties")
async def follow(event: Any, tx: Tx) -> None:
    """By version: what comes late or twice changes nothing."""
    object, party = contracts.carried(event)
    filled = () if party.HasField("delete_time") else fields.filled(party)
    await store.put_party(tx, object, party.id, event.change.version, filled)
    await store.put_buyer(tx, party.id, event.change.version, buyers.of_party(object, party))
    await paid_stages.look_again(tx, party.id)
