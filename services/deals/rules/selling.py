"""Cross-sell and up-sell: what a line is beside what its customer has bought (S43). Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from chassis.errors import Violation
from crm.deals.v1 import line_pb2
from services.deals.rules.lines import Place

Line = line_pb2.Line
Selling = Line.Selling


@dataclass(frozen=True, slots=True)
class Bought:
    """A line of a won deal, and in which currency."""

    line: Line
    deal_id: str
    currency: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a line is, and the line that it was compared with, if there is one."""

    selling: Selling
    reference: Bought | None = None


def derive(line: Line, currency: str, bought: Sequence[Bought]) -> Found:
    """What the line is beside what was bought, latest first.

    The same product is compared by quantity alone, because a new price of the same thing is no sale. Another product of a
    family that he has is more if there is more of it or one unit costs more, net; else it is the same again. Another family
    is a cross-sell, named beside his latest sale. Lines without a family can be compared with nothing.
    """
    comparable = [each for each in bought if each.line.family_id]
    if not line.family_id or not comparable:
        return Found(Line.SELLING_NEW)
    same = [each for each in comparable if line.product_id and each.line.product_id == line.product_id]  # fmt: skip
    if same:
        more = _quantity(line) > _quantity(same[0].line)
        return Found(Line.SELLING_UP_SELL if more else Line.SELLING_REPEAT, same[0])
    family = [each for each in comparable if each.line.family_id == line.family_id]
    if family:
        latest = family[0]
        more = _quantity(line) > _quantity(latest.line)
        dearer = currency == latest.currency and _net_price(line) > _net_price(latest.line)
        return Found(Line.SELLING_UP_SELL if more or dearer else Line.SELLING_REPEAT, latest)
    return Found(Line.SELLING_CROSS_SELL, comparable[0])


def apply(place: Place, found: Found) -> list[Violation]:
    """Writes down what was found; what somebody says instead stays, with his reason."""
    line, before = place.line, place.before
    said = line.selling
    if before is not None and not before.selling_overruled and said == before.selling:
        said = Line.SELLING_UNSPECIFIED  # sent back as it was read: nobody said anything
    line.selling_overruled = said not in (Line.SELLING_UNSPECIFIED, found.selling)
    line.selling_reference_line_id = found.reference.line.id if found.reference else ""
    line.selling_reference_id = found.reference.deal_id if found.reference else ""
    if not line.selling_overruled:
        line.selling = found.selling
        line.ClearField("selling_reason")
        return []
    if line.selling_reason.strip():
        return []
    name = Selling.Name(found.selling).removeprefix("SELLING_")
    return [Violation(place.path("selling_reason"), f"must say why the line is not {name}, as it was found to be")]  # fmt: skip


def _quantity(line: Line) -> Decimal:
    return Decimal(line.quantity or 0)


def _net_price(line: Line) -> Decimal:
    quantity = _quantity(line)
    return Decimal(line.net or 0) / quantity if quantity else Decimal(0)
