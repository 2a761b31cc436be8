"""An interpreter of explained steps that shares nothing with the money engine: fractions, and its own rounding and sharing."""

from collections.abc import Iterable
from fractions import Fraction
from math import floor

from crm.deals.v1 import explain_pb2

AmountStep = explain_pb2.AmountStep
Op = AmountStep.Operation


def rounded(value: Fraction, places: int) -> Fraction:
    """To so many places; halves go away from zero."""
    scale = 10**places
    sign = -1 if value < 0 else 1
    return Fraction(sign * floor(abs(value) * scale + Fraction(1, 2)), scale)


def shared(whole: Fraction, weights: list[Fraction], places: int) -> list[Fraction]:
    """By the largest remainder; of equal ones the earlier first."""
    total, unit = sum(weights), Fraction(1, 10**places)
    weights = weights if total else [Fraction(1)] * len(weights)
    exact = [abs(whole) * weight / sum(weights) / unit for weight in weights]
    counts = [floor(each) for each in exact]
    left = int(abs(whole) / unit) - sum(counts)
    for at in sorted(range(len(exact)), key=lambda at: (counts[at] - exact[at], at))[:left]:
        counts[at] += 1
    return [count * unit * (-1 if whole < 0 else 1) for count in counts]


def reckoned(step: AmountStep, inputs: list[Fraction]) -> list[Fraction]:
    """The results of one step."""
    if step.operation == Op.OPERATION_SPLIT:
        return shared(inputs[0], inputs[1:], step.places)
    a, b, c = (*inputs, Fraction(0), Fraction(0), Fraction(0))[:3]
    exact = {
        Op.OPERATION_PRODUCT: lambda: a * b,
        Op.OPERATION_PERCENT: lambda: a * b / 100,
        Op.OPERATION_CONTAINED_TAX: lambda: a * b / (100 + b),
        Op.OPERATION_MINUS: lambda: a - b,
        Op.OPERATION_SUM: lambda: sum(inputs, Fraction(0)),
        Op.OPERATION_RATIO: lambda: a * b / c,
        Op.OPERATION_ABOVE: lambda: max(Fraction(0), a - b),
        Op.OPERATION_LEAST: lambda: min(a, b),
    }[step.operation]()
    return [rounded(exact, step.places)]


def replay(steps: Iterable[AmountStep]) -> dict[str, Fraction]:
    """The value of every name. AssertionError where a step says another result, or uses a result under another value."""
    known: dict[str, Fraction] = {}
    for step in steps:
        inputs = [Fraction(figure.value) for figure in step.inputs]
        for figure, value in zip(step.inputs, inputs, strict=True):
            assert known.setdefault(figure.name, value) == value, f"{figure.name} is two values"
        results = reckoned(step, inputs)
        said = [Fraction(figure.value) for figure in step.results]
        assert said == results, f"{step}: {results}"
        for figure, value in zip(step.results, results, strict=True):
            assert known.setdefault(figure.name, value) == value, f"{figure.name} is two values"
    return known
