"""What amounts are worth in the company's own currency, by the rate of the day. Where no rate is known nothing is guessed."""

from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from services.deals import people, store
from services.deals.money import currencies
from services.deals.rules import rates as rules
from services.deals.rules import sales

Deal = deal_pb2.Deal


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
    if deal.state != Deal.STATE_OPEN:
        return
    deal.base_amount = ""
    if not deal.amount:
        return
    base = await base_of(tx)
    worth = await converted(tx, sales.net_of(deal), deal.currency, base, people.today_of(tx))
    if worth is not None:
        deal.base_amount = currencies.shown(worth, base)
