"""Facts and commands: everything that goes between an exchange and the calls.

A fact says one thing of one leg (one phone) of one call, with the exchange's time. Facts may come twice, late and in any
order: rules/legs.py takes them all the same. An adapter says what it knows and leaves the rest empty; it may tell BEGAN again
to add what it learnt later. A call over which nobody lives is over, so ENDED must come for every leg that was told of: after a
cut the adapter asks the exchange and makes it up.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """What happened to the leg."""

    BEGAN = "began"
    """It is there; with side, number, line, dialled, path as far as known."""
    RANG = "rang"
    ANSWERED = "answered"
    """It was picked up, by whomever: nobody talks before two legs are joined."""
    JOINED = "joined"
    """It entered `room`: all legs in one room hear each other."""
    LEFT = "left"
    """It left `room`."""
    HELD = "held"
    """Its party put the others on hold."""
    RESUMED = "resumed"
    TRANSFERRED = "transferred"
    """Its party handed the others on to somebody else, and it worked."""
    QUEUED = "queued"
    """It waits in the queue `room`."""
    UNQUEUED = "unqueued"
    """It waits in the queue `room` no more, for whatever reason."""
    HUNG_UP = "hung up"
    """Its own party ended or rejected it; not told where the exchange did."""
    ENDED = "ended"
    """It is gone; with `cause` by Q.850 where known (16 normal, 17 busy, 19 no answer, 21 rejected)."""
    RECORDING = "recording"
    """The call is recorded as `recording`; of the call, its leg is empty."""
    RECORDED = "recorded"
    """The recording `recording` is complete; of the call, its leg is empty."""


class Side(StrEnum):
    """Whose phone a leg is."""

    UNKNOWN = ""
    OUTSIDE = "outside"
    COLLEAGUE = "colleague"
    EXCHANGE = "exchange"
    """The exchange's own, e.g. half of a path that it makes for a transfer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that happened; what is empty is not known, or nothing."""

    call: str
    """The call's key at the exchange."""
    leg: str
    """The leg's id at the exchange, unique over all calls; empty in a fact of the whole call."""
    kind: Kind
    time: datetime
    """The exchange's time."""
    side: Side = Side.UNKNOWN
    number: str = ""
    """The number outside as the exchange writes it, or the colleague's extension, also for his mobile phone."""
    line: str = ""
    """Of a leg outside: the number of ours that it dialled, or is shown."""
    dialled: str = ""
    """Of a colleague's leg: the number outside that he dialled, or is to be connected with; empty for extensions."""
    withheld: bool = False
    """True if the party outside hides its number; `number` is empty then."""
    path: str = ""
    """Of the exchange's own legs: legs of one path hear each other, whatever rooms they are in."""
    room: str = ""
    """Of JOINED and LEFT: in which bridge; of QUEUED and UNQUEUED: in which queue."""
    cause: int = 0
    recording: str = ""


class Order(StrEnum):
    """What an exchange is asked to do."""

    DIAL = "dial"
    HANG_UP = "hang up"
    PAUSE_RECORDING = "pause recording"
    RESUME_RECORDING = "resume recording"
    PLAY = "play"
    """Of the simulated exchange only: go on with `script` from here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One thing that an exchange is asked to do; what it does comes back as facts of `call`."""

    id: str
    order: Order
    call: str
    """The call's key; of DIAL: our own id of the call, which becomes its key (see leg_id)."""
    endpoint: str = ""
    """Of DIAL: how the exchange dials the colleague's own phone, which rings first."""
    number: str = ""
    """Of DIAL: the number outside, in international form."""
    line: str = ""
    """Of DIAL: the number of ours that the customer sees; empty: the exchange's own choice."""
    record: bool = False
    """Of DIAL: whether what is said is to be recorded, as far as the exchange can."""
    script: str = ""
    """Of PLAY: what pbx/scripts.py wrote."""


_MARK = "~"  # in no id that Asterisk makes, which are [system-]seconds.count


def leg_id(call: str, number: int) -> str:
    """The id under which the exchange is asked to make the call's leg with this number, counted from 1."""
    return f"{call}{_MARK}{number}"


def call_of(leg: str) -> str:
    """The call in an id that leg_id made; empty for any other."""
    call, mark, _ = leg.rpartition(_MARK)
    return call if mark else ""
