"""A line of a price list: what its cells say, and how it becomes one price of the list. Pure.

A list is put together of many lines. Lines add to drafts; nothing is added to a list that is published, and what a line says
otherwise than the list is refused unless the import overwrites.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import orjson
from google.type.date_pb2 import Date

from chassis import errors
from chassis.fold import search_key
from chassis.kit.imports import values
from chassis.kit.imports.adapter import LineRefused, Terms
from chassis.kit.imports.values import WrongValue
from chassis.rpc import shape
from crm.deals.v1 import price_list_pb2
from services.deals import import_names
from services.deals.rules import days
from services.deals.rules import prices as rules

Price = price_list_pb2.Price
PriceList = price_list_pb2.PriceList

_PARTIES = {
    "PERSON": "persons, private, private person, osoba, osoba prywatna, osoby, perorangan, pribadi, orang perseorangan, individu",
    "COMPANY": "companies, business, firma, firmy, perusahaan, bisnis, syarikat, perniagaan",
}  # fmt: skip
_PARTY_OF = {
    search_key(word): PriceList.Party.Value(f"PARTY_{key}")
    for key, text in _PARTIES.items()
    for word in (key, *text.split(", "))
}
_OF_ALL = ("tax_included", "from_date", "until_date", "party", "label_ids")
"""What the lines of a list share, besides what tells lists apart."""
_MOST_PRICES = 2000  # as the contract says; checked here, so that no line makes the whole list be checked again


@dataclass(frozen=True, slots=True)
class Span:
    """Days on which a product has a price in a list."""

    list_id: str
    list_name: str
    group: str
    currency: str
    first: date
    last: date


@dataclass(slots=True)
class Priced:
    """A product as lines see it: its number, and where it has published prices. Never written."""

    id: str = ""
    sku: str = ""
    spans: tuple[Span, ...] = ()
    etag: str = "0"

    @classmethod
    def FromString(cls, doc: bytes) -> "Priced":
        """Of what `doc` wrote."""
        id, sku, spans = orjson.loads(doc)
        return cls(id, sku, tuple(Span(*said, *map(date.fromisoformat, on)) for *said, on in spans))

    def CopyFrom(self, other: "Priced") -> None:
        """As a message does."""
        self.id, self.sku, self.spans, self.etag = other.id, other.sku, other.spans, other.etag

    def doc(self) -> bytes:
        """As bytes."""
        spans = [
            (s.list_id, s.list_name, s.group, s.currency, (s.first.isoformat(), s.last.isoformat()))
            for s in self.spans
        ]
        return orjson.dumps((self.id, self.sku, spans))


@dataclass(slots=True)
class Draft:
    """What a line says: a list with one price, whose product is looked up later."""

    entry: PriceList = field(default_factory=lambda: PriceList(prices=[Price()]))
    list_id: str = ""
    sku: str = ""
    said: set[str] = field(default_factory=set)
    product: Priced = field(default_factory=Priced)

    @property
    def price(self) -> Price:
        """Its one price."""
        return self.entry.prices[0]


Put = Callable[[Terms, Draft, int, str], None]


def read(terms: Terms, cells: list[tuple[int, str, str]]) -> Draft:
    """What the cells of a line say; LineRefused with everything that is wrong."""
    draft, wrong = Draft(), list[str]()
    if terms.skips:
        wrong.append("on_match: a price list is made of many lines; choose FILL_BLANKS or OVERWRITE instead of SKIP")  # fmt: skip
    for column, target, cell in cells:
        try:
            _PUT[target](terms, draft, column, cell)
        except WrongValue as error:
            wrong.append(f"{target}: {error}")
    for target, present in (
        ("name", draft.entry.name.strip()), ("sku", draft.sku.strip()), ("unit_price", draft.price.unit_price),
    ):  # fmt: skip
        if not present and not any(each.startswith(target) for each in wrong):
            wrong.append(f"{target}: is required; map its column")
    draft.entry.currency = draft.entry.currency or terms.facts["currency"]
    if not wrong:
        wrong += _broken(draft.entry)
    if wrong:
        raise LineRefused("; ".join(wrong))
    return draft


def begin(terms: Terms, entry: PriceList, draft: Draft) -> None:
    """Makes the new draft of the line."""
    _check(terms, entry.id, draft, draft.entry)
    id = entry.id
    entry.MergeFrom(draft.entry)
    entry.id, entry.state, entry.version = id, PriceList.STATE_DRAFT, 1
    _remember(terms, entry, draft)


def add(terms: Terms, entry: PriceList, draft: Draft) -> None:
    """Adds the line's price to its list, or replaces it where the import overwrites."""
    _agree(terms, entry, draft)
    price = _same(entry, draft)
    if price is None:
        if entry.state == PriceList.STATE_PUBLISHED:
            raise LineRefused(f"sku: {draft.sku} has no price {_from(draft)} in {entry.name!r}, which is published and keeps its prices; make a new version of it")  # fmt: skip
        if len(entry.prices) >= _MOST_PRICES:
            raise LineRefused(f"name: {entry.name!r} holds {_MOST_PRICES} prices, as many as a list may; name another list")  # fmt: skip
        _check(terms, entry.id, draft, entry)
        entry.prices.add().CopyFrom(draft.price)
        _remember(terms, entry, draft)
    elif Decimal(price.unit_price) != Decimal(draft.price.unit_price):
        _refuse_unless_open(terms, entry, "unit_price", f"{draft.sku} costs {price.unit_price} {_from(draft)} in {entry.name!r}, not {draft.price.unit_price}")  # fmt: skip
        shape.check(draft.entry, writes=True)
        price.unit_price = draft.price.unit_price


