"""Devices to which notices are pushed, and apart from them their addresses and keys, which no message, history or event holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Index,
    LargeBinary,
    Table,
    Text,
    Uuid,
    any_,
    bindparam,
    delete,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db import Statement
from chassis.kit.columns import reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment
from chassis.tx import Tx
from crm.notifications.v1 import push_pb2
from services.notifications.rules.push import Browser
from services.notifications.store.schema import metadata

push_subscriptions: Resource[push_pb2.PushSubscription] = Resource(
    push_pb2.PushSubscription,
    metadata,
    table="push_subscriptions",
    columns=[Column("owner_id", Uuid, nullable=False), Column("problem", Text, nullable=False)],
    values=lambda s: {"owner_id": reference(s.owner_id), "problem": s.problem},
    fields={"owner_id": Field("owner_id", "uuid"), "problem": Field("problem", "text")},
)

addresses = Table(
    "push_addresses",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("subscription_id", Uuid, primary_key=True),
    Column("owner_id", Uuid, nullable=False),
    Column("hash", LargeBinary, nullable=False),  # SHA-256 of the endpoint
    Column("endpoint", Text, nullable=False),
    Column("p256dh", LargeBinary, nullable=False),
    Column("auth", LargeBinary, nullable=False),
    Index("uq_push_addresses_hash", "tenant_id", "hash", unique=True),
    Index("ix_push_addresses_owner", "tenant_id", "owner_id"),
)
sent = Table(  # who has a push already whose other devices are to be tried again
    "push_sent",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("notice_id", Uuid, primary_key=True),
    Column("subscription_id", Uuid, primary_key=True),
    Column("time", Moment, nullable=False),
    Index("ix_push_sent_time", "tenant_id", "time"),
)

_TENANT, _IDS = bindparam("tenant_id", type_=Uuid), bindparam("ids", type_=ARRAY(Uuid))
_a, _s = addresses.c, sent.c
_OF_HASH = Statement(
    select(_a.subscription_id).where(_a.tenant_id == _TENANT, _a.hash == bindparam("hash"))
)
_COUNT = Statement(
    select(func.count()).where(_a.tenant_id == _TENANT, _a.owner_id == bindparam("owner_id", type_=Uuid))
)  # fmt: skip
_put = upsert(addresses).values(
    {c.name: bindparam(c.name, type_=c.type) for c in addresses.columns}
)
_PUT = Statement(
    _put.on_conflict_do_update(
        index_elements=["tenant_id", "subscription_id"],
        set_={name: _put.excluded[name] for name in ("hash", "endpoint", "p256dh", "auth")},
    )
)
_DROP = Statement(
    delete(addresses).where(_a.tenant_id == _TENANT, _a.subscription_id == any_(_IDS))
)
_TO_REACH = Statement(
    select(_a.subscription_id, _a.endpoint, _a.p256dh, _a.auth)
    .where(
        _a.tenant_id == _TENANT,
        _a.owner_id == bindparam("owner_id", type_=Uuid),
        ~select(_s.notice_id)
        .where(
            _s.tenant_id == _TENANT,
            _s.notice_id == bindparam("notice_id", type_=Uuid),
            _s.subscription_id == _a.subscription_id,
        )
        .exists(),
    )
    .order_by(_a.subscription_id)
)
_NOTE_SENT = Statement(
    upsert(sent)
    .values({c.name: bindparam(c.name, type_=c.type) for c in sent.columns})
    .on_conflict_do_nothing()
)
_HAS_SENT = Statement(
    select(_s.notice_id)
    .where(_s.tenant_id == _TENANT, _s.notice_id == bindparam("notice_id", type_=Uuid))
    .limit(1)
)
_FORGET_SENT = Statement(
    delete(sent).where(_s.tenant_id == _TENANT, _s.notice_id == bindparam("notice_id", type_=Uuid))
)
_FORGET_OLD = Statement(
    delete(sent).where(_s.tenant_id == _TENANT, _s.time < bindparam("before", type_=Moment))
)
_OF_OWNER = push_subscriptions.select(
    push_subscriptions.view.c.owner_id == bindparam("of_owner_id", type_=Uuid),
    order=push_subscriptions.view.c.id,
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where one subscribed device is reached."""

    subscription_id: str
    browser: Browser


async def subscription_at(tx: Tx, hash: bytes) -> str | None:
    """The id of the subscription with this endpoint."""
    found = await tx.fetchval(_OF_HASH, hash=hash)
    return None if found is None else str(found)


async def count_of(tx: Tx, owner_id: str) -> int:
    """How many devices of this user are reached."""
    return int(await tx.fetchval(_COUNT, owner_id=owner_id))


async def put_address(tx: Tx, id: str, owner_id: str, hash: bytes, browser: Browser) -> None:
    """Keeps where a device is reached from now on."""
    await tx.execute(
        _PUT, subscription_id=id, owner_id=owner_id, hash=hash, endpoint=browser.endpoint,
        p256dh=browser.p256dh, auth=browser.auth,
    )  # fmt: skip


async def drop_addresses(tx: Tx, ids: Sequence[str]) -> int:
    """Forgets where these devices are reached."""
    return await tx.execute(_DROP, ids=list(ids))


async def to_reach(tx: Tx, owner_id: str, notice_id: str) -> list[Address]:
    """The devices of a user that do not have this notice yet."""
    rows = await tx.fetch(_TO_REACH, owner_id=owner_id, notice_id=notice_id)
    return [_address(row) for row in rows]


async def note_sent(tx: Tx, notice_id: str, subscription_id: str, time: datetime) -> None:
    """Notes that this device has the notice."""
    await tx.execute(_NOTE_SENT, notice_id=notice_id, subscription_id=subscription_id, time=time)


async def has_sent(tx: Tx, notice_id: str) -> bool:
    """True if some device has the notice already."""
    return await tx.fetchval(_HAS_SENT, notice_id=notice_id) is not None


async def forget_sent(tx: Tx, notice_id: str) -> None:
    """Forgets who had the notice: it is over."""
    await tx.execute(_FORGET_SENT, notice_id=notice_id)


async def forget_sent_before(tx: Tx, before: datetime) -> int:
    """Forgets notes of deliveries that were given up."""
    return await tx.execute(_FORGET_OLD, before=before)


async def of_owner(tx: Tx, owner_id: str) -> list[push_pb2.PushSubscription]:
    """All living subscriptions of a user."""
    return await push_subscriptions.find_where(tx, _OF_OWNER, of_owner_id=owner_id)


def _address(row: Any) -> Address:
    browser = Browser(row["endpoint"], bytes(row["p256dh"]), bytes(row["auth"]))
    return Address(str(row["subscription_id"]), browser)
