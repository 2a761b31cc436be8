"""Orders from shops: what one must be, and the lines of its deal. Pure."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from chassis.errors import Violation
from chassis.times import to_datetime
from crm.deals.v1 import deal_pb2, line_pb2, order_pb2
from services.deals import errors
from services.deals.money import currencies, limits

Deal = deal_pb2.Deal
Line = line_pb2.Line
Order = order_pb2.PutOrderRequest

SHIPPING = "Shipping"
"""What the line is called that sending costs."""
_NUMBERS = ("quantity", "unit_price", "discount_amount")
_TEXTS = ("sku", "name", "tax_class_id")


def check(order: Order, now: datetime) -> None:
    """ValuesInvalid with everything that is wrong with an order, by its own fields."""
    if not currencies.is_known(order.currency):
        raise errors.ValuesInvalid([limits.no_money("currency", order.currency)])
    wrong = []
    if not order.items and not is_cancelled(order):
        wrong.append(Violation("items", "0 items; at least 1, or say STATE_CANCELLED"))
    for at, item in enumerate(order.items):
        path = f"items[{at}]"
        wrong += limits.number(f"{path}.quantity", item.quantity)
        if Decimal(item.quantity) == 0:
            wrong.append(Violation(f"{path}.quantity", "is 0; leave out what was not ordered"))
        wrong += limits.number(f"{path}.unit_price", item.unit_price)
        wrong += limits.amount(f"{path}.discount_amount", item.discount_amount, order.currency)
    wrong += limits.amount("shipping_amount", order.shipping_amount, order.currency)
    wrong += limits.amount("discount_amount", order.discount_amount, order.currency)
    if order.HasField("place_time") and (placed := to_datetime(order.place_time)) > now:
        wrong.append(Violation("place_time", f"{placed:%Y-%m-%d %H:%M} UTC is in the future; it is {now:%Y-%m-%d %H:%M} UTC"))  # fmt: skip
    if wrong:
        raise errors.ValuesInvalid(wrong)


def is_cancelled(order: Order) -> bool:
    """True for an order that was cancelled in the shop."""
    return order.state == Order.STATE_CANCELLED


def key(order: deal_pb2.ShopOrder) -> str:
    """By which the order is known; as deals keep it."""
    return f"{order.system}:{order.id}"


def fill(deal: Deal, order: Order) -> None:
    """Gives the deal what the order says. A line that is ordered still stays the line it was, with its id."""
    old = list(deal.lines)
    lines = [_line(_taken(old, item.sku, item.name), item) for item in order.items]
    if Decimal(order.shipping_amount or 0) > 0:
        shipping = order_pb2.OrderItem(name=SHIPPING, quantity="1", unit_price=order.shipping_amount)  # fmt: skip
        lines.append(_line(_taken(old, "", SHIPPING), shipping))
    del deal.lines[:]
    deal.lines.extend(lines)
    deal.currency, deal.tax_included = order.currency, order.tax_included
    deal.discount_amount = _number(deal.discount_amount, order.discount_amount)
    deal.order.CopyFrom(order.order)
    if order.from_request_id and order.from_request_id not in deal.request_ids:
        deal.request_ids.append(order.from_request_id)
    if not deal.contact_id and not deal.company_id:
        deal.contact_id, deal.company_id = order.contact_id, order.company_id


def is_paid(deal: Deal) -> bool:
    """True if as much was paid as the deal is worth."""
    return bool(deal.amount) and Decimal(deal.paid_amount or 0) >= Decimal(deal.amount)


def unknown(lines: Sequence[Line]) -> list[str]:
    """The numbers that no product has."""
    return [line.sku for line in lines if line.unknown_sku]


def _taken(old: list[Line], sku: str, name: str) -> Line:
    """The line that ordered this before, taken out of `old`; a new one if there was none."""
    for at, line in enumerate(old):
        if (line.sku.casefold(), line.name) == (sku.strip().casefold(), name):
            return old.pop(at)
    return Line()


def _line(before: Line, item: order_pb2.OrderItem) -> Line:
    line = Line()
    line.CopyFrom(before)
    for field in _TEXTS:
        if value := getattr(item, field):
            setattr(line, field, value)
    for field in _NUMBERS:
        setattr(line, field, _number(getattr(line, field), getattr(item, field)))
    return line


def _number(before: str, after: str) -> str:
    """The number as it is spelled already, if it is the same: an order that says nothing new changes nothing."""
    same = Decimal(before or 0) == Decimal(after or 0)
    return before if same and before else after
