"""Requests: the queue's columns, and what matching, assignment and rate limits look up."""

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    SmallInteger,
    Table,
    Text,
    Uuid,
    bindparam,
    func,
    select,
    text,
    update,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db import Statement
from chassis.fold import phone_digits, search_key
from chassis.kit.columns import choice, reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment
from chassis.strangers import Counts
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.contacts.v1 import request_pb2
from services.contacts.matching import Holder
from services.contacts.rules.requests import WAITING
from services.contacts.store.parties import contacts
from services.contacts.store.schema import holds, metadata

Request = request_pb2.Request

_SEARCHED_TEXT = 2_000  # characters of the customer's words that search looks into
_WAITING = text(f"state IN ({', '.join(str(int(state)) for state in WAITING)})")


def _values(request: Request) -> dict[str, Any]:
    digits = phone_digits(request.phone)
    words = [
        request.name,
        request.company_name,
        request.email,
        digits,
        request.text[:_SEARCHED_TEXT],
    ]
    answered = (
        to_datetime(request.first_response_time)
        if request.HasField("first_response_time")
        else None
    )
    return {
        "owner_id": reference(request.owner_id),
        "department_id": reference(request.department_id),
        "follower_ids": list(request.follower_ids),
        "state": request.state,
        "close_reason": request.close_reason,
        "channel": request.channel,
        "form_id": reference(request.form_id),
        "source_id": reference(request.source_id),
        "contact_id": reference(request.contact_id),
        "company_id": reference(request.company_id),
        "deal_ids": list(request.deal_ids),
        "label_ids": list(request.label_ids),
        "choose": request.choose,
        "honeypot_filled": request.honeypot_filled,
        "first_response_time": answered,
        "name": search_key(request.name),
        "phone_digits": digits,
        "email": request.email.lower(),
        "visitor_id": request.visitor_id,
        "utm_source": request.last_touch.utm_source.lower(),
        "utm_campaign": request.last_touch.utm_campaign.lower(),
        "keyword": search_key(request.last_touch.keyword),
        "search": search_key(" ".join(words)),
        "search_open": search_key(f"{request.name} {request.company_name}"),
    }


requests = Resource(
    Request,
    metadata,
    table="requests",
    columns=[
        Column("owner_id", Uuid), Column("department_id", Uuid), Column("follower_ids", ARRAY(Uuid), nullable=False),
        Column("state", SmallInteger, nullable=False), Column("close_reason", SmallInteger, nullable=False),
        Column("channel", SmallInteger, nullable=False), Column("form_id", Uuid), Column("source_id", Uuid),
        Column("contact_id", Uuid), Column("company_id", Uuid), Column("deal_ids", ARRAY(Uuid), nullable=False),
        Column("label_ids", ARRAY(Uuid), nullable=False), Column("choose", Boolean, nullable=False),
        Column("honeypot_filled", Boolean, nullable=False), Column("first_response_time", Moment),
        Column("name", Text, nullable=False), Column("phone_digits", Text, nullable=False),
        Column("email", Text, nullable=False), Column("visitor_id", Text, nullable=False),
        Column("utm_source", Text, nullable=False), Column("utm_campaign", Text, nullable=False),
        Column("keyword", Text, nullable=False), Column("search", Text, nullable=False),
        Column("search_open", Text, nullable=False),
    ],
    values=_values,
    items=[
        Index("ix_requests_state", "tenant_id", "state", "create_time", "id"),
        Index("ix_requests_contact", "tenant_id", "contact_id", "create_time"),
        Index("ix_requests_company", "tenant_id", "company_id"),
        Index("ix_requests_waiting", "tenant_id", "owner_id", postgresql_where=_WAITING),
        Index("ix_requests_keys", "deal_ids", "label_ids", postgresql_using="gin"),
        Index("ix_requests_search_open", "search_open", postgresql_using="gin",
              postgresql_ops={"search_open": "gin_trgm_ops"}),
    ],
    fields={
        "state": choice("state", Request.State, "STATE_"),
        "close_reason": choice("close_reason", Request.CloseReason, "CLOSE_REASON_"),
        "channel": choice("channel", Request.Channel, "CHANNEL_"),
        "owner_id": Field("owner_id", "uuid"),
        "department_id": Field("department_id", "uuid"),
        "follower_ids": Field("follower_ids", "uuid_array"),
        "form_id": Field("form_id", "uuid"),
        "source_id": Field("source_id", "uuid"),
        "contact_id": Field("contact_id", "uuid"),
        "company_id": Field("company_id", "uuid"),
        "deal_ids": Field("deal_ids", "uuid_array"),
        "label_ids": Field("label_ids", "uuid_array"),
        "choose": Field("choose", "bool"),
        "honeypot_filled": Field("honeypot_filled", "bool"),
        "first_response_time": Field("first_response_time", "timestamp"),
        "name": Field("name", "text", fold=search_key, sentinel=""),
        "phone": Field("phone_digits", "text", fold=phone_digits, sentinel=""),
        "email": Field("email", "text", fold=str.lower, sentinel=""),
        "visitor_id": Field("visitor_id", "text", sentinel=""),
        "last_touch.utm_source": Field("utm_source", "text", fold=str.lower, sentinel=""),
        "last_touch.utm_campaign": Field("utm_campaign", "text", fold=str.lower, sentinel=""),
        "last_touch.keyword": Field("keyword", "text", fold=search_key, sentinel=""),
    },
    search="search",
    open_search="search_open",
    search_reveals=("phone", "email", "text"),
    default_owner=False,
)  # fmt: skip

