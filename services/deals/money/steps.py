"""The arithmetic of money, step by step, so that every figure can explain itself (M16). Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from services.deals.money import currencies
from services.deals.money.split import allocate

EXACT = currencies.EXACT
HUNDRED = Decimal(100)


class Figure(NamedTuple):
    """A value and what it is called, e.g. lines[0].list."""

    name: str
    value: Decimal


@dataclass(frozen=True, slots=True)
class Step:
    """One operation: what went in, and what came out, rounded to the currency."""

    operation: str
    """product, percent, contained_tax, minus, sum, split, ratio, above or least."""
    inputs: tuple[Figure, ...]
    results: tuple[Figure, ...]
    """One; of a split one for each weight."""


Trace = Callable[[Step], None]


class Steps:
    """Calculates in one currency and tells a trace, if there is one, of each step."""

    def __init__(self, currency: str, trace: Trace | None = None) -> None:
        self.currency, self._trace = currency, trace

    def product(self, name: str, count: Figure, price: Figure) -> Figure:
        """count x price, rounded."""
        return self._one("product", name, EXACT.multiply(count.value, price.value), count, price)

    def percent(self, name: str, whole: Figure, rate: Figure) -> Figure:
        """whole x rate / 100, rounded."""
        part = EXACT.divide(EXACT.multiply(whole.value, rate.value), HUNDRED)
        return self._one("percent", name, part, whole, rate)

    def contained_tax(self, name: str, gross: Figure, rate: Figure) -> Figure:
        """The tax in an amount that holds it: gross x rate / (100 + rate), rounded."""
        tax = EXACT.divide(EXACT.multiply(gross.value, rate.value), EXACT.add(HUNDRED, rate.value))
        return self._one("contained_tax", name, tax, gross, rate)

    def minus(self, name: str, whole: Figure, part: Figure) -> Figure:
        """whole - part."""
        return self._one("minus", name, EXACT.subtract(whole.value, part.value), whole, part)

    def total(self, name: str, parts: Sequence[Figure]) -> Figure:
        """All parts together; zero where there are none."""
        value = Decimal(0)
        for part in parts:
            value = EXACT.add(value, part.value)
        return self._one("sum", name, value, *parts)

    def ratio(self, name: str, whole: Figure, part: Figure, of: Figure) -> Figure:
        """whole x part / of, rounded."""
        exact = EXACT.divide(EXACT.multiply(whole.value, part.value), of.value)
        return self._one("ratio", name, exact, whole, part, of)

    def above(self, name: str, whole: Figure, limit: Figure) -> Figure:
        """whole - limit, but never less than 0."""
        exact = max(Decimal(0), EXACT.subtract(whole.value, limit.value))
        return self._one("above", name, exact, whole, limit)

    def least(self, name: str, one: Figure, other: Figure) -> Figure:
        """The smaller of both."""
        return self._one("least", name, min(one.value, other.value), one, other)

    def split(self, names: Sequence[str], whole: Figure, weights: Sequence[Figure]) -> list[Figure]:
        """Parts in proportion to the weights that sum to the whole, see money.split."""
        if not weights:
            return []
        parts = allocate(whole.value, [weight.value for weight in weights], self.currency)
        results = [Figure(name, part) for name, part in zip(names, parts, strict=True)]
        self._tell("split", (whole, *weights), tuple(results))
        return results

    def _one(self, operation: str, name: str, exact: Decimal, *inputs: Figure) -> Figure:
        result = Figure(name, currencies.rounded(exact, self.currency))
        self._tell(operation, inputs, (result,))
        return result

    def _tell(
        self, operation: str, inputs: tuple[Figure, ...], results: tuple[Figure, ...]
    ) -> None:
        if self._trace is not None:
            self._trace(Step(operation, inputs, results))
