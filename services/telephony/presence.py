"""Who speaks, and who still notes what was said."""

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

from chassis.times import to_datetime
from chassis.tx import Tx
from crm.telephony.v1 import call_pb2
from services.telephony import store

Call = call_pb2.Call


async def on_call_change(tx: Tx, new: Call, speaking: Collection[str]) -> None:
    """Keeps who speaks, and some time after it (settings), in which he notes things; whoever handed the customer on, too."""
    if not new.spoke_user_ids:
        return
    wrap_up = timedelta(seconds=(await store.settings_of(tx)).wrap_up_seconds)
    ended = to_datetime(new.end_time) if new.HasField("end_time") else tx.now
    known = await store.presences.presences_of(tx, new.spoke_user_ids)
    for presence in known.values():
        now = presence
        if presence.user_id in speaking:
            now = replace(presence, call_id=new.id, speaking=True, wrap_up_until=None)
        elif presence.call_id == new.id and presence.speaking:
            now = replace(presence, speaking=False, wrap_up_until=ended + wrap_up)
        if now != presence:
            await store.presences.put_presence(tx, now)


async def noted(tx: Tx, call: Call) -> None:
    """Everything of the call is noted: who spoke takes the next one."""
    known = await store.presences.presences_of(tx, call.spoke_user_ids)
    for presence in known.values():
        if presence.call_id == call.id:
            await store.presences.put_presence(
                tx, replace(presence, call_id="", speaking=False, wrap_up_until=None)
            )
