"""Quotes: how one goes from a draft to the customer's answer (S36, S41). Pure.

DRAFT ──submit──► WAITING_APPROVAL (above the limit) ──approve──► APPROVED        a change, or :reject, leads back to DRAFT
DRAFT ──submit──► APPROVED;  DRAFT, APPROVED ──send──► SENT ──► ACCEPTED, DECLINED or EXPIRED
open (the first four) ──withdraw──► WITHDRAWN, ──newVersion──► SUPERSEDED
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from google.type.date_pb2 import Date

from chassis.errors import Violation
from chassis.times import to_datetime, to_timestamp
from crm.deals.v1 import deal_pb2, quote_pb2
from services.deals import errors
from services.deals.money import currencies, published
from services.deals.money.lines import plain

Deal = deal_pb2.Deal
Quote = quote_pb2.Quote

UNSENT = (Quote.STATE_DRAFT, Quote.STATE_WAITING_APPROVAL, Quote.STATE_APPROVED)
OPEN = (*UNSENT, Quote.STATE_SENT)
"""What may still be accepted, now or later."""

LONGEST_DAYS = 3650
"""An offer for longer than ten years is a typing error."""

_PRICED = ("lines", "currency", "tax_included", "discount_percent", "discount_amount", "totals")
"""What flows from a deal to its quotes and from the accepted one back."""
_FROM_DEAL = ("contact_id", "company_id", "owner_id", "department_id")
_OF_ONE_VERSION = (
    "etag", "create_time", "update_time", "next_id", "approval", "expire_time", "send_time", "sender_id", "open_time",
    "answer", "withdraw_note", "can",
)  # fmt: skip


def state_of(quote: Quote) -> str:
    """The state as people say it."""
    name = Quote.State.Name(quote.state)
    return name.removeprefix("STATE_").replace("_", " ").lower()


# -- writing -----------------------------------------------------------------------------------------------------------------


def begin(quote: Quote, deal: Deal, *, readers: Sequence[str], author: str) -> None:
    """A new quote: a draft in the deal's currency, with the deal's lines where it brings none of its own."""
    quote.state, quote.version, quote.author_id = Quote.STATE_DRAFT, 1, author
    for field in _FROM_DEAL:
        setattr(quote, field, getattr(deal, field))
    del quote.follower_ids[:]
    quote.follower_ids.extend(readers)
    if not quote.lines:
        quote.lines.extend(deal.lines)
        quote.totals.CopyFrom(deal.totals)
        quote.tax_included = deal.tax_included
        quote.discount_percent = quote.discount_percent or deal.discount_percent
        quote.discount_amount = quote.discount_amount or deal.discount_amount
    quote.currency = quote.currency or deal.currency


def number(year: int, count: int) -> str:
    """The number of the company's `count`th quote of that year."""
    return f"Q-{year}-{count:04}"


def check(new: Quote, old: Quote | None, deal: Deal, today: date) -> None:
    """Refuses another deal, another currency than the deal's, and a validity that is over."""
    new.variant = " ".join(new.variant.split())
    wrong = []
    if old is not None and new.deal_id != old.deal_id:
        wrong.append(Violation("deal_id", f"stays {old.deal_id}; make another quote for another deal"))  # fmt: skip
    wrong += _wrong_currency(new, deal)
    if old is None or new.valid_until != old.valid_until:
        wrong += wrong_validity(new, today)
    if wrong:
        raise errors.ValuesInvalid(wrong)


def reopen(quote: Quote) -> None:
    """A change makes it a draft again: what was approved is what was seen. QuoteWrongState once it was sent."""
    require(quote, "changed", UNSENT, "once it was sent, make a new version of it with :newVersion")
    quote.state = Quote.STATE_DRAFT
    quote.ClearField("approval")


def _wrong_currency(quote: Quote, deal: Deal) -> list[Violation]:
    if quote.currency == deal.currency:
        return []
    return [Violation("currency", f"{quote.currency} is not {deal.currency}, the currency of the deal")]  # fmt: skip


