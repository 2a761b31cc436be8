"""The door through which a customer reads and answers a quote by his link: anybody may call.

A key that is wrong, expired or of nobody's gets one and the same answer, so nobody learns which it was. A quote that was
superseded or withdrawn says so: its customer has read it before and shall not wonder.
"""

from chassis.call import Actor, Cause
from chassis.handlers import Servicer, reads, writes
from chassis.tx import Tx
from crm.deals.v1 import quote_events_pb2 as events
from crm.deals.v1 import quote_page_pb2 as pb
from crm.deals.v1 import quote_pb2
from services.deals import errors, people, quote_links, quoting, store, visitors
from services.deals.rules import quote_pages as page_rules
from services.deals.rules import quotes as rules

Quote = quote_pb2.Quote
Answer = pb.AcceptPublicQuoteRequest | pb.DeclinePublicQuoteRequest

_LONGEST_PROGRAM = 500


def tenant_of(request: pb.GetPublicQuoteRequest | pb.OpenPublicQuoteRequest | Answer) -> str:
    """The tenant that the link's key names."""
    return quote_links.tenant_of(request.key)


class QuotePages(Servicer):
    """`/v1/public/quotes/{key}`."""

    @reads(tenant=tenant_of)
    async def GetPublicQuote(self, request: pb.GetPublicQuoteRequest, tx: Tx) -> pb.PublicQuote:
        return _shown(tx, await _behind(tx, request.key))

    @writes(tenant=tenant_of)
    async def OpenPublicQuote(self, request: pb.OpenPublicQuoteRequest, tx: Tx) -> pb.PublicQuote:
        quote = await _behind(tx, request.key)
        if not _is_ahead(tx) and rules.opened(quote, tx.now):
            store.quotes.save(tx, quote)
            tx.emit(events.QuoteOpened(quote=quote))
        return _shown(tx, quote)

    @writes(tenant=tenant_of)
    async def AcceptPublicQuote(
        self, request: pb.AcceptPublicQuoteRequest, tx: Tx
    ) -> pb.PublicQuote:
        quote = await _answerable(tx, request)
        seen, is_first = quote.etag, rules.opened(quote, tx.now)
        await quoting.accept(tx, quote, name=request.name, note=request.note, by="")
        await _answered(tx, quote, seen, is_first=is_first)
        return _shown(tx, quote)

    @writes(tenant=tenant_of)
    async def DeclinePublicQuote(
        self, request: pb.DeclinePublicQuoteRequest, tx: Tx
    ) -> pb.PublicQuote:
        quote = await _answerable(tx, request)
        seen, is_first = quote.etag, rules.opened(quote, tx.now)
        await quoting.decline(tx, quote, name=request.name, note=request.note, by="")
        await _answered(tx, quote, seen, is_first=is_first)
        return _shown(tx, quote)


async def _behind(tx: Tx, key: str) -> Quote:
    """The quote that the key opens."""
    return await _open(tx, quote_links.quote_of(tx.runtime.settings, key))


async def _open(tx: Tx, quote_id: str) -> Quote:
    """The quote behind the link, if the link leads anywhere."""
    tx.actor, tx.cause = Actor("link", quote_id), Cause("link", quote_id)
    quote = await store.quotes.find(tx, quote_id)
    if quote is None or not rules.is_public(quote, tx.now):
        raise quote_links.absent()
    return quote


async def _answerable(tx: Tx, request: Answer) -> Quote:
    """The quote behind the link, when nobody else answers any quote of its deal; QuoteClosed if somebody has."""
    quote_id = quote_links.quote_of(tx.runtime.settings, request.key)
    await visitors.count(tx, quote_id)
    quote = await quoting.take_turn(tx, await _open(tx, quote_id))
    if not rules.is_public(quote, tx.now):
        raise quote_links.absent()
    if quote.state != Quote.STATE_SENT:
        raise errors.QuoteClosed(rules.state_of(quote))
    return quote


def _is_ahead(tx: Tx) -> bool:
    """Whether a browser asks before anybody does: https://fetch.spec.whatwg.org/#sec-purpose-header."""
    assert tx.call is not None
    return "prefetch" in tx.call.metadata.get("sec-purpose", "").lower()


async def _answered(tx: Tx, quote: Quote, seen_etag: str, *, is_first: bool) -> None:
    """Who answers has opened it, and it is kept by what he did so."""
    assert tx.call is not None
    if is_first:
        tx.emit(events.QuoteOpened(quote=quote))
    program = tx.call.metadata.get("user-agent", "")[:_LONGEST_PROGRAM]
    await store.keep_proof(
        tx, quote, tx.now, seen_etag=seen_etag, address=tx.call.peer, program=program
    )


def _shown(tx: Tx, quote: Quote) -> pb.PublicQuote:
    tenant = tx.directory.tenant()
    shown = page_rules.shown(quote)
    shown.seller, shown.zone = tenant.get("name", ""), people.zone_of(tx)
    shown.seller_person = (tx.directory.user(quote.owner_id) or {}).get("name", "")
    shown.language = quote.language or tenant.get("language", "")
    return shown
