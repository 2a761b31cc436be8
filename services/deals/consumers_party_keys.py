"""What contacts tells of contacts and companies, kept as hashes so that files may name them."""

from typing import Any

from chassis import contracts
from chassis.handlers import on
from chassis.kit.imports import named, named_keys
from chassis.tx import Tx


@on(*contracts.carrying("contact", "company"), durable="deals-party-keys")
async def follow(event: Any, tx: Tx) -> None:
    """By version: what comes late or twice changes nothing. Whoever was merged away is found as who he is now."""
    object, party = contracts.carried(event)
    found = () if party.HasField("delete_time") else named_keys.keys_of(party)
    await named.put(tx, object, party.id, event.change.version, found)
