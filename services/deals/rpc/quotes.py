"""Quotes for colleagues; what customers call is in quote_pages.py."""

from chassis.errors import NotFound
from chassis.handlers import Servicer, reads, writes
from chassis.kit.standard import standard
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.deals.v1 import quote_events_pb2 as events
from crm.deals.v1 import quote_pb2 as pb
from services.deals import people, quote_ends, quote_links, quoting, store
from services.deals.rpc.quote_pages import QuotePages
from services.deals.rules import moving
from services.deals.rules import quotes as rules


class Quotes(standard(store.quotes, on_save=quoting.check), Servicer):  # type: ignore[misc]
    """`/v1/quotes`."""

    @writes
    async def SubmitQuote(self, request: pb.SubmitQuoteRequest, tx: Tx) -> pb.Quote:
        quote = await store.quotes.get(tx, request.id, etag=request.etag)
        limit = (await store.settings_of(tx)).discount_limit_percent
        rules.submit(quote, limit=limit, by=people.user_of(tx.actor), note=request.note, at=tx.now)
        store.quotes.save(tx, quote)
        waits = quote.state == pb.Quote.STATE_WAITING_APPROVAL
        tx.emit(events.QuoteSubmitted(quote=quote) if waits else events.QuoteApproved(quote=quote))
        return quote

    @writes
    async def ApproveQuote(self, request: pb.ApproveQuoteRequest, tx: Tx) -> pb.Quote:
        quote = await store.quotes.get(tx, request.id, etag=request.etag)
        by = people.user_of(tx.actor)
        rules.decide(quote, allowed=True, by=by, note=request.note, at=tx.now)
        store.quotes.save(tx, quote)
        tx.emit(events.QuoteApproved(quote=quote))
        return quote

    @writes
    async def RejectQuote(self, request: pb.RejectQuoteRequest, tx: Tx) -> pb.Quote:
        quote = await store.quotes.get(tx, request.id, etag=request.etag)
        by = people.user_of(tx.actor)
        rules.decide(quote, allowed=False, by=by, note=request.note, at=tx.now)
        store.quotes.save(tx, quote)
        tx.emit(events.QuoteRejected(quote=quote))
        return quote

    @writes
    async def SendQuote(self, request: pb.SendQuoteRequest, tx: Tx) -> pb.Quote:
        quote = await store.quotes.get(tx, request.id, etag=request.etag)
        deal = await quoting.deal_of(tx, quote)
        moving.require_open(deal, "quoted")
        limit = (await store.settings_of(tx)).discount_limit_percent
        by, zone = people.user_of(tx.actor), people.zone_of(tx)
        rules.send(quote, deal, limit=limit, zone=zone, by=by, at=tx.now)
        store.quotes.save(tx, quote)
        await quote_ends.expire_at_midnight(tx, quote)
        tx.emit(events.QuoteSent(quote=quote))
        return quote

    @writes
    async def WithdrawQuote(self, request: pb.WithdrawQuoteRequest, tx: Tx) -> pb.Quote:
        quote = await store.quotes.get(tx, request.id, etag=request.etag)
        await quote_ends.withdraw(tx, quote, request.note)
        return quote

    @writes
    async def RenewQuote(self, request: pb.RenewQuoteRequest, tx: Tx) -> pb.Quote:
        old = await store.quotes.get(tx, request.id, etag=request.etag)
        return await quoting.next_version(tx, old)

    @writes
    async def AcceptQuote(self, request: pb.AcceptQuoteRequest, tx: Tx) -> pb.Quote:
        quote = await store.quotes.get(tx, request.id, etag=request.etag)
        quote = await quoting.take_turn(tx, quote)
        by = people.user_of(tx.actor)
        await quoting.accept(tx, quote, name=request.name, note=request.note, by=by)
        return quote

    @writes
    async def DeclineQuote(self, request: pb.DeclineQuoteRequest, tx: Tx) -> pb.Quote:
        quote = await store.quotes.get(tx, request.id, etag=request.etag)
        quote = await quoting.take_turn(tx, quote)
        by = people.user_of(tx.actor)
        await quoting.decline(tx, quote, name=request.name, note=request.note, by=by)
        return quote

    @reads
    async def GetQuoteLink(self, request: pb.GetQuoteLinkRequest, tx: Tx) -> pb.QuoteLink:
        assert tx.tenant is not None
        quote = await store.quotes.get(tx, request.id)
        if not rules.is_public(quote, tx.now):
            raise NotFound("this quote has no page; it has one from :send until it expires")
        key = quote_links.key_of(tx.runtime.settings, tx.tenant, quote.id)
        return pb.QuoteLink(path=f"/v1/public/quotes/{key}")

    @reads
    async def GetQuoteProof(self, request: pb.GetQuoteProofRequest, tx: Tx) -> pb.QuoteProof:
        await store.quotes.row(tx, request.id)
        row = await store.proof_of(tx, request.id)
        if row is None:
            raise NotFound("nobody has answered this quote on its page")
        return pb.QuoteProof(
            name=row["name"], time=to_timestamp(row["time"]), address=row["address"],
            program=row["program"], quote_etag=row["quote_etag"],
        )  # fmt: skip


class QuotesRpcs(Quotes, QuotePages):
    """Every RPC of the contract."""

    service = "crm.deals.v1.QuotesService"
