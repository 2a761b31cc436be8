"""Calls at the simulated exchange: their first facts are taken with the request, so it rings at once; the session plays the rest."""

from datetime import timedelta

from chassis.tx import Tx
from crm.telephony.v1 import call_pb2, connection_pb2, exchange_pb2, extension_pb2
from services.telephony import dialling, errors, people, store, taking
from services.telephony.pbx import scripts
from services.telephony.pbx.facts import Fact, Kind, Order, Side
from services.telephony.pbx.scripts import Scene
from services.telephony.rules import legs as leg_rules
from services.telephony.rules.catalogues import international
from services.telephony.rules.legs import LegState

Call = call_pb2.Call
Act = exchange_pb2.ActSimulatedCallRequest
Connection = connection_pb2.Connection

FIRST_EXTENSION = 101
_ROOM = "room"


async def exchange(tx: Tx) -> Connection:
    """The company's simulated exchange. SimulatorOff once another one is spoken with, or if there is none."""
    used = await store.connections_in_use(tx)
    if len(used) != 1 or used[0].kind != Connection.KIND_SIMULATOR:
        raise errors.SimulatorOff
    return used[0]


async def simulate(tx: Tx, request: exchange_pb2.SimulateCallRequest) -> Call:
    """A call that rings now, or one that is over where it is to be played at once."""
    connection = await exchange(tx)
    scene = await _scene(tx, connection, request)
    steps = scripts.play(request.script, scene)
    if request.at_once:
        whole = timedelta(seconds=sum(after for after, _ in steps))
        facts, rest = scripts.at_once(steps, tx.now - whole), []
    else:
        first = next((at for at, (after, _) in enumerate(steps) if after), len(steps))
        facts, rest = scripts.at_once(steps[:first], tx.now), steps[first:]
    (call,) = await taking.take(tx, connection, facts)
    if call.state != Call.STATE_ENDED:
        await dialling.ask(tx, call, Order.PLAY, script=scripts.to_text(rest))
    return call


async def act(tx: Tx, request: exchange_pb2.ActSimulatedCallRequest) -> Call:
    """What somebody does in a simulated call; what was to be played of it is played no more."""
    connection = await exchange(tx)
    call = await store.calls.calls.get(tx, request.id)
    if call.connection_id != connection.id or call.state == Call.STATE_ENDED:
        raise errors.CallWrongState(
            "acted in", "over, or of another exchange", "simulated and going on"
        )
    known = await store.calls.legs_of(tx, call.id)
    legs = [leg_rules.from_json(id, one) for id, one in known.items()]
    facts = _acted(tx, call, request, legs, await _number(tx, connection, request.user_id))
    await dialling.ask(tx, call, Order.PLAY, script=scripts.to_text([]))
    key = (await store.calls.keys_of(tx, call.id))[0]
    facts = [Fact(call=key, leg=leg, kind=kind, time=tx.now, room=room, cause=cause) for leg, kind, room, cause in facts]  # fmt: skip
    if request.act in (Act.ACT_ANSWER, Act.ACT_CUSTOMER_ANSWERS) and await _is_recorded(tx, call):
        facts.append(scripts.recording(key, Kind.RECORDING, tx.now))
    (changed,) = await taking.take(tx, connection, facts)
    return changed


async def _is_recorded(tx: Tx, call: Call) -> bool:
    line = await store.lines.find(tx, call.line_id) if call.line_id else None
    return line is not None and line.record


async def _number(tx: Tx, connection: Connection, user_id: str) -> str:
    """The extension of whoever acts."""
    mine = await store.extensions_of(tx, [user_id or people.user_of(tx.actor)])
    return next((each.number for each in mine if each.connection_id == connection.id), "")


_Done = tuple[str, Kind, str, int]


