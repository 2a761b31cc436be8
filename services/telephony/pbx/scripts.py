"""What happens in a simulated call, as the facts that an exchange would tell, each with its second. Pure."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

from crm.telephony.v1 import exchange_pb2
from services.telephony.pbx.facts import Fact, Kind, Side, leg_id

Script = exchange_pb2.SimulateCallRequest.Script

RING_S, TALK_S, HOLD_S = 3, 5, 2
OUTSIDE = 1
"""The number of the customer's leg; those of colleagues follow it."""
_ROOM, _SECOND_ROOM, _QUEUE = "room", "second room", "queue"
_NORMAL, _BUSY, _NO_ANSWER, _REJECTED, _ELSEWHERE = 16, 17, 19, 21, 26  # Q.850


@dataclass(frozen=True, slots=True)
class Scene:
    """Who plays: the caller, the line he dials, and at which extensions it rings."""

    call: str
    number: str
    line: str
    extensions: Sequence[str]
    ring_s: float = RING_S
    talk_s: float = TALK_S
    record: bool = False
    """Whether what is said is recorded."""


Step = tuple[float, Fact]
"""(seconds after the one before, what happens; its time is filled when it does)."""

_SOME = datetime.min.replace(tzinfo=UTC)


def play(script: "Script.ValueType", scene: Scene) -> list[Step]:
    """Everything that happens, in its order."""
    return recorded(scene, list(_SCRIPTS.get(script, _answered)(scene)))


def recorded(scene: Scene, steps: list[Step]) -> list[Step]:
    """The same; where the scene is recorded, from the moment they hear each other until everything is over."""
    joined = [at for at, (_, fact) in enumerate(steps) if fact.kind is Kind.JOINED]
    if not scene.record or not joined:
        return steps
    begins_at = joined[0] + 1
    ends = [(0.0, recording(scene.call, Kind.RECORDED))] if steps[-1][1].kind is Kind.ENDED else []
    begun = (0.0, recording(scene.call, Kind.RECORDING))
    return [*steps[:begins_at], begun, *steps[begins_at:], *ends]


def recording(call: str, kind: Kind, time: datetime = _SOME) -> Fact:
    """The call is recorded, or its recording is complete."""
    return Fact(call=call, leg="", kind=kind, time=time, recording=f"{call}.wav")


def at_once(steps: Sequence[Step], start: datetime) -> list[Fact]:
    """The facts with the times that they would have had."""
    facts, at = [], start
    for seconds, fact in steps:
        at += timedelta(seconds=seconds)
        facts.append(replace(fact, time=at))
    return facts


def to_text(steps: Sequence[Step]) -> str:
    """The steps as a command carries them."""
    return json.dumps([[after, {**asdict(fact), "time": ""}] for after, fact in steps])


def from_text(text: str) -> list[Step]:
    """The steps that to_text was given."""
    return [
        (
            after,
            Fact(**{**told, "kind": Kind(told["kind"]), "side": Side(told["side"]), "time": _SOME}),
        )
        for after, told in json.loads(text)
    ]


def outside(scene: Scene, kind: Kind, after: float = 0, **given: str | int) -> Step:
    """Something that happens to the customer's leg."""
    return after, Fact(
        call=scene.call, leg=leg_id(scene.call, OUTSIDE), kind=kind, time=_SOME, **given
    )  # type: ignore[arg-type]


def colleague(scene: Scene, at: int, kind: Kind, after: float = 0, **given: str | int) -> Step:
    """Something that happens to the leg of the colleague with this place among the extensions."""
    fact = Fact(
        call=scene.call, leg=leg_id(scene.call, OUTSIDE + 1 + at), kind=kind, time=_SOME,
        side=Side.COLLEAGUE, number=scene.extensions[at], **given,  # type: ignore[arg-type]
    )  # fmt: skip
    return after, fact


def begins(scene: Scene) -> Iterator[Step]:
    """The customer's call comes in."""
    fact = Fact(
        call=scene.call, leg=leg_id(scene.call, OUTSIDE), kind=Kind.BEGAN, time=_SOME, side=Side.OUTSIDE,
        number=scene.number, withheld=not scene.number, line=scene.line,
    )  # fmt: skip
    yield 0, fact


def rings(scene: Scene, at: int) -> Iterator[Step]:
    """A colleague's phone rings."""
    yield colleague(scene, at, Kind.BEGAN)
    yield colleague(scene, at, Kind.RANG)


def speak(scene: Scene, at: int, room: str = _ROOM) -> Iterator[Step]:
    """A colleague picks up and is joined with the customer."""
    yield colleague(scene, at, Kind.ANSWERED)
    yield outside(scene, Kind.ANSWERED)
    yield outside(scene, Kind.JOINED, room=room)
    yield colleague(scene, at, Kind.JOINED, room=room)


def over(
    scene: Scene, *places: int, by_customer: bool = True, cause: int = _NORMAL
) -> Iterator[Step]:
    """Somebody hangs up, and everything that is left ends."""
    if by_customer:
        yield outside(scene, Kind.HUNG_UP)
    elif places:
        yield colleague(scene, places[0], Kind.HUNG_UP)
    yield from ended(scene, *places, cause=cause)


def ended(scene: Scene, *places: int, cause: int) -> Iterator[Step]:
    """Everything that is left ends, and nobody has hung up."""
    for at in places:
        yield colleague(scene, at, Kind.ENDED, cause=cause)
    yield outside(scene, Kind.ENDED, cause=cause)


def _later(seconds: float, steps: Iterator[Step]) -> Iterator[Step]:
    """The same, beginning so many seconds later."""
    for at, (after, fact) in enumerate(steps):
        yield (after + seconds if at == 0 else after), fact


