"""Currency rates: what one must be, and what an amount is worth in another currency. Pure."""

from decimal import Decimal

from chassis.errors import Violation
from crm.deals.v1 import currency_rate_pb2
from services.deals import errors
from services.deals.money import currencies
from services.deals.rules import days

CurrencyRate = currency_rate_pb2.CurrencyRate

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
    exact = currencies.EXACT.multiply(amount, Decimal(rate.rate))
    return currencies.rounded(exact, rate.base_currency)
