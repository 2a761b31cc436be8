"""The way of a quote: what may follow what, whose approval counts, and until when it holds."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from google.type.date_pb2 import Date

from chassis.times import to_datetime, to_timestamp
from crm.deals.v1 import deal_pb2, line_pb2, quote_pb2
from services.deals import errors
from services.deals.rules import quote_pages
from services.deals.rules import quotes as rules

Deal = deal_pb2.Deal
Quote = quote_pb2.Quote
Totals = line_pb2.Totals

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
TODAY = NOON.date()
DEAL = Deal(id="d", currency="PLN")


def line(**given: str) -> line_pb2.Line:
    return line_pb2.Line(**{"name": "Window", "quantity": "1", "unit_price": "100", **given})


def quote(state: "Quote.State" = Quote.STATE_DRAFT, **given: object) -> Quote:
    """A quote of 100 less 10 that is valid until tomorrow."""
    return Quote(
        **{
            "id": "q", "deal_id": "d", "version": 1, "author_id": "author", "currency": "PLN", "state": state,
            "lines": [line()], "totals": Totals(list="100.00", discount="10.00", gross="90.00"),
            "valid_until": Date(year=2026, month=6, day=11), "effective_discount_percent": "10", **given,
        }
    )  # fmt: skip


def sent(**given: object) -> Quote:
    made = quote(**given)
    rules.send(made, DEAL, limit="", zone="Europe/Warsaw", by="author", at=NOON)
    return made


def begun(made: Quote, deal: Deal) -> Quote:
    rules.begin(made, deal, readers=["reader"], author="author")
    return made


def test_a_new_quote_takes_over_what_its_deal_offers() -> None:
    deal = Deal(
        id="d", currency="IDR", contact_id="c", company_id="k", owner_id="o", department_id="p", lines=[line(id="1")],
        tax_included=True, discount_percent="5", discount_amount="7", totals=Totals(gross="95"),
    )  # fmt: skip
    made = begun(Quote(deal_id="d"), deal)
    assert list(made.lines) == list(deal.lines)
    assert (made.currency, made.tax_included, made.discount_percent) == ("IDR", True, "5")
    assert (made.discount_amount, made.totals) == ("7", deal.totals)
    assert (made.contact_id, made.company_id) == ("c", "k")
    assert (made.owner_id, made.department_id, list(made.follower_ids)) == ("o", "p", ["reader"])
    assert (made.state, made.version, made.author_id) == (Quote.STATE_DRAFT, 1, "author")


def test_a_quote_with_lines_of_its_own_keeps_them_and_its_discount() -> None:
    deal = Deal(currency="PLN", lines=[line(name="Door")], discount_percent="5", tax_included=True)
    made = begun(Quote(lines=[line()]), deal)
    assert [each.name for each in made.lines] == ["Window"]
    assert (made.discount_percent, made.tax_included) == ("", False)


def test_numbers_say_the_year_and_grow_beyond_four_digits() -> None:
    assert (rules.number(2026, 1), rules.number(2026, 12345)) == ("Q-2026-0001", "Q-2026-12345")


@pytest.mark.parametrize(
    ("listed", "off", "percent"),
    [("200.00", "25.00", "12.5"), ("3.00", "1.00", "33.333333"), ("0.00", "0.00", "0"), ("", "", "0")],
)  # fmt: skip
def test_the_effective_discount_is_that_of_lines_and_record_together(
    listed: str, off: str, percent: str
) -> None:
    made = quote(totals=Totals(list=listed, discount=off))
    rules.reckon_discount(made)
    assert made.effective_discount_percent == percent


@pytest.mark.parametrize(
    ("lines", "whole", "off", "percent"),
    [
        pytest.param([line(published_price="125")], "125.00", "35.00", "28", id="typed-below"),
        pytest.param([line(published_price="80")], "100.00", "10.00", "10", id="typed-above"),
        pytest.param([line(published_price="100.00")], "100.00", "10.00", "10", id="as-published"),
        pytest.param([line(quantity="0.5", unit_price="200", published_price="201.01")], "100.51", "10.51", "10.456671", id="rounded"),
        pytest.param(
            [line(unit_price="50", published_price="60"), line(unit_price="50", published_price="30")],
            "110.00", "20.00", "18.181818", id="what-is-above-makes-up-for-nothing",
        ),
        pytest.param([line(published_price="0")], "100.00", "10.00", "10", id="published-as-free"),
    ],
)  # fmt: skip
def test_a_price_below_the_published_one_is_a_discount(
    lines: list[line_pb2.Line], whole: str, off: str, percent: str
) -> None:
    made = quote(lines=lines)
    rules.reckon_discount(made)
    assert (made.published_amount, made.published_discount) == (whole, off)
    assert made.effective_discount_percent == percent
    assert rules.is_above(made, "10") == (percent != "10")


def test_the_limit_itself_needs_no_approval_and_a_bit_more_does() -> None:
    made = quote(totals=Totals(list="3.00", discount="1.00"))
    assert not rules.is_above(made, "")
    assert not rules.is_above(made, "33.34")
    assert rules.is_above(made, "33.333333")
    assert not rules.is_above(quote(), "10")


def test_other_deal_other_currency_and_a_day_that_is_over_are_named_together() -> None:
    old, new = quote(), quote(deal_id="e", currency="EUR", valid_until=Date(year=2026, month=6, day=9))  # fmt: skip
    with pytest.raises(errors.ValuesInvalid) as refused:
        rules.check(new, old, Deal(id="d", currency="PLN"), TODAY)
    assert [(each.field, each.description) for each in refused.value.violations] == [
        ("deal_id", "stays d; make another quote for another deal"),
        ("currency", "EUR is not PLN, the currency of the deal"),
        ("valid_until", "2026-06-09 is over; the first day possible is 2026-06-10"),
    ]


@pytest.mark.parametrize(
    ("day", "wrong"),
    [
        (Date(year=2026, month=6, day=10), ""), (Date(year=2026, month=6, day=9), "is over"),
        (Date(year=2026, month=2, day=30), "no day"), (Date(year=2026), "no day"),
        (Date(year=2036, month=6, day=7), ""), (Date(year=2036, month=6, day=8), "2036-06-07"),
        (Date(year=9999, month=12, day=31), "too far"),
    ],
)  # fmt: skip
def test_validity_lies_between_today_and_ten_years(day: Date, wrong: str) -> None:
    found = rules.wrong_validity(quote(valid_until=day), TODAY)
    assert [wrong in each.description for each in found] == ([True] if wrong else [])


def test_what_was_valid_once_can_still_be_edited() -> None:
    old = quote(valid_until=Date(year=2026, month=6, day=1))
    new = quote(valid_until=Date(year=2026, month=6, day=1), intro="Hello", variant=" Basic  one ")
    rules.check(new, old, Deal(id="d", currency="PLN"), TODAY)
    assert new.variant == "Basic one"


def test_within_the_limit_a_submitted_quote_is_approved_at_once() -> None:
    made = quote()
    rules.submit(made, limit="10", by="author", note="", at=NOON)
    assert (made.state, made.approval.decider_id) == (Quote.STATE_APPROVED, "")


@pytest.mark.parametrize(
    ("allowed", "state"), [(True, Quote.STATE_APPROVED), (False, Quote.STATE_DRAFT)]
)
def test_above_the_limit_somebody_else_decides(allowed: bool, state: "Quote.State") -> None:
    made = quote()
    rules.submit(made, limit="9.5", by="seller", note="a big customer", at=NOON)
    assert (made.state, made.approval.limit_percent) == (Quote.STATE_WAITING_APPROVAL, "9.5")
    for own in ("author", "seller"):
        with pytest.raises(errors.QuoteOwnApproval):
            rules.decide(made, allowed=True, by=own, note="", at=NOON)
    rules.decide(made, allowed=allowed, by="head", note="once", at=NOON)
    assert (made.state, made.approval.decider_id, made.approval.decide_note) == (state, "head", "once")  # fmt: skip


def test_a_change_takes_the_approval_back() -> None:
    made = quote(Quote.STATE_APPROVED, approval=quote_pb2.QuoteApproval(decider_id="head"))
    rules.reopen(made)
    assert made.state == Quote.STATE_DRAFT
    assert not made.HasField("approval")


def test_a_discount_above_the_limit_is_not_sent_without_approval() -> None:
    with pytest.raises(errors.QuoteNeedsApproval) as refused:
        rules.send(quote(), DEAL, limit="9", zone="UTC", by="author", at=NOON)
    assert [each.description for each in refused.value.violations] == ["10 is above 9"]
    approved = quote(Quote.STATE_APPROVED)
    rules.send(approved, DEAL, limit="9", zone="UTC", by="author", at=NOON)
    assert approved.state == Quote.STATE_SENT


def test_an_empty_quote_goes_nowhere() -> None:
    for step in (
        lambda made: rules.send(made, DEAL, limit="", zone="UTC", by="a", at=NOON),
        lambda made: rules.submit(made, limit="", by="a", note="", at=NOON),
    ):
        made = quote(lines=[])
        with pytest.raises(errors.QuoteEmpty):
            step(made)
        assert made.state == Quote.STATE_DRAFT


def test_what_is_over_today_or_in_another_currency_is_not_sent() -> None:
    old = quote(valid_until=Date(year=2026, month=6, day=9))
    with pytest.raises(errors.ValuesInvalid) as refused:
        rules.send(old, Deal(currency="EUR"), limit="", zone="UTC", by="author", at=NOON)
    assert [each.field for each in refused.value.violations] == ["valid_until", "currency"]


def test_a_quote_holds_until_the_companys_midnight() -> None:
    made = sent()
    over = datetime(2026, 6, 11, 22, tzinfo=UTC)  # Warsaw is two hours ahead in summer
    assert to_datetime(made.expire_time) == over
    assert not rules.is_over(made, over - timedelta(microseconds=1))
    assert rules.is_over(made, over)


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 11), 24)],
)
def test_days_on_which_clocks_change_end_at_midnight_too(day: date, hours: int) -> None:
    begin, end = (rules.end_of(each, "Europe/Warsaw") for each in (day - timedelta(days=1), day))
    assert end - begin == timedelta(hours=hours)


def test_only_what_was_sent_and_is_not_over_has_a_page() -> None:
    made = sent()
    assert rules.is_public(made, NOON)
    assert not rules.is_public(made, NOON + timedelta(days=2))
    assert not rules.is_public(quote(), NOON)
    assert not rules.is_public(quote(Quote.STATE_WITHDRAWN), NOON)
    made.state = Quote.STATE_ACCEPTED
    assert rules.is_public(made, NOON + timedelta(days=2))


def test_an_answer_is_signed_and_given_once_and_in_time() -> None:
    made = sent()
    with pytest.raises(errors.ValuesInvalid):
        rules.answer(made, Quote.STATE_ACCEPTED, name="  ", note="", by="", at=NOON)
    with pytest.raises(errors.QuoteWrongState) as late:
        rules.answer(made, Quote.STATE_ACCEPTED, name="Ana", note="", by="", at=NOON + timedelta(days=2))  # fmt: skip
    assert late.value.metadata == {"state": "expired"}
    rules.answer(made, Quote.STATE_ACCEPTED, name=" Ana  Nowak", note="ok", by="", at=NOON)
    assert (made.state, made.answer.name) == (Quote.STATE_ACCEPTED, "Ana Nowak")
    assert made.answer.time == to_timestamp(NOON)
    with pytest.raises(errors.QuoteWrongState):
        rules.answer(made, Quote.STATE_DECLINED, name="Ana", note="", by="", at=NOON)


def test_the_deal_gets_exactly_what_was_accepted() -> None:
    deal = Deal(
        amount="7", lines=[line(name="Old")], discount_percent="3", discount_amount="1", currency="PLN",
        totals=Totals(gross="7.00"), title="Six windows",
    )  # fmt: skip
    made = quote(tax_included=True)
    rules.bring(deal, made)
    assert list(deal.lines) == list(made.lines)
    assert (deal.amount, deal.totals, deal.accepted_quote_id) == ("90.00", made.totals, "q")
    assert (deal.discount_percent, deal.discount_amount, deal.tax_included) == ("", "", True)
    assert deal.title == "Six windows"


@pytest.mark.parametrize("state", rules.OPEN[1:])
def test_the_next_version_is_a_draft_and_the_open_one_is_over(state: "Quote.State") -> None:
    old = quote(state, number="Q-2026-0001", sender_id="s", approval=quote_pb2.QuoteApproval(decider_id="h"))  # fmt: skip
    old.send_time.CopyFrom(to_timestamp(NOON))
    new = rules.next_version(old, id="q2", author="another")
    assert (old.state, old.next_id) == (Quote.STATE_SUPERSEDED, "q2")
    assert (new.id, new.previous_id, new.number, new.version) == ("q2", "q", "Q-2026-0001", 2)
    assert (new.state, new.author_id, list(new.lines)) == (Quote.STATE_DRAFT, "another", list(old.lines))  # fmt: skip
    assert not any(new.HasField(field) for field in ("approval", "send_time", "answer"))
    assert (new.sender_id, new.next_id) == ("", "")


@pytest.mark.parametrize(
    "state", [Quote.STATE_DECLINED, Quote.STATE_EXPIRED, Quote.STATE_WITHDRAWN]
)
def test_what_had_ended_stays_what_it_was(state: "Quote.State") -> None:
    old = quote(state)
    rules.next_version(old, id="q2", author="author")
    assert (old.state, old.next_id) == (state, "q2")
    with pytest.raises(errors.QuoteWrongState):
        rules.next_version(old, id="q3", author="author")


@pytest.mark.parametrize("state", [Quote.STATE_DRAFT, Quote.STATE_ACCEPTED])
def test_a_draft_is_changed_and_an_accepted_quote_stays(state: "Quote.State") -> None:
    with pytest.raises(errors.QuoteWrongState):
        rules.next_version(quote(state), id="q2", author="author")


VERBS = {
    "change": lambda made: rules.reopen(made),
    "submit": lambda made: rules.submit(made, limit="", by="a", note="", at=NOON),
    "decide": lambda made: rules.decide(made, allowed=True, by="head", note="", at=NOON),
    "send": lambda made: rules.send(made, DEAL, limit="", zone="UTC", by="a", at=NOON),
    "answer": lambda made: rules.answer(made, Quote.STATE_DECLINED, name="A", note="", by="", at=NOON),
    "withdraw": lambda made: rules.withdraw(made, ""),
}  # fmt: skip
ALLOWED = {
    Quote.STATE_DRAFT: {"change", "submit", "send", "withdraw"},
    Quote.STATE_WAITING_APPROVAL: {"change", "decide", "withdraw"},
    Quote.STATE_APPROVED: {"change", "send", "withdraw"},
    Quote.STATE_SENT: {"answer", "withdraw"},
}


@pytest.mark.parametrize("state", [each for each in Quote.State.values() if each])
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_knows_its_states(state: "Quote.State", verb: str) -> None:
    made = quote(state)
    made.expire_time.CopyFrom(to_timestamp(NOON + timedelta(days=1)))
    before = made.SerializeToString(deterministic=True)
    if verb in ALLOWED.get(state, set()):
        VERBS[verb](made)
        return
    with pytest.raises(errors.QuoteWrongState):
        VERBS[verb](made)
    assert made.SerializeToString(deterministic=True) == before


def test_the_customer_never_sees_what_it_costs_us() -> None:
    made = sent(totals=Totals(list="100.00", net="100.00", gross="123.00", cost="55.55"))
    made.lines[0].unit_cost = "55.55"
    made.lines[0].selling_reason = "he bought a door"
    shown = quote_pages.shown(made)
    assert (shown.gross, shown.lines[0].name, shown.valid_until.day) == ("123.00", "Window", 11)
    assert "55.55" not in str(shown)
    assert "door" not in str(shown)


def test_what_was_taken_back_shows_nothing_but_that() -> None:
    shown = quote_pages.shown(quote(Quote.STATE_WITHDRAWN, number="Q-2026-0001", intro="secret"))
    assert [field.name for field, _ in shown.ListFields()] == ["number", "version", "state"]


def test_open_states_lead_on_and_the_others_are_final() -> None:
    assert [b - a for a, b in pairwise(rules.OPEN)] == [1, 1, 1]
    assert set(ALLOWED) == set(rules.OPEN)
