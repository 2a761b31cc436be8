"""Whose number it is: what contacts tells of contacts and companies."""

from datetime import timedelta
from typing import Any

from chassis import contracts
from chassis.handlers import on_any
from chassis.tx import Tx
from crm.telephony.v1 import events_pb2 as events
from services.telephony import linking, store
from services.telephony.store.numbers import Party

_PARTIES = ("contact", "company")
_LATE = timedelta(days=1)
"""So long after a call its caller may still get a card."""


def _concerns_parties(event: Any) -> bool:
    option = contracts.event_option(event.DESCRIPTOR)
    return option is not None and option.resource in _PARTIES


@on_any(durable="telephony-parties", services=("contacts",), wants=_concerns_parties)
async def follow(event: Any, tx: Tx) -> None:
    """By version: what comes late or twice changes nothing. Calls of a number that nobody had are now his."""
    option = contracts.event_option(event.DESCRIPTOR)
    assert option is not None
    kind, record = option.resource, getattr(event, option.resource)
    gone = record.HasField("delete_time")
    numbers = [] if gone else sorted({phone.number for phone in record.phones})
    party = Party(
        kind, record.id, record.display_name if kind == "contact" else record.name, record.owner_id,
        record.department_id, tuple(record.follower_ids), None,
    )  # fmt: skip
    if await store.numbers.put_party(tx, party, event.change.version, numbers):
        for number in numbers:
            await _take_over(tx, number)


async def _take_over(tx: Tx, number: str) -> None:
    calls = await store.calls.unknown_of(tx, number, tx.now - _LATE)
    parties = await store.numbers.whose(tx, number) if calls else []
    for call in calls:
        before = call.SerializeToString(deterministic=True)
        linking.link(call, parties)
        if call.SerializeToString(deterministic=True) != before:
            store.calls.calls.save(tx, call)
            tx.emit(events.CallUpdated(call=call))
