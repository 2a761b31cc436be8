"""What exchanges tell becomes calls: facts -> legs -> call -> events, in one transaction.

Facts may come twice, late and in any order (rules/legs.py); what says nothing new changes nothing and tells nothing.
"""

from collections.abc import Iterable, Mapping, Sequence

from chassis.times import to_datetime
from chassis.tx import Tx
from crm.telephony.v1 import call_pb2, connection_pb2, line_pb2, parts_pb2
from crm.telephony.v1 import events_pb2 as events
from services.telephony import linking, missed, people, presence, recordings, screens, store
from services.telephony.pbx.facts import Fact
from services.telephony.rules import calls as rules
from services.telephony.rules import legs as leg_rules
from services.telephony.rules.calls import Derived
from services.telephony.rules.catalogues import international
from services.telephony.rules.legs import LegState

Call = call_pb2.Call
Connection = connection_pb2.Connection

_RINGING = (Call.STATE_RINGING, Call.STATE_QUEUED)


async def take(tx: Tx, connection: Connection, facts: Sequence[Fact]) -> list[Call]:
    """The calls that these facts of an exchange tell of, as they are now."""
    keys = sorted({fact.call for fact in facts})
    await tx.lock(*locks(connection, keys))
    users = {
        extension.number: extension.user_id
        for extension in await store.extensions_at(tx, connection.id)
    }
    found, exchange = [], tx.actor
    for key in keys:
        if found:
            await tx.flush()  # spells and presences of the next call see this one
            tx.actor = exchange
        call = await _take(tx, connection, key, [f for f in facts if f.call == key], users)
        if call is not None:
            found.append(call)
    return found


def locks(connection: Connection, keys: Iterable[str]) -> list[str]:
    """What is locked while facts of the calls with these keys are taken."""
    return [f"call {connection.id} {key}" for key in keys]


async def _take(
    tx: Tx, connection: Connection, key: str, facts: Sequence[Fact], users: Mapping[str, str]
) -> Call | None:
    id = await store.calls.call_of_key(tx, connection.id, key)
    old = await store.calls.calls.find(tx, id) if id else None
    if id and old is None:
        return None  # deleted or erased since
    call = Call()
    if old is not None:
        call.CopyFrom(old)
    else:
        call.id, call.connection_id = tx.new_id(), connection.id
        await store.calls.add_key(tx, connection.id, key, call.id)
    legs = await _legs(tx, call.id, facts)
    asked = call.number if call.direction == Call.DIRECTION_OUTBOUND else ""
    derived = rules.derive(legs, dialled=asked, out_of_hours=_out_of_hours(tx, call))
    await _fill(tx, call, old, derived, connection, users)
    recordings.names(call, facts)
    await _follow(tx, call, old, _users(derived.speaking, users))
    await recordings.on_call_change(tx, old, call, facts)
    return call


async def _legs(tx: Tx, call_id: str, facts: Iterable[Fact]) -> list[LegState]:
    """The call's legs with what these facts say of them; kept where that is new."""
    known = await store.calls.legs_of(tx, call_id)
    before = {id: leg_rules.from_json(id, one) for id, one in known.items()}
    legs = dict(before)
    for fact in facts:
        if fact.leg:
            legs[fact.leg] = rules.apply(legs.get(fact.leg, LegState(fact.leg)), fact)
    for id, leg in legs.items():
        if leg != before.get(id):
            await store.calls.put_leg(tx, call_id, id, leg_rules.to_json(leg))
    return list(legs.values())


def _out_of_hours(tx: Tx, call: Call) -> bool:
    """Whether nobody worked in the department of the call when it began; of a new call it is not known yet."""
    return bool(call.etag) and not _is_open(tx, call)


def _is_open(tx: Tx, call: Call) -> bool:
    return people.is_open(tx, call.department_id, to_datetime(call.start_time))


# -- what is so of the call ----------------------------------------------------------------------------------------------


async def _fill(
    tx: Tx, call: Call, old: Call | None, derived: Derived, connection: Connection,
    users: Mapping[str, str],
) -> None:  # fmt: skip
    call.direction, call.state = derived.direction, derived.state
    call.outcome, call.missed_reason = derived.outcome, derived.missed_reason
    call.talk_seconds, call.hold_seconds = derived.talk_seconds, derived.hold_seconds
    call.wait_seconds = derived.wait_seconds
    for field in ("start", "answer", "end"):
        if at := getattr(derived, field):
            getattr(call, f"{field}_time").FromDatetime(at)
    if not call.HasField("start_time"):
        call.start_time.FromDatetime(tx.now)
    call.rung_user_ids[:] = _users(derived.rang, users)
    call.spoke_user_ids[:] = _users(derived.spoke, users)
    call.number = international(derived.number, connection.country_code or people.country_of(tx))
    call.withheld = derived.withheld
    if call.number and not any(sign.isdigit() for sign in call.number):  # "anonymous", "private"
        call.number, call.withheld = "", True
    line = await _line(tx, call, derived, connection)
    if old is None or _origin(call) != _origin(old):
        await _place(tx, call, line)
    screens.ringing(call, _users(derived.ringing, users))
    _take_part(tx, call, users.get(derived.caller, ""))