def wrong_validity(quote: Quote, today: date) -> list[Violation]:
    """What is wrong with valid_until."""
    last = today + timedelta(days=LONGEST_DAYS)
    try:
        day = _day(quote.valid_until)
    except ValueError:
        return [Violation("valid_until", "is no day of the calendar; give year, month and day")]
    if day < today:
        return [Violation("valid_until", f"{day} is over; the first day possible is {today}")]
    if day > last:
        return [Violation("valid_until", f"{day} is too far away; the last day possible is {last}")]
    return []


def validity(today: date, days: int) -> Date:
    """The last day of an offer for so many days."""
    last = today + timedelta(days=days)
    return Date(year=last.year, month=last.month, day=last.day)


def _day(value: Date) -> date:
    return date(value.year, value.month, value.day)


# -- approval ----------------------------------------------------------------------------------------------------------------


def reckon_discount(quote: Quote) -> None:
    """Fills what is given off by what was published: a lower price that somebody typed is a discount too."""
    whole, off = published.discount(quote.lines, quote.totals, quote.currency)
    quote.published_amount = currencies.shown(whole, quote.currency)
    quote.published_discount = currencies.shown(off, quote.currency)
    quote.effective_discount_percent = plain(round(off * 100 / whole, 6)) if whole else "0"


def is_above(quote: Quote, limit: str) -> bool:
    """Whether its discount is more than the company gives without approval; an empty limit is none."""
    whole, off = published.discount(quote.lines, quote.totals, quote.currency)
    return bool(limit) and off * 100 > Decimal(limit) * whole


def submit(quote: Quote, *, limit: str, by: str, note: str, at: datetime) -> None:
    """Ready: approved where nobody has to look at the discount, else it waits."""
    require(quote, "submitted", (Quote.STATE_DRAFT,), "only a draft can")
    _require_lines(quote)
    waits = is_above(quote, limit)
    quote.state = Quote.STATE_WAITING_APPROVAL if waits else Quote.STATE_APPROVED
    quote.approval.CopyFrom(
        quote_pb2.QuoteApproval(
            submitter_id=by, submit_time=to_timestamp(at), submit_note=note, limit_percent=limit
        )
    )


def decide(quote: Quote, *, allowed: bool, by: str, note: str, at: datetime) -> None:
    """Somebody else allows or refuses the discount."""
    verb = "approved" if allowed else "rejected"
    require(quote, verb, (Quote.STATE_WAITING_APPROVAL,), "only one that waits for approval can")
    if by in (quote.author_id, quote.approval.submitter_id):
        raise errors.QuoteOwnApproval
    quote.state = Quote.STATE_APPROVED if allowed else Quote.STATE_DRAFT
    quote.approval.decider_id, quote.approval.decide_note = by, note
    quote.approval.decide_time.CopyFrom(to_timestamp(at))


# -- the customer's turn -----------------------------------------------------------------------------------------------------


def send(quote: Quote, deal: Deal, *, limit: str, zone: str, by: str, at: datetime) -> None:
    """The customer's turn, until the end of the last day in the company's zone."""
    sendable = (Quote.STATE_DRAFT, Quote.STATE_APPROVED)
    require(quote, "sent", sendable, "a draft within the limit of discounts or an approved one can")
    _require_lines(quote)
    if quote.state == Quote.STATE_DRAFT and is_above(quote, limit):
        raise errors.QuoteNeedsApproval(quote.effective_discount_percent, limit)
    wrong = wrong_validity(quote, at.astimezone(ZoneInfo(zone)).date())
    if wrong := wrong + _wrong_currency(quote, deal):
        raise errors.ValuesInvalid(wrong)
    quote.state, quote.sender_id = Quote.STATE_SENT, by
    quote.send_time.CopyFrom(to_timestamp(at))
    quote.expire_time.CopyFrom(to_timestamp(end_of(_day(quote.valid_until), zone)))


def end_of(day: date, zone: str) -> datetime:
    """The midnight with which the day ends in that zone."""
    return datetime.combine(day + timedelta(days=1), time(), ZoneInfo(zone)).astimezone(UTC)


