"""What amounts are worth in the company's own currency, by the rate of the day. Where no rate is known nothing is guessed."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from chassis.call import Cause
from chassis.kit import bulk
from chassis.tx import Tx
from crm.deals.v1 import currency_rate_pb2, deal_pb2
from services.deals import people, store
from services.deals.money import currencies
from services.deals.rules import rates as rules
from services.deals.rules import sales

Deal = deal_pb2.Deal
CurrencyRate = currency_rate_pb2.CurrencyRate

FILL = "base-amounts"
EVERY = ""
"""As a currency: deals in every one."""
_AT_ONCE = 200
"""Deals that one transaction fills: some 0.1 s."""
_SETTLES = timedelta(seconds=2)
"""Deals whose transactions did not see the rate or the base currency yet are there by then."""


async def base_of(tx: Tx) -> str:
    """The currency in which sums over several currencies are shown."""
    chosen = (await store.settings_of(tx)).base_currency
    return str(chosen) or people.currency_of(tx)


def day_at(tx: Tx, moment: datetime) -> date:
    """The moment's day where the company is."""
    return moment.astimezone(ZoneInfo(people.zone_of(tx))).date()


async def converted(
    tx: Tx, amount: Decimal, currency: str, base: str, on: date, *, known_at: datetime | None = None
) -> Decimal | None:
    """What the amount is worth in `base` by the rate that holds on the day; None if there is no rate yet.

    known_at: only by what was known at that moment.
    """
    if currency == base:
        return currencies.rounded(amount, base)
    rate = await store.rate_on(tx, currency, base, on, known_at=known_at)
    return None if rate is None else rules.converted(amount, rate)


async def known(tx: Tx) -> rules.Known:
    """All rates in the base currency."""
    base = await base_of(tx)
    return rules.Known(base, await store.known_rates(tx, base))


async def fill_base(tx: Tx, deal: Deal) -> None:
    """Keeps the deal's base amount while it is open: by the rate of today, empty while there is none."""
    if deal.state != Deal.STATE_OPEN:
        return
    deal.base_amount = ""
    if deal.amount:
        base, today = await base_of(tx), people.today_of(tx)
        worth = await converted(tx, sales.net_of(deal), deal.currency, base, today)
        deal.base_amount = "" if worth is None else currencies.shown(worth, base)


# -- deals that waited for a rate, or are summed in another currency -------------------------------------------------------


async def fill_soon(tx: Tx, rate: CurrencyRate) -> None:
    """Fills the deals that wait for such a rate, on the day from which it holds."""
    if rate.base_currency != await base_of(tx):
        return
    first = date(rate.date.year, rate.date.month, rate.date.day)
    begins = datetime.combine(first, time(), ZoneInfo(people.zone_of(tx))).astimezone(UTC)
    await _fill_at(tx, rate.currency, f"{rate.currency}/{first}", max(begins, tx.now))


async def fill_written(tx: Tx, deals: Iterable[Deal]) -> None:
    """Fills those of these deals that have no base amount, though a rate has come since they were converted."""
    waiting = [deal for deal in deals if deal.amount and not deal.base_amount]
    if not waiting:
        return
    rates, today, zone = await known(tx), people.today_of(tx), people.zone_of(tx)
    come = {d.currency for d in waiting if rates.base_amount_of(d, today=today, zone=zone)}
    for currency in sorted(come):
        await _fill_at(tx, currency, f"{currency}/written", tx.now)


async def fill_anew(tx: Tx) -> None:
    """Converts every deal into the base currency that holds now."""
    await _fill_at(tx, EVERY, "every currency", tx.now)


async def _fill_at(tx: Tx, currency: str, key: str, at: datetime) -> None:
    payload = {"currency": currency, "after": str(store.NO_ID)}
    await tx.set_timer(FILL, key, at + _SETTLES, payload)


async def fill_next(tx: Tx, currency: str, after: str) -> str:
    """Fills the next deals in this currency that have no base amount, or converts the next of all deals anew.

    Returns after which to go on, empty where there are no more. An open deal is worth what it is today, an ended one what it was on
    its last day.
    """
    rates, today, zone = await known(tx), people.today_of(tx), people.zone_of(tx)
    if currency == EVERY:
        rows = await store.all_deals(tx, after, _AT_ONCE)
    else:
        rows = await store.unconverted_deals(tx, currency, after, _AT_ONCE)
    writes = []
    for row in rows:
        deal = Deal.FromString(row["doc"])
        deal.base_amount = rates.base_amount_of(deal, today=today, zone=zone)
        writes.append(bulk.Write(deal, row["doc"], "deleted" if row["delete_time"] else ""))
    outcome = await bulk.write(tx, store.deals, writes, cause=Cause("rate", currency or rates.base))
    if outcome.lost:  # somebody writes them now, by rates that he may not have seen
        return after
    return str(rows[-1]["id"]) if len(rows) == _AT_ONCE else ""
