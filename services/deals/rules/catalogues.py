"""Reasons and sales methods. Pure."""

from typing import Any

from chassis.errors import Violation
from crm.deals.v1 import deal_reason_pb2
from services.deals import errors

DealReason = deal_reason_pb2.DealReason


def normalise(entry: Any) -> None:
    """One spelling of the name."""
    entry.name = " ".join(entry.name.split())
    if not entry.name:
        raise errors.ValuesInvalid([Violation("name", "must say something besides blanks")])


def keep_kind(new: DealReason, old: DealReason | None) -> None:
    """Refuses another kind: reports count by it."""
    if old is not None and new.kind != old.kind:
        raise errors.KeyFixed("reason", DealReason.Kind.Name(old.kind), "kind")


def first_reasons() -> list[DealReason]:
    """What a company begins with."""
    won = ("Price", "Quality", "Service", "Speed", "Recommended", "Bought before")
    lost = ("Too dear", "Too late", "Lost to a competitor", "Needs nothing any more", "Never reached", "Not what we sell")  # fmt: skip
    made = [DealReason(kind=DealReason.KIND_WON, name=name, position=at) for at, name in enumerate(won)]  # fmt: skip
    made += [DealReason(kind=DealReason.KIND_LOST, name=name, position=at) for at, name in enumerate(lost)]  # fmt: skip
    made[len(won) + 2].names_competitor = True
    return made
