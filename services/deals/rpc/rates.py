"""Currency rates, one by one and many at once."""

from chassis.errors import Violation
from chassis.handlers import Servicer, writes
from chassis.kit.standard import refuse_unwritable, standard
from chassis.tx import Tx
from crm.deals.v1 import currency_rate_pb2 as pb
from services.deals import converting, earning, errors, store
from services.deals.rules import days
from services.deals.rules import rates as rules
from services.deals.store import sales_facts as facts

CurrencyRate = pb.CurrencyRate

_FIELDS = ("currency", "base_currency", "date", "rate", "source")


async def check_rate(tx: Tx, new: CurrencyRate, old: CurrencyRate | None, path: str = "") -> None:
    """Keeps that a rate can be used; what waited for it is counted: deals, plans and commissions."""
    new.base_currency = new.base_currency or await converting.base_of(tx)
    rules.check(new, path)
    on = days.day_of(new, "date")
    assert on is not None
    await converting.fill_soon(tx, new)
    if await facts.is_unconverted(tx, new.currency, on):
        await earning.adjust_between(tx, on, days.NEVER)


class Rates(standard(store.currency_rates, on_save=check_rate, on_undelete=converting.fill_soon), Servicer):  # type: ignore[misc] # fmt: skip
    """`/v1/currencyRates`."""

    @writes
    async def PutCurrencyRates(
        self, request: pb.PutCurrencyRatesRequest, tx: Tx
    ) -> pb.PutCurrencyRatesResponse:
        refuse_unwritable(tx, store.currency_rates, _FIELDS)
        await tx.lock("currency-rates")  # two who put the same new rate would both make it
        base, answer = await converting.base_of(tx), pb.PutCurrencyRatesResponse()
        wrong: list[Violation] = []
        seen = set()
        for at, sent in enumerate(request.currency_rates):
            sent.base_currency = sent.base_currency or base
            try:
                rules.check(sent, f"currency_rates[{at}].")
            except errors.ValuesInvalid as refusal:
                wrong += refusal.violations
                continue
            key = (sent.currency, sent.base_currency, days.day_of(sent, "date"))
            if key in seen:
                wrong.append(Violation(f"currency_rates[{at}].date", "stands twice for these currencies; each day once"))  # fmt: skip
            seen.add(key)
        if wrong:
            raise errors.ValuesInvalid(wrong)
        for sent in request.currency_rates:
            answer.currency_rates.append(await _put(tx, sent))
        return answer


async def _put(tx: Tx, sent: CurrencyRate) -> CurrencyRate:
    """The rate of that day with the new value; made if there is none."""
    on = days.day_of(sent, "date")
    assert on is not None
    old = await store.rate_of_day(tx, sent.currency, sent.base_currency, on)
    new = CurrencyRate()
    if old is not None:
        await tx.require("currency_rate", "update")
        new.CopyFrom(old)
    new.MergeFrom(
        CurrencyRate(currency=sent.currency, base_currency=sent.base_currency, rate=sent.rate, source=sent.source)
    )  # fmt: skip
    new.date.CopyFrom(sent.date)
    await check_rate(tx, new, old)
    store.currency_rates.save(tx, new)
    return new
