"""Calls that people make from here: the call is there at once, and its exchange is asked to dial (exchanges.py).

The exchange tells of it with our own id as its key, so that whatever comes back belongs to this call. An exchange that does not
do it in time is not reached: the call ends as not connected, and nobody's phone rings minutes later.
"""

from datetime import timedelta
from typing import Any

from chassis.handlers import timer
from chassis.tx import Tx
from crm.telephony.v1 import call_pb2, connection_pb2, extension_pb2, line_pb2
from crm.telephony.v1 import events_pb2 as events
from services.telephony import errors, linking, people, store
from services.telephony.pbx.facts import Command, Order
from services.telephony.rules.catalogues import normal_number

Call = call_pb2.Call
Connection = connection_pb2.Connection

UNHEARD = "dial-unheard"
WAITS = timedelta(seconds=15)
"""How long an exchange has to begin."""
_PATTERNS = {"extension_endpoint": "PJSIP/{extension}", "outside_endpoint": "PJSIP/{number}@trunk"}
_LINKS = ("contact_id", "company_id", "deal_id", "task_id")


async def dial(tx: Tx, request: call_pb2.DialCallRequest) -> Call:
    """The call that the caller's exchange is asked to make. NoExtension, NotANumber or ReferenceUnknown if it cannot be."""
    extension = await _extension(tx, request.extension_id)
    connection = await store.connections.find(tx, extension.connection_id)
    if connection is None or connection.retired:
        raise errors.NoExtension
    country = connection.country_code or people.country_of(tx)
    number = normal_number("number", request.number, country)
    line = await _line(tx, request.line_id, connection, people.user_of(tx.actor))
    call = Call(
        id=tx.new_id(), connection_id=connection.id, direction=Call.DIRECTION_OUTBOUND, state=Call.STATE_RINGING,
        number=number, owner_id=extension.user_id, purpose=request.purpose, request_id=request.inquiry_id,
    )  # fmt: skip
    for field in _LINKS:
        setattr(call, field, getattr(request, field))
    call.start_time.FromDatetime(tx.now)
    call.department_id = people.home_of(tx, extension.user_id)
    call.rung_user_ids.append(extension.user_id)
    call.screen_user_ids.append(extension.user_id)
    await linking.name(tx, call)
    if line is not None:
        call.line_id, call.purpose = line.id, call.purpose or line.purpose
    await linking.guess(tx, call)
    store.calls.calls.save(tx, call)
    tx.emit(events.CallRinging(call=call))
    await store.calls.add_key(tx, connection.id, call.id, call.id)
    await tx.set_timer(
        UNHEARD, call.id, tx.now + 2 * WAITS, {"connection_id": connection.id, "call_id": call.id}
    )
    await ask(
        tx, call, Order.DIAL, endpoint=endpoint(connection, extension), number=number,
        line=line.number if line else "", record=line is not None and line.record,
    )  # fmt: skip
    return call


async def hang_up(tx: Tx, call: Call) -> None:
    """Asks the exchange to end the call. CallWrongState if it is over."""
    if call.state == Call.STATE_ENDED:
        raise errors.CallWrongState("hung up", "over", "ringing or going on")
    await ask(tx, call, Order.HANG_UP)


def endpoint(connection: Connection, extension: extension_pb2.Extension) -> str:
    """How the exchange dials this extension."""
    if extension.endpoint:
        return extension.endpoint
    pattern = connection.extension_endpoint or _PATTERNS["extension_endpoint"]
    return pattern.replace("{extension}", extension.number)


def outside(connection: Connection, number: str) -> str:
    """How the exchange dials this number outside."""
    pattern = connection.outside_endpoint or _PATTERNS["outside_endpoint"]
    return pattern.replace("{number}", number)


async def not_connected(tx: Tx, connection_id: str, key: str) -> None:
    """The exchange has not begun this call, and will not: it is over, unless something is told of it meanwhile."""
    id = await store.calls.call_of_key(tx, connection_id, key)
    call = await store.calls.calls.find(tx, id) if id else None
    if call is None or call.state == Call.STATE_ENDED or await store.calls.legs_of(tx, id):
        return
    call.state, call.outcome = Call.STATE_ENDED, Call.OUTCOME_NOT_CONNECTED
    call.end_time.FromDatetime(tx.now)
    store.calls.calls.save(tx, call)
    tx.emit(events.CallEnded(call=call))


@timer(UNHEARD)
async def unheard(payload: dict[str, Any], tx: Tx) -> None:
    """Nothing was told of a call that was asked for: nobody speaks with its exchange, or whoever did has died."""
    await not_connected(tx, payload["connection_id"], payload["call_id"])


def command_of(id: str, body: dict[str, Any]) -> Command:
    """What was asked, as the exchange is asked."""
    given = {name: word for name, word in body.items() if name not in ("order", "until")}
    return Command(id=id, order=Order(body["order"]), **given)


async def ask(tx: Tx, call: Call, order: Order, **given: Any) -> None:
    """Asks the exchange of the call."""
    keys = await store.calls.keys_of(tx, call.id)
    body = {"order": order.value, "call": keys[0] if keys else call.id, "until": (tx.now + WAITS).isoformat(), **given}  # fmt: skip
    await store.leases.ask(tx, call.connection_id, body)


async def _extension(tx: Tx, id: str) -> extension_pb2.Extension:
    """The extension that rings first: the one asked for, else the caller's own first one."""
    mine = await store.extensions_of(tx, [people.user_of(tx.actor)])
    found = [extension for extension in mine if not id or extension.id == id]
    if id and not found:
        raise errors.ReferenceUnknown("extension_id", f"extension {id} of yours")
    if not found:
        raise errors.NoExtension
    return found[0]


async def _line(tx: Tx, id: str, connection: Connection, user_id: str) -> line_pb2.Line | None:
    """The line that the customer sees: the one asked for, else the first of the department, else the exchange's own choice."""
    lines = [
        line for line in await store.living_lines(tx) if line.connection_id in ("", connection.id)
    ]
    if id:
        asked = next((line for line in lines if line.id == id), None)
        if asked is None:
            raise errors.ReferenceUnknown("line_id", f"line {id} of this exchange")
        return asked
    home = people.home_of(tx, user_id)
    return next((line for line in lines if home and line.department_id == home), None)
