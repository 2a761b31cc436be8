"""What the facts of a card are made of, and what they mean for the lifecycle stage. Pure.

A service that comes later adds a line to TOUCHES or STAGE_MOVES, by its event's full name, and tells of its deals, cases and
bills as items: `facts.note_item(tx, Item(...))`. Everything else follows from there.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal

from chassis.times import to_datetime, to_timestamp
from crm.common.v1 import common_pb2
from crm.contacts.v1 import card_facts_pb2 as pb
from crm.contacts.v1 import party_pb2

OPEN_DEALS_SHOWN = 20
_CENT = Decimal("0.01")
_DAY_S = 86_400

Direction = Literal["in", "out"]


@dataclass(frozen=True, slots=True)
class Touch:
    """An event by which somebody was in touch: they with us (in) or we with them (out)."""

    direction: Direction
    way: str


TOUCHES: Mapping[str, Touch] = {
    "crm.contacts.v1.RequestReceived": Touch("in", "request"),
    "crm.contacts.v1.RequestAnswered": Touch("out", "request"),
    "crm.notifications.v1.MessageReceived": Touch("in", "message"),
    "crm.notifications.v1.MessageSent": Touch("out", "message"),
    "crm.deals.v1.QuoteSent": Touch("out", "quote"),
    "crm.deals.v1.QuoteAccepted": Touch("in", "quote"),
    "crm.deals.v1.QuoteDeclined": Touch("in", "quote"),
}
"""Event -> touch. The parties are those that the event's contract names, the moment is that of its change."""

Stage = party_pb2.LifecycleStage
_BEFORE_PROSPECT = (party_pb2.LIFECYCLE_STAGE_UNSPECIFIED, party_pb2.LIFECYCLE_STAGE_LEAD)

STAGE_MOVES: Mapping[str, "Stage"] = {
    "crm.contacts.v1.RequestAnswered": party_pb2.LIFECYCLE_STAGE_PROSPECT,
    "crm.contacts.v1.RequestLinked": party_pb2.LIFECYCLE_STAGE_PROSPECT,
    "crm.deals.v1.DealWon": party_pb2.LIFECYCLE_STAGE_CUSTOMER,
}
"""Event -> the stage to which it leads: a lead has been talked to, or somebody bought."""


def stage_after(stage: "Stage", event_type: str) -> "Stage":
    """The stage after a fact; a fact never leads back, but who left and buys again is a customer."""
    to = STAGE_MOVES.get(event_type)
    if to is None:
        return stage
    if to == party_pb2.LIFECYCLE_STAGE_PROSPECT:
        return to if stage in _BEFORE_PROSPECT else stage
    return to


# -- being in touch ---------------------------------------------------------------------------------


def touch(facts: pb.CardFacts, direction: Direction, contact: pb.LastContact) -> None:
    """Takes the touch over if none is later; of two at one moment the one with the greater event id."""
    last = facts.last_in if direction == "in" else facts.last_out
    if _place(contact) > _place(last):
        last.CopyFrom(contact)
    if facts.HasField("last_in") or facts.HasField("last_out"):
        latest = max((facts.last_in, facts.last_out), key=_place)
        facts.last_contact_time.CopyFrom(latest.time)


def unite(facts: pb.CardFacts, other: pb.CardFacts) -> None:
    """Takes over what a record that is one with this one now was told last."""
    if other.HasField("last_in"):
        touch(facts, "in", other.last_in)
    if other.HasField("last_out"):
        touch(facts, "out", other.last_out)


def _place(contact: pb.LastContact) -> tuple[int, int, str]:
    return contact.time.seconds, contact.time.nanos, contact.event_id


Arrivals = tuple[party_pb2.Touch, party_pb2.Touch]
"""The first touch of somebody's first request that has one, and the last touch of the last such request."""


def set_arrivals(facts: pb.CardFacts, arrivals: Arrivals | None) -> None:
    """Sets which advertisements, links or searches brought somebody; None: nothing is known of it any more."""
    facts.ClearField("first_touch")
    facts.ClearField("last_touch")
    if arrivals is not None:
        facts.first_touch.CopyFrom(arrivals[0])
        facts.last_touch.CopyFrom(arrivals[1])


# -- deals, cases and bills ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Item:
    """A deal, case or bill of a contact and its company, as its service told last; `version` orders what is told."""

    kind: Literal["deal", "case", "bill"]
    id: str
    version: int
    state: Literal["open", "won", "over"]
    """A won deal is a purchase; the amount of an open bill is what is still owed."""
    contact_id: str = ""
    company_id: str = ""
    stage: str = ""
    amount: Decimal | None = None
    currency: str = ""
    time: datetime | None = None
    """When it was won."""


@dataclass(frozen=True, slots=True)
class Purchases:
    """What somebody bought, taken together."""

    count: int
    revenue: Mapping[str, Decimal]
    average: Mapping[str, Decimal]
    first: datetime | None
    last: datetime | None
    interval_days: float | None