# -- who has this phone or e-mail, and when we last had to do with them ------------------------------------------------------

MOST_HOLDERS = 50
"""A number of a switchboard may be on hundreds of contacts; the latest fifty are enough to choose from."""


def _holders(condition: Any) -> Statement:
    """Contacts that meet the condition, with their latest request or, without one, their last change."""
    c, r = contacts.view.c, requests.view.c
    latest = (
        select(func.max(r.create_time))
        .where(r.tenant_id == c.tenant_id, r.contact_id == c.id, r.delete_time.is_(None))
        .scalar_subquery()
    )
    seen = func.coalesce(latest, c.create_time).label("seen")
    mine = c.tenant_id == bindparam("tenant_id", type_=Uuid)
    return Statement(
        select(c.id, seen)
        .where(mine, c.delete_time.is_(None), condition)
        .order_by(seen.desc(), c.id)
        .limit(MOST_HOLDERS)
    )


_BY_PHONE = _holders(holds(contacts.view.c.phone_digits, "digits"))
_BY_EMAIL = _holders(holds(contacts.view.c.email_addresses, "address"))


async def holders_of_phone(tx: Tx, number: str) -> list[Holder]:
    """The living contacts that have this E.164 number."""
    rows = await tx.fetch(_BY_PHONE, digits=phone_digits(number)) if number else []
    return [Holder(str(row["id"]), row["seen"]) for row in rows]


async def holders_of_email(tx: Tx, address: str) -> list[Holder]:
    """The living contacts that have this address."""
    rows = await tx.fetch(_BY_EMAIL, address=address) if address else []
    return [Holder(str(row["id"]), row["seen"]) for row in rows]


# -- whose turn it is: one row per rule, locked while the turn passes, so that it survives restarts --------------------------

turns = Table(
    "assignment_turns",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("rule_id", Uuid, primary_key=True),
    Column("last_user_id", Uuid),
)

_T = turns.c
_TENANT, _RULE = bindparam("tenant_id", type_=Uuid), bindparam("rule_id", type_=Uuid)
_FIRST_TURN = Statement(
    upsert(turns).values(tenant_id=_TENANT, rule_id=_RULE).on_conflict_do_nothing()
)
_TURN = Statement(
    select(_T.last_user_id).where(_T.tenant_id == _TENANT, _T.rule_id == _RULE).with_for_update()
)
_PASS_TURN = Statement(
    update(turns)
    .where(_T.tenant_id == bindparam("tenant_id", type_=Uuid), _T.rule_id == _RULE)
    .values(last_user_id=bindparam("user_id", type_=Uuid))
)
_v = requests.view.c
_OPEN_COUNTS = Statement(
    select(_v.owner_id, func.count().label("open"))
    .where(
        _v.tenant_id == _TENANT, _v.owner_id == func.any(bindparam("user_ids", type_=ARRAY(Uuid))), _WAITING,
        _v.delete_time.is_(None),
    )
    .group_by(_v.owner_id)
)  # fmt: skip


async def last_turn_for_update(tx: Tx, rule_id: str) -> str:
    """Who was chosen last by this rule (empty at first), locked so that no other request takes the same turn."""
    await tx.execute(_FIRST_TURN, rule_id=rule_id)
    last = await tx.fetchval(_TURN, rule_id=rule_id)
    return str(last) if last else ""


async def pass_turn(tx: Tx, rule_id: str, user_id: str) -> None:
    """Notes who was chosen."""
    await tx.execute(_PASS_TURN, rule_id=rule_id, user_id=user_id)


async def open_counts(tx: Tx, user_ids: list[str]) -> dict[str, int]:
    """How many requests wait for each of the users; users without any are left out."""
    rows = await tx.fetch(_OPEN_COUNTS, user_ids=user_ids) if user_ids else []
    return {str(row["owner_id"]): row["open"] for row in rows}


# -- how many requests an address has sent in this minute --------------------------------------------------------------------

submissions = Counts("form_submissions", metadata, door="form_id", address="address_hash")
