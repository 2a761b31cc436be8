"""What telephony told of calls last, for the facts of cards; and which request a stranger's call became."""

from collections.abc import Sequence

from asyncpg import Record
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Table,
    Text,
    Uuid,
    bindparam,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db import Statement
from chassis.kit.columns import reference
from chassis.kit.tables import Moment, view_of
from chassis.tx import Tx
from services.contacts.rules.calls import PartyCall
from services.contacts.store.erasures import erased_ids
from services.contacts.store.schema import metadata

_TOUCHING = text("direction <> ''")
_OPEN = text("open_missed")

calls = Table(
    "party_calls",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("contact_id", Uuid),
    Column("company_id", Uuid),
    Column("direction", Text, nullable=False),  # in or out; empty: nobody was in touch by it
    Column("time", Moment, nullable=False),
    Column("user_id", Uuid),
    Column("event_id", Uuid),
    Column("open_missed", Boolean, nullable=False),
    Column("request_id", Uuid),
    *(
        Index(f"ix_party_calls_{object}", "tenant_id", f"{object}_id", "direction", "time", postgresql_where=_TOUCHING)
        for object in ("contact", "company")
    ),
    *(
        Index(f"ix_party_calls_{object}_missed", "tenant_id", f"{object}_id", postgresql_where=_OPEN)
        for object in ("contact", "company")
    ),
)  # fmt: skip

_TENANT = bindparam("tenant_id", type_=Uuid)
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_CALL = bindparam("call_id", type_=Uuid)
_END = {"contact": "contact_id", "company": "company_id"}
_C = calls.c
_V = view_of(calls).c
_TOLD = [column.name for column in _C if column.name != "request_id"]

_put = upsert(calls).values({name: bindparam(name, type_=_C[name].type) for name in _TOLD})
_PUT = Statement(
    _put.on_conflict_do_update(
        index_elements=["tenant_id", "id"],
        set_={name: _put.excluded[name] for name in _TOLD if name not in ("tenant_id", "id")},
        where=_C.version < _put.excluded.version,
    )
)
_BEFORE = Statement(
    select(_C.contact_id, _C.company_id, _C.request_id)
    .where(_C.tenant_id == _TENANT, _C.id == _CALL)
    .with_for_update()
)
_ERASED = Statement(
    select(erased_ids.c.id).where(
        erased_ids.c.tenant_id == _TENANT, erased_ids.c.id == bindparam("party_id", type_=Uuid)
    )
)
_NOTE_REQUEST = Statement(
    update(calls)
    .where(_C.tenant_id == _TENANT, _C.id == _CALL)
    .values(request_id=bindparam("for_request_id", type_=Uuid))
)


def _counting(object: str) -> Statement:
    end = _V[_END[object]]
    mine = (_V.tenant_id == _TENANT, end == _IDS.any_(), _V.open_missed)
    return Statement(
        select(end.label("party_id"), func.count().label("missed")).where(*mine).group_by(end)
    )


def _latest(object: str) -> Statement:
    end = _V[_END[object]]
    return Statement(
        select(end.label("party_id"), _V.direction, _V.time, _V.user_id, _V.event_id)
        .where(_V.tenant_id == _TENANT, end == _IDS.any_(), _V.direction != "")
        .distinct(end, _V.direction)
        .order_by(end, _V.direction, _V.time.desc(), _V.event_id.desc())
    )


_MISSED = {object: _counting(object) for object in _END}
_LATEST = {object: _latest(object) for object in _END}


async def put(tx: Tx, call: PartyCall, event_id: str) -> dict[str, set[str]] | None:
    """Keeps what was told last; returns object -> records it belongs or belonged to, None for something older.

    Nobody else changes what is known of this call until the end of this transaction.
    """
    await tx.lock(f"call/{call.id}")
    before = await tx.fetchrow(_BEFORE, call_id=call.id)
    is_erased = call.contact_id and await tx.fetchval(_ERASED, party_id=call.contact_id)
    contact_id = "" if is_erased else call.contact_id
    written = await tx.execute(
        _PUT, id=call.id, version=call.version, contact_id=reference(contact_id),
        company_id=reference(call.company_id), direction=call.direction, time=call.time,
        user_id=reference(call.user_id), event_id=reference(event_id), open_missed=call.open_missed,
    )  # fmt: skip
    if not written:
        return None
    now = {"contact": contact_id, "company": call.company_id}
    was = {object: str(before[end] or "") if before else "" for object, end in _END.items()}
    return {object: {now[object], was[object]} - {""} for object in _END}


async def request_of(tx: Tx, call_id: str) -> str:
    """The request that this call became; empty if it became none."""
    row = await tx.fetchrow(_BEFORE, call_id=call_id)
    return str(row["request_id"] or "") if row else ""


async def note_request(tx: Tx, call_id: str, request_id: str) -> None:
    """Notes which request a known call became."""
    await tx.execute(_NOTE_REQUEST, call_id=call_id, for_request_id=request_id)


async def open_missed(tx: Tx, object: str, ids: Sequence[str]) -> dict[str, int]:
    """How many calls of each record nobody answered or called back; records without any are left out."""
    rows = await tx.fetch(_MISSED[object], ids=list(ids)) if ids else []
    return {str(row["party_id"]): row["missed"] for row in rows}


async def latest(tx: Tx, object: str, ids: Sequence[str]) -> list[Record]:
    """(party_id, direction, time, user_id, event_id) of each record's last call in each direction."""
    return await tx.fetch(_LATEST[object], ids=list(ids)) if ids else []
