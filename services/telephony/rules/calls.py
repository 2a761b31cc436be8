"""A call as its legs tell it: who called whom, how far it is, how it ended. Pure; the order in which facts came never matters.

They spoke when the customer's phone and another one were in one room: that a queue, an announcement or a voicemail picked up
is no answer. A call is over when no leg of it lives. One call has one outcome, however many phones rang.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from crm.telephony.v1 import call_pb2
from services.telephony.pbx.facts import Kind, Side
from services.telephony.rules import spans, talking
from services.telephony.rules.legs import LegState, apply

__all__ = ["Derived", "LegState", "apply", "derive"]

Call = call_pb2.Call

_NOT_OVER, _NOT_MISSED = Call.OUTCOME_UNSPECIFIED, Call.MISSED_REASON_UNSPECIFIED
_NEVER = datetime.min.replace(tzinfo=UTC)  # before everything
_BUSY = (17, 21)  # Q.850: user busy, call rejected; phones reject with either
_NO_ANSWER = (18, 19)  # Q.850: no user responding, user alerting but no answer
_TOGETHER = timedelta(seconds=1)
"""A phone that ended this little before the caller hung up ended because of it: exchanges tell the two in either order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """What is so of a call; numbers are as the exchange writes them, colleagues are extensions."""

    direction: Call.Direction
    state: Call.State
    """ACTIVE since they spoke, also while another phone rings to which the customer is handed on."""
    outcome: Call.Outcome = _NOT_OVER
    missed_reason: Call.MissedReason = _NOT_MISSED
    number: str = ""
    """The number outside; empty if withheld or not known."""
    withheld: bool = False
    line: str = ""
    """The number of ours that was dialled or shown; empty if not known."""
    queue: str = ""
    """The queue in which the caller is, or was last; empty if none."""
    start: datetime | None = None
    """None while nothing was told of any leg."""
    answer: datetime | None = None
    end: datetime | None = None
    talk_seconds: int = 0
    """On hold included; of a call that is not over, what is over of it."""
    hold_seconds: int = 0
    wait_seconds: int = 0
    """From the start until they spoke or, where they never did, whoever called was gone."""
    rang: tuple[str, ...] = ()
    """Whose phones rang, in this order, each once."""
    ringing: tuple[str, ...] = ()
    """Whose phones ring at this time."""
    caller: str = ""
    """Of a call that a colleague makes: his extension; empty if not known."""
    spoke: tuple[str, ...] = ()
    """Who spoke with the customer, in this order, each once; of an internal call everybody."""
    speaking: tuple[str, ...] = ()
    """Who of them speaks at this time."""
    transferred: bool = False
    """True if somebody handed it on, whether or not anybody took it."""


def derive(legs: Iterable[LegState], *, dialled: str = "", out_of_hours: bool = False) -> Derived:
    """What is so of the call with these legs.

    `dialled` is the number outside that we were asked to dial, if we were: such a call is outbound before any leg is told of.
    `out_of_hours` says that nobody works at the time of its start.
    """
    ordered = sorted(legs, key=lambda leg: (leg.start or _NEVER, leg.id))
    phones = [leg for leg in ordered if leg.is_phone]
    said = talking.talks(ordered)
    direction = _direction(phones, dialled)
    over = bool(ordered) and all(leg.at(Kind.ENDED) for leg in ordered)
    start = min((leg.start for leg in ordered if leg.start), default=None)
    answer = said[0].start if said else None
    end = max(leg.firsts[Kind.ENDED] for leg in phones or ordered) if over else None
    held = _held(phones, said)
    outcome, reason = _ended(direction, phones, said) if over else (_NOT_OVER, _NOT_MISSED)
    if reason and out_of_hours:
        reason = Call.MISSED_REASON_OUT_OF_HOURS
    return Derived(
        direction=direction,
        state=_state(phones, over=over, spoke=bool(said)),
        outcome=outcome,
        missed_reason=reason,
        start=start,
        answer=answer,
        end=end,
        talk_seconds=spans.seconds([*(talk.span for talk in said), *held]),
        hold_seconds=spans.seconds(held),
        wait_seconds=_waited(phones, start, answer or end),
        spoke=_each_once(_speakers(said)),
        speaking=_each_once(_speakers(talk for talk in said if talk.end is None)),
        caller=_caller(phones, direction),
        transferred=any(leg.at(Kind.TRANSFERRED) for leg in phones),
        **_numbers(phones, dialled),
        **_rung(phones),
    )


def _numbers(phones: Sequence[LegState], dialled: str) -> dict[str, Any]:
    outside = [leg for leg in phones if leg.side is Side.OUTSIDE]
    if phones and phones[0].side is Side.OUTSIDE and not dialled:
        outside = [phones[0]]  # whoever else is outside was called for the caller
    numbers = [leg.number for leg in outside] + [dialled] + [leg.dialled for leg in phones[:1]]
    queues = [leg.places(Kind.QUEUED) for leg in phones]
    return {
        "number": next(filter(None, numbers), ""),
        "withheld": any(leg.withheld for leg in outside),
        "line": next((leg.line for leg in outside if leg.line), ""),
        "queue": next((places[-1] for places in queues if places), ""),
    }


def _direction(phones: Sequence[LegState], dialled: str) -> Call.Direction:
    if dialled:
        return Call.DIRECTION_OUTBOUND
    if not phones:
        return Call.DIRECTION_UNSPECIFIED
    if phones[0].side is Side.OUTSIDE:
        return Call.DIRECTION_INBOUND
    outbound = phones[0].dialled or any(leg.side is Side.OUTSIDE for leg in phones)
    return Call.DIRECTION_OUTBOUND if outbound else Call.DIRECTION_INTERNAL


