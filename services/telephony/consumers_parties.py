"""Whose number it is: what contacts tells of contacts and companies."""

from datetime import timedelta
from typing import Any

from chassis import contracts
from chassis.handlers import on
from chassis.tx import Tx
from crm.telephony.v1 import call_pb2
from crm.telephony.v1 import events_pb2 as events
from services.telephony import linking, screens, store
from services.telephony.store.numbers import Party

Call = call_pb2.Call

_LATE = timedelta(days=1)
"""So long after a call its caller may still get a card."""


@on(*contracts.carrying("contact", "company"), durable="telephony-parties")
async def follow(event: Any, tx: Tx) -> None:
    """By version: what comes late or twice changes nothing. Late calls of a number that changed hands know whose it is."""
    kind, record = contracts.carried(event)
    gone = record.HasField("delete_time")
    numbers = [] if gone else sorted({phone.number for phone in record.phones})
    party = Party(
        kind, record.id, record.display_name if kind == "contact" else record.name, record.owner_id,
        record.department_id, tuple(record.follower_ids), None,
    )  # fmt: skip
    changed = await store.numbers.put_party(tx, party, event.change.version, numbers)
    if changed:
        await store.numbers.lock(tx, changed)
    for number in changed:
        await _take_over(tx, number)


async def _take_over(tx: Tx, number: str) -> None:
    calls = await store.calls.recent_of(tx, number, tx.now - _LATE)
    parties = await store.numbers.whose(tx, number) if calls else []
    for call in calls:
        before = Call()
        before.CopyFrom(call)
        await linking.link(tx, call, parties)
        await linking.guess(tx, call)
        if call.direction == Call.DIRECTION_INBOUND:
            await screens.found(tx, call, parties)
        if call != before:
            store.calls.calls.save(tx, call)
            tx.emit(events.CallUpdated(call=call))
