"""The columns of card facts, beside the record in its row: lists filter and sort by them, and no save touches them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Index, Integer, LargeBinary, Numeric, Text, text
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.kit.filter import Field
from chassis.kit.tables import Moment
from chassis.times import to_datetime
from crm.contacts.v1 import card_facts_pb2 as pb
from services.contacts.rules import card_facts as rules

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for nothing yet, so that the ones longest without a contact come first, and before them those without any."""
_NO_INTERVAL = Decimal(-1)

_TIMES = (
    "last_contact_time", "last_in_time", "last_out_time", "last_request_time",
    "first_purchase_time", "last_purchase_time",
)  # fmt: skip
_COUNTS = {
    "open_requests": "open_requests",
    "open_deals": "open_deal_count",
    "won_count": "won_count",
    "open_cases": "open_cases",
}
_AMOUNTS = {
    "open_deal_value": "open_deal_value",
    "revenue": "revenue",
    "average_bill": "average_bill",
    "debt": "debt",
}
_SORTABLE = (
    "last_contact_time", "last_in_time", "last_out_time", "last_request_time", "open_requests",
    "open_deal_value", "revenue", "last_purchase_time", "debt",
)  # fmt: skip
"""Each costs two indexes, which every write of a record pays for: an entry each, of 41 that a new contact writes. So the counts,
the mean and the first of a customer's purchases are filtered by, and not sorted by."""

_TOUCHES = ("first_touch", "last_touch")
_TOUCH_TEXTS = ("utm_source", "utm_medium", "utm_campaign", "landing_page", "referrer")
_CHARACTERS = {"landing_page": 1_000, "referrer": 1_000}
"""Of a page's address; what stands behind that tells people apart, not campaigns."""
_UTM_CHARACTERS = 100
"""Of the others, three of which must fit into a row of an index."""
_NEVER_IN_SQL = "'1970-01-01 00:00:00+00'::timestamptz"


def columns(object: str) -> list[Column[Any]]:
    """Of the object's table; the first holds the facts themselves as CardFacts."""
    return [
        Column("facts", LargeBinary, nullable=False, server_default=""),
        *(Column(f"fact_{n}", Moment, nullable=False, server_default=_NEVER.isoformat(sep=" ")) for n in _TIMES),
        *(Column(f"fact_{n}", Integer, nullable=False, server_default="0") for n in _COUNTS),
        *(Column(f"fact_{n}", Numeric, nullable=False, server_default="0") for n in _AMOUNTS),
        Column("fact_purchase_interval_days", Numeric, nullable=False, server_default=str(_NO_INTERVAL)),
        *(_touch_columns() if object == "contact" else ()),
    ]  # fmt: skip


def _touch_columns() -> list[Column[Any]]:
    found: list[Column[Any]] = []
    for touch in _TOUCHES:
        column = f"fact_{touch}"
        found += [
            Column(f"{column}_time", Moment, nullable=False, server_default=_NEVER.isoformat(sep=" ")),
            *(Column(f"{column}_{n}", Text, nullable=False, server_default="") for n in _TOUCH_TEXTS),
            Column(f"{column}_click_ids", ARRAY(Text), nullable=False, server_default=text("'{}'")),
        ]  # fmt: skip
    return found


NAMES = {object: tuple(c.name for c in columns(object)) for object in ("contact", "company")}


def values(facts: pb.CardFacts, currency: str) -> dict[str, Any]:
    """The values of those columns; amounts are those in the tenant's currency."""
    days = facts.purchase_interval_days if facts.HasField("purchase_interval_days") else None
    return {
        "facts": facts.SerializeToString(deterministic=True),
        **{f"fact_{name}": rules.moment_of(facts, name) or _NEVER for name in _TIMES},
        **{f"fact_{name}": getattr(facts, of) for name, of in _COUNTS.items()},
        **{
            f"fact_{name}": rules.amount_in(getattr(facts, of), currency)
            for name, of in _AMOUNTS.items()
        },
        "fact_purchase_interval_days": _NO_INTERVAL
        if days is None
        else Decimal(repr(round(days, 3))),
        **{f"fact_{touch}_{n}": v for touch in _TOUCHES for n, v in _touch_values(facts, touch)},
    }


def _touch_values(facts: pb.CardFacts, name: str) -> list[tuple[str, Any]]:
    touch: Any = getattr(facts, name)
    clicks = sorted(touch.click_ids.items())
    return [
        ("time", to_datetime(touch.time) if touch.HasField("time") else _NEVER),
        *((n, _folding(n)(getattr(touch, n))) for n in _TOUCH_TEXTS),
        ("click_ids", [key for name, id in clicks for key in (name, id, f"{name}/{id}")]),
    ]


def _fields() -> dict[str, Field]:
    return {
        **{f"facts.{n}": Field(f"fact_{n}", "timestamp", sentinel=_NEVER, sortable=n in _SORTABLE) for n in _TIMES},
        **{f"facts.{n}": Field(f"fact_{n}", "number", sortable=n in _SORTABLE) for n in _COUNTS},
        **{
            f"facts.{n}": Field(f"fact_{n}", "decimal", sortable=n in _SORTABLE, sentinel=Decimal(0) if n == "average_bill" else None)
            for n in _AMOUNTS
        },
        "facts.purchase_interval_days": Field("fact_purchase_interval_days", "decimal", sentinel=_NO_INTERVAL),
    }  # fmt: skip


def _touch_fields(touch: str) -> dict[str, Field]:
    path, column = f"facts.{touch}", f"fact_{touch}"
    brought: dict[str, Any] = {"sparse": (f"{column}_time", _NEVER_IN_SQL), "hidden_as": path}
    return {
        f"{path}.time": Field(f"{column}_time", "timestamp", sentinel=_NEVER, **brought),
        **{
            f"{path}.{n}": Field(f"{column}_{n}", "text", fold=_folding(n), sentinel="", **brought)
            for n in _TOUCH_TEXTS
        },
        f"{path}.click_ids": Field(f"{column}_click_ids", "text_array", **brought),
    }


def _folding(name: str) -> Callable[[str], str]:
    most = _CHARACTERS.get(name, _UTM_CHARACTERS)
    return lambda text: text.lower()[:most]


def touch_indexes(table: str) -> list[Index]:
    """They hold only records that something brought, so that an import or a new contact pays for none of them.

    Pages are in none: who asks for them reads the records in scope.
    """
    found = []
    for touch in _TOUCHES:
        column = f"fact_{touch}"
        brought = text(f"{column}_time <> {_NEVER_IN_SQL}")
        utm = [f"{column}_{name}" for name in ("utm_campaign", "utm_source", "utm_medium")]
        found += [
            Index(f"ix_{table}_{touch}", "tenant_id", *utm, f"{column}_time", postgresql_where=brought),
            Index(f"ix_{table}_{touch}_clicks", f"{column}_click_ids", postgresql_using="gin", postgresql_where=brought),
        ]  # fmt: skip
    return found


FIELDS: Mapping[str, Mapping[str, Field]] = {
    "contact": {**_fields(), **_touch_fields("first_touch"), **_touch_fields("last_touch")},
    "company": _fields(),
}
"""What lists filter and sort by, for each object."""
