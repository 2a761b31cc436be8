"""What may happen in a call, told for any exchange: facts, and what the call is in the end.

A driver of the conformance kit (conformance.py) makes of each fact what its exchange says when that happens.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from crm.telephony.v1 import call_pb2
from services.telephony.pbx.facts import Fact, Kind, Side

Call = call_pb2.Call
CUSTOMER, LINE = "48600100200", "48300000201"
CALLER = "1795396118.4"
START = datetime(2026, 11, 23, 9, tzinfo=UTC)
INBOUND, OUTBOUND, INTERNAL = (
    Call.DIRECTION_INBOUND,
    Call.DIRECTION_OUTBOUND,
    Call.DIRECTION_INTERNAL,
)
NORMAL, BUSY, NO_ANSWER, REJECTED, ELSEWHERE = 16, 17, 19, 21, 26  # Q.850


@dataclass(frozen=True)
class Result:
    """What the call is when all is over."""

    direction: int = INBOUND
    outcome: int = Call.OUTCOME_ANSWERED
    reason: int = Call.MISSED_REASON_UNSPECIFIED
    spoke: tuple[str, ...] = ()
    rang: tuple[str, ...] = ("101",)
    talk: int = 0
    hold: int = 0
    number: str = CUSTOMER
    withheld: bool = False


MISSED = Call.OUTCOME_MISSED
UNANSWERED = Result(outcome=MISSED, reason=Call.MISSED_REASON_NO_ANSWER)
GAVE_UP = Result(outcome=MISSED, reason=Call.MISSED_REASON_ABANDONED)


@dataclass
class Story:
    """Writes down what happens; a second goes by before each thing unless it says otherwise."""

    call: str = CALLER
    at: datetime = START
    facts: list[Fact] = field(default_factory=list)

    def tell(
        self, leg: str, kind: Kind, after: float = 1, **given: str | int | bool | Side
    ) -> None:
        self.at += timedelta(seconds=after)
        self.facts.append(Fact(call=self.call, leg=leg, kind=kind, time=self.at, **given))  # type: ignore[arg-type]

    def leg(self, extension: str) -> str:
        """The leg of this extension's phone."""
        return f"{self.call}{extension}"

    def comes_in(self, number: str = CUSTOMER) -> None:
        self.tell(self.call, Kind.BEGAN, side=Side.OUTSIDE, number=number, withheld=not number, line=LINE)  # fmt: skip

    def rings(self, *extensions: str) -> None:
        for extension in extensions:
            leg = self.leg(extension)
            self.tell(leg, Kind.BEGAN, side=Side.COLLEAGUE, number=extension)
            self.tell(leg, Kind.RANG, 0.1)

    def speaks(self, extension: str, room: str = "room", after: float = 2) -> None:
        leg = self.leg(extension)
        self.tell(leg, Kind.ANSWERED, after)
        if not any(f.leg == self.call and f.kind is Kind.ANSWERED for f in self.facts):
            self.tell(self.call, Kind.ANSWERED, 0)
        self.tell(self.call, Kind.JOINED, 0, room=room)
        self.tell(leg, Kind.JOINED, 0, room=room)

    def ends(self, *extensions: str, cause: int = NORMAL, after: float = 0) -> None:
        for extension in extensions:
            self.tell(self.leg(extension), Kind.ENDED, after, cause=cause)

    def customer_gone(self, *extensions: str, after: float = 5, cause: int = NORMAL) -> None:
        """The customer hangs up, and so everything ends."""
        self.tell(self.call, Kind.HUNG_UP, after)
        self.ends(*extensions, cause=cause)
        self.tell(self.call, Kind.ENDED, 0, cause=cause)

    def exchange_ends(self, *extensions: str, after: float = 5, cause: int = NORMAL) -> None:
        """The exchange ends everything."""
        self.tell(self.call, Kind.ENDED, after, cause=cause)
        self.ends(*extensions, cause=cause)

    def calls_out(self, extension: str = "101") -> None:
        """A colleague calls the customer."""
        self.tell(self.call, Kind.BEGAN, side=Side.COLLEAGUE, number=extension, dialled=CUSTOMER)
        self.tell(self.call, Kind.RANG)
        self.tell(self.call, Kind.ANSWERED)

    def customer_rings(self) -> None:
        leg = self.leg("-out")
        self.tell(leg, Kind.BEGAN, side=Side.OUTSIDE, number=CUSTOMER, line=LINE)
        self.tell(leg, Kind.RANG)