def _state(phones: Sequence[LegState], *, over: bool, spoke: bool) -> Call.State:
    if over:
        return Call.STATE_ENDED
    if spoke:
        return Call.STATE_ACTIVE
    return Call.STATE_QUEUED if any(map(_waits, phones)) else Call.STATE_RINGING


def _waits(leg: LegState, at: datetime | None = None) -> bool:
    """True if it is in a queue, or was at that time."""
    waits = spans.paired(leg.times(Kind.QUEUED), leg.times(Kind.UNQUEUED), leg.at(Kind.ENDED))
    if at is None:
        return any(end is None for _, end in waits)
    return any(begin <= at and (end is None or end > at - _TOGETHER) for begin, end in waits)


def _waited(phones: Sequence[LegState], start: datetime | None, until: datetime | None) -> int:
    until = until or (phones[0].at(Kind.ENDED) if phones else None)
    return spans.seconds([(start, until)]) if start and until else 0


def _held(phones: Sequence[LegState], said: Sequence[talking.Talk]) -> list[spans.Span]:
    """When colleagues held the customer, until he spoke with somebody else, or was gone."""
    if not said:
        return []
    gone = [leg.at(Kind.ENDED) for leg in phones if leg.side is Side.OUTSIDE]
    never: list[spans.Span] = [(_NEVER, said[0].start)]
    if gone and all(gone):
        never.append((max(t for t in gone if t), None))
    held: list[spans.Span] = []
    for leg in phones:
        if leg.side is Side.COLLEAGUE:
            others = [talk.span for talk in said if leg not in talk.phones]
            held += spans.without(leg.holds(), [*others, *never])
    return spans.union(held)


def _caller(phones: Sequence[LegState], direction: Call.Direction) -> str:
    colleagues = [leg.number for leg in phones if leg.side is Side.COLLEAGUE]
    return colleagues[0] if colleagues and direction != Call.DIRECTION_INBOUND else ""


def _speakers(said: Iterable[talking.Talk]) -> list[LegState]:
    return [leg for talk in said for leg in talk.phones if leg.side is Side.COLLEAGUE]


def _rung(phones: Sequence[LegState]) -> dict[str, Any]:
    rang = [leg for leg in phones if leg.side is Side.COLLEAGUE and leg.at(Kind.RANG)]
    rang.sort(key=lambda leg: (leg.firsts[Kind.RANG], leg.id))
    now = [leg for leg in rang if not leg.at(Kind.ANSWERED) and not leg.at(Kind.ENDED)]
    return {"rang": _each_once(rang), "ringing": _each_once(now)}


def _each_once(legs: Iterable[LegState]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(leg.number for leg in legs if leg.number))


def _ended(
    direction: Call.Direction, phones: Sequence[LegState], said: Sequence[talking.Talk]
) -> tuple[Call.Outcome, Call.MissedReason]:
    """How the call ended and, where it was missed, why."""
    if said:
        handed_on = _handed_on(phones, said)
        return (Call.OUTCOME_TRANSFERRED if handed_on else Call.OUTCOME_ANSWERED), _NOT_MISSED
    if direction == Call.DIRECTION_INBOUND:
        return _missed(phones[0], [leg for leg in phones if leg.side is Side.COLLEAGUE])
    if direction == Call.DIRECTION_OUTBOUND:
        return _unreached([leg for leg in phones if leg.side is Side.OUTSIDE]), _NOT_MISSED
    return _unreached(phones[1:]), _NOT_MISSED


def _handed_on(phones: Sequence[LegState], said: Sequence[talking.Talk]) -> bool:
    """True if somebody handed it on, and another colleague spoke with the customer afterwards."""
    given = [(leg.number, t) for leg in phones if (t := leg.at(Kind.TRANSFERRED))]
    return any(
        leg.number != giver and (talk.end is None or talk.end > t)
        for giver, t in given
        for talk in said
        for leg in _speakers([talk])
    )


def _missed(
    caller: LegState, colleagues: Sequence[LegState]
) -> tuple[Call.Outcome, Call.MissedReason]:
    gave_up = caller.at(Kind.HUNG_UP)
    if _waits(caller, at=gave_up or caller.firsts[Kind.ENDED]):
        return Call.OUTCOME_ABANDONED_IN_QUEUE, Call.MISSED_REASON_ABANDONED
    waiting = [leg for leg in colleagues if not _refused(leg)]
    if gave_up and any(leg.firsts[Kind.ENDED] >= gave_up - _TOGETHER for leg in waiting):
        return Call.OUTCOME_MISSED, Call.MISSED_REASON_ABANDONED
    if gave_up and not colleagues:
        return Call.OUTCOME_MISSED, Call.MISSED_REASON_ABANDONED
    if waiting or not colleagues:
        return Call.OUTCOME_MISSED, Call.MISSED_REASON_NO_ANSWER
    rejected = any(leg.at(Kind.RANG) for leg in colleagues)
    return Call.OUTCOME_MISSED, Call.MISSED_REASON_REJECTED if rejected else Call.MISSED_REASON_BUSY


def _refused(leg: LegState) -> bool:
    """True if the phone was busy, or its party rejected the call."""
    return leg.cause in _BUSY or bool(leg.at(Kind.HUNG_UP) and not leg.at(Kind.ANSWERED))


def _unreached(called: Sequence[LegState]) -> Call.Outcome:
    """How a call ended in which whoever was called said nothing; several legs are tries of the same."""
    if any(leg.cause in _BUSY for leg in called):
        return Call.OUTCOME_BUSY
    if any(leg.at(Kind.RANG) or leg.cause in _NO_ANSWER for leg in called):
        return Call.OUTCOME_NO_ANSWER
    return Call.OUTCOME_NOT_CONNECTED