def purchases(bought: Iterable[tuple[datetime, Decimal | None, str]]) -> Purchases:
    """Of (time, amount, currency): sums and means for each currency, and the mean number of days between two purchases.

    A purchase without an amount counts and has its time, but is in no sum and no mean.
    """
    times, amounts = [], defaultdict[str, list[Decimal]](list)
    for time, amount, currency in bought:
        times.append(time)
        if amount is not None:
            amounts[currency].append(amount)
    first, last = min(times, default=None), max(times, default=None)
    interval = None
    if first is not None and last is not None and len(times) > 1:
        interval = (last - first).total_seconds() / _DAY_S / (len(times) - 1)
    sums = {currency: sum(each, Decimal(0)) for currency, each in sorted(amounts.items())}
    means = {
        currency: (total / len(amounts[currency])).quantize(_CENT, ROUND_HALF_UP)
        for currency, total in sums.items()
    }
    return Purchases(len(times), sums, means, first, last, interval)


def summarise(facts: pb.CardFacts, items: Collection[Item]) -> None:
    """Sets everything that follows from deals, cases and bills; their order does not matter."""
    deals = [item for item in items if item.kind == "deal"]
    _show_open([deal for deal in deals if deal.state == "open"], facts)
    won = [deal for deal in deals if deal.state == "won" and deal.time is not None]
    _show_purchases(purchases((d.time, d.amount, d.currency) for d in won if d.time), facts)
    facts.open_cases = sum(item.kind == "case" and item.state == "open" for item in items)
    _replace(
        facts.debt, _sums(item for item in items if item.kind == "bill" and item.state == "open")
    )


def _show_open(deals: list[Item], facts: pb.CardFacts) -> None:
    facts.open_deal_count = len(deals)
    _replace(facts.open_deal_value, _sums(deals))
    shown = sorted(deals, key=lambda deal: (-(deal.amount or 0), deal.id))[:OPEN_DEALS_SHOWN]
    del facts.open_deals[:]
    for deal in shown:
        value = _money(deal.currency, deal.amount) if deal.amount is not None else None
        facts.open_deals.add(deal_id=deal.id, stage=deal.stage, value=value)


def _show_purchases(found: Purchases, facts: pb.CardFacts) -> None:
    facts.won_count = found.count
    _replace(facts.revenue, found.revenue)
    _replace(facts.average_bill, found.average)
    for name, time in (("first_purchase_time", found.first), ("last_purchase_time", found.last)):
        facts.ClearField(name)  # type: ignore[arg-type]
        if time is not None:
            getattr(facts, name).CopyFrom(to_timestamp(time))
    facts.ClearField("purchase_interval_days")
    if found.interval_days is not None:
        facts.purchase_interval_days = found.interval_days


def _sums(items: Iterable[Item]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for item in items:
        if item.amount is not None:
            found[item.currency] = found.get(item.currency, Decimal(0)) + item.amount
    return dict(sorted(found.items()))


def _money(currency: str, amount: Decimal) -> common_pb2.Money:
    return common_pb2.Money(currency=currency, amount=f"{amount:f}")


def _replace(repeated: Any, amounts: Mapping[str, Decimal]) -> None:
    del repeated[:]
    repeated.extend(_money(currency, amount) for currency, amount in amounts.items())


# -- what of it is shown ---------------------------------------------------------------------------------


def amount_in(sums: Iterable[common_pb2.Money], currency: str) -> Decimal:
    """The amount in this currency, which is what lists filter and sort by; 0 if there is none."""
    return next((Decimal(each.amount) for each in sums if each.currency == currency), Decimal(0))


def moment_of(facts: pb.CardFacts, name: str) -> datetime | None:
    """The time in a field of facts; None where nothing is known. `last_in_time` is that of last_in."""
    if name in ("last_in_time", "last_out_time"):
        part = name.removesuffix("_time")
        return to_datetime(getattr(facts, part).time) if facts.HasField(part) else None  # type: ignore[arg-type]
    return to_datetime(getattr(facts, name)) if facts.HasField(name) else None  # type: ignore[arg-type]


TOLD_BY = {
    "last_in": ("last_in_time",), "last_out": ("last_out_time",), "last_contact_time": (),
    "open_deal_count": ("open_deals",), "open_deal_value": (), "purchase_interval_days": (),
}  # fmt: skip
"""Field of the facts -> further names under which lists know it; hidden under one of them, it is not shown."""


def without_hidden(facts: pb.CardFacts, is_hidden: Callable[[str], bool]) -> None:
    """Clears what the reader may not see; `is_hidden` is asked with the names that filters use, e.g. facts.revenue."""
    for field, _ in facts.ListFields():
        if field.name in ("contact_id", "company_id"):
            continue
        names = (field.name, *TOLD_BY.get(field.name, ()))
        if any(is_hidden(f"facts.{name}") for name in names):
            facts.ClearField(field.name)  # type: ignore[arg-type]
