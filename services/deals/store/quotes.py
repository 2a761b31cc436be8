"""Quotes, their numbers, and what is kept of the customers who answer them."""

from datetime import datetime
from typing import Any

from asyncpg import Record
from sqlalchemy import (
    Column,
    Date,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    Table,
    Text,
    Uuid,
    bindparam,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from chassis.db import Statement
from chassis.fold import search_key
from chassis.kit.columns import choice, moment, reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment
from chassis.strangers import Counts
from chassis.tx import Tx
from crm.deals.v1 import quote_pb2
from services.deals import errors
from services.deals.rules.quotes import OPEN
from services.deals.store.deals import NEVER, NO_DAY
from services.deals.store.schema import amount, day, metadata

Quote = quote_pb2.Quote

_TENANT = bindparam("tenant_id", type_=Uuid)


def _values(quote: Quote) -> dict[str, Any]:
    return {
        "owner_id": reference(quote.owner_id),
        "department_id": reference(quote.department_id),
        "follower_ids": list(quote.follower_ids),
        "deal_id": reference(quote.deal_id),
        "contact_id": reference(quote.contact_id),
        "company_id": reference(quote.company_id),
        "state": quote.state,
        "number": quote.number,
        "version_number": quote.version,
        "author_id": reference(quote.author_id),
        "currency": quote.currency,
        "gross": amount(quote.totals.gross) or 0,
        "valid_key": day(quote, "valid_until") or NO_DAY,
        "send_key": moment(quote, "send_time") or NEVER,
        "search": search_key(f"{quote.number} {quote.variant}"),
    }


quotes = Resource(
    Quote,
    metadata,
    table="quotes",
    columns=[
        Column("owner_id", Uuid), Column("department_id", Uuid), Column("follower_ids", ARRAY(Uuid), nullable=False),
        Column("deal_id", Uuid, nullable=False), Column("contact_id", Uuid), Column("company_id", Uuid),
        Column("state", SmallInteger, nullable=False), Column("number", Text, nullable=False),
        Column("version_number", Integer, nullable=False), Column("author_id", Uuid), Column("currency", Text, nullable=False),
        Column("gross", Numeric, nullable=False), Column("valid_key", Date, nullable=False),
        Column("send_key", Moment, nullable=False), Column("search", Text, nullable=False),
    ],
    values=_values,
    items=[
        Index("ix_quotes_deal", "tenant_id", "deal_id", "state"),
        Index("ix_quotes_contact", "tenant_id", "contact_id"),
        Index("ix_quotes_company", "tenant_id", "company_id"),
        Index("uq_quotes_number", "tenant_id", "number", "version_number", unique=True),
    ],
    fields={
        "deal_id": Field("deal_id", "uuid"),
        "contact_id": Field("contact_id", "uuid"),
        "company_id": Field("company_id", "uuid"),
        "owner_id": Field("owner_id", "uuid"),
        "department_id": Field("department_id", "uuid"),
        "author_id": Field("author_id", "uuid"),
        "state": choice("state", Quote.State, "STATE_"),
        "number": Field("number", "text", sentinel="", sortable=True),
        "version": Field("version_number", "number"),
        "currency": Field("currency", "text", sentinel=""),
        "totals.gross": Field("gross", "number", sortable=True),
        "valid_until": Field("valid_key", "date", sortable=True),
        "send_time": Field("send_key", "timestamp", sortable=True),
    },
    search="search",
    search_reveals=("number", "variant"),
    default_owner=False,
    constraints={"uq_quotes_number": lambda detail: errors.KeyTaken("quote", "number")},
)  # fmt: skip

_q = quotes.view.c
_OF_DEAL = quotes.select(
    _q.deal_id == bindparam("of_deal", type_=Uuid),
    _q.state == bindparam("states", type_=ARRAY(SmallInteger)).any_(),
    order=_q.id,
)


async def open_quotes(tx: Tx, deal_id: str) -> list[Quote]:
    """The deal's quotes that may still be accepted, now or later."""
    states = [int(state) for state in OPEN]
    return await quotes.find_where(tx, _OF_DEAL, of_deal=deal_id, states=states)


# -- numbers: the row is locked until the quote is committed, so there is no gap and no twin --------------------------------

numbers = Table(
    "quote_numbers",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("year", Integer, primary_key=True),
    Column("last", Integer, nullable=False),
)

_NEXT = Statement(
    insert(numbers)
    .values(tenant_id=_TENANT, year=bindparam("year"), last=1)
    .on_conflict_do_update(index_elements=["tenant_id", "year"], set_={"last": numbers.c.last + 1})
    .returning(numbers.c.last)
)


async def next_quote_count(tx: Tx, year: int) -> int:
    """How many quotes the company has made in this year, with the one that is being made."""
    await tx.begin()
    count: int = await tx.fetchval(_NEXT, year=year)
    return count


# -- who answered: personal data, so in no event and no history --------------------------------------------------------------

proofs = Table(
    "quote_proofs",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("quote_id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("time", Moment, nullable=False),
    Column("address", Text, nullable=False),
    Column("program", Text, nullable=False),
    Column("quote_etag", Text, nullable=False),
)

_KEEP_PROOF = Statement(
    insert(proofs).values({c.name: bindparam(c.name, type_=c.type) for c in proofs.columns})
)
_PROOF = Statement(
    select(*(c for c in proofs.columns if c.name not in ("tenant_id", "quote_id"))).where(
        proofs.c.tenant_id == _TENANT, proofs.c.quote_id == bindparam("quote_id", type_=Uuid)
    )
)


async def keep_proof(
    tx: Tx, quote: Quote, at: datetime, *, seen_etag: str, address: str, program: str
) -> None:
    """Notes who answered the quote on its page, from where and with what; once per quote."""
    await tx.execute(
        _KEEP_PROOF, quote_id=quote.id, name=quote.answer.name, time=at, address=address, program=program,
        quote_etag=seen_etag,
    )  # fmt: skip


async def proof_of(tx: Tx, quote_id: str) -> Record | None:
    """What was noted of the answer; None if there was none on the page."""
    return await tx.fetchrow(_PROOF, quote_id=quote_id)


# -- answers counted by their sender, so that nobody floods a page -----------------------------------------------------------

answer_counts = Counts("quote_answer_counts", metadata, door="quote_id")