def _answered(story: Story) -> Result:
    story.comes_in()
    story.rings("101")
    story.speaks("101")
    story.customer_gone("101")
    return Result(spoke=("101",), talk=5)


def _answered_colleague_hangs_up(story: Story) -> Result:
    story.comes_in()
    story.rings("101")
    story.speaks("101")
    story.tell(story.leg("101"), Kind.HUNG_UP, 4)
    story.exchange_ends("101", after=0)
    return Result(spoke=("101",), talk=4)


def _nobody_answers(story: Story) -> Result:
    story.comes_in()
    story.rings("101")
    story.exchange_ends("101", cause=NO_ANSWER)
    return UNANSWERED


def _caller_gives_up(story: Story) -> Result:
    story.comes_in()
    story.rings("101")
    story.customer_gone("101")
    return GAVE_UP


def _caller_gone_at_once(story: Story) -> Result:
    story.comes_in()
    story.customer_gone()
    return Result(outcome=MISSED, reason=Call.MISSED_REASON_ABANDONED, rang=())


def _rejected(story: Story) -> Result:
    story.comes_in()
    story.rings("101")
    story.ends("101", cause=REJECTED, after=2)
    story.exchange_ends(after=0, cause=REJECTED)
    return Result(outcome=MISSED, reason=Call.MISSED_REASON_REJECTED)


def _colleague_busy(story: Story) -> Result:
    story.comes_in()
    story.tell(story.leg("101"), Kind.BEGAN, side=Side.COLLEAGUE, number="101")
    story.ends("101", cause=BUSY)
    story.exchange_ends(after=0, cause=BUSY)
    return Result(outcome=MISSED, reason=Call.MISSED_REASON_BUSY, rang=())


def _group_one_answers(story: Story) -> Result:
    story.comes_in()
    story.rings("101", "102", "103")
    story.speaks("102")
    story.ends("101", "103", cause=ELSEWHERE)
    story.customer_gone("102")
    return Result(spoke=("102",), rang=("101", "102", "103"), talk=5)


def _group_nobody(story: Story) -> Result:
    story.comes_in()
    story.rings("101", "102", "103")
    story.exchange_ends("101", "102", "103", cause=NO_ANSWER)
    return Result(outcome=MISSED, reason=Call.MISSED_REASON_NO_ANSWER, rang=("101", "102", "103"))


def _group_gives_up(story: Story) -> Result:
    story.comes_in()
    story.rings("101", "102")
    story.customer_gone("101", "102")
    return Result(outcome=MISSED, reason=Call.MISSED_REASON_ABANDONED, rang=("101", "102"))


def _one_after_the_other(story: Story) -> Result:
    story.comes_in()
    story.rings("101")
    story.ends("101", cause=NO_ANSWER, after=8)
    story.rings("102")
    story.speaks("102")
    story.customer_gone("102")
    return Result(spoke=("102",), rang=("101", "102"), talk=5)


def _queue_abandoned(story: Story) -> Result:
    story.comes_in()
    story.tell(story.call, Kind.ANSWERED)
    story.tell(story.call, Kind.QUEUED, room="sales")
    story.tell(story.call, Kind.HUNG_UP, 9)
    story.tell(story.call, Kind.UNQUEUED, 0, room="sales")
    story.exchange_ends(after=0)
    reason = Call.MISSED_REASON_ABANDONED
    return Result(outcome=Call.OUTCOME_ABANDONED_IN_QUEUE, reason=reason, rang=())


def _queue_answered(story: Story) -> Result:
    story.comes_in()
    story.tell(story.call, Kind.ANSWERED)
    story.tell(story.call, Kind.QUEUED, room="sales")
    story.rings("101")
    story.tell(story.call, Kind.UNQUEUED, 3, room="sales")
    story.speaks("101", after=0)
    story.customer_gone("101")
    return Result(spoke=("101",), talk=5)


def _held(story: Story, times: int = 1) -> Result:
    story.comes_in()
    story.rings("101")
    story.speaks("101")
    for _ in range(times):
        story.tell(story.leg("101"), Kind.HELD, 2)
        story.tell(story.leg("101"), Kind.RESUMED, 3)
    story.customer_gone("101")
    return Result(spoke=("101",), talk=5 + 5 * times, hold=3 * times)


def _held_twice(story: Story) -> Result:
    return _held(story, times=2)


def _gone_while_held(story: Story) -> Result:
    story.comes_in()
    story.rings("101")
    story.speaks("101")
    story.tell(story.leg("101"), Kind.HELD, 2)
    story.customer_gone("101")
    return Result(spoke=("101",), talk=7, hold=5)


