"""The customer's side of a quote: the page behind an unguessable link, its answers and what is kept of them."""

import asyncio

import pytest

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import test_settings
from crm.deals.v1 import quote_page_pb2, quote_pb2
from services.deals import quote_links
from services.deals.visitors import RATE_LIMIT
from tests.service.deals.quotes import Quote, Quotes
from tests.service.deals.world import World
from tests.service.worlds import Refused

State = Quote.State


@pytest.fixture
def quotes(world: World) -> Quotes:
    return Quotes(world)


async def test_the_page_shows_the_offer_and_not_its_cost(quotes: Quotes) -> None:
    deal = await quotes.deal(discount_percent="10")
    quote = await quotes.sent(deal, intro="Hello", terms="Net 14 days", language="pl")
    page = await quotes.page(await quotes.key(quote))
    assert (page.number, page.state, page.language) == (quote.number, Quote.STATE_SENT, "pl")
    assert (page.list, page.discount, page.gross) == ("200.00", "20.00", "180.00")
    assert [(line.name, line.quantity, line.net) for line in page.lines] == [("Window", "2", "180.00")]  # fmt: skip
    assert (page.intro, page.terms, page.seller) == ("Hello", "Net 14 days", "Test")
    assert page.valid_until == quote.valid_until
    assert "61.25" not in str(page)


async def test_to_fetch_the_link_is_not_to_open_it(quotes: Quotes) -> None:
    quote = await quotes.sent(await quotes.deal())
    key = await quotes.key(quote)
    before = await quotes.world.state()

    await asyncio.gather(*(quotes.page(key) for _ in range(3)))  # a preview, a scanner, a reader

    assert await quotes.get(quote.id) == quote
    assert await quotes.world.state() == before


async def test_the_first_opening_is_told_once(quotes: Quotes) -> None:
    quote = await quotes.sent(await quotes.deal())
    key = await quotes.key(quote)
    pages = await asyncio.gather(*(quotes.open(key) for _ in range(5)))
    assert {page.number for page in pages} == {quote.number}
    await quotes.world.published()
    [opened] = await quotes.world.events("QuoteOpened")
    assert opened["change"]["actor"]["kind"] == "link"
    assert (await quotes.get(quote.id)).HasField("open_time")
    assert await quotes.world.count("quotes_history") == 3  # created, sent, opened


@pytest.mark.parametrize("purpose", ["prefetch", "prefetch;prerender", "Prefetch"])
async def test_what_a_browser_asks_ahead_does_not_count(quotes: Quotes, purpose: str) -> None:
    quote = await quotes.sent(await quotes.deal())
    key = await quotes.key(quote)
    before = await quotes.world.state()

    page = await quotes.open(key, **{"sec-purpose": purpose})

    assert page.state == Quote.STATE_SENT
    assert await quotes.get(quote.id) == quote
    assert await quotes.world.state() == before
    await quotes.open(key)  # and then somebody looks
    assert (await quotes.get(quote.id)).HasField("open_time")


@pytest.mark.parametrize("verb", ["accept", "decline"])
async def test_who_answers_without_a_script_has_opened_it(quotes: Quotes, verb: str) -> None:
    quote = await quotes.sent(await quotes.deal())
    await getattr(quotes, verb)(await quotes.key(quote))
    await quotes.world.published()
    [opened] = await quotes.world.events("QuoteOpened")
    answered = await quotes.get(quote.id)
    assert (opened["quote"]["id"], answered.open_time) == (quote.id, answered.answer.time)


async def test_what_is_over_is_not_opened_any_more(quotes: Quotes) -> None:
    quote = await quotes.sent(await quotes.deal())
    key = await quotes.key(quote)
    await quotes.admin.WithdrawQuote(quote_pb2.WithdrawQuoteRequest(id=quote.id))
    assert (await quotes.open(key)).state == Quote.STATE_WITHDRAWN
    assert not (await quotes.get(quote.id)).HasField("open_time")


async def test_wrong_foreign_and_unsent_links_are_one_answer(quotes: Quotes) -> None:
    draft = await quotes.make(await quotes.deal())
    settings, tenant = test_settings(), quotes.world.tenant.id
    keys = [
        "nonsense", "x" * 64, quote_links.key_of(settings, tenant, draft.id),
        quote_links.key_of(settings, tenant, uuid7()), quote_links.key_of(settings, uuid7(), draft.id),
        quote_links.key_of(settings, tenant, draft.id)[:-4] + "AAAA",
    ]  # fmt: skip
    told = set()
    for key in keys:
        for call in (quotes.page, quotes.open, quotes.accept, quotes.decline):
            refused = Refused(quotes.world, errors.NotFound, "NOT_FOUND")
            async with refused:
                await call(key)
            told.add((refused.error.message, tuple(refused.error.violations)))
    assert len(told) == 1


