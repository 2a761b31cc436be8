"""What lines and discounts may be before anything is calculated with them; all that is wrong is named at once. Pure."""

from collections.abc import Sequence
from decimal import Decimal

from chassis.errors import Violation
from crm.deals.v1 import line_pb2
from services.deals.money import currencies

Line = line_pb2.Line

PLACES = 6
"""Places of quantities, unit prices and percentages: enough for grams at a price per tonne."""

MOST = Decimal(10) ** 12
"""Quantities and unit prices stay below it."""

MOST_TAX = 1000
"""Percent; duties on some goods are several times their price."""

MOST_AMOUNT = Decimal(10) ** 15
"""Amounts stay below it: every spreadsheet and bank file holds them exactly."""


def wrong_lines(lines: Sequence[Line], currency: str, *, storno: bool = False) -> list[Violation]:
    """Everything that is wrong with the values of lines, by field."""
    wrong = [] if currencies.is_known(currency) else [no_money("currency", currency)]
    for at, line in enumerate(lines):
        path = f"lines[{at}]"
        wrong += _quantity(f"{path}.quantity", line.quantity, storno)
        wrong += _price(f"{path}.unit_price", line.unit_price, currency)
        wrong += number(f"{path}.unit_cost", line.unit_cost)
        wrong += percentage(f"{path}.discount_percent", line.discount_percent)
        wrong += amount(f"{path}.discount_amount", line.discount_amount, currency)
        wrong += percentage(f"{path}.tax_percent", line.tax_percent, most=MOST_TAX)
    return wrong


def wrong_discount(percent: str, off: str, currency: str) -> list[Violation]:
    """Everything that is wrong with a discount on all lines."""
    return percentage("discount_percent", percent) + amount("discount_amount", off, currency)


def no_money(path: str, currency: str) -> Violation:
    """Says that a code is none of money."""
    return Violation(path, f"{currency!r} is no currency of ISO 4217; choose one such as PLN")


def number(path: str, text: str) -> list[Violation]:
    """A count or a price of one: not negative, below MOST, PLACES places; empty is nothing."""
    if not text:
        return []
    value = Decimal(text)
    if value < 0:
        return [Violation(path, f"{text} is negative; the least is 0")]
    if value >= MOST:
        return [Violation(path, f"{text} is too large; it must be below {MOST:f}")]
    return _places(path, text, PLACES)


def percentage(path: str, text: str, *, most: int = 100) -> list[Violation]:
    """Between 0 and `most`, PLACES places; empty is nothing."""
    if not text:
        return []
    if not 0 <= Decimal(text) <= most:
        return [Violation(path, f"{text} is no percentage between 0 and {most}")]
    return _places(path, text, PLACES)


def amount(path: str, text: str, currency: str) -> list[Violation]:
    """An amount that can be paid: not negative, below MOST_AMOUNT, the currency's places; empty is nothing."""
    if not text:
        return []
    value = Decimal(text)
    if value < 0:
        return [Violation(path, f"{text} is negative; the least is 0")]
    if value >= MOST_AMOUNT:
        return [Violation(path, f"{text} is too large; it must be below {MOST_AMOUNT:f}")]
    return _places(path, text, currencies.places(currency), f" in {currency}")


def _quantity(path: str, text: str, storno: bool) -> list[Violation]:
    if not text:
        return [Violation(path, "is missing; say how many, or name a done task that measured it")]
    value = Decimal(text)
    if storno and value > 0:
        return [Violation(path, f"{text} is positive; what is taken back is counted below 0")]
    if not storno and value < 0:
        return [Violation(path, f"{text} is negative; the least is 0, and what is taken back stands on a credit note")]  # fmt: skip
    return number(path, text.lstrip("-"))


def _price(path: str, text: str, currency: str) -> list[Violation]:
    if not text:
        return [Violation(path, f"is missing, and no published price list in {currency} gives one; type a price")]  # fmt: skip
    return number(path, text)


def _places(path: str, text: str, most: int, where: str = "") -> list[Violation]:
    exponent = Decimal(text).normalize(currencies.EXACT).as_tuple().exponent
    count = -exponent if isinstance(exponent, int) else 0
    if count <= most:
        return []
    return [Violation(path, f"{text} has {count} decimal places; at most {most}{where}")]
