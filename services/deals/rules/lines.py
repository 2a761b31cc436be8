"""How a line is completed: what it keeps from before, and what product, tax, price list and task give it. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from chassis.errors import Violation
from crm.deals.v1 import line_pb2, product_pb2, tax_class_pb2
from services.deals.money import currencies
from services.deals.rules import prices, products

Line = line_pb2.Line
Product = product_pb2.Product
TaxClass = tax_class_pb2.TaxClass

EXACT, HUNDRED = currencies.EXACT, Decimal(100)

BY_SERVER = (
    "tax_percent", "family_id", "price_list_id", "unknown_sku",
    "selling_overruled", "selling_reference_line_id", "selling_reference_id", "published_price",
)  # fmt: skip
"""What callers read and never set; a line that they send back has them as the server wrote them last."""

NUMBERS = ("quantity", "unit_price", "unit_cost", "discount_percent", "discount_amount")

_MORE_PLACES = 2
"""A price of a list that is meant the other way (with or without tax) is kept this much finer than the currency."""


@dataclass(slots=True)
class Place:
    """A line where it stands, with what it was before and what it sells."""

    at: int
    line: Line
    before: Line | None
    product: Product | None = None
    takes_quantity: bool = False
    """The quantity is what its task measured."""

    def path(self, field: str) -> str:
        return f"lines[{self.at}].{field}"

    @property
    def kept(self) -> bool:
        """True if it sells what it sold before: then its tax, price and family stay as they were written."""
        return self.before is not None and self.before.product_id == self.line.product_id


def places(new: Iterable[Line], old: Iterable[Line]) -> list[Place]:
    """The lines, each beside the one with its id as it was before."""
    before = {line.id: line for line in old}
    return [Place(at, line, before.get(line.id)) for at, line in enumerate(new)]


def repeated_ids(places: Iterable[Place]) -> list[Violation]:
    """Lines that cannot be told apart."""
    seen: set[str] = set()
    wrong = []
    for place in places:
        if place.line.id in seen:
            wrong.append(Violation(place.path("id"), f"{place.line.id} is another line's id; leave it out"))  # fmt: skip
        seen.add(place.line.id)
    return wrong


def restore(place: Place) -> None:
    """What only the server sets is as it was, whatever was sent; of a line that sells something else it is gone."""
    for field in BY_SERVER:
        value = getattr(place.before, field) if place.before is not None and place.kept else None
        if value is None:
            place.line.ClearField(field)  # type: ignore[arg-type]
        else:
            setattr(place.line, field, value)


def take_product(place: Place, company_currency: str, currency: str) -> None:
    """Number, family and whatever was left empty come from the product; the cost only in its own currency."""
    line, product = place.line, place.product
    if place.kept and place.before is not None:
        line.sku = place.before.sku if line.product_id else line.sku
        # Who may not see the cost sends the line back without it.
        line.unit_cost = line.unit_cost or place.before.unit_cost
    if product is None or place.kept:
        return
    line.sku, line.family_id = product.sku, product.family_id
    line.unknown_sku = False
    for field in ("name", "unit", "tax_class_id"):
        if not getattr(line, field):
            setattr(line, field, getattr(product, field))
    if not line.unit_cost and (product.cost_currency or company_currency) == currency:
        line.unit_cost = product.unit_cost


def flag_unknown(place: Place) -> None:
    """A number that no product has makes a free line at which somebody should look."""
    line = place.line
    line.unknown_sku = bool(line.sku and not line.product_id)


def needs_tax(place: Place) -> bool:
    """True if the rate is to be found: of a line that is new, sells something else or is taxed otherwise."""
    before = place.before if place.kept else None
    return before is None or before.tax_class_id != place.line.tax_class_id


def take_tax(place: Place, tax_class: TaxClass | None, day: date) -> list[Violation]:
    """The rate of the day; none for a line without class."""
    line = place.line
    line.ClearField("tax_percent")
    if tax_class is None:
        return []
    percent = products.rate_on(tax_class, day)
    if percent is None:
        return [Violation(place.path("tax_class_id"), f"{tax_class.name!r} has no rate on {day}; give it one that holds on that day")]  # fmt: skip
    line.tax_percent = percent
    return []


def take_quantity(place: Place, measured: Mapping[str, Any] | None) -> list[Violation]:
    """The number that the task measured, by the product's key; of a free line the only number there is."""
    line, path = place.line, place.path("quantity_task_id")
    if measured is None:
        return [Violation(path, f"{line.quantity_task_id} is no task that was done for this deal; do it, or type the quantity")]  # fmt: skip
    key = place.product.quantity_key if place.product is not None else ""
    if not key and len(measured) == 1:
        [key] = measured
    if key not in measured:
        wanted = f"no number {key!r}" if key else "no single number, and the product names no quantity_key"  # fmt: skip
        return [Violation(path, f"the task's result holds {wanted}; there is {', '.join(measured) or 'none'}")]  # fmt: skip
    line.quantity = str(measured[key])
    return []


