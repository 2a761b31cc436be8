"""Splitting a whole into parts that can be paid and sum to it to the last unit. Pure."""

from collections.abc import Sequence
from decimal import Decimal
from math import lcm

from services.deals.money import currencies


def allocate(whole: Decimal, weights: Sequence[Decimal], currency: str) -> list[Decimal]:
    """Parts of `whole` in proportion to the weights, by the largest remainder (Hamilton's method).

    The parts sum to `whole`, which must be an amount of the currency; none is further than one unit from its exact share,
    and none has another sign than the whole. Of equal remainders the earlier one gets the unit. Weights that are all zero
    count as equal. ValueError for a negative weight, no weights, or a whole that has more places than the currency.
    """
    unit = currencies.unit(currency)
    if not weights or min(weights) < 0:
        raise ValueError("weights must be there and not negative")
    if whole != currencies.rounded(whole, currency):
        raise ValueError(f"{whole} is no amount of {currency}")
    units, sign = int(currencies.EXACT.divide(abs(whole), unit)), -1 if whole < 0 else 1
    counts = _largest_remainder(units, _integers(weights))
    return [currencies.EXACT.multiply(Decimal(sign * count), unit) for count in counts]


def _integers(weights: Sequence[Decimal]) -> list[int]:
    """Whole numbers in the same proportion."""
    if not any(weights):
        return [1] * len(weights)
    ratios = [weight.as_integer_ratio() for weight in weights]
    common = lcm(*(below for _, below in ratios))
    return [above * (common // below) for above, below in ratios]


def _largest_remainder(units: int, weights: Sequence[int]) -> list[int]:
    total = sum(weights)
    shares = [divmod(units * weight, total) for weight in weights]
    counts = [count for count, _ in shares]
    by_remainder = sorted(range(len(shares)), key=lambda at: -shares[at][1])
    for at in by_remainder[: units - sum(counts)]:
        counts[at] += 1
    return counts
