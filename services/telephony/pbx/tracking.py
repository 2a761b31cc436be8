"""Which leg belongs to which call, where the exchange does not say so with every event.

Legs, paths of the exchange and rooms are linked as they are met; as soon as the call of one of them is known it is that of all,
and their facts, which waited, are told. A leg that is handed over to another call ends in the one and begins in the other.
"""

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.telephony.pbx.facts import Fact, Kind, call_of

KEPT = 5_000
"""Members that are gone and still known: late and doubled events of theirs find their call."""


@dataclass(eq=False, slots=True)
class _Group:
    call: str = ""
    members: set[str] = field(default_factory=set)
    waiting: list[Fact] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class _Member:
    group: _Group
    began: Fact | None = None
    room: str = ""
    is_leg: bool = False
    former: set[str] = field(default_factory=set)
    """Calls that it was handed over from: what still names them is late."""


class Tracking:
    """Knows the members of calls: legs by their ids, and whatever else ties them together by names of the reader's."""

    def __init__(self, known: Mapping[str, str]) -> None:
        """`known` are the calls of legs that lived before, by leg."""
        self._members: dict[str, _Member] = {}
        self._gone: dict[str, None] = {}
        for leg, call in known.items():
            self.place(leg, call)
            self._members[leg].is_leg = True

    def call_of(self, member: str) -> str:
        """The call it belongs to; empty if that is not known."""
        return self._members[member].group.call if member in self._members else ""

    def room_of(self, leg: str) -> str:
        """The room in which it is, as far as told."""
        return self._members[leg].room if leg in self._members else ""

    def has_begun(self, leg: str) -> bool:
        """True if its BEGAN came by."""
        return leg in self._members and self._members[leg].began is not None

    def place(self, member: str, call: str) -> list[Fact]:
        """Says whose it is, unless that is known; gives the facts that waited for it."""
        group = self._member(member).group
        if group.call:
            return []
        group.call = call
        return self._released(group)

    def link(self, one: str, other: str) -> list[Fact]:
        """Says that both are of one call, unless they are known to be of two; gives the facts that waited for it."""
        a, b = self._member(one).group, self._member(other).group
        if a is b or (a.call and b.call):
            return []
        if b.call:
            a, b = b, a
        a.members |= b.members
        a.waiting += b.waiting
        for name in b.members:
            self._members[name].group = a
        return self._released(a)

    def tell(self, member: str, fact: Fact) -> list[Fact]:
        """The fact with the call of this member, or nothing if it has to wait for that."""
        known = self._member(member)
        known.is_leg = known.is_leg or fact.leg == member
        if fact.kind is Kind.BEGAN and known.began is None:
            known.began = fact
        elif fact.kind is Kind.JOINED:
            known.room = fact.room
        elif fact.kind is Kind.LEFT and known.room == fact.room:
            known.room = ""
        known.group.waiting.append(fact)
        told = self._released(known.group)
        if fact.kind is Kind.ENDED:
            self.over(member)
        return told

    def move(self, leg: str, call: str, *, at: datetime) -> list[Fact]:
        """Hands the leg over to another call: it ends in its own and begins in that, unless it came from there."""
        known, old = self._member(leg), self.call_of(leg)
        if not old or old == call or call in known.former:
            return []
        known.former.add(old)
        known.group.members.discard(leg)
        known.group = _Group(call, {leg})
        began = known.began or Fact(call=old, leg=leg, kind=Kind.BEGAN, time=at)
        facts = [
            Fact(call=old, leg=leg, kind=Kind.ENDED, time=at, cause=16),
            replace(began, call=call, time=at),
            Fact(call=call, leg=leg, kind=Kind.ANSWERED, time=at),
        ]
        if known.room:
            facts.append(Fact(call=call, leg=leg, kind=Kind.JOINED, time=at, room=known.room))
        return facts

    def hand_over(
        self,
        first: str,
        second: str,
        *,
        others: Iterable[str],
        rooms: Collection[str],
        at: datetime,
    ) -> list[Fact]:
        """What an attended transfer does where it joins two calls: who was in the second one is in the first from now on.

        `first` and `second` are the legs of who transfers in either call; `others` and whoever is in the rooms is moved.
        """
        call, asked = self.call_of(first), self.call_of(second)
        if not call or not asked or call == asked:
            return []
        there = [name for name, member in self._members.items() if member.room in rooms]
        moved = {name for name in (*others, *there) if self.call_of(name) == asked} - {second}
        return [fact for leg in sorted(moved) for fact in self.move(leg, call, at=at)]

    def over(self, member: str) -> None:
        """Says that it is gone, so that it may be forgotten after a while."""
        if member in self._members:
            self._gone.setdefault(member)
        while len(self._gone) > KEPT:
            oldest = next(iter(self._gone))
            del self._gone[oldest]
            self._members.pop(oldest).group.members.discard(oldest)

    def lost(self, living: AbstractSet[str], *, at: datetime) -> list[Fact]:
        """Ends the legs that live no more although nobody said so; `living` are the ids of all that do."""
        facts: list[Fact] = []
        for name in [n for n in self._members if n not in living and n not in self._gone]:
            member = self._members[name]
            if member.is_leg:
                facts += self.tell(name, Fact(call="", leg=name, kind=Kind.ENDED, time=at))
            elif not member.group.members & living:
                self.over(name)
        return facts

    def _member(self, name: str) -> _Member:
        if name not in self._members:
            self._members[name] = _Member(_Group(call_of(name), {name}))
        return self._members[name]

    def _released(self, group: _Group) -> list[Fact]:
        if not group.call:
            return []
        told = [replace(fact, call=group.call) for fact in group.waiting]
        group.waiting = []
        return told
