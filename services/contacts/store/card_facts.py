"""Card facts: read and written beside their records, the items they are made of, and what they are computed from anew."""

from collections.abc import Mapping, Sequence
from typing import Any

from asyncpg import Record
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Numeric,
    Table,
    Text,
    Uuid,
    and_,
    bindparam,
    cast,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, aggregate_order_by
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db import Statement
from chassis.kit.columns import reference
from chassis.kit.tables import Moment, view_of
from chassis.tx import Tx
from crm.contacts.v1 import card_facts_pb2 as pb
from crm.contacts.v1 import request_pb2
from services.contacts.rules.card_facts import Arrivals, Item
from services.contacts.store import fact_columns
from services.contacts.store.parties import PARTIES
from services.contacts.store.reception import requests
from services.contacts.store.schema import holds, metadata
from services.contacts.store.timeline import entries

items = Table(
    "card_items",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("contact_id", Uuid),
    Column("company_id", Uuid),
    Column("stage", Text, nullable=False),
    Column("amount", Numeric),
    Column("currency", Text, nullable=False),
    Column("time", Moment),
    Index("ix_card_items_contact", "tenant_id", "contact_id"),
    Index("ix_card_items_company", "tenant_id", "company_id"),
)

_TENANT = bindparam("tenant_id", type_=Uuid)
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_R, _I, _E = requests.view.c, view_of(items).c, view_of(entries).c
_END = {"contact": "contact_id", "company": "company_id"}

# -- the facts themselves ------------------------------------------------------------------------------


def _locking(object: str) -> Statement:
    t = PARTIES[object].table.c
    return Statement(
        select(t.id, t.facts).where(t.tenant_id == _TENANT, t.id == _IDS.any_())
        .order_by(t.id).with_for_update(key_share=True)
    )  # fmt: skip


def _writing(object: str) -> Statement:
    table = PARTIES[object].table
    names = fact_columns.NAMES[object]
    new = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
    which = and_(table.c.tenant_id == _TENANT, table.c.id == bindparam("party_id", type_=Uuid))
    return Statement(update(table).where(which).values(new))


def _reading(object: str) -> Statement:
    t = PARTIES[object].table.c
    scope = [t[name] for name in PARTIES[object].row_columns]
    return Statement(
        select(t.id, t.delete_time, t.facts, *scope).where(t.tenant_id == _TENANT, t.id == _IDS.any_())
    )  # fmt: skip


_LOCK, _WRITE, _READ = (
    {object: make(object) for object in PARTIES} for make in (_locking, _writing, _reading)
)


async def for_update(tx: Tx, object: str, ids: Sequence[str]) -> dict[str, pb.CardFacts]:
    """The facts of those records that exist, locked in the order of their ids."""
    await tx.begin()
    rows = await tx.fetch(_LOCK[object], ids=sorted(set(ids)))
    return {str(row["id"]): pb.CardFacts.FromString(row["facts"]) for row in rows}


async def write(tx: Tx, object: str, id: str, facts: pb.CardFacts, currency: str) -> None:
    """Writes the facts of one record; its version and etag stay."""
    values = fact_columns.values(facts, currency)
    new = {f"new_{name}": values[name] for name in fact_columns.NAMES[object]}
    await tx.execute(_WRITE[object], party_id=id, **new)


async def rows(tx: Tx, object: str, ids: Sequence[str]) -> list[Record]:
    """(id, delete_time, facts, scope) of those records that exist, whoever asks."""
    return await tx.fetch(_READ[object], ids=list(ids)) if ids else []


def _paging(object: str) -> Statement:
    v = PARTIES[object].view.c
    after, limit = bindparam("after", type_=Uuid), bindparam("page_limit", type_=BigInteger)
    return Statement(
        select(v.id).where(v.tenant_id == _TENANT, v.id > after).order_by(v.id).limit(limit)
    )


_PAGE = {object: _paging(object) for object in PARTIES}


async def ids_after(tx: Tx, object: str, after: str, limit: int) -> list[str]:
    """The next ids of all records, deleted ones too."""
    return [str(row["id"]) for row in await tx.fetch(_PAGE[object], after=after, page_limit=limit)]


# -- what they are computed from -------------------------------------------------------------------------

_State = request_pb2.Request
_OPEN_STATES = bindparam("open_states", type_=ARRAY(BigInteger))
_SPAM = bindparam("spam", type_=BigInteger)
OPEN = [
    _State.STATE_NEW, _State.STATE_ASSIGNED, _State.STATE_IN_WORK, _State.STATE_ANSWERED,
]  # fmt: skip
"""The states of requests that are not closed and led to no deal yet."""


def _counting(object: str) -> Statement:
    end = _R[_END[object]]
    latest = func.array_agg(aggregate_order_by(_R.id, _R.create_time.desc(), _R.id.desc()))
    brought = cast(_R.json, JSONB).has_key("firstTouch")
    first = func.array_agg(aggregate_order_by(_R.id, _R.create_time, _R.id))
    return Statement(
        select(
            end.label("party_id"), func.count().filter(_R.state == _OPEN_STATES.any_()).label("open"),
            func.max(_R.create_time).label("last_time"), latest[1].label("last_id"),
            first.filter(brought)[1].label("first_brought_id"), latest.filter(brought)[1].label("last_brought_id"),
        )
        .where(_R.tenant_id == _TENANT, end == _IDS.any_(), _R.delete_time.is_(None), _R.close_reason != _SPAM)
        .group_by(end)
    )  # fmt: skip


_COUNT = {object: _counting(object) for object in PARTIES}


