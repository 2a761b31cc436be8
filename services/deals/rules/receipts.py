"""What is expected to come in, put into weeks (ELMA's planned receipts). Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from crm.deals.v1 import invoice_verbs_pb2 as pb
from services.deals.money import currencies
from services.deals.rules import days

WEEKS = 13
"""A quarter, where nobody says how many."""
_CERTAIN = Decimal(100)


@dataclass(frozen=True, slots=True)
class Expected:
    """What is due or expected on one day in one currency: open instalments, or deals with how likely they are won."""

    currency: str
    day: date
    """date.max where nobody knows."""
    amount: Decimal
    count: int
    probability: Decimal | None = None
    """In percent; None for instalments of invoices."""


@dataclass(slots=True)
class _Sum:
    invoiced: Decimal = Decimal(0)
    expected: Decimal = Decimal(0)
    weighted: Decimal = Decimal(0)
    instalments: int = 0
    deals: int = 0

    def add(self, one: Expected) -> None:
        if one.probability is None:
            self.invoiced += one.amount
            self.instalments += one.count
            return
        self.expected += one.amount
        self.weighted += one.amount * one.probability / _CERTAIN
        self.deals += one.count

    def shown(self, currency: str) -> pb.Receipts:
        def text(value: Decimal) -> str:
            return currencies.shown(value, currency)

        return pb.Receipts(
            invoiced=text(self.invoiced), instalment_count=self.instalments,
            expected=text(self.expected), weighted=text(self.weighted), deal_count=self.deals,
        )  # fmt: skip


@dataclass(slots=True)
class _Sums:
    overdue: _Sum = field(default_factory=_Sum)
    weeks: dict[date, _Sum] = field(default_factory=dict)
    later: _Sum = field(default_factory=_Sum)
    undated: _Sum = field(default_factory=_Sum)


def monday(day: date) -> date:
    """The first day of its week (ISO 8601)."""
    return day - timedelta(days=day.weekday())


def plan(found: Iterable[Expected], *, today: date, weeks: int) -> pb.PlannedReceipts:
    """What is expected by currency and week; what is late stands in no week, what lies behind them in `later`."""
    start = monday(today)
    mondays = [start + timedelta(weeks=number) for number in range(weeks)]
    by_currency: dict[str, _Sums] = {}
    for one in found:
        sums = by_currency.setdefault(one.currency, _Sums(weeks={day: _Sum() for day in mondays}))
        _bucket(sums, one.day, today).add(one)
    answer = pb.PlannedReceipts(start_date=days.to_date(start))
    for currency, sums in sorted(by_currency.items()):
        answer.currencies.append(_shown(currency, sums))
    return answer


def _bucket(sums: _Sums, day: date, today: date) -> _Sum:
    if day == date.max:
        return sums.undated
    if day < today:
        return sums.overdue
    return sums.weeks.get(monday(day), sums.later)


def _shown(currency: str, sums: _Sums) -> pb.CurrencyReceipts:
    weeks: Mapping[date, _Sum] = sums.weeks
    return pb.CurrencyReceipts(
        currency=currency,
        overdue=sums.overdue.shown(currency),
        weeks=[
            pb.WeekReceipts(start_date=days.to_date(day), receipts=week.shown(currency))
            for day, week in weeks.items()
        ],
        later=sums.later.shown(currency),
        undated=sums.undated.shown(currency),
    )
