"""What the tests of calls share: calls as telephony tells of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from chassis import codec
from chassis.keys import uuid7
from chassis.testing.events import eventually
from chassis.times import to_timestamp
from crm.contacts.v1 import request_pb2
from crm.telephony.v1 import events_pb2 as events
from crm.telephony.v1.call_pb2 import Call
from tests.service.contacts.world import World

NUMBER = "+48600100200"
MINUTE = timedelta(minutes=1)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def missed_call(**given: Any) -> Call:
    id, at = uuid7(), to_timestamp(now())
    call = Call(
        id=id, spell_id=id, spell_count=1, number=NUMBER, direction=Call.DIRECTION_INBOUND, state=Call.STATE_ENDED,
        outcome=Call.OUTCOME_MISSED, missed_reason=Call.MISSED_REASON_ABANDONED, missed_state=Call.MISSED_STATE_OPEN,
        start_time=at, end_time=at,
    )  # fmt: skip
    call.MergeFrom(Call(**given))
    return call


def answered_call(user_id: str = "", **given: Any) -> Call:
    start = now()
    call = Call(
        id=uuid7(), number=NUMBER, direction=Call.DIRECTION_INBOUND, state=Call.STATE_ENDED, outcome=Call.OUTCOME_ANSWERED,
        start_time=to_timestamp(start), answer_time=to_timestamp(start + timedelta(seconds=5)),
        end_time=to_timestamp(start + MINUTE), talk_seconds=55,
        owner_id=user_id, spoke_user_ids=[user_id] if user_id else [],
    )  # fmt: skip
    call.MergeFrom(Call(**given))
    return call


def made_good(call: Call, how: "Call.MissedState", at: datetime) -> Call:
    """The missed call after it was made good."""
    good = Call()
    good.CopyFrom(call)
    good.missed_state = how
    good.missed_end_time.CopyFrom(to_timestamp(at))
    return good


async def tell(
    world: World, name: str, call: Call, *, version: int = 1, at: datetime | None = None, by: str = "",
    cause: str = "event", republished: bool = False,
) -> str:  # fmt: skip
    """An event of telephony as its relay would publish it; returns its id."""
    moment, event_id = at or now(), uuid7()
    event = getattr(events, name)(call=call)
    event.change.actor.kind, event.change.actor.user_id = "system", by
    event.change.cause.kind, event.change.republished = cause, republished
    event.change.version = version
    event.change.time.CopyFrom(to_timestamp(moment))
    headers = {
        "ce-specversion": "1.0", "ce-id": event_id, "ce-type": event.DESCRIPTOR.full_name, "ce-source": "/telephony",
        "ce-time": moment.isoformat(), "ce-subject": call.id, "Nats-Msg-Id": uuid7(),
    }  # fmt: skip
    subject = f"crm.{world.tenant.id}.telephony.{name}"
    await world.running.process.nats.js.publish(subject, codec.to_json(event), headers=headers)
    return event_id


async def heard(world: World) -> None:
    """Returns when everything that telephony told so far was heard by contacts."""
    jetstream = world.running.process.nats.js
    last = (await jetstream.stream_info("TELEPHONY")).state.last_seq

    async def nothing() -> bool:
        info = await jetstream.consumer_info("TELEPHONY", "contacts-calls")
        assert info.delivered is not None
        return info.delivered.stream_seq >= last and not info.num_ack_pending

    await eventually(nothing, "everything was heard")


async def requests(world: World) -> list[request_pb2.Request]:
    """The company's requests, once everything was heard, the oldest first."""
    await heard(world)
    listed = await world.admin.ListRequests(request_pb2.ListRequestsRequest(order_by="create_time"))
    return list(listed.requests)
