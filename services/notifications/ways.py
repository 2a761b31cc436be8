"""The ways by which somebody is told, as data: what is connected, and who hands a notice over.

The feed is here: a notice is in it as soon as it is written. Every other way is a function that is called outside any
transaction, at least once for each notice, by the loop in delivering.py. A new way (mail, SMS) is one line in `CARRIERS`.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from chassis.errors import Violation
from crm.notifications.v1 import notice_pb2, notice_preferences_pb2, notice_rule_pb2

if TYPE_CHECKING:
    from chassis.runtime import Runtime

Way = notice_rule_pb2.Way
FEED, PUSH = notice_rule_pb2.WAY_FEED, notice_rule_pb2.WAY_PUSH


class State(StrEnum):
    """What became of a try."""

    SENT = "sent"
    NOWHERE = "nowhere"
    """The person has nothing by which this way could reach him."""
    LATER = "later"
    """The way asks to be tried again."""
    REFUSED = "refused"
    """It will never be taken."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a carrier says of a try; `problem` is a code without personal data, `after` when to try again at the earliest."""

    state: State
    problem: str = ""
    after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Parcel:
    """What a carrier is given."""

    tenant: str
    notice: notice_pb2.Notice
    preferences: notice_preferences_pb2.NoticePreferences
    attempt: int


Carrier = Callable[["Runtime", Parcel], Awaitable[Outcome]]

CARRIERS: dict[int, Carrier] = {}
"""Way -> who hands it over; filled by `connect` when the service is loaded."""


def connect(way: int, carrier: Carrier) -> None:
    """Makes a way one that rules and people may choose."""
    CARRIERS[way] = carrier


def connected() -> frozenset[int]:
    """The ways that there are."""
    return frozenset((FEED, *CARRIERS))


def not_connected(field: str, ways: Iterable[int]) -> list[Violation]:
    """One violation for each way that nobody hands over, naming those that there are."""
    there = ", ".join(Way.Name(way) for way in sorted(connected()))  # type: ignore[arg-type]
    return [
        Violation(field, f"{Way.Name(way)} is not connected; there are {there}")  # type: ignore[arg-type]
        for way in ways
        if way not in connected()
    ]
