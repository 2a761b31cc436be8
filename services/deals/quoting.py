"""What every quote passes when it is written, and what the customer's answer does, whoever brings it."""

from google.type.date_pb2 import Date

from chassis.errors import NotFound
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2, quote_pb2
from crm.deals.v1 import quote_events_pb2 as events
from services.deals import errors, people, pricing, quote_ends, saving, store
from services.deals.rules import moving
from services.deals.rules import quotes as rules
from services.deals.store.deals import readers
from services.deals.store.settings import FIRST_VALID_DAYS

Deal = deal_pb2.Deal
Quote = quote_pb2.Quote

_OTHER_ACCEPTED = "another quote was accepted"


async def check(tx: Tx, new: Quote, old: Quote | None) -> None:
    """Completes and prices a quote that is written or changed; a change makes it a draft again."""
    if old is None:
        deal = await _deal_for_quote(tx, new.deal_id)
        rules.begin(new, deal, readers=readers(deal), author=people.user_of(tx.actor))
        if not new.HasField("valid_until"):
            new.valid_until.CopyFrom(await _usual_validity(tx))
    else:
        rules.reopen(new)
        deal = await deal_of(tx, old)
    moving.require_open(deal, "quoted")
    rules.check(new, old, deal, people.today_of(tx))
    await pricing.price_lines(
        tx, new, contact_id=deal.contact_id, company_id=deal.company_id, old=old or deal
    )
    rules.reckon_discount(new)
    if old is None:
        year = people.today_of(tx).year
        new.number = rules.number(year, await store.next_quote_count(tx, year))


async def next_version(tx: Tx, old: Quote) -> Quote:
    """The next version as a draft, with the old one's lines; both are saved."""
    deal = await deal_of(tx, old)
    moving.require_open(deal, "quoted")
    was_open = old.state in rules.OPEN
    new = rules.next_version(old, id=tx.new_id(), author=people.user_of(tx.actor))
    if rules.wrong_validity(new, people.today_of(tx)):
        new.valid_until.CopyFrom(await _usual_validity(tx))
    store.quotes.save(tx, old)
    store.quotes.save(tx, new)
    if was_open:
        await tx.cancel_timer(quote_ends.EXPIRY, old.id)
        tx.emit(events.QuoteSuperseded(quote=old))
    return new


async def take_turn(tx: Tx, quote: Quote) -> Quote:
    """The quote as it is when nobody else answers any quote of its deal: of two who accept at once, one waits here."""
    await tx.lock(f"quotes-of-deal {quote.deal_id}")
    now = await store.quotes.find(tx, quote.id)
    assert now is not None, "quotes are never deleted"
    return now


async def accept(tx: Tx, quote: Quote, *, name: str, note: str, by: str) -> None:
    """The deal takes over what was accepted, and its other quotes are withdrawn."""
    deal = await deal_of(tx, quote)
    moving.require_open(deal, "changed by a quote")
    rules.answer(quote, Quote.STATE_ACCEPTED, name=name, note=note, by=by, at=tx.now)
    store.quotes.save(tx, quote)
    tx.emit(events.QuoteAccepted(quote=quote))
    await tx.cancel_timer(quote_ends.EXPIRY, quote.id)
    await quote_ends.close_open(tx, deal.id, _OTHER_ACCEPTED, accepted_id=quote.id)
    rules.bring(deal, quote)
    await saving.save(tx, deal)


async def decline(tx: Tx, quote: Quote, *, name: str, note: str, by: str) -> None:
    """The customer's no; the deal's other quotes stay."""
    rules.answer(quote, Quote.STATE_DECLINED, name=name, note=note, by=by, at=tx.now)
    store.quotes.save(tx, quote)
    tx.emit(events.QuoteDeclined(quote=quote))
    await tx.cancel_timer(quote_ends.EXPIRY, quote.id)


async def deal_of(tx: Tx, quote: Quote) -> Deal:
    """The deal of the quote, whoever asks."""
    deal = await store.deals.find(tx, quote.deal_id)
    if deal is None:
        raise errors.ReferenceUnknown([("deal_id", f"deal {quote.deal_id}")])
    return deal


async def _deal_for_quote(tx: Tx, id: str) -> Deal:
    """The deal, if the caller may read it; ReferenceUnknown otherwise."""
    try:
        return await store.deals.get(tx, id)
    except NotFound:
        raise errors.ReferenceUnknown([("deal_id", f"deal {id}")]) from None


async def _usual_validity(tx: Tx) -> Date:
    days = (await store.settings_of(tx)).quote_valid_days or FIRST_VALID_DAYS
    return rules.validity(people.today_of(tx), days)
