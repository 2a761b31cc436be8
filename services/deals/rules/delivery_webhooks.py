"""What carriers tell of deliveries, and how those go on by it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.errors import Violation
from chassis.times import to_datetime
from crm.deals.v1 import delivery_pb2
from services.deals import errors
from services.deals.rules import deliveries, webhooks

Delivery = delivery_pb2.Delivery

SHIPPED, DELIVERED, FAILED = "delivery.shipped", "delivery.delivered", "delivery.failed"

_LONGEST = {
    "id": 200, "type": 30, "time": 40, "reference": 100, "tracking_number": 100, "tracking_url": 2000,
    "reason": 500,
}  # fmt: skip
_OPTIONAL = ("reference", "tracking_number", "tracking_url", "reason")
_NAMES = ("reference", "tracking_number")
_ENDED = (Delivery.STATE_DELIVERED, Delivery.STATE_FAILED)


@dataclass(frozen=True, slots=True)
class Event:
    """What a carrier tells of one delivery."""

    id: str
    type: str
    time: datetime
    reference: str = ""
    """Our id of the delivery."""
    tracking_number: str = ""
    """The carrier's number of it."""
    tracking_url: str = ""
    reason: str = ""
    """Why it does not reach the customer."""


def read(content: bytes) -> Event:
    """The event in a body; ValuesInvalid with what is wrong with it, also if it names no delivery."""
    said = webhooks.texts(content, _LONGEST, optional=_OPTIONAL, types=(SHIPPED, DELIVERED, FAILED))
    time = webhooks.moment(said.pop("time"))
    said |= {key: said[key].strip() for key in _NAMES}
    event = Event(**said, time=time)
    if not (event.reference or event.tracking_number):
        told = "is missing; name the delivery by it, or by its id here in reference"
        raise errors.ValuesInvalid([Violation("tracking_number", told)])
    return event


def named(event: Event) -> str:
    """The id by which the event names a delivery of ours; empty if its reference is none."""
    try:
        return str(UUID(event.reference))
    except ValueError:
        return ""


def choose(found: Sequence[Delivery], event: Event) -> Delivery:
    """Which of the deliveries with the tracking number is meant: the one that is not over, else the last one that was made.

    Carriers use a number again after some time. DeliveryUnknown if there is none, DeliveryAmbiguous for several under way.
    """
    going = [each for each in found if each.state not in _ENDED]
    if len(going) > 1:
        raise errors.DeliveryAmbiguous(event.tracking_number, len(going))
    if not found:
        raise errors.DeliveryUnknown(event.reference, event.tracking_number)
    return going[0] if going else max(found, key=lambda each: each.id)


def follow(delivery: Delivery, event: Event, *, carrier: str, now: datetime) -> bool:
    """Lets the delivery go on as the carrier tells; False if it is as far already, or over.

    Of what is shipped, what it lacks is filled in then.
    """
    if delivery.state in _ENDED:
        return False
    moves = event.type != SHIPPED or delivery.state == Delivery.STATE_PLANNED
    if moves:
        _move(delivery, event, carrier=carrier, now=now)
    for field, said in (
        ("carrier", carrier), ("tracking_number", event.tracking_number), ("tracking_url", event.tracking_url),
    ):  # fmt: skip
        if said and not getattr(delivery, field):
            setattr(delivery, field, said)
    return moves


def _move(delivery: Delivery, event: Event, *, carrier: str, now: datetime) -> None:
    at = min(event.time, now)  # a carrier's clock may be a little ahead
    if event.type == SHIPPED:
        deliveries.ship(delivery, at)
        return
    if delivery.HasField("ship_time"):  # somebody may have said so by hand, later than it was
        at = max(at, to_datetime(delivery.ship_time))
    if event.type == DELIVERED:
        deliveries.deliver(delivery, at)
    else:
        deliveries.fail(delivery, at, event.reason or f"told by {carrier}")
