"""The catalogue of consent purposes, and the ledger: plain rows that nobody edits."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from asyncpg import Record
from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    Uuid,
    bindparam,
    insert,
    select,
    text,
    tuple_,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db import Statement
from chassis.fold import search_key, sort_key
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.kit.tables import Moment, view_of
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.contacts.v1 import consent_pb2, consent_purpose_pb2
from services.contacts import errors
from services.contacts.store.merges import family
from services.contacts.store.schema import metadata

Consent = consent_pb2.Consent

purposes = Resource(
    consent_purpose_pb2.ConsentPurpose,
    metadata,
    table="consent_purposes",
    columns=[
        Column("key", Text, nullable=False), Column("name_key", Text, nullable=False),
        Column("name_search", Text, nullable=False), Column("position", Integer, nullable=False),
        Column("retired", Boolean, nullable=False),
    ],
    values=lambda purpose: {
        "key": purpose.key,
        "name_key": sort_key(purpose.name),
        "name_search": search_key(purpose.name),
        "position": purpose.position,
        "retired": purpose.retired,
    },
    items=[
        Index("uq_consent_purposes_key", "tenant_id", "key", unique=True, postgresql_where=text("delete_time IS NULL"))
    ],
    fields={
        "key": Field("key", "text", sentinel=""),
        "name": Field("name_search", "text", fold=search_key, sentinel="", sortable=True, sort_column="name_key"),
        "position": Field("position", "number", sortable=True),
        "retired": Field("retired", "bool"),
    },
    search="name_search",
    default_order="position",
    constraints={"uq_consent_purposes_key": lambda detail: errors.KeyTaken("consent purpose", "key")},
)  # fmt: skip

_BY_KEYS = purposes.select(
    purposes.view.c.key == bindparam("keys", type_=ARRAY(Text)).any_(),
    order=(purposes.view.c.position, purposes.view.c.id),
)


async def purposes_of(tx: Tx, keys: list[str]) -> list[consent_purpose_pb2.ConsentPurpose]:
    """The living purposes with these keys, in the order of the catalogue."""
    return await purposes.find_where(tx, _BY_KEYS, keys=keys) if keys else []


# -- the ledger --------------------------------------------------------------------------------------------------------------

consents = Table(
    "consents",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("contact_id", Uuid, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("channel", SmallInteger, nullable=False),
    Column("withdrawn", Boolean, nullable=False),
    Column("source", SmallInteger, nullable=False),
    Column("text_version", Integer, nullable=False),
    Column("time", Moment, nullable=False),
    Column("proof", Text, nullable=False),
    Column("record_time", Moment, nullable=False),
    Index("ix_consents_contact", "tenant_id", "contact_id", "record_time", "id"),
)

_TENANT = bindparam("tenant_id", type_=Uuid)
_V = view_of(consents).c
_ROW = [c for c in _V if c.name != "tenant_id"]
_APPEND = Statement(
    insert(consents).values({c.name: bindparam(c.name, type_=c.type) for c in consents.columns})
)
_OF_CONTACTS = Statement(
    select(*_ROW)
    .where(
        _V.tenant_id == _TENANT,
        _V.contact_id == bindparam("contact_ids", type_=ARRAY(Uuid)).any_(),
    )
    .order_by(_V.record_time, _V.id)
)
_PAGE = Statement(
    select(*_ROW)
    .where(
        _V.tenant_id == _TENANT,
        _V.contact_id == bindparam("contact_ids", type_=ARRAY(Uuid)).any_(),
        tuple_(_V.record_time, _V.id)
        < tuple_(bindparam("before_time", type_=Moment), bindparam("before_id", type_=Uuid)),
    )
    .order_by(_V.record_time.desc(), _V.id.desc())
    .limit(bindparam("page_limit", type_=Integer))
)


async def append(tx: Tx, row: Consent) -> None:
    """Writes one row; there is no other write."""
    await tx.execute(
        _APPEND, id=row.id, contact_id=row.contact_id, purpose=row.purpose, channel=row.channel,
        withdrawn=row.withdrawn, source=row.source, text_version=row.text_version,
        time=to_datetime(row.time), proof=row.proof, record_time=to_datetime(row.record_time),
    )  # fmt: skip


async def of_contacts(tx: Tx, ids: list[str]) -> list[Consent]:
    """All rows of these contacts, as written; what was said under an id that was merged into one of them is said of that one."""
    return await of_family(tx, await family(tx, "contact", ids)) if ids else []


async def of_family(tx: Tx, into: Mapping[str, str]) -> list[Consent]:
    """As `of_contacts`, where it is known who went into whom (merges.family)."""
    rows = await tx.fetch(_OF_CONTACTS, contact_ids=list(into))
    found = [_consent(row) for row in rows]
    for entry in found:
        while into[entry.contact_id]:
            entry.contact_id = into[entry.contact_id]
    return found


async def entries_of(tx: Tx, contact_id: str) -> list[Consent]:
    """All rows of one contact, as written."""
    return await of_contacts(tx, [contact_id])


async def page_of(
    tx: Tx, contact_id: str, before: tuple[datetime, str], limit: int
) -> list[Consent]:
    """The next rows of one contact and of those merged into it, written last first."""
    ids = list(await family(tx, "contact", [contact_id]))
    rows = await tx.fetch(
        _PAGE, contact_ids=ids, before_time=before[0], before_id=before[1], page_limit=limit
    )
    return [_consent(row) for row in rows]


def _consent(row: Record) -> Consent:
    values: dict[str, Any] = dict(row)
    for name in ("id", "contact_id"):
        values[name] = str(values[name])
    for name in ("time", "record_time"):
        values[name] = to_timestamp(values[name])
    return Consent(**values)
