"""Deals: what lists, boards and sums find them by."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from asyncpg import Record
from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Index,
    Numeric,
    SmallInteger,
    Text,
    Uuid,
    bindparam,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db.statement import Statement
from chassis.fold import search_key, sort_key
from chassis.kit.columns import choice, moment, reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from services.deals import errors
from services.deals.rules.board import is_unconverted
from services.deals.store.schema import amount, day, metadata

Deal = deal_pb2.Deal

NO_DAY = date(9999, 12, 31)
NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""Stand in columns that are sorted by, where the record has no such date: it comes after all others."""


def _values(deal: Deal) -> dict[str, Any]:
    ending, order = deal.ending, deal.order
    return {
        "owner_id": reference(deal.owner_id),
        "department_id": reference(deal.department_id),
        "follower_ids": readers(deal),
        "pipeline_id": reference(deal.pipeline_id),
        "stage_id": reference(deal.stage_id),
        "state": deal.state,
        "contact_id": reference(deal.contact_id),
        "company_id": reference(deal.company_id),
        "party_ids": parties(deal),
        "currency": deal.currency,
        "amount": amount(deal.amount) or Decimal(0),
        "base_amount": _base_amount(deal),
        "expected_key": day(deal, "expected_close_date") or NO_DAY,
        "promise_key": moment(deal.promise, "time") or NEVER,
        "source_id": reference(deal.source_id),
        "method_id": reference(deal.method_id),
        "request_ids": list(deal.request_ids),
        "label_ids": list(deal.label_ids),
        "probability": deal.probability if deal.HasField("probability") else None,
        "stage_time": moment(deal, "stage_time") or NEVER,
        "activity_time": moment(deal, "activity_time") or NEVER,
        "idle_key": moment(deal, "idle_time") or NEVER,
        "next_task_key": moment(deal, "next_task_time") or NEVER,
        "next_task_id": reference(deal.next_task_id),
        "end_time": moment(ending, "time"),
        "reason_id": reference(ending.reason_id),
        "end_stage_id": reference(ending.stage_id),
        "credit_owner_id": reference(ending.owner_id),
        "credit_department_id": reference(ending.department_id),
        "touch_way": ending.last_touch.way,
        "competitor": search_key(ending.competitor),
        "ask_again_date": day(deal, "ask_again_date"),
        "blocked_stage_id": reference(deal.blocked_move.stage_id),
        "order_key": f"{order.system}:{order.id}" if order.id else None,
        "external_ids": [f"{each.system}:{each.id}" for each in deal.external_ids],
        "search": search_key(deal.title),
        "title_key": sort_key(deal.title),
        "search_open": "",  # what text search finds where the title is hidden from the caller
    }


def _base_amount(deal: Deal) -> Decimal | None:
    """None while no rate is known for what it is worth: then it is in no sum."""
    return None if is_unconverted(deal) else amount(deal.base_amount) or Decimal(0)


def readers(deal: Deal) -> list[str]:
    """Who may read it besides the owner: followers and colleagues who take part (S47)."""
    taking_part = (each.user_id for each in deal.participants if each.user_id)
    return list(dict.fromkeys((*deal.follower_ids, *taking_part)))


def parties(deal: Deal) -> list[str]:
    """The contacts and companies that it is made with or that take part in it."""
    ids = [deal.contact_id, deal.company_id]
    for each in deal.participants:
        ids += [each.contact_id, each.company_id]
    return list(dict.fromkeys(id for id in ids if id))


