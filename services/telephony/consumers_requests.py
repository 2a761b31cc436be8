"""Which request a stranger's call became: what contacts tells of requests."""

from chassis.handlers import on
from chassis.tx import Tx
from crm.contacts.v1 import events_pb2 as contacts
from crm.telephony.v1 import events_pb2 as events
from services.telephony import store


@on(contacts.RequestReceived, durable="telephony-requests")
async def follow(event: contacts.RequestReceived, tx: Tx) -> None:
    """The request of a call is named by the call; one that somebody chose stays."""
    request = event.request
    call = await store.calls.calls.find(tx, request.call_id) if request.call_id else None
    if call is None or call.request_id:
        return
    call.request_id = request.id
    store.calls.calls.save(tx, call)
    tx.emit(events.CallUpdated(call=call))
