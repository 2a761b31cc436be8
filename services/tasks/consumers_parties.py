"""What contacts tells of contacts and companies, kept as hashes so that files may name them."""

from typing import Any

from chassis import contracts
from chassis.handlers import on_any
from chassis.kit.imports import named, named_keys
from chassis.tx import Tx
from crm.contacts.v1 import privacy_events_pb2

_PARTIES = ("contact", "company")


def _concerns_parties(event: Any) -> bool:
    if isinstance(event, privacy_events_pb2.ContactErased):
        return True
    option = contracts.event_option(event.DESCRIPTOR)
    return option is not None and option.resource in _PARTIES


@on_any(durable="tasks-party-keys", services=("contacts",), wants=_concerns_parties)
async def follow(event: Any, tx: Tx) -> None:
    """By version: what comes late or twice changes nothing. Whoever was merged away is found as who he is now."""
    if isinstance(event, privacy_events_pb2.ContactErased):
        await named.forget(tx, "contact", [event.contact_id, *event.merged_ids])
        return
    option = contracts.event_option(event.DESCRIPTOR)
    assert option is not None
    party = getattr(event, option.resource)
    found = () if party.HasField("delete_time") else named_keys.keys_of(party)
    await named.put(tx, option.resource, party.id, event.change.version, found)
