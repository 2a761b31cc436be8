"""Tells what happens in a call as an exchange would, in few words; times are seconds since it began."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.telephony.pbx.facts import Fact, Kind, Side
from services.telephony.rules import calls
from services.telephony.rules.calls import Derived
from services.telephony.rules.legs import LegState, apply

START = datetime(2026, 11, 23, 9, tzinfo=UTC)
CUSTOMER, LINE = "48600100200", "48300000201"


def after(seconds: float) -> datetime:
    """The time so many seconds after the call began."""
    return START + timedelta(seconds=seconds)


class Story:
    """The facts of one call, in the order in which they are told."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []

    def tell(self, at: float, leg: str, kind: Kind, **more: Any) -> "Story":
        self.facts.append(Fact(call="c", leg=leg, kind=kind, time=after(at), **more))
        return self

    def customer(self, at: float = 0, number: str = CUSTOMER) -> "Story":
        """Somebody outside calls."""
        return self.tell(
            at, "customer", Kind.BEGAN, side=Side.OUTSIDE, number=number, line=LINE, withheld=not number
        )  # fmt: skip

    def calls_out(self, at: float, leg: str = "customer") -> "Story":
        """The customer is dialled."""
        return self.tell(at, leg, Kind.BEGAN, side=Side.OUTSIDE, number=CUSTOMER, line=LINE)

    def phone(self, at: float, extension: str, leg: str = "", dialled: str = "") -> "Story":
        """A colleague's phone takes part."""
        return self.tell(
            at, leg or extension, Kind.BEGAN, side=Side.COLLEAGUE, number=extension, dialled=dialled
        )  # fmt: skip

    def rings(self, at: float, *extensions: str) -> "Story":
        """Phones of colleagues begin to ring."""
        for extension in extensions:
            self.phone(at, extension).tell(at, extension, Kind.RANG)
        return self

    def meet(self, at: float, *legs: str, room: str = "room") -> "Story":
        """The phones are picked up, as far as they were not, and their parties hear each other."""
        for leg in legs:
            self.tell(at, leg, Kind.ANSWERED).tell(at, leg, Kind.JOINED, room=room)
        return self

    def part(self, at: float, *legs: str, room: str = "room") -> "Story":
        """They leave the room."""
        for leg in legs:
            self.tell(at, leg, Kind.LEFT, room=room)
        return self

    def end(self, at: float, *legs: str, cause: int = 16) -> "Story":
        """They are gone."""
        for leg in legs:
            self.tell(at, leg, Kind.ENDED, cause=cause)
        return self

    def hangs_up(self, at: float, leg: str = "customer", cause: int = 16) -> "Story":
        """A party ends it itself."""
        return self.tell(at, leg, Kind.HUNG_UP).end(at, leg, cause=cause)

    def legs(self) -> list[LegState]:
        """What is known of the legs."""
        legs: dict[str, LegState] = {}
        for fact in self.facts:
            legs[fact.leg] = apply(legs.get(fact.leg, LegState(fact.leg)), fact)
        return list(legs.values())

    def derived(self, **more: Any) -> Derived:
        """What is so of the call."""
        return calls.derive(self.legs(), **more)
