"""Deals: how one begins, what is always true of it, and what can still be corrected once it has ended. Pure."""

from datetime import date, datetime
from typing import Any

from chassis.errors import Violation
from crm.deals.v1 import deal_pb2
from services.deals import errors
from services.deals.money import limits
from services.deals.rules import promises

Deal = deal_pb2.Deal

CORRECTABLE = frozenset(
    {
        "title", "label_ids", "participants", "follower_ids", "custom", "external_ids",
        "owner_id", "department_id", "ending",
    }
)  # fmt: skip
"""What changes of a deal that has ended; of the ending itself the note only."""
STILL = {Deal.STATE_WON: frozenset({"promise"}), Deal.STATE_LOST: frozenset({"ask_again_date"})}
"""What goes on after the end: an order that was won is to be delivered, a lost customer is asked again."""


def begin(deal: Deal, *, by: str, home: str) -> None:
    """A new deal: open, with its maker written down."""
    deal.state, deal.creator_id, deal.department_id = Deal.STATE_OPEN, by, home


def keep_place(new: Deal, old: Deal) -> None:
    """Refuses another stage or pipeline: the guards are asked by :move only."""
    wrong = [
        Violation(field, "is changed by :move, which asks the guards")
        for field in ("pipeline_id", "stage_id")
        if getattr(new, field) != getattr(old, field)
    ]
    if wrong:
        raise errors.ValuesInvalid(wrong)


def keep_ended(new: Deal, old: Deal, state: str) -> None:
    """DealEnded with every field that cannot be corrected any more."""
    if old.state == Deal.STATE_OPEN:
        return
    allowed = CORRECTABLE | STILL[old.state]
    if wrong := [name for name in changed_fields(new, old) if name not in allowed]:
        raise errors.DealEnded(state, wrong)


def keep_ending(new: Deal, old: Deal) -> None:
    """Refuses another ending: only its note is corrected by hand."""
    before, after = deal_pb2.Ending(), deal_pb2.Ending()
    before.CopyFrom(old.ending)
    after.CopyFrom(new.ending)
    before.ClearField("note")
    after.ClearField("note")
    if before != after or new.HasField("ending") != old.HasField("ending"):
        raise errors.ValuesInvalid(
            [Violation("ending", "is set by :win and :lose; only ending.note can be corrected")]
        )


def keep_currency(new: Deal, old: Deal) -> None:
    """CurrencyFixed once amounts in it are written down: lines, an accepted quote, payments."""
    if new.currency == old.currency:
        return
    reasons = {
        "lines": bool(old.lines), "an accepted quote": bool(old.accepted_quote_id), "payments": bool(old.paid_amount)
    }  # fmt: skip
    because = next((reason for reason, holds in reasons.items() if holds), "")
    if because:
        raise errors.CurrencyFixed(old.currency, because)


def changed_fields(new: Deal, old: Deal) -> list[str]:
    """The names of the fields in which the two differ."""
    after, before = ({f.name: v for f, v in deal.ListFields()} for deal in (new, old))
    return [f.name for f in Deal.DESCRIPTOR.fields if after.get(f.name) != before.get(f.name)]


def normalise(deal: Deal) -> None:
    """One spelling of the title; each reader, label and request once."""
    deal.title = " ".join(deal.title.split())
    if not deal.title:
        raise errors.ValuesInvalid([Violation("title", "must say something besides blanks")])
    for field in (deal.follower_ids, deal.label_ids, deal.request_ids):
        once = list(dict.fromkeys(field))
        del field[:]
        field.extend(once)


def check(new: Deal, old: Deal | None, *, now: datetime, today: date) -> None:
    """ValuesInvalid with everything that is wrong by itself; dates are asked only where they are new."""
    before = Deal() if old is None else old
    wrong = [
        *_check_amount(new, before),
        *_check_days(new, before, today),
        *promises.check(new, before, now),
        *(
            Violation(f"participants[{at}]", "must name a contact_id, company_id or user_id")
            for at, each in enumerate(new.participants)
            if not each.WhichOneof("party")
        ),
    ]
    if wrong:
        raise errors.ValuesInvalid(wrong)


def _check_amount(new: Deal, old: Deal) -> list[Violation]:
    """Of lines the amount is reckoned; what somebody estimates is money that can be paid, or sums of it would not agree."""
    if new.lines or (new.amount, new.currency) == (old.amount, old.currency):
        return []
    return limits.amount("amount", new.amount, new.currency)


def _check_days(new: Deal, old: Deal, today: date) -> list[Violation]:
    wrong = []
    for field in ("expected_close_date", "ask_again_date"):
        same = old.HasField(field) and getattr(new, field) == getattr(old, field)
        if new.HasField(field) and not same:
            wrong += check_day(new, field, today)
    return wrong


def check_day(deal: Deal, field: str, today: date) -> list[Violation]:
    """What is wrong with a date to come."""
    value = getattr(deal, field)
    wanted = day_of(value)
    if wanted is None:
        text = f"{value.year:04}-{value.month:02}-{value.day:02}"
        return [Violation(field, f"{text} is no day of the calendar")]
    return [Violation(field, f"{wanted} is before today, {today}")] if wanted < today else []


def day_of(value: Any) -> date | None:
    """The day of a google.type.Date; None where it is no day of the calendar."""
    try:
        return date(value.year, value.month, value.day)
    except ValueError:
        return None