def _answered(scene: Scene) -> Iterator[Step]:
    yield from begins(scene)
    yield from rings(scene, 0)
    yield from _later(scene.ring_s, speak(scene, 0))
    yield from _later(scene.talk_s, over(scene, 0))


def _no_answer(scene: Scene) -> Iterator[Step]:
    yield from begins(scene)
    for at in range(len(scene.extensions)):
        yield from rings(scene, at)
    yield from _later(scene.ring_s, ended(scene, *range(len(scene.extensions)), cause=_NO_ANSWER))  # fmt: skip


def _abandoned(scene: Scene) -> Iterator[Step]:
    yield from begins(scene)
    for at in range(len(scene.extensions)):
        yield from rings(scene, at)
    yield from _later(scene.ring_s, over(scene, *range(len(scene.extensions))))


def _rejected(scene: Scene) -> Iterator[Step]:
    yield from begins(scene)
    yield from rings(scene, 0)
    yield from _later(scene.ring_s, over(scene, 0, by_customer=False, cause=_REJECTED))


def _abandoned_in_queue(scene: Scene) -> Iterator[Step]:
    yield from begins(scene)
    yield outside(scene, Kind.ANSWERED)
    yield outside(scene, Kind.QUEUED, room=_QUEUE)
    yield outside(scene, Kind.UNQUEUED, after=scene.ring_s, room=_QUEUE)
    yield from over(scene)


def _held(scene: Scene) -> Iterator[Step]:
    yield from begins(scene)
    yield from rings(scene, 0)
    yield from _later(scene.ring_s, speak(scene, 0))
    yield colleague(scene, 0, Kind.HELD, after=scene.talk_s / 2)
    yield colleague(scene, 0, Kind.RESUMED, after=HOLD_S)
    yield from _later(scene.talk_s / 2, over(scene, 0))


def _blind_transfer(scene: Scene) -> Iterator[Step]:
    yield from begins(scene)
    yield from rings(scene, 0)
    yield from _later(scene.ring_s, speak(scene, 0))
    yield colleague(scene, 0, Kind.TRANSFERRED, after=scene.talk_s)
    yield colleague(scene, 0, Kind.LEFT, room=_ROOM)
    yield outside(scene, Kind.LEFT, room=_ROOM)
    yield colleague(scene, 0, Kind.ENDED, cause=_NORMAL)
    yield from rings(scene, 1)
    yield from _later(scene.ring_s, speak(scene, 1, _SECOND_ROOM))
    yield from _later(scene.talk_s, over(scene, 1))


def _attended_transfer(scene: Scene) -> Iterator[Step]:
    yield from begins(scene)
    yield from rings(scene, 0)
    yield from _later(scene.ring_s, speak(scene, 0))
    yield colleague(scene, 0, Kind.HELD, after=scene.talk_s)
    yield from rings(scene, 1)
    yield colleague(scene, 1, Kind.ANSWERED, after=scene.ring_s)
    yield colleague(scene, 0, Kind.TRANSFERRED, after=HOLD_S)
    yield colleague(scene, 0, Kind.LEFT, room=_ROOM)
    yield colleague(scene, 0, Kind.ENDED, cause=_NORMAL)
    yield colleague(scene, 1, Kind.JOINED, room=_ROOM)
    yield from _later(scene.talk_s, over(scene, 1))


def _ring_group(scene: Scene) -> Iterator[Step]:
    yield from begins(scene)
    for at in range(len(scene.extensions)):
        yield from rings(scene, at)
    yield from _later(scene.ring_s, speak(scene, 0))
    for at in range(1, len(scene.extensions)):
        yield colleague(scene, at, Kind.ENDED, cause=_ELSEWHERE)
    yield from _later(scene.talk_s, over(scene, 0))


def _by_hand(scene: Scene) -> Iterator[Step]:
    yield from begins(scene)
    for at in range(len(scene.extensions)):
        yield from rings(scene, at)


_SCRIPTS: "dict[Script.ValueType, Callable[[Scene], Iterator[Step]]]" = {
    exchange_pb2.SimulateCallRequest.SCRIPT_ANSWERED: _answered,
    exchange_pb2.SimulateCallRequest.SCRIPT_NO_ANSWER: _no_answer,
    exchange_pb2.SimulateCallRequest.SCRIPT_ABANDONED: _abandoned,
    exchange_pb2.SimulateCallRequest.SCRIPT_REJECTED: _rejected,
    exchange_pb2.SimulateCallRequest.SCRIPT_ABANDONED_IN_QUEUE: _abandoned_in_queue,
    exchange_pb2.SimulateCallRequest.SCRIPT_HELD: _held,
    exchange_pb2.SimulateCallRequest.SCRIPT_BLIND_TRANSFER: _blind_transfer,
    exchange_pb2.SimulateCallRequest.SCRIPT_ATTENDED_TRANSFER: _attended_transfer,
    exchange_pb2.SimulateCallRequest.SCRIPT_RING_GROUP: _ring_group,
    exchange_pb2.SimulateCallRequest.SCRIPT_BY_HAND: _by_hand,
}


def dialled(scene: Scene) -> list[Step]:
    """A colleague calls the customer: his own phone rings, he picks up, the customer's phone rings and is picked up."""
    own = {"dialled": scene.number}
    steps = [
        colleague(scene, 0, Kind.BEGAN, **own),
        colleague(scene, 0, Kind.RANG),
        colleague(scene, 0, Kind.ANSWERED, after=1),
        *begins(scene),
        outside(scene, Kind.RANG),
        outside(scene, Kind.ANSWERED, after=scene.ring_s),
        outside(scene, Kind.JOINED, room=_ROOM),
        colleague(scene, 0, Kind.JOINED, room=_ROOM),
    ]
    return recorded(scene, steps)
