"""Who spoke with whom and when: from the rooms in which the legs of a call were. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from services.telephony.pbx.facts import Side
from services.telephony.rules.legs import LegState
from services.telephony.rules.spans import Span


@dataclass(frozen=True, slots=True)
class Talk:
    """Phones that heard each other for a while; `end` None while they do."""

    start: datetime
    end: datetime | None
    phones: tuple[LegState, ...]

    @property
    def span(self) -> Span:
        """From when to when."""
        return self.start, self.end


def talks(legs: Sequence[LegState]) -> list[Talk]:
    """When the customer and somebody else heard each other, in order; among colleagues only where nobody outside takes part.

    A colleague who asks another one before he hands the customer on speaks with that one, not with the customer.
    """
    outside = any(leg.side is Side.OUTSIDE for leg in legs)
    stays = [(leg, room, span) for leg in legs for room, span in leg.stays()]
    cuts = sorted({t for _, _, span in stays for t in span if t is not None})
    found = []
    for start, end in pairwise([*cuts, None]):
        assert start is not None
        there = [(leg, room) for leg, room, (a, b) in stays if a <= start and (b is None or b > start)]  # fmt: skip
        for circle in _circles(there):
            phones = tuple(leg for leg in legs if leg.is_phone and leg.id in circle)
            sides = [leg.side for leg in phones]
            if len(phones) > 1 and (not outside or Side.OUTSIDE in sides):
                found.append(Talk(start, end, phones))
    return found


def _circles(there: Iterable[tuple[LegState, str]]) -> list[set[str]]:
    """The legs that hear each other: those in one room, and those in rooms that a path of the exchange joins."""
    circles: list[tuple[set[str], set[str]]] = []
    for leg, room in there:
        marks = {f"room {room}"} | ({f"path {leg.path}"} if leg.path else set())
        legs = {leg.id}
        for circle in [c for c in circles if c[0] & marks]:
            circles.remove(circle)
            marks |= circle[0]
            legs |= circle[1]
        circles.append((marks, legs))
    return [legs for _, legs in circles]