def _transferred(story: Story) -> None:
    story.comes_in()
    story.rings("101")
    story.speaks("101")
    story.tell(story.leg("101"), Kind.TRANSFERRED, 5)
    for leg in (story.leg("101"), story.call):
        story.tell(leg, Kind.LEFT, 0, room="room")
    story.ends("101")
    story.rings("102")


def _blind_transfer(story: Story) -> Result:
    _transferred(story)
    story.speaks("102", room="second")
    story.customer_gone("102")
    outcome = Call.OUTCOME_TRANSFERRED
    return Result(outcome=outcome, spoke=("101", "102"), rang=("101", "102"), talk=10)


def _blind_transfer_in_vain(story: Story) -> Result:
    _transferred(story)
    story.exchange_ends("102", cause=NO_ANSWER)
    return Result(spoke=("101",), rang=("101", "102"), talk=5)


def _attended_transfer(story: Story) -> Result:
    story.comes_in()
    story.rings("101")
    story.speaks("101")
    story.tell(story.leg("101"), Kind.HELD, 5)
    story.rings("102")
    story.tell(story.leg("102"), Kind.ANSWERED)
    story.tell(story.leg("101"), Kind.TRANSFERRED, 2)
    story.tell(story.leg("101"), Kind.LEFT, 0, room="room")
    story.ends("101")
    story.tell(story.leg("102"), Kind.JOINED, 0, room="room")
    story.customer_gone("102")
    outcome = Call.OUTCOME_TRANSFERRED
    return Result(outcome=outcome, spoke=("101", "102"), rang=("101", "102"), talk=14, hold=4)


def _withheld(story: Story) -> Result:
    story.comes_in(number="")
    story.rings("101")
    story.exchange_ends("101", cause=NO_ANSWER)
    return Result(outcome=MISSED, reason=Call.MISSED_REASON_NO_ANSWER, number="", withheld=True)


def _out_answered(story: Story) -> Result:
    story.calls_out()
    story.customer_rings()
    out = story.leg("-out")
    story.tell(out, Kind.ANSWERED, 3)
    for leg in (out, story.call):
        story.tell(leg, Kind.JOINED, 0, room="room")
    story.tell(story.call, Kind.HUNG_UP, 6)
    story.exchange_ends("-out", after=0)
    return Result(direction=OUTBOUND, spoke=("101",), talk=6)


def _out_busy(story: Story) -> Result:
    story.calls_out()
    story.tell(story.leg("-out"), Kind.BEGAN, side=Side.OUTSIDE, number=CUSTOMER, line=LINE)
    story.exchange_ends("-out", cause=BUSY)
    return Result(direction=OUTBOUND, outcome=Call.OUTCOME_BUSY)


def _out_unanswered(story: Story) -> Result:
    story.calls_out()
    story.customer_rings()
    story.exchange_ends("-out", after=20, cause=NO_ANSWER)
    return Result(direction=OUTBOUND, outcome=Call.OUTCOME_NO_ANSWER)


def _out_own_phone_unanswered(story: Story) -> Result:
    story.tell(story.call, Kind.BEGAN, side=Side.COLLEAGUE, number="101", dialled=CUSTOMER)
    story.tell(story.call, Kind.RANG)
    story.exchange_ends(after=20, cause=NO_ANSWER)
    return Result(direction=OUTBOUND, outcome=Call.OUTCOME_NOT_CONNECTED)


def _recorded(story: Story) -> Result:
    story.comes_in()
    story.rings("101")
    story.speaks("101")
    story.tell("", Kind.RECORDING, 0, recording="sound.wav")
    story.tell("", Kind.RECORDED, 5, recording="sound.wav")
    story.customer_gone("101", after=0)
    return Result(spoke=("101",), talk=5)


STORIES: dict[str, Callable[[Story], Result]] = {
    tell.__name__.strip("_"): tell
    for tell in (
        _answered, _answered_colleague_hangs_up, _nobody_answers, _caller_gives_up, _caller_gone_at_once, _rejected,
        _colleague_busy, _group_one_answers, _group_nobody, _group_gives_up, _one_after_the_other, _queue_abandoned,
        _queue_answered, _held, _held_twice, _gone_while_held, _blind_transfer, _blind_transfer_in_vain,
        _attended_transfer, _withheld, _out_answered, _out_busy, _out_unanswered, _out_own_phone_unanswered, _recorded,
    )
}  # fmt: skip
