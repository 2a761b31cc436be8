"""What contacts tells of contacts and companies, kept for the guards of stages and for invoices."""

from typing import Any

from chassis import contracts
from chassis.handlers import on_any
from chassis.tx import Tx
from services.deals import paid_stages, store
from services.deals.rules import buyers, fields

_PARTIES = ("contact", "company")


def _concerns_parties(event: Any) -> bool:
    option = contracts.event_option(event.DESCRIPTOR)
    return option is not None and option.resource in _PARTIES


@on_any(durable="deals-parties", services=("contacts",), wants=_concerns_parties)
async def follow(event: Any, tx: Tx) -> None:
    """By version: what comes late or twice changes nothing."""
    option = contracts.event_option(event.DESCRIPTOR)
    assert option is not None
    party = getattr(event, option.resource)
    filled = () if party.HasField("delete_time") else fields.filled(party)
    await store.put_party(tx, option.resource, party.id, event.change.version, filled)
    await store.put_buyer(
        tx, party.id, event.change.version, buyers.of_party(option.resource, party)
    )
    await paid_stages.look_again(tx, party.id)
