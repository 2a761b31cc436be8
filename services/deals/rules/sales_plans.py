"""Sales plans: for how long one is, what counts for it, and how far it is reached. Pure."""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from chassis.errors import Violation
from crm.deals.v1 import sales_plan_pb2
from services.deals import errors
from services.deals.money import currencies, limits
from services.deals.rules import days

SalesPlan = sales_plan_pb2.SalesPlan

_MONTHS = {SalesPlan.PERIOD_MONTH: 1, SalesPlan.PERIOD_QUARTER: 3, SalesPlan.PERIOD_YEAR: 12}
_KINDS: Mapping[int, tuple[str, ...]] = {
    SalesPlan.MEASURE_WON_VALUE: ("won", "reopened", "credited"),
    SalesPlan.MEASURE_COUNT: ("won", "reopened"),
    SalesPlan.MEASURE_MARGIN: ("won", "reopened", "credited"),
    SalesPlan.MEASURE_RECEIVED: ("received", "refunded"),
}
_HUNDREDTH = Decimal("0.01")


def kinds(measure: int) -> tuple[str, ...]:
    """The kinds of sales facts that count for the measure."""
    return _KINDS[measure]


def complete(plan: SalesPlan) -> None:
    """Sets the days of a month, quarter or year; refuses days and targets that cannot be."""
    plan.name = " ".join(plan.name.split())
    plan.period = plan.period or SalesPlan.PERIOD_OWN
    wrong = days.wrong_span(plan)
    first = days.day_of(plan, "from_date")
    if first is not None and plan.period in _MONTHS:
        begin, end = bounds(first, _MONTHS[plan.period])
        plan.from_date.CopyFrom(days.to_date(begin))
        plan.until_date.CopyFrom(days.to_date(end))
        wrong = []
    elif not wrong and not plan.HasField("until_date"):
        wrong = [Violation("until_date", "is required for a time of one's own; or choose a month, quarter or year")]  # fmt: skip
    wrong += _wrong_target(plan)
    if wrong:
        raise errors.ValuesInvalid(wrong)


def bounds(day: date, months: int) -> tuple[date, date]:
    """The first and last day of the month, quarter or year in which the day lies."""
    begin = (day.month - 1) // months * months + 1
    end = begin + months - 1
    return date(day.year, begin, 1), date(day.year, end, monthrange(day.year, end)[1])


def _wrong_target(plan: SalesPlan) -> list[Violation]:
    if plan.measure == SalesPlan.MEASURE_COUNT:
        value = Decimal(plan.target)
        if value != value.to_integral_value():
            return [Violation("target", f"{plan.target} deals cannot be won; give a whole number")]
        wrong = limits.number("target", plan.target)
    else:
        wrong = limits.amount("target", plan.target, plan.currency)
    if not wrong and not Decimal(plan.target):
        wrong = [Violation("target", "must be more than 0")]
    return wrong


def title(plan: SalesPlan, whose: str) -> str:
    """A name for a plan that was given none."""
    measure = SalesPlan.Measure.Name(plan.measure).removeprefix("MEASURE_").lower().replace("_", " ")  # fmt: skip
    first, last = days.span(plan)
    return f"{whose}: {measure}, {first} to {last}"[:100]


@dataclass(slots=True)
class Tally:
    """What one person did for a plan."""

    actual: Decimal = field(default_factory=Decimal)
    forecast: Decimal = field(default_factory=Decimal)


def percent(actual: Decimal, target: Decimal) -> Decimal:
    """The actual in percent of the target, with two places."""
    return currencies.EXACT.quantize(currencies.EXACT.divide(actual * 100, target), _HUNDREDTH)


def shown(value: Decimal, plan: SalesPlan) -> str:
    """A figure of the plan as text: money in the currency's places, deals with up to two."""
    if plan.measure != SalesPlan.MEASURE_COUNT:
        return currencies.shown(value, plan.currency)
    return f"{currencies.EXACT.quantize(value, _HUNDREDTH).normalize(currencies.EXACT):f}"