def _acted(
    tx: Tx, call: Call, request: exchange_pb2.ActSimulatedCallRequest, legs: list[LegState], extension: str
) -> list[_Done]:  # fmt: skip
    """(leg, what happens, room, cause)."""
    living = [leg for leg in legs if leg.at(Kind.ENDED) is None]
    outside = next((leg for leg in living if leg.side is Side.OUTSIDE), None)
    own = next(
        (leg for leg in living if leg.side is Side.COLLEAGUE and leg.number == extension), None
    )
    done: list[_Done] = []
    if request.act == Act.ACT_ANSWER:
        if own is None or outside is None or own.at(Kind.ANSWERED):
            raise errors.CallWrongState(
                "answered", "not ringing at this extension", "ringing there"
            )
        done = [(own.id, Kind.ANSWERED, "", 0), (outside.id, Kind.ANSWERED, "", 0)]
        done += [(leg.id, Kind.JOINED, _ROOM, 0) for leg in (outside, own)]
        done += [(leg.id, Kind.ENDED, "", 26) for leg in living if leg not in (outside, own)]
        return done
    if request.act == Act.ACT_CUSTOMER_ANSWERS:
        spoken = [leg for leg in living if leg.side is Side.COLLEAGUE and leg.at(Kind.ANSWERED)]
        if outside is None or outside.at(Kind.ANSWERED) or not spoken:
            raise errors.CallWrongState(
                "answered by the customer", "not ringing there", "ringing there"
            )
        return [(outside.id, Kind.ANSWERED, "", 0), (outside.id, Kind.JOINED, _ROOM, 0), (spoken[0].id, Kind.JOINED, _ROOM, 0)]  # fmt: skip
    cause = 17 if request.act == Act.ACT_CUSTOMER_BUSY else 16
    hangs_up = own if request.act == Act.ACT_COLLEAGUE_HANGS_UP else outside
    if hangs_up is not None:
        if hangs_up is own and own.at(Kind.ANSWERED) is None:
            cause = 21
        done.append((hangs_up.id, Kind.HUNG_UP, "", 0))
    return done + [(leg.id, Kind.ENDED, "", cause) for leg in living]


async def _scene(
    tx: Tx, connection: Connection, request: exchange_pb2.SimulateCallRequest
) -> Scene:
    lines = [
        each for each in await store.living_lines(tx) if each.connection_id in ("", connection.id)
    ]
    line = lines[0] if lines else None
    if request.to_number:
        number = international(request.to_number, people.country_of(tx))
        line = await store.line_numbered(tx, number)
        if line is None:
            raise errors.ReferenceUnknown("to_number", f"line {request.to_number}")
    rings = (
        list(request.user_ids)
        or (list(line.user_ids) if line else [])
        or [people.user_of(tx.actor)]
    )
    extensions = [await _extension(tx, connection, id, at) for at, id in enumerate(rings)]
    needs = (
        2
        if request.script
        in (
            exchange_pb2.SimulateCallRequest.SCRIPT_BLIND_TRANSFER,
            exchange_pb2.SimulateCallRequest.SCRIPT_ATTENDED_TRANSFER,
        )
        else 1
    )
    if len(extensions) < needs:
        raise errors.ReferenceUnknown("user_ids", "second colleague to whom it is transferred")
    return Scene(
        f"sim-{tx.new_id()}", request.number, line.number if line else "", [each.number for each in extensions],
        request.ring_seconds or scripts.RING_S, request.talk_seconds or scripts.TALK_S,
        record=line is not None and line.record,
    )  # fmt: skip


async def _extension(
    tx: Tx, connection: Connection, user_id: str, at: int
) -> extension_pb2.Extension:
    """The colleague's extension at the simulated exchange, which gives one to everybody."""
    if not people.is_active(tx, user_id):
        raise errors.ReferenceUnknown(f"user_ids[{at}]", f"active user {user_id}")
    mine = await store.extensions_of(tx, [user_id])
    found = next((each for each in mine if each.connection_id == connection.id), None)
    if found is not None:
        return found
    await tx.lock(f"extensions {connection.id}")
    taken = {each.number for each in await store.extensions_at(tx, connection.id)}
    number = next(
        n for n in range(FIRST_EXTENSION, FIRST_EXTENSION + len(taken) + 1) if str(n) not in taken
    )
    made = extension_pb2.Extension(
        id=tx.new_id(), number=str(number), connection_id=connection.id, user_id=user_id
    )
    store.extensions.save(tx, made)
    await tx.flush()
    await store.leases.extensions_changed(tx, connection.id)
    return made