# -- the parts of it -------------------------------------------------------------------------------


def _broken(entry: PriceList) -> list[str]:
    """What the rules of price lists say against the line's list with its one price."""
    try:
        rules.check(entry, None)
    except errors.CrmError as error:
        return [f"{v.field.removeprefix('prices[0].')}: {v.description}" for v in error.violations]
    return []


def _same(entry: PriceList, draft: Draft) -> Price | None:
    """The list's price of the line's product from the same quantity."""
    wanted = Decimal(draft.price.from_quantity or 0)
    for price in entry.prices:
        if price.product_id == draft.product.id and Decimal(price.from_quantity or 0) == wanted:
            return price  # type: ignore[no-any-return]
    return None


def _agree(terms: Terms, entry: PriceList, draft: Draft) -> None:
    """Fills what the list does not say yet; what it says otherwise is refused, or replaced where the import overwrites."""
    differ = [
        name
        for name in _OF_ALL
        if name in draft.said and getattr(entry, name) != getattr(draft.entry, name)
    ]
    for name in differ:
        old, new = getattr(entry, name), getattr(draft.entry, name)
        blank = name != "tax_included" and not _is_set(entry, name)
        if not blank or entry.state == PriceList.STATE_PUBLISHED:
            there = "not said" if blank else _shown(name, old)
            _refuse_unless_open(terms, entry, name, f"is {_shown(name, new)} here, and {there} in {entry.name!r}")  # fmt: skip
        entry.ClearField(name)  # type: ignore[arg-type]
        entry.MergeFrom(PriceList(**{name: new}))
    if differ and (wrong := days.wrong_span(entry)):
        raise LineRefused("; ".join(f"{v.field}: {v.description}" for v in wrong))


def _refuse_unless_open(terms: Terms, entry: PriceList, name: str, told: str) -> None:
    """LineRefused unless the list is a draft and the import overwrites."""
    if entry.state == PriceList.STATE_PUBLISHED:
        raise LineRefused(f"{_COLUMN.get(name, name)}: {told}, which is published and stays as it is; make a new version of it")  # fmt: skip
    if not terms.overwrites:
        raise LineRefused(f"{_COLUMN.get(name, name)}: {told}; choose OVERWRITE to replace it, or name another list")  # fmt: skip