async def test_a_customers_yes_is_kept_with_its_proof(quotes: Quotes) -> None:
    deal = await quotes.deal()
    quote = await quotes.sent(deal)
    key = await quotes.key(quote)
    page = await quotes.accept(key, " Ana  Nowak ", note="before June please")
    assert (page.state, page.answer_name) == (Quote.STATE_ACCEPTED, "Ana Nowak")
    accepted = await quotes.get(quote.id)
    assert (accepted.answer.name, accepted.answer.user_id) == ("Ana Nowak", "")
    assert accepted.answer.note == "before June please"
    assert (await quotes.world.deal(deal.id)).accepted_quote_id == quote.id
    request = quote_pb2.GetQuoteProofRequest(id=quote.id)
    proof = await quotes.admin.GetQuoteProof(request)
    assert (proof.name, proof.quote_etag) == ("Ana Nowak", quote.etag)
    assert proof.time == accepted.answer.time
    assert "grpc" in proof.program
    [told] = await quotes.world.events("QuoteAccepted")
    assert told["change"]["cause"]["kind"] == "link"
    again = await quotes.page(key)
    assert (again.state, again.gross) == (Quote.STATE_ACCEPTED, "200.00")


async def test_there_is_no_proof_of_what_nobody_answered(quotes: Quotes) -> None:
    quote = await quotes.sent(await quotes.deal())
    async with Refused(quotes.world, errors.NotFound, "NOT_FOUND"):
        await quotes.admin.GetQuoteProof(quote_pb2.GetQuoteProofRequest(id=quote.id))


async def test_a_customers_no_leaves_the_deal_as_it_is(quotes: Quotes) -> None:
    deal = await quotes.deal()
    quote = await quotes.sent(deal)
    key = await quotes.key(quote)
    page = await quotes.decline(key, note="too dear")
    assert page.state == Quote.STATE_DECLINED
    now = await quotes.world.deal(deal.id)
    assert (now.etag, now.amount, now.accepted_quote_id) == (deal.etag, "200.00", "")
    async with Refused(quotes.world, errors.FailedPrecondition, "QUOTE_CLOSED"):
        await quotes.accept(key)


async def test_an_unsigned_answer_is_refused(quotes: Quotes) -> None:
    key = await quotes.key(await quotes.sent(await quotes.deal()))
    async with Refused(quotes.world, errors.InvalidArgument, "INVALID_FIELDS", "name"):
        await quotes.accept(key, "")
    async with Refused(quotes.world, errors.InvalidArgument, "VALUES_INVALID", "name"):
        await quotes.accept(key, "   ")


async def test_of_two_customers_who_accept_at_once_one_does(quotes: Quotes) -> None:
    deal = await quotes.deal()
    sent = [await quotes.sent(deal) for _ in range(2)]
    keys = [await quotes.key(each) for each in sent]
    done = await asyncio.gather(*(quotes.accept(key) for key in keys * 4), return_exceptions=True)
    accepted = [each for each in done if isinstance(each, quote_page_pb2.PublicQuote)]
    assert len(accepted) == 1
    assert {each.reason for each in done if isinstance(each, errors.CrmError)} == {"QUOTE_CLOSED"}
    assert await quotes.world.count("quote_proofs") == 1
    await quotes.world.published()
    [told] = await quotes.world.events("QuoteAccepted")
    assert (await quotes.world.deal(deal.id)).accepted_quote_id == told["quote"]["id"]


async def test_the_same_answer_sent_twice_is_one(quotes: Quotes) -> None:
    key = await quotes.key(await quotes.sent(await quotes.deal()))
    first, again = [await quotes.accept(key, request_id="a") for _ in range(2)]
    assert first == again


async def test_what_was_taken_back_says_so_and_shows_nothing_else(quotes: Quotes) -> None:
    quote = await quotes.sent(await quotes.deal(), intro="secret")
    key = await quotes.key(quote)
    await quotes.admin.RenewQuote(quote_pb2.RenewQuoteRequest(id=quote.id))
    page = await quotes.page(key)
    assert (page.state, page.number) == (Quote.STATE_SUPERSEDED, quote.number)
    assert "secret" not in str(page)
    assert len(page.lines) == 0
    refused = Refused(quotes.world, errors.FailedPrecondition, "QUOTE_CLOSED")
    async with refused:
        await quotes.accept(key)
    assert refused.error.metadata == {"state": "superseded"}


async def test_who_answers_too_often_has_to_wait(quotes: Quotes) -> None:
    key = await quotes.key(await quotes.sent(await quotes.deal()))
    await quotes.decline(key)
    told = set()
    for _ in range(2 * RATE_LIMIT + 1):  # a minute may end on the way
        with pytest.raises(errors.CrmError) as refused:
            await quotes.accept(key)
        told.add(refused.value.reason)
    assert told == {"QUOTE_CLOSED", "QUOTE_RATE_LIMITED"}
