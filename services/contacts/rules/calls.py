"""What a call is to the facts of a card, and the request that a stranger's call becomes. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import orjson

from chassis.call import Actor
from chassis.times import to_datetime
from crm.contacts.v1 import request_pb2
from crm.telephony.v1 import call_pb2
from services.contacts.rules.requests import WAITING, Answer

Call = call_pb2.Call
Request = request_pb2.Request

_WHY = {
    Call.MISSED_REASON_NO_ANSWER: "nobody answered",
    Call.MISSED_REASON_ABANDONED: "the caller hung up before somebody answered",
    Call.MISSED_REASON_BUSY: "everybody was on the phone",
    Call.MISSED_REASON_REJECTED: "it was rejected",
    Call.MISSED_REASON_OUT_OF_HOURS: "outside of working hours",
}
_MADE_GOOD = (Call.MISSED_STATE_RETURNED, Call.MISSED_STATE_CAME_BACK)


@dataclass(frozen=True, slots=True)
class PartyCall:
    """A call of a contact and its company, as telephony told last; `version` orders what is told."""

    id: str
    version: int
    contact_id: str
    company_id: str
    direction: Literal["in", "out", ""]
    """Who turned to whom; empty if it went out in vain, or is not over."""
    time: datetime
    user_id: str
    """Our user who spoke; empty if nobody did."""
    open_missed: bool


def of_call(call: Call, version: int, *, told: datetime) -> PartyCall:
    """What the facts of a card need of a call; nothing of one that is internal or was deleted."""
    living, answered = not call.HasField("delete_time"), call.HasField("answer_time")
    is_missed = call.missed_state != Call.MISSED_STATE_UNSPECIFIED
    direction: Literal["in", "out", ""] = ""
    if living and call.direction == Call.DIRECTION_INBOUND and (answered or is_missed):
        direction = "in"
    elif living and call.direction == Call.DIRECTION_OUTBOUND and answered:
        direction = "out"
    return PartyCall(
        call.id, version, call.contact_id, call.company_id, direction, _moment(call, told),
        speaker(call) if answered else "",
        open_missed=living and call.missed_state == Call.MISSED_STATE_OPEN,
    )  # fmt: skip


def speaker(call: Call) -> str:
    """Who of ours spoke with the other end first; empty if nobody is known."""
    if call.spoke_user_ids:
        return call.spoke_user_ids[0]
    return call.owner_id if call.HasField("answer_time") else ""


def is_strangers(call: Call) -> bool:
    """True for a call from outside of whom nobody knows anything, and that is no request yet."""
    known = (
        call.contact_id, call.company_id, call.request_id,
        *call.candidate_contact_ids, *call.candidate_company_ids,
    )  # fmt: skip
    inbound = call.direction == Call.DIRECTION_INBOUND
    return inbound and not any(known) and not call.imported and not call.HasField("delete_time")


def request(call: Call) -> Request:
    """The request that the call becomes, with the number as its only trait; who hides it has none."""
    made = Request(
        channel=Request.CHANNEL_CALL, call_id=call.id, phone="" if call.withheld else call.number, text=_text(call),
        raw=_raw(call), source_id=call.source_id, department_id=call.department_id,
    )  # fmt: skip
    if call.missed_state != Call.MISSED_STATE_UNSPECIFIED:
        made.missed_spell_id = call.spell_id
    if call.campaign or call.keyword:
        made.last_touch.utm_campaign, made.last_touch.keyword = call.campaign, call.keyword
        made.last_touch.time.CopyFrom(call.start_time)
    return made


def answer(call: Call, *, by: str, told: datetime) -> Answer | None:
    """The answer that the customer got by this call, or by the one that made it good; None if he got none."""
    if call.missed_state in _MADE_GOOD:
        at = to_datetime(call.missed_end_time) if call.HasField("missed_end_time") else told
    elif call.HasField("answer_time"):
        at, by = to_datetime(call.answer_time), speaker(call)
    else:
        return None
    return Answer(Actor("user", by) if by else Actor("system"), at, "call")


def waits(inquiry: Request) -> bool:
    """True if nobody has answered the request."""
    return inquiry.state in WAITING and not inquiry.HasField("delete_time")


def _moment(call: Call, told: datetime) -> datetime:
    for name in ("answer_time", "end_time", "start_time"):
        if call.HasField(name):  # type: ignore[arg-type]
            return to_datetime(getattr(call, name))
    return told


def _text(call: Call) -> str:
    if call.missed_state == Call.MISSED_STATE_UNSPECIFIED:
        return "Call answered"
    why = _WHY.get(call.missed_reason, "")
    return f"Missed call: {why}" if why else "Missed call"


def _raw(call: Call) -> str:
    """What the exchange told of it, without the number, which has a field of its own."""
    said = {
        "line_id": call.line_id, "outcome": Call.Outcome.Name(call.outcome),
        "missed_reason": Call.MissedReason.Name(call.missed_reason), "withheld": call.withheld,
        "start_time": call.start_time.ToJsonString(), "talk_seconds": call.talk_seconds,
    }  # fmt: skip
    return orjson.dumps(said).decode()