deals = Resource(
    Deal,
    metadata,
    table="deals",
    columns=[
        Column("owner_id", Uuid), Column("department_id", Uuid), Column("follower_ids", ARRAY(Uuid), nullable=False),
        Column("pipeline_id", Uuid), Column("stage_id", Uuid), Column("state", SmallInteger, nullable=False),
        Column("contact_id", Uuid), Column("company_id", Uuid), Column("party_ids", ARRAY(Uuid), nullable=False),
        Column("currency", Text, nullable=False), Column("amount", Numeric, nullable=False),
        Column("base_amount", Numeric), Column("expected_key", Date, nullable=False),
        Column("promise_key", Moment, nullable=False), Column("source_id", Uuid), Column("method_id", Uuid),
        Column("request_ids", ARRAY(Uuid), nullable=False), Column("label_ids", ARRAY(Uuid), nullable=False),
        Column("probability", SmallInteger), Column("stage_time", Moment, nullable=False),
        Column("activity_time", Moment, nullable=False), Column("idle_key", Moment, nullable=False),
        Column("next_task_key", Moment, nullable=False), Column("next_task_id", Uuid), Column("end_time", Moment),
        Column("reason_id", Uuid), Column("end_stage_id", Uuid), Column("competitor", Text, nullable=False),
        Column("ask_again_date", Date), Column("blocked_stage_id", Uuid), Column("order_key", Text),
        Column("external_ids", ARRAY(Text), nullable=False), Column("search", Text, nullable=False),
        Column("title_key", Text, nullable=False), Column("search_open", Text, nullable=False),
        Column("credit_owner_id", Uuid), Column("credit_department_id", Uuid), Column("touch_way", Text, nullable=False),
    ],
    values=_values,
    items=[
        # Boards read a stage's deals in their order; state is a column because a list's statement has it as a parameter.
        Index("ix_deals_stage", "tenant_id", "pipeline_id", "stage_id", "state", "expected_key", "id"),
        Index("ix_deals_owner", "tenant_id", "owner_id", "state", "expected_key", "id"),
        Index("ix_deals_expected", "tenant_id", "state", "expected_key", "id"),
        Index("ix_deals_end", "tenant_id", "end_time", "id", postgresql_where=text("end_time IS NOT NULL")),
        Index("ix_deals_parties", "party_ids", postgresql_using="gin"),
        Index("ix_deals_requests", "request_ids", postgresql_using="gin"),
        Index("ix_deals_external_ids", "external_ids", postgresql_using="gin"),
        Index("ix_deals_unconverted", "tenant_id", "currency", "id", postgresql_where=text("base_amount IS NULL")),
        Index("uq_deals_order", "tenant_id", "order_key", unique=True,
              postgresql_where=text("delete_time IS NULL AND order_key IS NOT NULL")),
    ],
    fields={
        "state": choice("state", Deal.State, "STATE_"),
        "pipeline_id": Field("pipeline_id", "uuid"),
        "stage_id": Field("stage_id", "uuid"),
        "owner_id": Field("owner_id", "uuid"),
        "department_id": Field("department_id", "uuid"),
        "follower_ids": Field("follower_ids", "uuid_array"),
        "contact_id": Field("contact_id", "uuid"),
        "company_id": Field("company_id", "uuid"),
        "party_ids": Field("party_ids", "uuid_array"),
        "currency": Field("currency", "text", sentinel=""),
        "amount": Field("amount", "number", sortable=True),
        "base_amount": Field("base_amount", "number"),
        "expected_close_date": Field("expected_key", "date", sentinel=NO_DAY, sortable=True),
        "promise.time": Field("promise_key", "timestamp", sentinel=NEVER, sortable=True),
        "source_id": Field("source_id", "uuid"),
        "method_id": Field("method_id", "uuid"),
        "request_ids": Field("request_ids", "uuid_array"),
        "label_ids": Field("label_ids", "uuid_array"),
        "stage_time": Field("stage_time", "timestamp", sortable=True),
        "activity_time": Field("activity_time", "timestamp", sortable=True),
        "idle_time": Field("idle_key", "timestamp", sentinel=NEVER),
        "next_task_id": Field("next_task_id", "uuid"),
        "next_task_time": Field("next_task_key", "timestamp", sentinel=NEVER, sortable=True),
        "ending.time": Field("end_time", "timestamp"),
        "ending.reason_id": Field("reason_id", "uuid"),
        "ending.stage_id": Field("end_stage_id", "uuid"),
        "ending.owner_id": Field("credit_owner_id", "uuid"),
        "ending.department_id": Field("credit_department_id", "uuid"),
        "ending.last_touch.way": Field("touch_way", "text", sentinel=""),
        "ending.competitor": Field("competitor", "text", fold=search_key, sentinel=""),
        "ask_again_date": Field("ask_again_date", "date"),
        "blocked_move.stage_id": Field("blocked_stage_id", "uuid"),
        "title": Field("search", "text", fold=search_key, sentinel="", sortable=True, sort_column="title_key"),
    },
    search="search",
    open_search="search_open",
    search_reveals=("title",),
    default_order="expected_close_date",
    constraints={"uq_deals_order": lambda detail: errors.KeyTaken("deal", "order.id")},
)  # fmt: skip


_v = deals.table.c
_ALL_DEALS = (
    select(_v.id, _v.doc, _v.delete_time)
    .where(
        _v.tenant_id == bindparam("tenant_id", type_=Uuid), _v.id > bindparam("after", type_=Uuid)
    )
    .order_by(_v.id)
    .limit(bindparam("most", type_=BigInteger))
)
_NEXT_DEALS = Statement(_ALL_DEALS)
_UNCONVERTED_DEALS = Statement(
    _ALL_DEALS.where(_v.base_amount.is_(None), _v.currency == bindparam("of_currency", type_=Text))
)
NO_ID = UUID(int=0)
"""Before the id of every record."""


async def all_deals(tx: Tx, after: str, most: int) -> list[Record]:
    """id, doc and delete_time of the next deals, deleted ones too."""
    return await tx.fetch(_NEXT_DEALS, after=after, most=most)


async def unconverted_deals(tx: Tx, currency: str, after: str, most: int) -> list[Record]:
    """id, doc and delete_time of the next deals in this currency for which no rate was known, deleted ones too."""
    return await tx.fetch(_UNCONVERTED_DEALS, of_currency=currency, after=after, most=most)
