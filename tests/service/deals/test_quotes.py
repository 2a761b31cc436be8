"""Quotes by colleagues: written, approved, sent, renewed, answered."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.date_pb2 import Date

from chassis import errors
from chassis.call import Cause
from chassis.keys import uuid7
from chassis.times import to_datetime
from crm.deals.v1 import deal_pb2, deal_verbs_pb2, quote_pb2
from services.deals import timers_quotes
from tests.service.deals.quotes import QUOTER, Line, Quote, Quotes
from tests.service.deals.world import Deal, World
from tests.service.worlds import Refused


@pytest.fixture
def quotes(world: World) -> Quotes:
    return Quotes(world)


def update(id: str, **given: object) -> quote_pb2.UpdateQuoteRequest:
    return quote_pb2.UpdateQuoteRequest(
        quote=Quote(id=id, **given), update_mask=FieldMask(paths=list(given))
    )


async def test_a_quote_takes_over_the_lines_of_its_deal_with_their_ids(quotes: Quotes) -> None:
    deal = await quotes.deal(discount_percent="10")
    quote = await quotes.make(deal, variant="Basic")
    year = datetime.now(ZoneInfo("Europe/Warsaw")).year
    assert (quote.number, quote.version, quote.state) == (f"Q-{year}-0001", 1, Quote.STATE_DRAFT)
    assert [line.id for line in quote.lines] == [line.id for line in deal.lines]
    assert (quote.totals, quote.effective_discount_percent) == (deal.totals, "10")
    assert (quote.totals.gross, quote.currency) == ("180.00", "PLN")
    assert (quote.owner_id, quote.author_id) == (deal.owner_id, quotes.world.tenant.admin.id)
    [created] = await quotes.world.events("QuoteCreated")
    assert created["quote"]["id"] == quote.id


async def test_lines_of_its_own_are_priced(quotes: Quotes) -> None:
    deal = await quotes.deal()
    lines = [
        Line(name="Door", quantity="3", unit_price="0.33"),
        Line(quantity="1", name="Lock", unit_price="9"),
    ]
    quote = await quotes.make(deal, lines=lines, discount_amount="1.99")
    assert (quote.totals.list, quote.totals.discount, quote.totals.gross) == ("9.99", "1.99", "8.00")  # fmt: skip
    changed = await quotes.admin.UpdateQuote(update(quote.id, discount_amount="0"))
    assert changed.totals.gross == "9.99"


async def test_fifty_quotes_at_once_have_fifty_numbers_without_a_gap(quotes: Quotes) -> None:
    deal = await quotes.deal()
    made = await asyncio.gather(*(quotes.make(deal) for _ in range(50)))
    counts = sorted(int(each.number.rpartition("-")[2]) for each in made)
    assert counts == list(range(1, 51))


async def test_a_refused_quote_takes_no_number(quotes: Quotes) -> None:
    deal = await quotes.deal()
    await quotes.make(deal)
    async with Refused(quotes.world, errors.InvalidArgument, "VALUES_INVALID"):
        await quotes.make(deal, discount_percent="101")
    assert (await quotes.make(deal)).number.endswith("-0002")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"currency": "EUR"}, "currency"), ({"discount_percent": "100.01"}, "discount_percent"),
        ({"discount_percent": "-1"}, "discount_percent"), ({"valid_until": Date(year=2020, month=1, day=1)}, "valid_until"),
        ({"valid_until": Date(year=2030, month=2, day=30)}, "valid_until"),
        ({"lines": [Line(name="Door", quantity="-1", unit_price="1")]}, "lines[0].quantity"),
        ({"lines": [Line(name="Door", quantity="1", unit_price="1", discount_percent="101")]}, "lines[0].discount_percent"),
    ],
)  # fmt: skip
async def test_what_cannot_be_offered_is_refused_by_its_field(
    quotes: Quotes, given: dict[str, object], field: str
) -> None:
    deal = await quotes.deal()
    async with Refused(quotes.world, errors.InvalidArgument, "VALUES_INVALID", field):
        await quotes.make(deal, **given)


async def test_a_quote_needs_a_deal_that_its_writer_may_read_and_that_is_open(
    quotes: Quotes,
) -> None:
    deal, seller = await quotes.deal(), await quotes.seller()
    for id in (uuid7(), deal.id):
        async with Refused(quotes.world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "deal_id"):
            await quotes.make(Deal(id=id), seller)
    await quotes.lose(deal)
    async with Refused(quotes.world, errors.FailedPrecondition, "DEAL_WRONG_STATE"):
        await quotes.make(deal)


async def test_a_discount_above_the_limit_waits_for_somebody_else(quotes: Quotes) -> None:
    await quotes.limit("10")
    seller = await quotes.seller()
    head = await quotes.world.tenant.person([{"object": "quote", "action": "*", "scope": "all"}])
    deal = await quotes.deal(seller)
    quote = await quotes.make(deal, seller, discount_percent="12.5")
    async with Refused(quotes.world, errors.FailedPrecondition, "QUOTE_NEEDS_APPROVAL", "effective_discount_percent"):  # fmt: skip
        await quotes.send(quote, seller)
    submit = quote_pb2.SubmitQuoteRequest(id=quote.id, note="a big customer")
    waiting = await quotes.by(seller).SubmitQuote(submit)
    assert waiting.state == Quote.STATE_WAITING_APPROVAL
    async with Refused(quotes.world, errors.FailedPrecondition, "QUOTE_WRONG_STATE"):
        await quotes.send(quote, seller)
    approve = quote_pb2.ApproveQuoteRequest(id=quote.id)
    async with Refused(quotes.world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await quotes.by(seller).ApproveQuote(approve)
    approved = await quotes.by(head).ApproveQuote(approve)
    assert (approved.state, approved.approval.decider_id) == (Quote.STATE_APPROVED, head.id)
    assert (await quotes.send(quote, seller)).state == Quote.STATE_SENT
    [submitted] = await quotes.world.events("QuoteSubmitted")
    assert submitted["quote"]["approval"]["submitNote"] == "a big customer"
    await quotes.world.events("QuoteApproved")
    await quotes.world.events("QuoteSent")


async def test_nobody_allows_his_own_discount(quotes: Quotes) -> None:
    await quotes.limit("0")
    quote = await quotes.make(await quotes.deal(), discount_percent="1")
    await quotes.admin.SubmitQuote(quote_pb2.SubmitQuoteRequest(id=quote.id))
    for refuse in (
        quotes.admin.ApproveQuote(quote_pb2.ApproveQuoteRequest(id=quote.id)),
        quotes.admin.RejectQuote(quote_pb2.RejectQuoteRequest(id=quote.id, note="no")),
    ):
        async with Refused(quotes.world, errors.FailedPrecondition, "QUOTE_OWN_APPROVAL"):
            await refuse


async def test_a_refused_discount_makes_a_draft_of_it_and_a_change_takes_approval_back(
    quotes: Quotes,
) -> None:
    await quotes.limit("0")
    head = await quotes.world.tenant.person([{"object": "quote", "action": "*", "scope": "all"}])
    quote = await quotes.make(await quotes.deal(), discount_percent="1")
    submit = quote_pb2.SubmitQuoteRequest(id=quote.id)
    await quotes.admin.SubmitQuote(submit)
    reject = quote_pb2.RejectQuoteRequest(id=quote.id, note="too much")
    rejected = await quotes.by(head).RejectQuote(reject)
    assert (rejected.state, rejected.approval.decide_note) == (Quote.STATE_DRAFT, "too much")
    await quotes.world.events("QuoteRejected")
    await quotes.admin.SubmitQuote(submit)
    await quotes.by(head).ApproveQuote(quote_pb2.ApproveQuoteRequest(id=quote.id))
    changed = await quotes.admin.UpdateQuote(update(quote.id, discount_percent="99"))
    assert (changed.state, changed.HasField("approval")) == (Quote.STATE_DRAFT, False)


async def test_an_empty_quote_is_not_sent(quotes: Quotes) -> None:
    quote = await quotes.make(await quotes.world.make())
    async with Refused(quotes.world, errors.FailedPrecondition, "QUOTE_EMPTY", "lines"):
        await quotes.send(quote)


async def test_what_was_sent_is_not_changed_but_made_anew(quotes: Quotes) -> None:
    quote = await quotes.sent(await quotes.deal())
    async with Refused(quotes.world, errors.FailedPrecondition, "QUOTE_WRONG_STATE"):
        await quotes.admin.UpdateQuote(update(quote.id, terms="cash"))
    renew = quote_pb2.RenewQuoteRequest(id=quote.id)
    new = await quotes.admin.RenewQuote(renew)
    old = await quotes.get(quote.id)
    assert (old.state, old.next_id) == (Quote.STATE_SUPERSEDED, new.id)
    assert (new.number, new.version, new.previous_id) == (quote.number, 2, quote.id)
    assert (new.state, list(new.lines)) == (Quote.STATE_DRAFT, list(quote.lines))
    assert await quotes.world.count("timers") == 0
    async with Refused(quotes.world, errors.FailedPrecondition, "QUOTE_WRONG_STATE"):
        await quotes.admin.RenewQuote(renew)
    [superseded] = await quotes.world.events("QuoteSuperseded")
    assert superseded["quote"]["nextId"] == new.id
    assert len(await quotes.world.events("QuoteCreated", 2)) == 2


async def test_a_sent_quote_ends_by_the_companys_midnight(quotes: Quotes) -> None:
    quote = await quotes.sent(await quotes.deal(), valid_until=Date(year=2030, month=6, day=1))
    [row] = await quotes.world.running.rows(
        "deals", "SELECT kind, key, due_at FROM timers WHERE tenant_id = $1", quotes.world.tenant.id
    )
    assert (row["kind"], row["key"]) == ("quote-expiry", quote.id)
    assert row["due_at"] == datetime(2030, 6, 1, 22, tzinfo=UTC) == to_datetime(quote.expire_time)


async def test_a_timer_that_comes_too_early_or_after_the_answer_changes_nothing(
    quotes: Quotes,
) -> None:
    deal = await quotes.deal()
    early, answered = await quotes.sent(deal), await quotes.sent(deal)
    decline = quote_pb2.DeclineQuoteRequest(id=answered.id, name="Ana")
    await quotes.admin.DeclineQuote(decline)
    runtime = quotes.world.running.process.runtimes["deals"]
    for quote, state in ((early, Quote.STATE_SENT), (answered, Quote.STATE_DECLINED)):
        payload = {"quote_id": quote.id}
        await runtime.run_system(
            quotes.world.tenant.id, Cause("timer"), partial(timers_quotes.expire, payload)
        )
        assert (await quotes.get(quote.id)).state == state


async def test_renewed_twenty_times_at_once_there_is_one_next_version(quotes: Quotes) -> None:
    quote = await quotes.sent(await quotes.deal())
    renew = quote_pb2.RenewQuoteRequest(id=quote.id)
    done = await asyncio.gather(
        *(quotes.admin.RenewQuote(renew) for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(each, Quote) for each in done) == 1
    assert {each.reason for each in done if isinstance(each, errors.CrmError)} == {"QUOTE_WRONG_STATE"}  # fmt: skip


async def test_a_quote_is_withdrawn_for_good(quotes: Quotes) -> None:
    quote = await quotes.sent(await quotes.deal())
    withdraw = quote_pb2.WithdrawQuoteRequest(id=quote.id, note="wrong price")
    gone = await quotes.admin.WithdrawQuote(withdraw)
    assert (gone.state, gone.withdraw_note) == (Quote.STATE_WITHDRAWN, "wrong price")
    assert await quotes.world.count("timers") == 0
    async with Refused(quotes.world, errors.FailedPrecondition, "QUOTE_WRONG_STATE"):
        await quotes.admin.WithdrawQuote(withdraw)


async def test_accepting_brings_lines_and_amount_and_closes_the_alternatives(
    quotes: Quotes,
) -> None:
    deal = await quotes.deal(amount="")
    basic = await quotes.sent(deal, variant="Basic")
    rich = await quotes.sent(
        deal, variant="Rich", discount_percent="10",
        lines=[Line(name="Oak window", quantity="2", unit_price="333.33")],
    )  # fmt: skip
    draft = await quotes.make(deal, variant="Third")
    request = quote_pb2.AcceptQuoteRequest(id=rich.id, name="Ana Nowak", note="by phone")
    accepted = await quotes.admin.AcceptQuote(request)
    assert (accepted.state, accepted.answer.name) == (Quote.STATE_ACCEPTED, "Ana Nowak")
    assert accepted.answer.user_id == quotes.world.tenant.admin.id
    now = await quotes.world.deal(deal.id)
    assert (now.accepted_quote_id, now.amount, now.totals) == (rich.id, "599.99", rich.totals)
    assert (list(now.lines), now.discount_percent) == (list(rich.lines), "10")
    for other in (basic, draft):
        assert (await quotes.get(other.id)).state == Quote.STATE_WITHDRAWN
    withdrawn = await quotes.world.events("QuoteWithdrawn", 2)
    assert {each["acceptedQuoteId"] for each in withdrawn} == {rich.id}
    await quotes.world.events("QuoteAccepted")
    assert await quotes.world.count("timers") == 0


async def test_of_twenty_alternatives_accepted_at_once_one_is(quotes: Quotes) -> None:
    deal = await quotes.deal()
    many = [await quotes.sent(deal, variant=f"V{number}") for number in range(4)]
    requests = [
        quote_pb2.AcceptQuoteRequest(id=many[number % 4].id, name="Ana") for number in range(20)
    ]
    done = await asyncio.gather(
        *(quotes.admin.AcceptQuote(request) for request in requests), return_exceptions=True
    )
    [accepted] = [each for each in done if isinstance(each, Quote)]
    assert {each.reason for each in done if isinstance(each, errors.CrmError)} == {"QUOTE_WRONG_STATE"}  # fmt: skip
    assert (await quotes.world.deal(deal.id)).accepted_quote_id == accepted.id
    states = sorted([(await quotes.get(each.id)).state for each in many])
    assert states == [Quote.STATE_ACCEPTED] + [Quote.STATE_WITHDRAWN] * 3
    await quotes.world.published()
    assert len(await quotes.world.events("QuoteAccepted")) == 1


async def test_a_declined_quote_leaves_the_others_open(quotes: Quotes) -> None:
    deal = await quotes.deal()
    first, second = await quotes.sent(deal), await quotes.sent(deal)
    request = quote_pb2.DeclineQuoteRequest(id=first.id, name="Ana", note="too dear")
    declined = await quotes.admin.DeclineQuote(request)
    assert (declined.state, declined.answer.note) == (Quote.STATE_DECLINED, "too dear")
    assert (await quotes.get(second.id)).state == Quote.STATE_SENT
    assert (await quotes.world.deal(deal.id)).accepted_quote_id == ""
    async with Refused(quotes.world, errors.FailedPrecondition, "QUOTE_WRONG_STATE"):
        await quotes.admin.AcceptQuote(quote_pb2.AcceptQuoteRequest(id=first.id, name="Ana"))


async def test_withdrawn_and_accepted_at_once_it_is_one_of_both(quotes: Quotes) -> None:
    deal = await quotes.deal()
    quote = await quotes.sent(deal)
    accept = quote_pb2.AcceptQuoteRequest(id=quote.id, name="Ana")
    withdraw = quote_pb2.WithdrawQuoteRequest(id=quote.id)
    done = await asyncio.gather(
        *(quotes.admin.AcceptQuote(accept) for _ in range(5)),
        *(quotes.admin.WithdrawQuote(withdraw) for _ in range(5)),
        return_exceptions=True,
    )
    [won] = [each for each in done if isinstance(each, Quote)]
    assert {each.reason for each in done if isinstance(each, errors.CrmError)} == {"QUOTE_WRONG_STATE"}  # fmt: skip
    brought = (await quotes.world.deal(deal.id)).accepted_quote_id
    assert brought == (quote.id if won.state == Quote.STATE_ACCEPTED else "")


@pytest.mark.parametrize("end", ["lose", "win", "delete"])
async def test_a_deal_that_ends_takes_its_open_quotes_along(quotes: Quotes, end: str) -> None:
    deal = await quotes.deal()
    sent, draft = await quotes.sent(deal), await quotes.make(deal)
    if end == "lose":
        await quotes.lose(deal)
    elif end == "win":
        await quotes.world.admin.WinDeal(deal_verbs_pb2.WinDealRequest(id=deal.id))
    else:
        await quotes.world.admin.DeleteDeal(deal_pb2.DeleteDealRequest(id=deal.id))
    found = [await quotes.get(each.id) for each in (sent, draft)]
    assert [each.state for each in found] == [Quote.STATE_WITHDRAWN] * 2
    word = {"lose": "lost", "win": "won", "delete": "deleted"}[end]
    assert {each.withdraw_note for each in found} == {f"the deal was {word}"}


async def test_who_may_not_read_the_deal_does_not_read_its_quotes(quotes: Quotes) -> None:
    seller, other = await quotes.seller(), await quotes.seller()
    deal = await quotes.deal(seller)
    quote = await quotes.make(deal, seller)
    request = quote_pb2.GetQuoteRequest(id=quote.id)
    async with Refused(quotes.world, errors.NotFound, "NOT_FOUND"):
        await quotes.by(other).GetQuote(request)
    listed = quote_pb2.ListQuotesRequest(filter=f'deal_id = "{deal.id}"')
    assert [each.id for each in (await quotes.by(seller).ListQuotes(listed)).quotes] == [quote.id]
    assert list((await quotes.by(other).ListQuotes(listed)).quotes) == []


async def test_quotes_go_with_their_deal_to_its_new_owner(quotes: Quotes) -> None:
    seller, other = await quotes.seller(), await quotes.seller()
    quote = await quotes.make(await quotes.deal(seller), seller)
    assign = deal_verbs_pb2.AssignDealRequest(id=quote.deal_id, owner_id=other.id)
    await quotes.world.admin.AssignDeal(assign)
    request = quote_pb2.GetQuoteRequest(id=quote.id)
    assert (await quotes.by(other).GetQuote(request)).owner_id == other.id
    async with Refused(quotes.world, errors.NotFound, "NOT_FOUND"):
        await quotes.by(seller).GetQuote(request)


async def test_a_link_is_shown_to_who_may_send_while_there_is_a_page(quotes: Quotes) -> None:
    reader = await quotes.world.tenant.person([r for r in QUOTER if r["action"] != "send"])
    quote = await quotes.make(await quotes.deal())
    request = quote_pb2.GetQuoteLinkRequest(id=quote.id)
    async with Refused(quotes.world, errors.NotFound, "NOT_FOUND"):
        await quotes.admin.GetQuoteLink(request)
    await quotes.send(quote)
    assert (await quotes.admin.GetQuoteLink(request)).path.startswith("/v1/public/quotes/")
    async with Refused(quotes.world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await quotes.by(reader).GetQuoteLink(request)
    assert "public/quotes" not in str(await quotes.world.events("QuoteSent"))


async def test_lists_find_quotes_by_number_state_and_amount(quotes: Quotes) -> None:
    deal = await quotes.deal()
    first, second = await quotes.make(deal), await quotes.make(deal, variant="Zebra")
    await quotes.send(second)

    async def ids(**asked: str) -> list[str]:
        page = await quotes.admin.ListQuotes(quote_pb2.ListQuotesRequest(**asked))
        return [each.id for each in page.quotes]

    assert await ids(order_by="number") == [first.id, second.id]
    assert await ids(filter="state = SENT") == [second.id]
    assert await ids(filter="state = SENT AND totals.gross < 10") == []
    assert await ids(q="zebra") == [second.id]
    assert await ids(q=first.number) == [first.id]


async def test_a_command_sent_twice_answers_alike_and_happens_once(quotes: Quotes) -> None:
    deal = await quotes.deal()
    create = quote_pb2.CreateQuoteRequest(quote=Quote(deal_id=deal.id), request_id="once")
    first, again = [await quotes.admin.CreateQuote(create) for _ in range(2)]
    assert (first.id, first.number) == (again.id, again.number)
    send = quote_pb2.SendQuoteRequest(id=first.id, request_id="sent")
    sent, sent_again = [await quotes.admin.SendQuote(send) for _ in range(2)]
    assert sent == sent_again
    accept = quote_pb2.AcceptQuoteRequest(id=first.id, name="Ana", request_id="yes")
    yes, yes_again = [await quotes.admin.AcceptQuote(accept) for _ in range(2)]
    assert yes == yes_again
    assert await quotes.world.count("quotes_history") == 3
