"""Price lists: what one must be, and which price holds for a customer. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from chassis.errors import Violation
from crm.deals.v1 import price_list_pb2
from services.deals import errors
from services.deals.money import currencies, limits
from services.deals.rules import days

PriceList = price_list_pb2.PriceList

STANDARD = "standard"
"""The group of price lists that name none."""

_LATER = ("name", "until_date")
"""What may still be changed of a list that is published."""

_BY_SERVER = ("id", "etag", "create_time", "update_time", "delete_time")


def check(new: PriceList, old: PriceList | None) -> None:
    """Completes a draft, and refuses prices that cannot be or cannot be told apart; of a published list what is fixed."""
    new.name = " ".join(new.name.split())
    new.group = new.group or STANDARD
    if old is not None and old.state == PriceList.STATE_PUBLISHED:
        _keep_published(new, old)
    wrong = [] if new.name else [Violation("name", "must say something besides blanks")]
    wrong += days.wrong_span(new)
    if not currencies.is_known(new.currency):
        wrong.append(limits.no_money("currency", new.currency))
    seen: dict[tuple[str, Decimal], int] = {}
    for at, price in enumerate(new.prices):
        path = f"prices[{at}]"
        found = limits.number(f"{path}.unit_price", price.unit_price)
        found += limits.number(f"{path}.from_quantity", price.from_quantity)
        wrong += found
        first = seen.setdefault((price.product_id, Decimal(price.from_quantity or 0)), at)
        if first != at:
            wrong.append(Violation(path, f"prices the same product from the same quantity as prices[{first}]; each once"))  # fmt: skip
    if wrong:
        raise errors.ValuesInvalid(wrong)


def _keep_published(new: PriceList, old: PriceList) -> None:
    """PricesFixed unless only that changes which may."""
    fixed = [
        field.name
        for field in PriceList.DESCRIPTOR.fields
        if field.name not in (*_LATER, *_BY_SERVER) and _differs(new, old, field)
    ]
    if fixed:
        raise errors.PricesFixed(fixed)


def _differs(new: PriceList, old: PriceList, field: Any) -> bool:
    before, after = getattr(old, field.name), getattr(new, field.name)
    return bool(list(before) != list(after) if field.is_repeated else before != after)


def put_in_force(entry: PriceList, *, today: date) -> None:
    """Opens a draft for pricing; ValuesInvalid for one without prices."""
    if entry.state != PriceList.STATE_DRAFT:
        raise errors.PriceListWrongState("published", "published already", "a draft")
    if not entry.prices:
        raise errors.ValuesInvalid([Violation("prices", "are none; a list without prices says nothing")])  # fmt: skip
    if not entry.HasField("from_date"):
        entry.from_date.CopyFrom(days.to_date(today))
        if wrong := days.wrong_span(entry):
            raise errors.ValuesInvalid(wrong)
    entry.state = PriceList.STATE_PUBLISHED


def end_before(old: PriceList, new: PriceList) -> bool:
    """Ends a list the day before the version that takes its place; False if it ends by itself before."""
    first, last = days.span(old)
    begins = days.span(new)[0]
    if begins <= first:
        raise errors.ValuesInvalid([Violation("from_date", f"{begins} is not after {first}, the first day of version {old.version} whose place it takes")])  # fmt: skip
    if last < begins:
        return False
    old.until_date.CopyFrom(days.to_date(begins - timedelta(days=1)))
    return True


def next_version(old: PriceList) -> PriceList:
    """A draft with the same prices, for the same people."""
    made = PriceList()
    made.CopyFrom(old)
    for field in (*_BY_SERVER, "from_date", "until_date", "publish_time"):
        made.ClearField(field)  # type: ignore[arg-type]
    made.state, made.version, made.supersedes_id = PriceList.STATE_DRAFT, old.version + 1, old.id
    return made


@dataclass(frozen=True, slots=True)
class Price:
    """A published price that is valid on the day in question, in the currency in question."""

    list_id: str
    product_id: str
    from_quantity: Decimal
    unit_price: Decimal
    tax_included: bool
    party: int
    label_ids: frozenset[str]
    from_date: date
    published: Any
    """When; later beats earlier where the rest is equal."""


def choose(
    prices: Iterable[Price],
    product_id: str,
    quantity: Decimal,
    *,
    party: "PriceList.Party",
    labels: Collection[str],
) -> Price | None:
    """The price of a product for a customer, None if there is none.

    A list for his labels goes before one for his kind of party, that before one for everybody; of equals the newest list;
    within it the break with the largest quantity that is reached.
    """
    found = [
        price
        for price in prices
        if price.product_id == product_id
        and price.from_quantity <= quantity
        and price.party in (PriceList.PARTY_UNSPECIFIED, party)
        and (not price.label_ids or price.label_ids & set(labels))
    ]
    return max(found, key=_closeness, default=None)


def _closeness(price: Price) -> tuple[Any, ...]:
    named = (bool(price.label_ids), bool(price.party))
    return (*named, price.from_date, price.published, price.list_id, price.from_quantity)
