"""Deliveries: what they carry of their deal's lines, and how each goes on. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from chassis import codec
from chassis.errors import Violation
from chassis.times import to_datetime, to_timestamp
from crm.deals.v1 import deal_pb2, delivery_pb2
from services.deals import errors
from services.deals.money import limits

Deal = deal_pb2.Deal
Delivery = delivery_pb2.Delivery
DeliveryItem = delivery_pb2.DeliveryItem

_WORDS = {
    Delivery.STATE_PLANNED: "planned", Delivery.STATE_SHIPPED: "shipped",
    Delivery.STATE_DELIVERED: "delivered", Delivery.STATE_FAILED: "failed",
}  # fmt: skip
_NOTHING = Decimal(0)


def begin(delivery: Delivery, deal: Deal, *, by: str) -> None:
    """A new delivery, to the customer of its deal."""
    delivery.state, delivery.creator_id = Delivery.STATE_PLANNED, by
    delivery.contact_id, delivery.company_id = deal.contact_id, deal.company_id


def keep(new: Delivery, old: Delivery) -> bool:
    """Whether what it carries changes; refuses another deal, and other items once it is on its way."""
    if new.deal_id != old.deal_id:
        told = f"stays {old.deal_id}; make another delivery for another deal"
        raise errors.ValuesInvalid([Violation("deal_id", told)])
    changed = {path.partition(".")[0] for path in codec.changed_paths(old, new)}
    if "items" not in changed:
        return False
    require(old, "given other items", Delivery.STATE_PLANNED)
    return True


def carried(deliveries: Iterable[Delivery], besides: str) -> dict[str, Decimal]:
    """Line -> how much of it these deliveries carry or brought, failed ones and `besides` left out."""
    found: dict[str, Decimal] = {}
    for each in deliveries:
        if each.id == besides or each.state == Delivery.STATE_FAILED:
            continue
        for item in each.items:
            found[item.line_id] = found.get(item.line_id, _NOTHING) + Decimal(item.quantity)
    return found


def load(delivery: Delivery, deal: Deal, elsewhere: Mapping[str, Decimal]) -> None:
    """Fills and checks what it carries, beside what is carried elsewhere; everything that is left where nothing is named.

    ReferenceUnknown for lines that the deal does not have, DeliveryTooMuch for more than is left.
    """
    left = {
        line.id: Decimal(line.quantity or 0) - elsewhere.get(line.id, _NOTHING)
        for line in deal.lines
    }
    if not delivery.items:
        rest = {id: much for id, much in left.items() if much > 0}
        if left and not rest:
            told = "carries nothing: everything that the deal has is on its way or was delivered"
            raise errors.DeliveryTooMuch([Violation("items", told)])
        delivery.items.extend(
            DeliveryItem(line_id=id, quantity=f"{much.normalize():f}") for id, much in rest.items()
        )
    _check_items(delivery, left)
    lines = {line.id: line for line in deal.lines}
    for item in delivery.items:
        item.name, item.sku = lines[item.line_id].name, lines[item.line_id].sku


def require(delivery: Delivery, verb: str, *states: "Delivery.State") -> None:
    """DeliveryWrongState unless it is in one of the states."""
    if delivery.state not in states:
        allowed = " or ".join(_WORDS[state] for state in states)
        raise errors.DeliveryWrongState(verb, _WORDS[delivery.state], allowed)


def ship(delivery: Delivery, at: datetime) -> None:
    """It is on its way."""
    require(delivery, "shipped", Delivery.STATE_PLANNED)
    delivery.state = Delivery.STATE_SHIPPED
    delivery.ship_time.CopyFrom(to_timestamp(at))


def deliver(delivery: Delivery, at: datetime) -> None:
    """The customer has it, also if nobody said that it was shipped."""
    require(delivery, "delivered", Delivery.STATE_PLANNED, Delivery.STATE_SHIPPED)
    delivery.state = Delivery.STATE_DELIVERED
    delivery.deliver_time.CopyFrom(to_timestamp(at))


def fail(delivery: Delivery, at: datetime, reason: str) -> None:
    """It does not reach the customer."""
    require(delivery, "failed", Delivery.STATE_PLANNED, Delivery.STATE_SHIPPED)
    delivery.state, delivery.fail_reason = Delivery.STATE_FAILED, reason
    delivery.fail_time.CopyFrom(to_timestamp(at))


def check_time(delivery: Delivery, at: datetime, now: datetime) -> None:
    """ValuesInvalid for what has not come, or would be before the delivery was shipped."""
    shipped = to_datetime(delivery.ship_time) if delivery.HasField("ship_time") else None
    told = ""
    if at > now:
        told = f"{at:%Y-%m-%d %H:%M} UTC is in the future; it is {now:%Y-%m-%d %H:%M} UTC"
    elif shipped is not None and at < shipped:
        told = f"{at:%Y-%m-%d %H:%M} UTC is before it was shipped, {shipped:%Y-%m-%d %H:%M} UTC"
    if told:
        raise errors.ValuesInvalid([Violation("time", told)])


def _check_items(delivery: Delivery, left: Mapping[str, Decimal]) -> None:
    named = [(f"items[{at}]", item) for at, item in enumerate(delivery.items)]
    missing = [
        (f"{path}.line_id", f"line {item.line_id} of the deal")
        for path, item in named
        if item.line_id not in left
    ]
    if missing:
        raise errors.ReferenceUnknown(missing)
    wrong, seen = [], set[str]()
    for path, item in named:
        if item.line_id in seen:
            wrong.append(Violation(f"{path}.line_id", "stands twice; name each line once"))
        seen.add(item.line_id)
        wrong += limits.number(f"{path}.quantity", item.quantity)
        if Decimal(item.quantity) == 0:
            wrong.append(Violation(f"{path}.quantity", "is 0; say how much, or leave the line out"))
    if wrong:
        raise errors.ValuesInvalid(wrong)
    above = [
        Violation(f"{path}.quantity", f"{item.quantity} is above the {left[item.line_id]:f} that is left of the line")
        for path, item in named
        if Decimal(item.quantity) > left[item.line_id]
    ]  # fmt: skip
    if above:
        raise errors.DeliveryTooMuch(above)