def _check(terms: Terms, list_id: str, draft: Draft, entry: PriceList) -> None:
    """LineRefused if the product has a price elsewhere in the group on the list's days: such a list could never be published."""
    shape.check(draft.entry, writes=True)
    first, last = days.span(entry)
    here = _told(terms, draft, entry).values()
    for span in (*draft.product.spans, *here):
        same = (span.group, span.currency) == (entry.group, entry.currency)
        superseded = span.list_id in (list_id, entry.supersedes_id)
        if same and not superseded and span.first <= last and first <= span.last:
            on = days.shown(span.first, span.last)
            raise LineRefused(f"from_date: {draft.sku} has a price in {span.list_name!r} {on} already; end that list before, or begin after it")  # fmt: skip


def _told(terms: Terms, draft: Draft, entry: PriceList) -> dict[str, Span]:
    """List -> the days of the product's price in it, of the lists that this import has made so far.

    Kept beside the terms, for as long as they are: an import that goes on in another process has forgotten what it planned
    before, and such an overlap is refused by :publish.
    """
    told: dict[tuple[str, str, str], dict[str, Span]] = terms.facts["told"]
    return told.setdefault((draft.product.id, entry.group, entry.currency), {})


def _remember(terms: Terms, entry: PriceList, draft: Draft) -> None:
    first, last = days.span(entry)
    span = Span(entry.id, entry.name, entry.group, entry.currency, first, last)
    _told(terms, draft, entry)[entry.id] = span


def _is_set(entry: PriceList, name: str) -> bool:
    return entry.HasField(name) if name.endswith("_date") else bool(getattr(entry, name))  # type: ignore[arg-type]


def _shown(name: str, value: Any) -> str:
    if name.endswith("_date"):
        return f"{value.year:04}-{value.month:02}-{value.day:02}"
    if name == "party":
        return party_name(value) or "everybody"
    if name == "label_ids":
        return f"{len(value)} label(s)"
    return "yes" if value else "no"


def _from(draft: Draft) -> str:
    return f"from {draft.price.from_quantity or 0} on"


def party_name(party: int) -> str:
    """As files say it; empty for everybody."""
    return PriceList.Party.Name(party).removeprefix("PARTY_").lower() if party else ""  # type: ignore[arg-type]


# -- cells -----------------------------------------------------------------------------------------

_COLUMN = {"label_ids": "labels"}


def _put_date(name: str) -> Put:
    def put(terms: Terms, draft: Draft, column: int, cell: str) -> None:
        order = terms.date_orders.get(column, values.DMY)
        year, month, day = values.parse_date(cell, order)
        getattr(draft.entry, name).CopyFrom(Date(year=year, month=month, day=day))
        draft.said.add(name)

    return put


def _put_number(name: str) -> Put:
    def put(terms: Terms, draft: Draft, column: int, cell: str) -> None:
        number = values.parse_decimal(cell, comma=terms.imported.options.decimal_comma)
        setattr(draft.price, name, number)

    return put


def _put_tax(terms: Terms, draft: Draft, column: int, cell: str) -> None:
    draft.entry.tax_included = values.parse_yes_no(cell)
    draft.said.add("tax_included")


def _put_party(terms: Terms, draft: Draft, column: int, cell: str) -> None:
    party = _PARTY_OF.get(search_key(cell))
    if party is None:
        raise WrongValue(f"{cell!r} is neither person nor company; leave it out for everybody")
    draft.entry.party = party
    draft.said.add("party")


def _put_labels(terms: Terms, draft: Draft, column: int, cell: str) -> None:
    draft.entry.label_ids.extend(import_names.labels(terms, cell))
    draft.said.add("label_ids")


def _put_text(name: str, *, of_list: bool = True, fold: Callable[[str], str] = str.strip) -> Put:
    def put(terms: Terms, draft: Draft, column: int, cell: str) -> None:
        setattr(draft.entry if of_list else draft, name, fold(cell))

    return put


_PUT: dict[str, Put] = {
    "list_id": _put_text("list_id", of_list=False, fold=str.lower),
    "name": _put_text("name"),
    "group": _put_text("group", fold=str.lower),
    "currency": _put_text("currency", fold=str.upper),
    "tax_included": _put_tax,
    "from_date": _put_date("from_date"),
    "until_date": _put_date("until_date"),
    "party": _put_party,
    "labels": _put_labels,
    "sku": _put_text("sku", of_list=False),
    "unit_price": _put_number("unit_price"),
    "from_quantity": _put_number("from_quantity"),
}
