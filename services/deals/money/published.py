"""What is given off by what was published, also where somebody typed a lower price instead of a discount. Pure."""

from collections.abc import Sequence
from decimal import Decimal

from crm.deals.v1 import line_pb2
from services.deals.money.steps import Figure, Steps, Trace

Line = line_pb2.Line
Totals = line_pb2.Totals


def discount(
    lines: Sequence[Line], totals: Totals, currency: str, trace: Trace | None = None
) -> tuple[Decimal, Decimal]:
    """(what priced lines come to by published prices, what is off that).

    A line counts by the higher of both prices: what is typed above the published one makes up for nothing. The trace sees
    inputs that the steps of `money.lines.price` gave: lines[0].list, list, discounts.
    """
    steps, known = Steps(currency, trace), Steps(currency)
    below = []
    for at, line in enumerate(lines):
        if not line.published_price:
            continue
        name = f"lines[{at}]"
        quantity = Figure(f"{name}.quantity", Decimal(line.quantity))
        price = Figure(f"{name}.unit_price", Decimal(line.unit_price))
        listed = known.product(f"{name}.list", quantity, price)
        published = Figure(f"{name}.published_price", Decimal(line.published_price))
        full = steps.product(f"{name}.published", quantity, published)
        below.append(steps.above(f"{name}.below_published", full, listed))
    whole = steps.total("published_amount", [Figure("list", Decimal(totals.list or 0)), *below])
    off = steps.total("published_discount", [Figure("discounts", Decimal(totals.discount or 0)), *below])  # fmt: skip
    return whole.value, off.value
