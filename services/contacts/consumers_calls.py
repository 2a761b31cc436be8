"""What telephony tells of calls: a stranger's call becomes a request (S21, S22), and the facts of cards follow."""

from datetime import timedelta
from typing import Any

from chassis import contracts
from chassis.handlers import on
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.contacts.v1 import events_pb2, form_pb2
from crm.telephony.v1 import call_pb2
from crm.telephony.v1 import events_pb2 as telephony_events
from services.contacts import facts, intake, store
from services.contacts.rules import calls as rules
from services.contacts.rules import requests as request_rules

_ENDS = (telephony_events.CallEnded, telephony_events.CallMissed)
_FORGOTTEN = timedelta(days=7)
"""Longer than any outage: where this service comes to an old company, it is told years of calls at once."""


@on(*contracts.carrying("call"), durable="contacts-calls")
async def follow(event: Any, tx: Tx) -> None:
    """By version: what comes late or twice changes nothing. Imported calls are facts of cards, and nobody's requests."""
    assert tx.event is not None
    call, change = event.call, event.change
    told = to_datetime(change.time) if change.HasField("time") else tx.event.time
    await facts.note_call(tx, rules.of_call(call, change.version, told=told))
    if change.republished or change.cause.kind == "import" or tx.now - told > _FORGOTTEN:
        return
    actor = change.actor
    answer = rules.answer(call, by=request_rules.user_of_ref(actor), told=told)
    known = await store.calls.request_of(tx, call.id) or call.request_id
    if known:
        await _answer(tx, known, answer)
    elif isinstance(event, _ENDS) and rules.is_strangers(call):
        await _receive(tx, call, answer)


async def _receive(tx: Tx, call: call_pb2.Call, answer: request_rules.Answer | None) -> None:
    """One request for each call: the call's row is locked since it was noted."""
    inquiry = rules.request(call)
    active = (tx.directory.user(call.owner_id) or {}).get("state") == "active"
    await intake.receive(
        tx, inquiry, form_pb2.Form(), owner_id=call.owner_id if answer and active else "", answer=answer
    )  # fmt: skip
    store.requests.save(tx, inquiry)
    await store.calls.note_request(tx, call.id, inquiry.id)


async def _answer(tx: Tx, id: str, answer: request_rules.Answer | None) -> None:
    """They have spoken: who asked has his answer; a request of a queue is his who spoke."""
    inquiry = await store.requests.find(tx, id) if answer is not None else None
    if answer is None or inquiry is None or not rules.waits(inquiry):
        return
    if not inquiry.owner_id and answer.by.id:
        request_rules.assign(inquiry, owner_id=answer.by.id, at=tx.now)
        tx.emit(events_pb2.RequestAssigned(request=inquiry))
    first = request_rules.answer(inquiry, by=answer.by, at=answer.at)
    store.requests.save(tx, inquiry)
    tx.emit(events_pb2.RequestAnswered(request=inquiry, first=first, way=answer.way))
