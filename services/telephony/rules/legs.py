"""What is known of one phone in a call, gathered from facts that may come twice, late and in any order. Pure.

Nothing here depends on the order of arrival: of what happens once the earliest time counts, of what is told more than once the
word of the earliest fact, and what may happen several times is a set.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from crm.telephony.v1 import parts_pb2
from services.telephony.pbx.facts import Fact, Kind, Side
from services.telephony.rules import spans

_TOLD = ("number", "line", "dialled", "path")
_OF_PLACES = frozenset(
    {Kind.JOINED, Kind.LEFT, Kind.HELD, Kind.RESUMED, Kind.QUEUED, Kind.UNQUEUED}
)
_SIDES = (Side.UNKNOWN, Side.OUTSIDE, Side.COLLEAGUE, Side.EXCHANGE)  # whoever knows more is right
_SHOWN = {
    Side.UNKNOWN: parts_pb2.Leg.SIDE_UNSPECIFIED,
    Side.OUTSIDE: parts_pb2.Leg.SIDE_OUTSIDE,
    Side.COLLEAGUE: parts_pb2.Leg.SIDE_COLLEAGUE,
    Side.EXCHANGE: parts_pb2.Leg.SIDE_EXCHANGE,
}

Told = tuple[datetime, str]


@dataclass(frozen=True, slots=True)
class LegState:
    """What is known of a leg; `LegState(id)` where nothing is yet."""

    id: str
    side: Side = Side.UNKNOWN
    withheld: bool = False
    told: Mapping[str, Told] = field(default_factory=dict)
    """Words of it, each with the time of the fact that said so first."""
    firsts: Mapping[Kind, datetime] = field(default_factory=dict)
    """When it first began, rang, was answered, transferred, hung up and ended."""
    seen: frozenset[tuple[Kind, datetime, str]] = frozenset()
    """What may happen several times, with its room or queue."""

    @property
    def number(self) -> str:
        """The number outside, or the extension; empty if not known or withheld."""
        return "" if self.withheld else self._word("number")

    @property
    def line(self) -> str:
        """The number of ours that it dialled or is shown; empty if not known."""
        return self._word("line")

    @property
    def dialled(self) -> str:
        """The number outside that the colleague wants to speak with; empty if none."""
        return self._word("dialled")

    @property
    def path(self) -> str:
        """The exchange's path that it is an end of; empty if none."""
        return self._word("path")

    @property
    def cause(self) -> int:
        """Why it ended, by Q.850; 0 if not told."""
        return int(self._word("cause") or 0)

    @property
    def is_phone(self) -> bool:
        """True of a phone that somebody has in his hand."""
        return self.side in (Side.OUTSIDE, Side.COLLEAGUE)

    @property
    def start(self) -> datetime | None:
        """When it began, or was first heard of; None while nothing is known."""
        return min([*self.firsts.values(), *(t for _, t, _ in self.seen)], default=None)

    @property
    def last(self) -> datetime:
        """When something happened to it last, as far as it was told."""
        return max([*self.firsts.values(), *(t for _, t, _ in self.seen)])

    def at(self, kind: Kind) -> datetime | None:
        """When it first happened to it; None if it did not."""
        return self.firsts.get(kind)

    def times(self, kind: Kind, place: str | None = None) -> list[datetime]:
        """When it happened to it, in order; with a place only there."""
        return sorted(t for k, t, p in self.seen if k is kind and place in (None, p))

    def places(self, kind: Kind) -> list[str]:
        """Where it happened to it, the latest last."""
        return [p for _, p in sorted((t, p) for k, t, p in self.seen if k is kind)]

    def holds(self) -> list[spans.Span]:
        """From when to when its party held the others; open where it does so still."""
        return spans.paired(self.times(Kind.HELD), self.times(Kind.RESUMED), self.at(Kind.ENDED))

    def stays(self) -> list[tuple[str, spans.Span]]:
        """In which rooms it was, from when to when; one whose begin was never told lasts since it was answered."""
        end, found = self.at(Kind.ENDED), []
        for room in sorted({p for k, _, p in self.seen if k in (Kind.JOINED, Kind.LEFT)}):
            joins, lefts = self.times(Kind.JOINED, room), self.times(Kind.LEFT, room)
            answered = self.at(Kind.ANSWERED)
            if answered and lefts and (not joins or lefts[0] < joins[0]):
                joins = [answered, *joins]
            found += [(room, span) for span in spans.paired(joins, lefts, end)]
        return found

    def _word(self, name: str) -> str:
        return self.told[name][1] if name in self.told else ""


def apply(leg: LegState, fact: Fact) -> LegState:
    """What is known of the leg with this fact of it too; the same fact twice, or facts in another order, change nothing."""
    assert fact.leg == leg.id, f"a fact of {fact.leg} is none of {leg.id}"
    told = dict(leg.told)
    words = {name: getattr(fact, name) for name in _TOLD}
    if fact.kind is Kind.ENDED and fact.cause:
        words["cause"] = str(fact.cause)
    for name, word in words.items():
        if word:
            told[name] = min(told.get(name, (fact.time, word)), (fact.time, word))
    known = replace(
        leg,
        side=max(leg.side, fact.side, key=_SIDES.index),
        withheld=leg.withheld or fact.withheld,
        told=told,
    )
    if fact.kind in _OF_PLACES:
        return replace(known, seen=leg.seen | {(fact.kind, fact.time, fact.room)})
    first = min(leg.firsts.get(fact.kind, fact.time), fact.time)
    return replace(known, firsts={**leg.firsts, fact.kind: first})


def to_json(leg: LegState) -> dict[str, Any]:
    """The leg as JSON, without its id, the same for equal legs."""
    return {
        "side": leg.side.value,
        "withheld": leg.withheld,
        "told": {name: [t.isoformat(), word] for name, (t, word) in sorted(leg.told.items())},
        "firsts": {kind.value: t.isoformat() for kind, t in sorted(leg.firsts.items())},
        "seen": [[kind.value, t.isoformat(), place] for kind, t, place in sorted(leg.seen)],
    }


def from_json(id: str, known: Mapping[str, Any]) -> LegState:
    """The leg that to_json was given."""
    when = datetime.fromisoformat
    return LegState(
        id=id,
        side=Side(known["side"]),
        withheld=known["withheld"],
        told={name: (when(t), word) for name, (t, word) in known["told"].items()},
        firsts={Kind(kind): when(t) for kind, t in known["firsts"].items()},
        seen=frozenset((Kind(kind), when(t), place) for kind, t, place in known["seen"]),
    )


def shown(leg: LegState, *, user_id: str = "") -> parts_pb2.Leg:
    """The leg as the API shows it."""
    message = parts_pb2.Leg(
        id=leg.id,
        side=_SHOWN[leg.side],
        number=leg.number,
        user_id=user_id,
        hold_seconds=spans.seconds(leg.holds()),
        cause=leg.cause,
    )
    for name, kind in (
        ("start_time", Kind.BEGAN),
        ("ring_time", Kind.RANG),
        ("answer_time", Kind.ANSWERED),
        ("end_time", Kind.ENDED),
        ("transfer_time", Kind.TRANSFERRED),
    ):
        if at := leg.at(kind):
            getattr(message, name).FromDatetime(at)
    return message