def _origin(call: Call) -> tuple[object, ...]:
    """What decides whose call it is; exchanges may tell it piece by piece."""
    return call.direction, call.number, call.line_id


async def _place(tx: Tx, call: Call, line: line_pb2.Line | None) -> None:
    """Who calls, what about, and whose call it is."""
    internal = call.direction == Call.DIRECTION_INTERNAL
    if internal or call.purpose == parts_pb2.PURPOSE_INTERNAL:
        call.purpose = parts_pb2.PURPOSE_INTERNAL if internal else parts_pb2.PURPOSE_UNSPECIFIED
    parties = await linking.name(tx, call)
    await linking.of_line(tx, call, line)
    await linking.guess(tx, call)
    if call.direction == Call.DIRECTION_INBOUND:
        await screens.place(tx, call, line, parties)
    # A new call's department is only known now.
    if call.missed_reason and not _is_open(tx, call):
        call.missed_reason = Call.MISSED_REASON_OUT_OF_HOURS


def _take_part(tx: Tx, call: Call, caller_id: str) -> None:
    """Whoever calls, or spoke first, has the call; everybody who took part reads it.

    One whose phone alone rang has what is nobody's.
    """
    manager = call.owner_id
    if not manager and not call.department_id and len(call.rung_user_ids) == 1:
        call.owner_id = call.rung_user_ids[0]
    if caller_id:
        call.owner_id = caller_id
        call.department_id = call.department_id or people.home_of(tx, caller_id)
        screens.ringing(call, [caller_id] if call.direction == Call.DIRECTION_OUTBOUND else [])
    elif call.spoke_user_ids:
        call.owner_id = call.spoke_user_ids[0]
    taking = [*call.follower_ids, manager, *call.rung_user_ids, *call.spoke_user_ids]
    call.follower_ids[:] = [id for id in dict.fromkeys(taking) if id and id != call.owner_id]


async def _line(
    tx: Tx, call: Call, derived: Derived, connection: Connection
) -> line_pb2.Line | None:
    """Our line by which the call came or went; None if it is none that we know."""
    if not derived.line:
        return await store.lines.find(tx, call.line_id) if call.line_id else None
    number = international(derived.line, connection.country_code or people.country_of(tx))
    line = await store.line_numbered(tx, number)
    if line is not None:
        call.line_id = line.id
    return line


def _users(extensions: Iterable[str], users: Mapping[str, str]) -> list[str]:
    return [users[number] for number in extensions if users.get(number)]


# -- what follows from it ------------------------------------------------------------------------------------------------


async def _follow(tx: Tx, call: Call, old: Call | None, speaking: Sequence[str]) -> None:
    """Saves what has changed, and tells each thing once."""
    was = old if old is not None else Call()
    answered = call.HasField("answer_time") and not was.HasField("answer_time")
    ended = call.state == Call.STATE_ENDED and was.state != Call.STATE_ENDED
    if answered:
        people.act_as(tx, call.spoke_user_ids)
        await missed.spoken(tx, call)
        await linking.touched(tx, call, to_datetime(call.answer_time))
    if ended and call.outcome in missed.MISSED:
        await missed.begin(tx, call)
    elif ended:
        await missed.in_vain(tx, call)
    if old is not None and call == old:
        return
    await presence.on_call_change(tx, call, speaking)
    store.calls.calls.save(tx, call)
    told = False
    if not ended and call.state in _RINGING and was.state not in _RINGING and not answered:
        tx.emit(events.CallRinging(call=call))
        told = True
    if answered:
        tx.emit(events.CallAnswered(call=call))
        told = True
    if ended:
        is_missed = call.outcome in missed.MISSED
        tx.emit(events.CallMissed(call=call) if is_missed else events.CallEnded(call=call))
        if is_missed and call.missed_state != Call.MISSED_STATE_OPEN:
            tx.emit(events.CallReturned(call=call))
        told = True
    if not told:
        tx.emit(events.CallUpdated(call=call))
