"""How quotes end without an answer: with their deal, with another quote of it, or with their last day."""

from chassis.times import to_datetime
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2, quote_pb2
from crm.deals.v1 import quote_events_pb2 as events
from services.deals import store
from services.deals.rules import quotes as rules

Deal = deal_pb2.Deal
Quote = quote_pb2.Quote

EXPIRY = "quote-expiry"


async def close_open(tx: Tx, deal_id: str, note: str, *, accepted_id: str = "") -> None:
    """Withdraws every quote of the deal that could still be accepted, but for the one that was."""
    for quote in await store.open_quotes(tx, deal_id):
        if quote.id != accepted_id:
            await withdraw(tx, quote, note, accepted_id=accepted_id)


async def withdraw(tx: Tx, quote: Quote, note: str, *, accepted_id: str = "") -> None:
    """We take it back for good."""
    rules.withdraw(quote, note)
    store.quotes.save(tx, quote)
    await tx.cancel_timer(EXPIRY, quote.id)
    tx.emit(events.QuoteWithdrawn(quote=quote, accepted_quote_id=accepted_id))


async def with_deal(tx: Tx, deal: Deal, old: Deal | None) -> None:
    """A deal that ended or was deleted has no open quotes: nobody changes it by accepting one afterwards."""
    if old is None or not _is_worked_on(old) or _is_worked_on(deal):
        return
    word = Deal.State.Name(deal.state).removeprefix("STATE_").lower()
    word = "deleted" if deal.HasField("delete_time") else word
    await close_open(tx, deal.id, f"the deal was {word}")


def _is_worked_on(deal: Deal) -> bool:
    return deal.state == Deal.STATE_OPEN and not deal.HasField("delete_time")


async def expire_at_midnight(tx: Tx, quote: Quote) -> None:
    """Sets the timer for the end of the last day of a quote that is sent now."""
    await tx.set_timer(EXPIRY, quote.id, to_datetime(quote.expire_time), {"quote_id": quote.id})


async def expire(tx: Tx, quote_id: str) -> None:
    """The last day is over; a quote that was answered or taken back meanwhile stays what it is."""
    quote = await store.quotes.find(tx, quote_id)
    if quote is None or quote.state != Quote.STATE_SENT or not rules.is_over(quote, tx.now):
        return
    rules.expire(quote)
    store.quotes.save(tx, quote)
    tx.emit(events.QuoteExpired(quote=quote))
