"""What amounts are worth in the company's own currency, by the rate of the day. Where no rate is known nothing is guessed."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from chassis.call import Cause
from chassis.kit import bulk
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.deals.v1 import currency_rate_pb2, deal_pb2
from services.deals import people, store
from services.deals.money import currencies
from services.deals.rules import rates as rules
from services.deals.rules import sales

Deal = deal_pb2.Deal
CurrencyRate = currency_rate_pb2.CurrencyRate

FILL = "base-amounts"
_AT_ONCE = 200
"""Deals that one transaction fills: some 0.1 s."""
_SETTLES = timedelta(seconds=2)
"""Deals whose transactions did not see the rate yet are there by then."""


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


async def fill_base(tx: Tx, deal: Deal) -> None:
    """Keeps the deal's base amount while it is open: by the rate of today, empty while there is none."""
    if deal.state == Deal.STATE_OPEN:
        deal.base_amount = await _worth(tx, deal, await base_of(tx), people.today_of(tx))


async def _worth(tx: Tx, deal: Deal, base: str, on: date) -> str:
    """What the deal is worth by the rate of that day; empty where there is none or nobody has said an amount."""
    if not deal.amount:
        return ""
    worth = await converted(tx, sales.net_of(deal), deal.currency, base, on)
    return "" if worth is None else currencies.shown(worth, base)


# -- deals that waited for a rate ------------------------------------------------------------------------------------------


async def fill_soon(tx: Tx, rate: CurrencyRate) -> None:
    """Fills the deals that wait for such a rate, on the day from which it holds."""
    if rate.base_currency != await base_of(tx):
        return
    first = date(rate.date.year, rate.date.month, rate.date.day)
    begins = datetime.combine(first, time(), ZoneInfo(people.zone_of(tx))).astimezone(UTC)
    payload = {"currency": rate.currency, "after": str(store.NO_ID)}
    await tx.set_timer(FILL, f"{rate.currency}/{first}", max(begins, tx.now) + _SETTLES, payload)


async def fill_next(tx: Tx, currency: str, after: str) -> str:
    """Fills the next deals in this currency that have no base amount; after which to go on, empty where there are no more.

    An open deal is worth what it is today, an ended one what it was on its last day.
    """
    base, today = await base_of(tx), people.today_of(tx)
    rows = await store.unconverted_deals(tx, currency, after, _AT_ONCE)
    writes = []
    for row in rows:
        deal = Deal.FromString(row["doc"])
        is_open = deal.state == Deal.STATE_OPEN
        on = today if is_open else day_at(tx, to_datetime(deal.ending.time))
        deal.base_amount = await _worth(tx, deal, base, on)
        writes.append(bulk.Write(deal, row["doc"], "deleted" if row["delete_time"] else ""))
    outcome = await bulk.write(tx, store.deals, writes, cause=Cause("rate", currency))
    if outcome.lost:  # somebody writes them now, by rates that he may not have seen
        return after
    return str(rows[-1]["id"]) if len(rows) == _AT_ONCE else ""
