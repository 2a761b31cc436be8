"""Personal links, the hashes of their keys, and what came through them."""

from collections.abc import Mapping

import orjson
from sqlalchemy import (
    Column,
    Index,
    SmallInteger,
    Table,
    Text,
    Uuid,
    bindparam,
    func,
    insert,
    select,
)

from chassis.db import Statement
from chassis.kit.columns import choice, reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment, view_of
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.contacts.v1 import data_link_pb2 as pb
from services.contacts.rules.data_links import Proposal
from services.contacts.store.schema import metadata
from services.contacts.store.subjects import (
    Standing,
    subject_columns,
    subject_fields,
    subject_values,
)

_END = "contact_id"

data_links = Resource(
    pb.DataLink,
    metadata,
    table="data_links",
    columns=[
        *subject_columns(_END), Column("author_id", Uuid), Column("expire_time", Moment, nullable=False),
        Column("revoke_time", Moment),
    ],
    values=lambda link: {
        **subject_values(link, _END),
        "author_id": reference(link.author_id),
        "expire_time": to_datetime(link.expire_time),
        "revoke_time": to_datetime(link.revoke_time) if link.HasField("revoke_time") else None,
    },
    items=[Index("ix_data_links_contact", "tenant_id", "contact_id", "create_time", "id")],
    fields={
        **subject_fields(_END),
        "author_id": Field("author_id", "uuid"),
        "expire_time": Field("expire_time", "timestamp", sortable=True),
        "revoke_time": Field("revoke_time", "timestamp"),
    },
)  # fmt: skip

data_changes = Resource(
    pb.DataChange,
    metadata,
    table="data_changes",
    columns=[
        *subject_columns(_END), Column("data_link_id", Uuid, nullable=False), Column("state", SmallInteger, nullable=False),
    ],
    values=lambda change: {
        **subject_values(change, _END),
        "data_link_id": change.data_link_id,
        "state": change.state,
    },
    items=[
        Index("ix_data_changes_contact", "tenant_id", "contact_id", "create_time", "id"),
        Index("ix_data_changes_link", "tenant_id", "data_link_id", "state"),
    ],
    fields={
        **subject_fields(_END),
        "data_link_id": Field("data_link_id", "uuid"),
        "state": choice("state", pb.DataChange.State, "STATE_"),
    },
)  # fmt: skip

data_links_standing = Standing(data_links, _END)
data_changes_standing = Standing(data_changes, _END)

# -- keys: only their hashes, apart from everything that is read, listed or published ----------------------------------------

data_link_keys = Table(
    "data_link_keys",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("key_hash", Text, primary_key=True),
    Column("data_link_id", Uuid, nullable=False),
)

_K, _TENANT = data_link_keys.c, bindparam("tenant_id", type_=Uuid)
_KEEP = Statement(
    insert(data_link_keys).values({c.name: bindparam(c.name, type_=c.type) for c in _K})
)
_FIND = Statement(
    select(_K.data_link_id).where(_K.tenant_id == _TENANT, _K.key_hash == bindparam("key_hash"))
)
_c = data_changes.view.c
_WAITING = Statement(
    select(func.count()).where(
        _c.tenant_id == _TENANT,
        _c.data_link_id == bindparam("data_link_id", type_=Uuid),
        _c.state == int(pb.DataChange.STATE_PROPOSED),
        _c.delete_time.is_(None),
    )
)


async def keep_key(tx: Tx, key_hash: str, link_id: str) -> None:
    """Notes which link a key opens."""
    await tx.execute(_KEEP, key_hash=key_hash, data_link_id=link_id)


async def find_link(tx: Tx, key_hash: str) -> pb.DataLink | None:
    """The link that the key opens, whether or not it still works; None for a key that opens nothing."""
    id = await tx.fetchval(_FIND, key_hash=key_hash)
    return await data_links.find(tx, str(id)) if id else None


async def waiting_changes(tx: Tx, link_id: str) -> int:
    """How many proposals of the link wait for a decision."""
    count: int = await tx.fetchval(_WAITING, data_link_id=link_id)
    return count


# -- proposed values: personal data, so in no event and no history -----------------------------------------------------------

data_change_values = Table(
    "data_change_values",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("data_change_id", Uuid, primary_key=True),
    Column("field", Text, primary_key=True),
    Column("contact_id", Uuid, nullable=False),
    Column("before", Text, nullable=False),  # JSON, also null
    Column("after", Text, nullable=False),
    Index("ix_data_change_values_contact", "tenant_id", "contact_id"),
)

_W = view_of(data_change_values).c
_KEEP_VALUE = Statement(
    insert(data_change_values).values(
        {c.name: bindparam(c.name, type_=c.type) for c in data_change_values.columns}
    )
)
_VALUES = Statement(
    select(_W.field, _W.before, _W.after).where(
        _W.tenant_id == _TENANT, _W.data_change_id == bindparam("data_change_id", type_=Uuid)
    )
)


async def keep_values(tx: Tx, change: pb.DataChange, values: Mapping[str, Proposal]) -> None:
    """Notes the values of a new proposal by their fields."""
    for field, value in values.items():
        await tx.execute(
            _KEEP_VALUE, data_change_id=change.id, field=field, contact_id=change.contact_id,
            before=orjson.dumps(value.before).decode(), after=orjson.dumps(value.after).decode(),
        )  # fmt: skip


async def values_of(tx: Tx, change_id: str) -> dict[str, Proposal]:
    """The values of a proposal by their fields."""
    rows = await tx.fetch(_VALUES, data_change_id=change_id)
    return {
        row["field"]: Proposal(orjson.loads(row["before"]), orjson.loads(row["after"]))
        for row in rows
    }
