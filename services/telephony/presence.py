"""Who speaks, and who still notes what was said."""

from dataclasses import replace
from datetime import timedelta

from chassis.times import to_datetime
from chassis.tx import Tx
from crm.telephony.v1 import call_pb2
from services.telephony import store

Call = call_pb2.Call


async def on_call_change(tx: Tx, old: Call | None, new: Call) -> None:
    """Keeps who speaks: from the answer on, and some time after the end (settings), in which he notes things."""
    was = old.state if old is not None else Call.STATE_UNSPECIFIED
    speaks = new.state == Call.STATE_ACTIVE
    ended = new.state == Call.STATE_ENDED and was != Call.STATE_ENDED and len(new.spoke_user_ids)
    if not speaks and not ended:
        return
    until = None
    if ended:
        seconds = (await store.settings_of(tx)).wrap_up_seconds
        until = to_datetime(new.end_time) + timedelta(seconds=seconds)
    known = await store.presences.presences_of(tx, new.spoke_user_ids)
    for presence in known.values():
        if speaks or presence.call_id == new.id:
            await store.presences.put_presence(
                tx, replace(presence, call_id=new.id, speaking=speaks, wrap_up_until=until)
            )


async def noted(tx: Tx, call: Call) -> None:
    """Everything of the call is noted: who spoke takes the next one."""
    known = await store.presences.presences_of(tx, call.spoke_user_ids)
    for presence in known.values():
        if presence.call_id == call.id:
            await store.presences.put_presence(
                tx, replace(presence, call_id="", speaking=False, wrap_up_until=None)
            )
