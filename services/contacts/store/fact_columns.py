"""The columns of card facts, beside the record in its row: lists filter and sort by them, and no save touches them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Integer, LargeBinary, Numeric

from chassis.kit.filter import Field
from crm.contacts.v1 import card_facts_pb2 as pb
from services.contacts.rules import card_facts as rules
from services.contacts.store.schema import Moment

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
_SORTABLE = ("last_contact_time", "open_requests")
"""Each costs two indexes, which every write of a record pays for; those of purchases come with the service that tells of them."""


def columns() -> list[Column[Any]]:
    """Of either table; the first holds the facts themselves as CardFacts."""
    return [
        Column("facts", LargeBinary, nullable=False, server_default=""),
        *(Column(f"fact_{n}", Moment, nullable=False, server_default=_NEVER.isoformat(sep=" ")) for n in _TIMES),
        *(Column(f"fact_{n}", Integer, nullable=False, server_default="0") for n in _COUNTS),
        *(Column(f"fact_{n}", Numeric, nullable=False, server_default="0") for n in _AMOUNTS),
        Column("fact_purchase_interval_days", Numeric, nullable=False, server_default=str(_NO_INTERVAL)),
    ]  # fmt: skip


NAMES = tuple(column.name for column in columns())


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
    }


FIELDS = {
    **{f"facts.{n}": Field(f"fact_{n}", "timestamp", sentinel=_NEVER, sortable=n in _SORTABLE) for n in _TIMES},
    **{f"facts.{n}": Field(f"fact_{n}", "number", sortable=n in _SORTABLE) for n in _COUNTS},
    **{
        f"facts.{n}": Field(f"fact_{n}", "decimal", sortable=n in _SORTABLE, sentinel=Decimal(0) if n == "average_bill" else None)
        for n in _AMOUNTS
    },
    "facts.purchase_interval_days": Field("fact_purchase_interval_days", "decimal", sentinel=_NO_INTERVAL),
}  # fmt: skip
"""What lists filter and sort by."""
