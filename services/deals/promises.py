"""What was promised to customers, and when to ask a lost one again: each told once, at its time (S30, S45).

A timer holds the moment that it was set for; a promise that was moved, kept or deleted sets or stops it.
"""

from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from services.deals import people
from services.deals.rules import promises as rules

Deal = deal_pb2.Deal

NEAR, MISSED, ASK_AGAIN = "promise-near", "promise-missed", "ask-again"
"""The kinds of timers; the key is the deal."""


async def follow(tx: Tx, new: Deal, old: Deal | None, *, tells_missed: bool = True) -> None:
    """Called in the transaction of every save of a deal; sets the timers that the change calls for.

    tells_missed: whether a promise is told as missed that had passed before it was written down here.
    """
    zone = people.zone_of(tx)
    before, after = rules.plan(old or Deal(), zone), rules.plan(new, zone)
    for kind, due in (
        (NEAR, (before.near, after.near)),
        (MISSED, (before.missed, after.missed)),
        (ASK_AGAIN, (before.ask_again, after.ask_again)),
    ):
        was, now = due
        if was == now:
            continue
        # What would have been told of before anybody knew of it is no news; a promise that was missed is told.
        if now is not None and (now > tx.now or (kind == MISSED and tells_missed)):
            await tx.set_timer(kind, new.id, now, {"deal_id": new.id, "due": now.isoformat()})
        elif was is not None:
            await tx.cancel_timer(kind, new.id)
