"""Calls: what people add to them, and what they read of them."""

from typing import Any

from chassis.call import Raw
from chassis.errors import Violation
from chassis.handlers import Servicer, reads, writes
from chassis.kit.about import About, answer
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.telephony.v1 import call_messages_pb2 as messages
from crm.telephony.v1 import call_pb2 as pb
from crm.telephony.v1 import disposition_pb2
from crm.telephony.v1 import events_pb2 as events
from services.telephony import errors, missed, presence, recordings, statistics, store
from services.telephony.pbx.facts import Side
from services.telephony.rules import legs as leg_rules

Call = pb.Call

_LIST = "/crm.telephony.v1.CallsService/ListCalls"
_OF_PERSON = 'contact_id = "{id}"'
_WITH_PERSON = {
    "calls": About(_LIST, store.calls.calls, _OF_PERSON, "start_time desc"),
    "missed_calls": About(
        _LIST, store.calls.calls, _OF_PERSON + " AND missed_state = OPEN", "start_time"
    ),
}


async def check_call(tx: Tx, new: Call, old: Call | None) -> None:
    """Whom its recordings are of changes with it."""
    await recordings.on_call_change(tx, old, new)


class Calls(standard(store.calls.calls, on_save=check_call), Servicer):  # type: ignore[misc]
    """`/v1/calls`."""

    @reads
    async def GetContactCalls(self, request: messages.GetContactCallsRequest, tx: Tx) -> Raw:
        return await answer(tx, messages.ContactCalls, request.contact_id, _WITH_PERSON)

    @reads
    async def ListCallLegs(
        self, request: pb.ListCallLegsRequest, tx: Tx
    ) -> pb.ListCallLegsResponse:
        call = await store.calls.calls.get(tx, request.call_id)
        users = await _users(tx, call)
        known = await store.calls.legs_of(tx, call.id)
        shown = []
        for id, one in known.items():
            leg = leg_rules.from_json(id, one)
            user_id = users.get(leg.number, "") if leg.side is Side.COLLEAGUE else ""
            shown.append(leg_rules.shown(leg, user_id=user_id))
        shown.sort(key=lambda leg: (leg.start_time.ToNanoseconds(), leg.id))
        return pb.ListCallLegsResponse(legs=shown)

    @writes
    async def DispositionCall(self, request: pb.DispositionCallRequest, tx: Tx) -> Call:
        call = await store.calls.calls.get(tx, request.id, etag=request.etag)
        if call.state != Call.STATE_ENDED and not call.HasField("answer_time"):
            raise errors.CallWrongState("given a result", "ringing", "answered or over")
        disposition = await store.dispositions.find(tx, request.disposition_id)
        if disposition is None or disposition.retired:
            raise errors.ReferenceUnknown("disposition_id", f"disposition {request.disposition_id}")
        call.note = request.note or call.note
        _check_complete(disposition, call, request)
        call.disposition_id, call.next_step = disposition.id, request.next_step
        call.ClearField("next_step_time")
        if request.HasField("next_step_time"):
            call.next_step_time.CopyFrom(request.next_step_time)
        if call.state == Call.STATE_ENDED:
            if not call.HasField("wrap_up_time"):
                call.wrap_up_time.FromDatetime(tx.now)
            await presence.noted(tx, call)
        store.calls.calls.save(tx, call)
        tx.emit(events.CallDispositioned(call=call))
        return call

    @writes
    async def WriteOffCall(self, request: pb.WriteOffCallRequest, tx: Tx) -> Call:
        call = await store.calls.calls.get(tx, request.id, etag=request.etag)
        await missed.write_off(tx, call, request.reason)
        return call

    @reads
    async def GetCallStatistics(
        self, request: pb.GetCallStatisticsRequest, tx: Tx
    ) -> pb.GetCallStatisticsResponse:
        return await statistics.statistics(tx, request)


async def _users(tx: Tx, call: Call) -> dict[str, str]:
    """Extension -> whose it is, at the call's exchange."""
    at = await store.extensions_at(tx, call.connection_id) if call.connection_id else []
    return {extension.number: extension.user_id for extension in at}


def _check_complete(disposition: disposition_pb2.Disposition, call: Call, request: Any) -> None:
    lacking = []
    if disposition.note_required and not call.note:
        lacking.append(Violation("note", "must say what was said"))
    if disposition.next_step_required and not request.next_step:
        lacking.append(Violation("next_step", "must say what is to be done next"))
    if lacking:
        raise errors.DispositionIncomplete(disposition.name, lacking)
