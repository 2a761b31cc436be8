"""Currencies: how many places each has, and how amounts are rounded and written in it. Pure."""

from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cache

from iso4217 import Currency

EXACT = Context(prec=100, rounding=ROUND_HALF_UP)
"""Holds every product of two values that fields accept without losing a digit."""

_IN_USE = {"IDR": 0}
"""Where people and the tax office left ISO 4217 behind: nobody has paid in sen for decades, and Indonesian tax invoices are written in whole rupiah."""

_USUAL = 2


@cache
def _minor_unit(currency: str) -> int | None:
    try:
        return Currency(currency).exponent
    except ValueError:
        return None


def is_known(currency: str) -> bool:
    """True for the code of money that ISO 4217 lists; gold and test codes are no money."""
    return _minor_unit(currency) is not None


def places(currency: str) -> int:
    """Decimal places of amounts: ISO 4217's minor unit, with one exception; two for a code that is not (any more) on the list."""
    if currency in _IN_USE:
        return _IN_USE[currency]
    minor = _minor_unit(currency)
    return _USUAL if minor is None else minor


@cache
def unit(currency: str) -> Decimal:
    """The smallest amount that can be paid, e.g. 0.01."""
    return Decimal(1).scaleb(-places(currency))


def rounded(amount: Decimal, currency: str) -> Decimal:
    """The nearest amount that can be paid; halves go away from zero, as tax offices and shops round."""
    return EXACT.plus(EXACT.quantize(amount, unit(currency)))  # plus: no minus before zero


def shown(amount: Decimal, currency: str) -> str:
    """The amount as records hold it: all places of the currency, no exponent."""
    return f"{rounded(amount, currency):f}"
