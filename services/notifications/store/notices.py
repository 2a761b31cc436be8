"""Notices: each user's feed, and what a digest gathers before it is one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Uuid,
    any_,
    bindparam,
    delete,
    func,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db import Statement
from chassis.kit.columns import reference
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.notifications.v1 import notice_pb2, notice_rule_pb2
from services.notifications.store.schema import metadata

Notice = notice_pb2.Notice
NoticeItem = notice_pb2.NoticeItem

MOST_COUNTED = 1000


def _moment(notice: Notice, field: str) -> datetime | None:
    return to_datetime(getattr(notice, field)) if notice.HasField(field) else None


def _values(notice: Notice) -> dict[str, Any]:
    return {
        "owner_id": reference(notice.owner_id),
        "rule_id": reference(notice.rule_id),
        "object_id": reference(notice.object_id),
        "contact_ids": list(notice.contact_ids),
        "item_ids": sorted({item.object_id for item in notice.items if item.object_id}),
        "in_feed": notice_rule_pb2.WAY_FEED in notice.ways,
        "is_read": notice.HasField("read_time"),
        "is_done": notice.HasField("done_time"),
        "snooze_time": _moment(notice, "snooze_time"),
    }


notices = Resource(
    Notice,
    metadata,
    table="notices",
    columns=[
        Column("owner_id", Uuid), Column("rule_id", Uuid), Column("object_id", Uuid),
        Column("contact_ids", ARRAY(Uuid), nullable=False), Column("item_ids", ARRAY(Uuid), nullable=False),
        Column("in_feed", Boolean, nullable=False), Column("is_read", Boolean, nullable=False),
        Column("is_done", Boolean, nullable=False), Column("snooze_time", Moment),
    ],
    values=_values,
    items=[
        Index("ix_notices_unread", "tenant_id", "owner_id", "create_time", "id", postgresql_where=text("NOT is_read")),
        Index("ix_notices_collapse", "tenant_id", "owner_id", "rule_id", "object_id", "create_time"),
        Index("ix_notices_object", "tenant_id", "object_id"),
        Index("ix_notices_contacts", "contact_ids", postgresql_using="gin"),
    ],
)  # fmt: skip

gathered = Table(
    "gathered_notices",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("owner_id", Uuid, primary_key=True),
    Column("digest", Integer, primary_key=True),
    Column("event_id", Uuid, primary_key=True),
    Column("rule_id", Uuid, primary_key=True),
    Column("time", Moment, nullable=False),
    Column("push", Boolean, nullable=False),
    Column("object_id", Uuid),
    Column("contact_ids", ARRAY(Uuid), nullable=False),
    Column("item", LargeBinary, nullable=False),
)

_TENANT = bindparam("tenant_id", type_=Uuid)
_OWNER = bindparam("owner_id", type_=Uuid)
_v = notices.view.c
_NOT_ASLEEP = or_(_v.snooze_time.is_(None), _v.snooze_time <= bindparam("now", type_=Moment))
_MINE = (_v.owner_id == _OWNER, _v.in_feed)
_OPEN = (_v.is_done.is_(False), _NOT_ASLEEP)
_UNREAD = _v.is_read.is_(False)
_BEFORE = tuple_(_v.create_time, _v.id) < tuple_(
    bindparam("before_time", type_=Moment), bindparam("before_id", type_=Uuid)
)


def _page(*conditions: Any) -> Statement:
    statement = (
        select(_v.id, _v.version, _v.delete_time, _v.doc, _v.create_time, _v.owner_id)
        .where(_v.tenant_id == _TENANT, _BEFORE, *_MINE, *conditions)
        .order_by(_v.create_time.desc(), _v.id.desc())
        .limit(bindparam("many", type_=Integer))
    )
    return Statement(statement)


_PAGES = {
    (unread, whole): _page(*([_UNREAD] if unread else []), *([] if whole else _OPEN))
    for unread in (False, True)
    for whole in (False, True)
}
_COUNT = Statement(
    select(func.count()).select_from(
        select(_v.id)
        .where(_v.tenant_id == _TENANT, *_MINE, _UNREAD, *_OPEN)
        .limit(MOST_COUNTED)
        .subquery()
    )
)
_UNREAD_UNTIL = notices.select(
    *_MINE, _UNREAD, _v.create_time <= bindparam("until", type_=Moment), *_OPEN,
    limit=500, order=(_v.create_time, _v.id),
)  # fmt: skip
_ALIKE = notices.select(
    _v.owner_id == _OWNER, _UNREAD, _v.rule_id == bindparam("rule_id", type_=Uuid),
    _v.object_id == bindparam("object_id", type_=Uuid),
    _v.create_time > bindparam("since", type_=Moment), _v.is_done.is_(False),
    limit=1, order=(_v.create_time.desc(), _v.id.desc()),
)  # fmt: skip
_UNDONE = notices.select(
    _v.rule_id == bindparam("rule_id", type_=Uuid), _v.object_id == bindparam("object_id", type_=Uuid),
    _v.is_done.is_(False), limit=500, order=(_v.create_time, _v.id),
)  # fmt: skip


async def page(
    tx: Tx, owner_id: str, *, unread: bool, whole: bool, before: tuple[datetime, str], many: int
) -> list[Notice]:
    """The next notices of a feed, newest first; `whole` with those that are done or snoozed."""
    values: dict[str, Any] = {} if whole else {"now": tx.now}
    rows = await tx.fetch(
        _PAGES[unread, whole], owner_id=owner_id, before_time=before[0], before_id=before[1],
        many=many, **values,
    )  # fmt: skip
    return [notices.loaded(tx, row) for row in rows]


async def unread_count(tx: Tx, owner_id: str) -> int:
    """How many of his are unread and neither snoozed nor done; no more than MOST_COUNTED."""
    return int(await tx.fetchval(_COUNT, owner_id=owner_id, now=tx.now))


async def unread_until(tx: Tx, owner_id: str, until: datetime) -> list[Notice]:
    """The oldest 500 unread ones that came until then."""
    return await notices.find_where(tx, _UNREAD_UNTIL, owner_id=owner_id, until=until, now=tx.now)


async def unread_alike(
    tx: Tx, owner_id: str, rule_id: str, object_id: str, since: datetime
) -> Notice | None:
    """His newest unread notice of this rule about this record, if one came after `since`."""
    found = await notices.find_where(
        tx, _ALIKE, owner_id=owner_id, rule_id=rule_id, object_id=object_id, since=since
    )
    return found[0] if found else None


async def undone(tx: Tx, rule_id: str, object_id: str) -> list[Notice]:
    """Everybody's notices of this rule about this record that are not done, the oldest 500."""
    return await notices.find_where(tx, _UNDONE, rule_id=rule_id, object_id=object_id)


