"""Currency rates: what one must be, and what an amount is worth in another currency. Pure."""

from bisect import bisect
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

from chassis.errors import Violation
from chassis.times import to_datetime
from crm.deals.v1 import currency_rate_pb2, deal_pb2
from services.deals import errors
from services.deals.money import currencies
from services.deals.rules import days, sales

CurrencyRate = currency_rate_pb2.CurrencyRate
Deal = deal_pb2.Deal

PLACES = 12
MOST = Decimal(10) ** 9


def check(rate: CurrencyRate, path: str = "") -> None:
    """Refuses a rate of no money, of a currency in itself, of no day, and one that is not above 0."""
    wrong = [
        Violation(path + field, f"{getattr(rate, field)!r} is no currency of ISO 4217; choose one such as EUR")
        for field in ("currency", "base_currency")
        if not currencies.is_known(getattr(rate, field))
    ]  # fmt: skip
    if rate.currency == rate.base_currency:
        wrong.append(Violation(f"{path}currency", f"{rate.currency} is the base currency itself, whose rate is always 1"))  # fmt: skip
    if days.day_of(rate, "date") is None:
        wrong.append(Violation(f"{path}date", "is no day of the calendar; give year, month and day"))  # fmt: skip
    wrong += _wrong_value(f"{path}rate", rate.rate)
    if wrong:
        raise errors.ValuesInvalid(wrong)


def _wrong_value(path: str, text: str) -> list[Violation]:
    value = Decimal(text)
    if not 0 < value < MOST:
        return [Violation(path, f"{text} must be more than 0 and less than {MOST:f}")]
    exponent = value.normalize(currencies.EXACT).as_tuple().exponent
    if isinstance(exponent, int) and -exponent > PLACES:
        return [Violation(path, f"{text} has {-exponent} decimal places; at most {PLACES}")]
    return []


def converted(amount: Decimal, rate: CurrencyRate) -> Decimal:
    """What the amount is worth in the rate's base currency, rounded to its places."""
    return _worth(amount, Decimal(rate.rate), rate.base_currency)


def _worth(amount: Decimal, rate: Decimal, base: str) -> Decimal:
    return currencies.rounded(currencies.EXACT.multiply(amount, rate), base)


class Known:
    """All rates in one base currency, for many amounts at once."""

    def __init__(self, base: str, rates: Iterable[tuple[str, date, Decimal]]) -> None:
        """rates: currency, the day from which it holds, and the rate; of each currency the earliest first."""
        self.base = base
        self._by_currency: dict[str, tuple[list[date], list[Decimal]]] = {}
        for currency, first, rate in rates:
            begins, values = self._by_currency.setdefault(currency, ([], []))
            begins.append(first)
            values.append(rate)

    def worth(self, amount: Decimal, currency: str, on: date) -> Decimal | None:
        """What the amount is worth by the rate that holds on the day; None if there is none yet."""
        if currency == self.base:
            return currencies.rounded(amount, currency)
        begins, values = self._by_currency.get(currency, ([], []))
        at = bisect(begins, on)
        return _worth(amount, values[at - 1], self.base) if at else None

    def base_amount_of(self, deal: Deal, *, today: date, zone: str) -> str:
        """What the deal is worth today while it is open, else what it was worth on the day it ended; empty if nobody knows."""
        if not deal.amount:
            return ""
        on = today
        if deal.state != Deal.STATE_OPEN:
            on = to_datetime(deal.ending.time).astimezone(ZoneInfo(zone)).date()
        worth = self.worth(sales.net_of(deal), deal.currency, on)
        return "" if worth is None else currencies.shown(worth, self.base)
