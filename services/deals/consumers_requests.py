"""What contacts tells of requests: what their deals begin with, and the built-in rule that opens one at once."""

from datetime import timedelta
from typing import Any

from chassis import contracts
from chassis.handlers import on
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.contacts.v1 import events_pb2, request_pb2
from services.deals import opening, store
from services.deals.rules import requests as rules

Request = request_pb2.Request

_FORGOTTEN = timedelta(days=7)
"""Longer than any outage: where this service comes to an old company, it is told years of requests at once."""


@on(*contracts.carrying("request"), durable="deals-requests")
async def follow(event: Any, tx: Tx) -> None:
    """By version. Spam opens nothing; a request that was opened already opens nothing twice."""
    request: Request = event.request
    seed = rules.seed(request)
    await store.put_seed(tx, request.id, event.change.version, seed)
    if not _begins(event, tx) or request.state == Request.STATE_CLOSED:
        return
    if not (await store.settings_of(tx)).request_opens_deal:
        return
    if await store.seed_of(tx, request.id) is not None:  # was not erased meanwhile
        assert tx.event is not None
        await opening.open_deal(tx, seed, "", effect_key=f"{tx.event.id} deal")


def _begins(event: Any, tx: Tx) -> bool:
    """Not what is only told again, what an import writes down, or what lies so far back that nobody waits any more."""
    change = event.change
    received = isinstance(event, events_pb2.RequestReceived | events_pb2.RequestAssigned)
    told = change.cause.kind != "import" and not change.republished
    return received and told and tx.now - to_datetime(change.time) <= _FORGOTTEN