def is_over(quote: Quote, now: datetime) -> bool:
    """Whether its time has passed, also where the timer is late."""
    return quote.state == Quote.STATE_EXPIRED or (
        quote.state == Quote.STATE_SENT and to_datetime(quote.expire_time) <= now
    )


def is_public(quote: Quote, now: datetime) -> bool:
    """Whether its link leads anywhere: it was sent and did not expire."""
    return quote.HasField("send_time") and not is_over(quote, now)


def opened(quote: Quote, at: datetime) -> bool:
    """Somebody has its page before him; true if that is the first time of a quote that waits for his answer."""
    if quote.state != Quote.STATE_SENT or quote.HasField("open_time"):
        return False
    quote.open_time.CopyFrom(to_timestamp(at))
    return True


def answer(
    quote: Quote, state: "Quote.State", *, name: str, note: str, by: str, at: datetime
) -> None:
    """The customer says yes or no, himself or by a colleague (`by`)."""
    verb = "accepted" if state == Quote.STATE_ACCEPTED else "declined"
    require(quote, verb, (Quote.STATE_SENT,), "only one that was sent and not answered can")
    if is_over(quote, at):
        raise errors.QuoteWrongState(verb, "expired", "make a new version of it with :newVersion")
    name = " ".join(name.split())
    if not name:
        raise errors.ValuesInvalid([Violation("name", "must say something besides blanks")])
    quote.state = state
    quote.answer.CopyFrom(
        quote_pb2.QuoteAnswer(name=name, time=to_timestamp(at), note=note, user_id=by)
    )


def bring(deal: Deal, quote: Quote) -> None:
    """The deal takes over what was accepted: lines, discounts, amount."""
    _copy(quote, deal, _PRICED)
    deal.amount, deal.accepted_quote_id = quote.totals.gross, quote.id


# -- the end -----------------------------------------------------------------------------------------------------------------


def expire(quote: Quote) -> None:
    """Its last day is over."""
    quote.state = Quote.STATE_EXPIRED


def withdraw(quote: Quote, note: str) -> None:
    """We take it back for good."""
    require(quote, "withdrawn", OPEN, "only one that is not over can")
    quote.state, quote.withdraw_note = Quote.STATE_WITHDRAWN, note


def next_version(old: Quote, *, id: str, author: str) -> Quote:
    """The next version as a draft; what was open of the old one is superseded, what had ended stays what it was."""
    if old.next_id:
        raise errors.QuoteWrongState("made anew", "followed by a newer version", f"change or renew {old.next_id}")  # fmt: skip
    if old.state in (Quote.STATE_DRAFT, Quote.STATE_ACCEPTED):
        raise errors.QuoteWrongState("made anew", state_of(old), "change a draft; make another quote after an accepted one")  # fmt: skip
    new = Quote()
    new.CopyFrom(old)
    for field in _OF_ONE_VERSION:
        new.ClearField(field)  # type: ignore[arg-type]
    new.id, new.previous_id, new.version = id, old.id, old.version + 1
    new.state, new.author_id = Quote.STATE_DRAFT, author
    old.next_id = id
    if old.state in OPEN:
        old.state = Quote.STATE_SUPERSEDED
    return new


def require(quote: Quote, verb: str, states: "tuple[Quote.State, ...]", allowed: str) -> None:
    """QuoteWrongState unless it is in one of the states."""
    if quote.state not in states:
        raise errors.QuoteWrongState(verb, state_of(quote), allowed)


def _require_lines(quote: Quote) -> None:
    if not quote.lines:
        raise errors.QuoteEmpty


def _copy(source: Quote, target: Deal, fields: tuple[str, ...]) -> None:
    for field in fields:
        target.ClearField(field)  # type: ignore[arg-type]
        value = getattr(source, field)
        if field == "lines":
            target.lines.extend(value)
        elif field == "totals":
            target.totals.CopyFrom(value)
        else:
            setattr(target, field, value)
