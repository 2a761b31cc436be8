"""Comments, and of each record that may carry some: whose it is and whom it concerns, as its events have told."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Table,
    Text,
    Uuid,
    any_,
    bindparam,
    delete,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db import Statement
from chassis.fold import search_key
from chassis.kit.columns import reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.notifications.v1 import comment_pb2
from services.notifications.rules.comments import Record
from services.notifications.store.schema import metadata

Comment = comment_pb2.Comment

_SEARCHED_TEXT = 5_000  # characters that search looks into

comments: Resource[Comment] = Resource(
    Comment,
    metadata,
    table="comments",
    columns=[
        Column("owner_id", Uuid), Column("department_id", Uuid),
        Column("follower_ids", ARRAY(Uuid), nullable=False), Column("object", Text, nullable=False),
        Column("object_id", Uuid, nullable=False), Column("origin_id", Uuid), Column("reply_to_id", Uuid),
        Column("author_id", Uuid), Column("contact_ids", ARRAY(Uuid), nullable=False),
        Column("search", Text, nullable=False), Column("search_open", Text, nullable=False),
    ],
    values=lambda comment: {
        "owner_id": reference(comment.owner_id),
        "department_id": reference(comment.department_id),
        "follower_ids": list(comment.follower_ids),
        "object": comment.object,
        "object_id": comment.object_id,
        "origin_id": reference(comment.origin_id),
        "reply_to_id": reference(comment.reply_to_id),
        "author_id": reference(comment.author_id),
        "contact_ids": list(comment.contact_ids),
        "search": search_key(comment.text[:_SEARCHED_TEXT]),
        "search_open": "",  # what text search finds where the text is hidden from the caller
    },
    items=[
        Index("ix_comments_object", "tenant_id", "object_id", "create_time", "id"),
        Index("ix_comments_contacts", "contact_ids", postgresql_using="gin"),
    ],
    fields={
        "object": Field("object", "text"),
        "object_id": Field("object_id", "uuid"),
        "reply_to_id": Field("reply_to_id", "uuid"),
        "author_id": Field("author_id", "uuid"),
    },
    search="search",
    open_search="search_open",
    search_reveals=("text",),
    default_owner=False,
)  # fmt: skip

records = Table(
    "comment_records",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("object", Text, primary_key=True),
    Column("object_id", Uuid, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("owner_id", Uuid),
    Column("department_id", Uuid),
    Column("follower_ids", ARRAY(Uuid), nullable=False),
    Column("contact_ids", ARRAY(Uuid), nullable=False),
    Column("company_ids", ARRAY(Uuid), nullable=False),
    Column("deleted", Boolean, nullable=False),
)

_TENANT, _IDS = bindparam("tenant_id", type_=Uuid), bindparam("ids", type_=ARRAY(Uuid))
_KEY = ("tenant_id", "object", "object_id")
_r, _v = records.c, comments.view.c
_FIND = Statement(
    select(records).where(
        _r.tenant_id == _TENANT,
        _r.object == bindparam("object"),
        _r.object_id == bindparam("object_id", type_=Uuid),
    )
)
_put = upsert(records).values({c.name: bindparam(c.name, type_=c.type) for c in records.columns})
_PUT = Statement(
    _put.on_conflict_do_update(
        index_elements=_KEY,
        set_={c.name: _put.excluded[c.name] for c in records.columns if c.name not in _KEY},
    )
)
_ON = comments.select(_v.object_id == any_(_IDS), order=(_v.create_time, _v.id))
_FORGET = Statement(delete(records).where(_r.tenant_id == _TENANT, _r.object_id == any_(_IDS)))
_c, _h = comments.table.c, comments.history.c
_ABOUT = Statement(
    select(_c.id).where(
        _c.tenant_id == _TENANT,
        or_(_c.object_id == any_(_IDS), _c.origin_id == any_(_IDS), _c.contact_ids.overlap(_IDS)),
    )
)
_REMOVE = Statement(delete(comments.table).where(_c.tenant_id == _TENANT, _c.id == any_(_IDS)))
_REMOVE_PAST = Statement(
    delete(comments.history).where(_h.tenant_id == _TENANT, _h.id == any_(_IDS))
)


async def find_record(tx: Tx, object: str, id: str) -> Record | None:
    """What was heard of a record last."""
    row = await tx.fetchrow(_FIND, object=object, object_id=id)
    return None if row is None else _record(row)


async def put_record(tx: Tx, record: Record) -> None:
    """Keeps what was heard of a record; the caller holds its lock and has compared versions."""
    await tx.execute(
        _PUT, object=record.object, object_id=record.id, version=record.version,
        owner_id=reference(record.owner_id), department_id=reference(record.department_id),
        follower_ids=list(record.follower_ids), contact_ids=list(record.contact_ids),
        company_ids=list(record.company_ids), deleted=record.is_deleted,
    )  # fmt: skip


async def forget_records(tx: Tx, ids: Sequence[str]) -> int:
    """Removes what is known of these records."""
    return await tx.execute(_FORGET, ids=list(ids))


async def on(tx: Tx, object: str, ids: Sequence[str]) -> list[Comment]:
    """The living comments on these records, oldest first; whoever asks."""
    found = await comments.find_where(tx, _ON, ids=list(ids))
    return [comment for comment in found if comment.object == object]


async def about(tx: Tx, ids: Sequence[str]) -> list[str]:
    """The ids of all comments, deleted ones too, on these records or on what concerns these persons."""
    return [str(row["id"]) for row in await tx.fetch(_ABOUT, ids=list(ids))] if ids else []


async def remove(tx: Tx, ids: Sequence[str]) -> dict[str, int]:
    """Takes comments away with all their versions; table -> rows."""
    past = await tx.execute(_REMOVE_PAST, ids=list(ids))
    return {"comments": await tx.execute(_REMOVE, ids=list(ids)), "comments_history": past}


def _record(row: Any) -> Record:
    return Record(
        object=row["object"], id=str(row["object_id"]), version=row["version"],
        owner_id=str(row["owner_id"] or ""), department_id=str(row["department_id"] or ""),
        follower_ids=tuple(map(str, row["follower_ids"])), contact_ids=tuple(map(str, row["contact_ids"])),
        company_ids=tuple(map(str, row["company_ids"])), is_deleted=row["deleted"],
    )  # fmt: skip