# -- what a digest gathers ---------------------------------------------------------------------------------------------

_GATHER = Statement(
    upsert(gathered)
    .values({c.name: bindparam(c.name, type_=c.type) for c in gathered.columns})
    .on_conflict_do_nothing()
)
_g = gathered.c
_TAKE = Statement(
    delete(gathered)
    .where(_g.tenant_id == _TENANT, _g.owner_id == _OWNER, _g.digest == bindparam("digest"))
    .returning(_g.time, _g.push, _g.contact_ids, _g.item, _g.event_id, _g.rule_id)
)


async def gather(
    tx: Tx, owner_id: str, digest: int, rule_id: str, item: NoticeItem,
    contact_ids: Sequence[str], *, push: bool,
) -> None:  # fmt: skip
    """Keeps an entry for his next digest of this kind; the same event of the same rule only once."""
    await tx.execute(
        _GATHER, owner_id=owner_id, digest=digest, event_id=item.event_id, rule_id=rule_id, push=push,
        time=tx.now, object_id=item.object_id or None, contact_ids=list(contact_ids),
        item=item.SerializeToString(),
    )  # fmt: skip


async def take_gathered(tx: Tx, owner_id: str, digest: int) -> list[Any]:
    """Takes his entries out, in the order of time; nobody else takes them too."""
    await tx.begin()
    rows = await tx.fetch(_TAKE, owner_id=owner_id, digest=digest)
    return sorted(rows, key=lambda row: (row["time"], row["event_id"], row["rule_id"]))


# -- forgetting --------------------------------------------------------------------------------------------------------

_IDS = bindparam("ids", type_=ARRAY(Uuid))
_n, _h = notices.table.c, notices.history.c
_ABOUT = or_(_n.object_id == any_(_IDS), _n.contact_ids.overlap(_IDS), _n.item_ids.overlap(_IDS))
_FIND_ABOUT = Statement(select(_n.id).where(_n.tenant_id == _TENANT, _ABOUT))
_FIND_OLD = Statement(
    select(_n.id)
    .where(_n.tenant_id == _TENANT, _n.create_time < bindparam("before", type_=Moment))
    .order_by(_n.create_time)
    .limit(bindparam("many", type_=Integer))
)
_DELETE = [
    Statement(delete(table).where(table.c.tenant_id == _TENANT, table.c.id == any_(_IDS)))
    for table in (notices.table, notices.history)
]
_FORGET_GATHERED = Statement(
    delete(gathered).where(
        _g.tenant_id == _TENANT, or_(_g.object_id == any_(_IDS), _g.contact_ids.overlap(_IDS))
    )
)
_FORGET_GATHERED_OF = Statement(
    delete(gathered).where(
        _g.tenant_id == _TENANT, _g.rule_id == bindparam("rule_id", type_=Uuid),
        _g.object_id == bindparam("object_id", type_=Uuid),
    )
)  # fmt: skip


async def about(tx: Tx, ids: Sequence[str]) -> list[str]:
    """The ids of notices about these records or persons."""
    return [str(row["id"]) for row in await tx.fetch(_FIND_ABOUT, ids=list(ids))]


async def older_than(tx: Tx, before: datetime, many: int) -> list[str]:
    """The ids of the oldest notices that were made before then."""
    return [str(row["id"]) for row in await tx.fetch(_FIND_OLD, before=before, many=many)]


async def remove(tx: Tx, ids: Sequence[str]) -> int:
    """Takes notices away, with all their versions; the number of rows."""
    return sum([await tx.execute(statement, ids=list(ids)) for statement in _DELETE])


async def forget_gathered(tx: Tx, ids: Sequence[str]) -> int:
    """Takes away what waits for a digest and is about these records or persons."""
    return await tx.execute(_FORGET_GATHERED, ids=list(ids))


async def forget_gathered_of(tx: Tx, rule_id: str, object_id: str) -> int:
    """Takes away what waits for digests by this rule about this record."""
    return await tx.execute(_FORGET_GATHERED_OF, rule_id=rule_id, object_id=object_id)
