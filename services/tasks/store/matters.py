"""What deals told of deals, quotes, invoices and contracts, for the day plan and for tasks that belong to a deal: a projection
without titles and amounts.

Every row holds the version that was told last, and something older changes nothing. A date says from which day on the record is
in its owner's day for that reason; none: it is not.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from asyncpg import Record
from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Index,
    Table,
    Text,
    Uuid,
    bindparam,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db.statement import Statement
from chassis.kit.columns import reference
from chassis.kit.tables import Moment, view_of
from chassis.tx import Tx
from services.tasks.rules.matters import REASONS, Matter
from services.tasks.store.day import MOST_OTHERS
from services.tasks.store.facts import parties
from services.tasks.store.schema import metadata
from services.tasks.store.tasks import Task, tasks

matters = Table(
    "day_matters",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("object", Text, primary_key=True),  # deal, quote, invoice or contract
    Column("id", Uuid, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("deal_id", Uuid),
    Column("contact_id", Uuid),
    Column("company_id", Uuid),
    Column("owner_id", Uuid),
    Column("department_id", Uuid),
    Column("follower_ids", ARRAY(Uuid), nullable=False),
    *(Column(f"{reason}_date", Date) for reason in REASONS),
    Index("ix_day_matters_contact", "tenant_id", "contact_id", postgresql_where=text("contact_id IS NOT NULL")),
    *(
        Index(f"ix_day_matters_{reason}", "tenant_id", "owner_id", f"{reason}_date", "id",
              postgresql_where=text(f"{reason}_date IS NOT NULL"))
        for reason in REASONS
    ),
)  # fmt: skip

price_lists = Table(
    "day_price_lists",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("publish_time", Moment, nullable=False),
)


_M = matters.c
_put = upsert(matters).values({c.name: bindparam(c.name, type_=c.type) for c in _M})
_PUT = Statement(
    _put.on_conflict_do_update(
        index_elements=["tenant_id", "object", "id"],
        set_={c.name: _put.excluded[c.name] for c in _M if not c.primary_key},
        where=_M.version < _put.excluded.version,
    )
)
_FORGET = Statement(
    update(matters)
    .where(_M.contact_id == bindparam("ids", type_=ARRAY(Uuid)).any_())  # type: ignore[attr-defined]
    .values(contact_id=None)
)
_list = upsert(price_lists).values({c.name: bindparam(c.name, type_=c.type) for c in price_lists.c})
_PUT_LIST = Statement(_list.on_conflict_do_nothing())

_V, _P, _L = view_of(matters).c, view_of(parties).c, view_of(price_lists).c
_t = tasks.view.c
_TENANT = bindparam("tenant_id", type_=Uuid)
_MINE = (_V.tenant_id == _TENANT, _V.owner_id == bindparam("owner_id", type_=Uuid))
_OF_DEAL = Statement(
    select(_V.contact_id, _V.company_id).where(
        _V.tenant_id == _TENANT, _V.object == text("'deal'"), _V.id == bindparam("of_id", type_=Uuid)
    )
)  # fmt: skip
_COLUMNS = tuple(c for c in _V if c.name not in ("tenant_id", "version"))
_NEXT_STEP = (
    select(_t.id)
    .where(_t.tenant_id == _TENANT, _t.deal_id == _V.id, _t.state == literal_column(str(int(Task.STATE_OPEN))), _t.delete_time.is_(None))
    .limit(literal_column("1"))
    .scalar_subquery()
)  # fmt: skip


def _due(reason: str) -> Statement:
    until = _V[f"{reason}_date"] <= bindparam("day", type_=Date)
    wanted = (*_MINE, until, _NEXT_STEP.is_(None)) if reason == "step" else (*_MINE, until)
    day = _V[f"{reason}_date"]
    return Statement(
        select(*_COLUMNS, day.label("since")).where(*wanted).order_by(day, _V.id).limit(MOST_OTHERS + 1)
    )  # fmt: skip


_DUE = {reason: _due(reason) for reason in REASONS}
_NEWEST_LIST = Statement(
    select(_L.id, _L.publish_time)
    .where(_L.tenant_id == _TENANT, _L.publish_time > bindparam("since", type_=Moment))
    .order_by(_L.publish_time.desc(), _L.id)
    .limit(1)
)
_touched = (
    select(_P.id)
    .where(
        _P.tenant_id == _TENANT, _P.object == text("'contact'"), _P.id == _V.contact_id,
        _P.touch_time >= bindparam("published", type_=Moment),
    )
    .limit(literal_column("1"))
    .scalar_subquery()
)  # fmt: skip
_UNTOLD = Statement(
    select(*_COLUMNS)
    .where(*_MINE, _V.step_date.is_not(None), _V.contact_id.is_not(None), _touched.is_(None))
    .order_by(_V.id)
    .limit(MOST_OTHERS + 1)
)


async def put(tx: Tx, matter: Matter) -> None:
    """Keeps what was told last."""
    dates: dict[str, Any] = {f"{reason}_date": matter.dates.get(reason) for reason in REASONS}
    await tx.execute(
        _PUT, object=matter.object, id=matter.id, version=matter.version, deal_id=reference(matter.deal_id),
        contact_id=reference(matter.contact_id), company_id=reference(matter.company_id),
        owner_id=reference(matter.owner_id), department_id=reference(matter.department_id),
        follower_ids=matter.follower_ids, **dates,
    )  # fmt: skip


async def put_price_list(tx: Tx, id: str, publish_time: datetime) -> None:
    """A price list was published."""
    await tx.execute(_PUT_LIST, id=id, publish_time=publish_time)


async def forget(tx: Tx, contact_ids: Sequence[str]) -> None:
    """The matters stay and name these people no more."""
    await tx.execute(_FORGET, ids=list(contact_ids))


async def customer_of_deal(tx: Tx, deal_id: str) -> tuple[str, str] | None:
    """(contact, company) of a deal, each empty if it has none; None if the deal is not known here."""
    row = await tx.fetchrow(_OF_DEAL, of_id=deal_id)
    return (str(row["contact_id"] or ""), str(row["company_id"] or "")) if row else None


async def due(tx: Tx, reason: str, owner_id: str, day: date) -> list[Record]:
    """The person's records that are in this day for the reason, the longest first; of "step" only those without an open task."""
    return await tx.fetch(_DUE[reason], owner_id=owner_id, day=day)


async def newest_price_list(tx: Tx, since: datetime) -> Record | None:
    """(id, publish_time) of the price list published last, if after `since`."""
    return await tx.fetchrow(_NEWEST_LIST, since=since)


async def untold(tx: Tx, owner_id: str, published: datetime) -> list[Record]:
    """The person's open deals with whose customer nobody was in touch since then."""
    return await tx.fetch(_UNTOLD, owner_id=owner_id, published=published)