async def requests_of(tx: Tx, object: str, ids: Sequence[str]) -> dict[str, Record]:
    """(open, last_time, last_id) of the requests of each record that has any, and the first and last of them that have touches;
    spam does not count."""
    found = await tx.fetch(
        _COUNT[object], ids=list(ids), open_states=OPEN, spam=_State.CLOSE_REASON_SPAM
    )
    return {str(row["party_id"]): row for row in found}


_TOUCHED = Statement(select(_R.id, _R.doc).where(_R.tenant_id == _TENANT, _R.id == _IDS.any_()))


async def arrivals_of(tx: Tx, object: str, requests: Mapping[str, Record]) -> dict[str, Arrivals]:
    """The touches of each contact whose requests have any, by what `requests_of` returned.

    Of a company none: its requests are those of many people, and what led one of them here is his.
    """
    ends = {
        id: (str(row["first_brought_id"]), str(row["last_brought_id"]))
        for id, row in requests.items()
        if object == "contact" and row["first_brought_id"]
    }
    if not ends:
        return {}
    rows = await tx.fetch(_TOUCHED, ids=sorted({id for pair in ends.values() for id in pair}))
    by_id = {str(row["id"]): request_pb2.Request.FromString(row["doc"]) for row in rows}
    return {
        id: (by_id[first].first_touch, by_id[last].last_touch) for id, (first, last) in ends.items()
    }


_LAST_TOUCHES = Statement(
    select(_E.party_id, _E.type, _E.time, _E.event_id, _E.user_id)
    .where(
        _E.tenant_id == _TENANT, _E.party_id == _IDS.any_(),
        _E.type == bindparam("types", type_=ARRAY(Text)).any_(),
    )
    .distinct(_E.party_id, _E.type)
    .order_by(_E.party_id, _E.type, _E.time.desc(), _E.event_id.desc())
)  # fmt: skip


async def last_touches(tx: Tx, ids: Sequence[str], types: Sequence[str]) -> list[Record]:
    """(party_id, type, time, event_id, user_id) of each record's latest event of each type, from the timeline."""
    return await tx.fetch(_LAST_TOUCHES, ids=list(ids), types=list(types)) if ids else []


# -- deals, cases and bills --------------------------------------------------------------------------------

_put = upsert(items).values({c.name: bindparam(c.name, type_=c.type) for c in items.columns})
_PUT = Statement(
    _put.on_conflict_do_update(
        index_elements=["tenant_id", "kind", "id"],
        set_={c.name: _put.excluded[c.name] for c in items.columns if not c.primary_key},
        where=items.c.version < _put.excluded.version,
    )
)
_ITEM = Statement(
    select(items.c.contact_id, items.c.company_id)
    .where(items.c.tenant_id == _TENANT, items.c.kind == bindparam("kind"), items.c.id == bindparam("item_id", type_=Uuid))
    .with_for_update()
)  # fmt: skip
_ITEMS = {
    object: Statement(select(*(c for c in _I if c.name != "tenant_id")).where(_I.tenant_id == _TENANT, _I[end] == _IDS.any_()))
    for object, end in _END.items()
}  # fmt: skip


async def put_item(tx: Tx, item: Item) -> dict[str, set[str]] | None:
    """Keeps what was told last; returns object -> records it belongs or belonged to, None for something older."""
    before = await tx.fetchrow(_ITEM, kind=item.kind, item_id=item.id)
    written = await tx.execute(
        _PUT, kind=item.kind, id=item.id, version=item.version, state=item.state, stage=item.stage,
        contact_id=reference(item.contact_id), company_id=reference(item.company_id),
        amount=item.amount, currency=item.currency, time=item.time,
    )  # fmt: skip
    if not written:
        return None
    now = {"contact": item.contact_id, "company": item.company_id}
    was = {object: str(before[end] or "") if before else "" for object, end in _END.items()}
    return {object: {now[object], was[object]} - {""} for object in PARTIES}


async def items_of(tx: Tx, object: str, ids: Sequence[str]) -> dict[str, list[Item]]:
    """The items of each record that has any."""
    found: dict[str, list[Item]] = {}
    for row in await tx.fetch(_ITEMS[object], ids=list(ids)):
        texts: dict[str, Any] = {n: str(row[n] or "") for n in ("id", "contact_id", "company_id")}
        rest = {
            n: row[n] for n in ("kind", "version", "state", "stage", "amount", "currency", "time")
        }
        found.setdefault(texts[_END[object]], []).append(Item(**texts, **rest))
    return found


# -- who set the lifecycle stage, and whose a request was ------------------------------------------------------


def _staging(object: str) -> Statement:
    h = PARTIES[object].history.c
    named = holds(h.changed, "field")
    return Statement(
        select(func.max(h.valid_from)).where(
            h.tenant_id == _TENANT, h.id == bindparam("party_id", type_=Uuid), or_(named, h.version == 1)
        )
    )  # fmt: skip


_STAGED = {object: _staging(object) for object in PARTIES}
_h = requests.history.c
_REQUEST_BEFORE = Statement(
    select(_h.doc).where(
        _h.tenant_id == _TENANT, _h.id == bindparam("request_id", type_=Uuid),
        _h.version == bindparam("version", type_=BigInteger),
    )
)  # fmt: skip


async def stage_set_at(tx: Tx, object: str, id: str) -> Any:
    """When the lifecycle stage was last set, or the record created."""
    return await tx.fetchval(_STAGED[object], party_id=id, field="lifecycle_stage")


async def parties_before(tx: Tx, request_id: str, version: int) -> Mapping[str, str]:
    """Object -> whose the request was in an earlier version of it."""
    doc = await tx.fetchval(_REQUEST_BEFORE, request_id=request_id, version=version)
    request = request_pb2.Request.FromString(doc or b"")
    return {"contact": request.contact_id, "company": request.company_id}