def wants_quantity(place: Place) -> bool:
    """True if the task is to be asked. A quantity that somebody types later is not the task's any more."""
    line, before = place.line, place.before
    if not line.quantity_task_id:
        return False
    if before is None or before.quantity_task_id != line.quantity_task_id or not line.quantity:
        return True
    if before.quantity != line.quantity:
        line.ClearField("quantity_task_id")
    return False


def wants_price(place: Place) -> bool:
    """True if a price list is to be asked: nobody typed a price, or the list's own was for another quantity."""
    line, before = place.line, place.before
    if not line.product_id:
        return False
    if not line.unit_price:
        return True
    if not line.price_list_id or before is None:
        return False
    if line.unit_price != before.unit_price:
        line.ClearField("price_list_id")  # somebody typed another one
        return False
    return line.quantity != before.quantity


def wants_published(place: Place, *, anew: bool) -> bool:
    """True if the lists are to be asked what they would have given; `anew`: all prices of the record are meant otherwise."""
    line, before = place.line, place.before
    if not line.product_id:
        return False
    if anew or before is None or not place.kept or not line.published_price:
        return True
    asked_by = ("quantity", "unit_price", "tax_percent")
    return any(getattr(line, field) != getattr(before, field) for field in asked_by)


def take_price(place: Place, known: Collection[prices.Price], **whose: Any) -> None:
    """The price of the lists, see `_offered`; where none has one, what is there stays."""
    if (found := _offered(place, known, **whose)) is not None:
        place.line.unit_price, place.line.price_list_id = found


def take_published(place: Place, known: Collection[prices.Price], **whose: Any) -> None:
    """What the lists give whoever typed what; where none has a price, nothing was published."""
    found = _offered(place, known, **whose)
    place.line.published_price = found[0] if found is not None else ""


def _offered(
    place: Place, known: Collection[prices.Price], *, party: Any, labels: Collection[str],
    tax_included: bool, currency: str,
) -> tuple[str, str] | None:  # fmt: skip
    """(the lists' price for the line, meant as the record's prices are; whose it is); None if none has one."""
    line = place.line
    found = prices.choose(known, line.product_id, Decimal(line.quantity or 0), party=party, labels=labels)  # fmt: skip
    if found is None:
        return None
    price = found.unit_price
    if found.tax_included != tax_included:
        price = _meant_otherwise(price, Decimal(line.tax_percent or 0), tax_included, currency)
    return f"{price:f}", found.list_id


def _meant_otherwise(price: Decimal, percent: Decimal, with_tax: bool, currency: str) -> Decimal:
    """A price without tax as one with it, or the other way round, rounded finer than the currency."""
    factor = EXACT.divide(EXACT.add(HUNDRED, percent), HUNDRED)
    exact = EXACT.multiply(price, factor) if with_tax else EXACT.divide(price, factor)
    fine = EXACT.quantize(exact, currencies.unit(currency).scaleb(-_MORE_PLACES))
    coarse = currencies.rounded(fine, currency)
    return coarse if coarse == fine else fine


def spell_numbers(line: Line) -> None:
    """One spelling: 1e3 becomes 1000; zeros that somebody typed stay."""
    for field in NUMBERS:
        if text := getattr(line, field):
            setattr(line, field, f"{Decimal(text):f}")


def unchanged(new: Any, old: Any) -> bool:
    """True if nothing changes of which a price hangs: then the record stays priced as it was."""
    fields = ("currency", "tax_included", "discount_percent", "discount_amount", "contact_id", "company_id")  # fmt: skip
    return (
        type(new) is type(old)
        and old.HasField("totals")
        and list(new.lines) == list(old.lines)
        and all(getattr(new, field) == getattr(old, field) for field in fields)
    )
