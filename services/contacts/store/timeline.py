"""The timeline: one plain row per event and party concerned, and who may read the records behind the rows.

No documents and no history: both tables can be built again from the streams.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from asyncpg import Record
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    Select,
    Table,
    Text,
    Uuid,
    and_,
    bindparam,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    tuple_,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db import Statement
from chassis.kit.tables import Moment, view_of
from chassis.tx import Tx
from services.contacts.store.erasures import erased_ids
from services.contacts.store.schema import metadata

NOBODY = "00000000-0000-0000-0000-000000000000"
"""The party of events that concern no contact and no company: they are read by actor and period only."""

entries = Table(
    "timeline",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("party_id", Uuid, primary_key=True),
    Column("event_id", Uuid, primary_key=True),
    Column("time", Moment, nullable=False),
    Column("first", Boolean, nullable=False),  # true in exactly one row of an event
    Column("type", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("user_id", Uuid),
    Column("actor", JSONB, nullable=False),
    Column("cause", JSONB, nullable=False),
    Column("headline", Text, nullable=False),
    Column("headline_field", Text, nullable=False),
    Column("changed", ARRAY(Text), nullable=False),
    Column("object", Text, nullable=False),
    Column("object_id", Uuid),
    Index("ix_timeline_party", "tenant_id", "party_id", "time", "event_id"),
    Index("ix_timeline_time", "tenant_id", "time", "event_id", postgresql_where=text("first")),
    Index(
        "ix_timeline_user",
        "tenant_id",
        "user_id",
        "time",
        "event_id",
        postgresql_where=text("first"),
    ),
)

guards = Table(
    "timeline_guards",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("object", Text, primary_key=True),
    Column("object_id", Uuid, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("owner_id", Uuid),
    Column("department_id", Uuid),
    Column("follower_ids", ARRAY(Uuid), nullable=False),
)

_TENANT = bindparam("tenant_id", type_=Uuid)
_PLAIN = [c for c in entries.columns if c.name not in ("tenant_id", "party_id", "first")]
_parties = (
    func.unnest(bindparam("party_ids", type_=ARRAY(Uuid)))
    .table_valued(Column("party_id", Uuid), with_ordinality="n", name="parties")
    .render_derived()
)
# What was told of somebody before he was erased, and is heard only now, leaves no trace.
_e = erased_ids.c
_erased = exists(
    select(_e.id).where(
        _e.tenant_id == _TENANT,
        or_(
            _e.id == bindparam("party_ids", type_=ARRAY(Uuid)).any_(),
            _e.id == bindparam("object_id", type_=Uuid),
        ),
        _e.time >= bindparam("time", type_=Moment),
    )
)
_ADD = Statement(
    upsert(entries)
    .from_select(
        ["tenant_id", "party_id", "first", *(c.name for c in _PLAIN)],
        select(
            _TENANT, _parties.c.party_id, _parties.c.n == literal(1, Integer),
            *(bindparam(c.name, type_=c.type) for c in _PLAIN),
        ).where(~_erased),
    )
    .on_conflict_do_nothing()
)  # fmt: skip
_guard = upsert(guards).values({c.name: bindparam(c.name, type_=c.type) for c in guards.columns})
_GUARD = Statement(
    _guard.on_conflict_do_update(
        index_elements=["tenant_id", "object", "object_id"],
        set_={
            n: _guard.excluded[n] for n in ("version", "owner_id", "department_id", "follower_ids")
        },
        where=guards.c.version < _guard.excluded.version,
    )
)


async def add_entry(tx: Tx, party_ids: Sequence[str], **values: Any) -> None:
    """One row for each party, or one for nobody; an event that is there already adds nothing."""
    await tx.execute(_ADD, party_ids=list(party_ids) or [NOBODY], **values)


async def note_guard(
    tx: Tx,
    object: str,
    object_id: str,
    *,
    version: int,
    owner_id: str,
    department_id: str,
    follower_ids: list[str],
) -> None:
    """Notes who may read a record now; an older version changes nothing."""
    await tx.execute(
        _GUARD, object=object, object_id=object_id, version=version, owner_id=owner_id or None,
        department_id=department_id or None, follower_ids=follower_ids,
    )  # fmt: skip


# -- reading: newest first, with what decides whether the reader may see each ------------------------------------------------


_entries, _guards = view_of(entries), view_of(guards)
_E, _G = _entries.c, _guards.c


def _window(*conditions: Any) -> Statement:
    statement: Select[Any] = (
        select(
            *(c for c in _entries.columns if c.name not in ("tenant_id", "party_id", "first", "user_id")),
            _G.owner_id, _G.department_id, _G.follower_ids,
        )
        .select_from(
            _entries.outerjoin(
                _guards, and_(_G.tenant_id == _E.tenant_id, _G.object == _E.object, _G.object_id == _E.object_id)
            )
        )
        .where(
            _E.tenant_id == _TENANT, *conditions,
            tuple_(_E.time, _E.event_id) < tuple_(bindparam("before_time", type_=Moment), bindparam("before_id", type_=Uuid)),
        )
        .order_by(_E.time.desc(), _E.event_id.desc())
        .limit(bindparam("window", type_=BigInteger))
    )  # fmt: skip
    return Statement(statement)


_OF_KINDS = _E.kind == func.any(bindparam("kinds", type_=ARRAY(Text)))
_OF_PARTY = _E.party_id == bindparam("party_id", type_=Uuid)
_SINCE = and_(_E.first, _E.time >= bindparam("since", type_=Moment))
_BY_USER = _E.user_id == bindparam("user_id", type_=Uuid)
_WINDOWS = {
    (by_party, by_user, by_kind): _window(
        _OF_PARTY if by_party else _SINCE,
        *([_BY_USER] if by_user else []),
        *([_OF_KINDS] if by_kind else []),
    )
    for by_party, by_user, by_kind in [(True, False, False), (True, False, True)]
    + [(False, user, kind) for user in (False, True) for kind in (False, True)]
}

Place = tuple[datetime, str]  # time and event id of the last row seen


async def read_party(
    tx: Tx, party_id: str, kinds: Sequence[str], before: Place, window: int
) -> list[Record]:
    """The next rows of one contact or company."""
    values = {"kinds": list(kinds)} if kinds else {}
    return await tx.fetch(
        _WINDOWS[True, False, bool(kinds)], party_id=party_id, before_time=before[0], before_id=before[1], window=window,
        **values,
    )  # fmt: skip


async def read_parties(
    tx: Tx, party_ids: Sequence[str], kinds: Sequence[str], before: Place, window: int
) -> list[Record]:
    """The next rows of records that are one now: each one's own index range, merged; an event of several counts once."""
    found: dict[Any, Record] = {}
    for party_id in party_ids:
        found |= {
            row["event_id"]: row for row in await read_party(tx, party_id, kinds, before, window)
        }
    rows = sorted(found.values(), key=lambda row: (row["time"], row["event_id"]), reverse=True)
    return rows[:window]


async def read_period(
    tx: Tx, user_id: str, since: datetime, kinds: Sequence[str], before: Place, window: int
) -> list[Record]:
    """The next rows of everything, or of one user, from `since` on."""
    values: dict[str, Any] = {"kinds": list(kinds)} if kinds else {}
    values |= {"user_id": user_id} if user_id else {}
    return await tx.fetch(
        _WINDOWS[False, bool(user_id), bool(kinds)], since=since, before_time=before[0], before_id=before[1],
        window=window, **values,
    )  # fmt: skip
