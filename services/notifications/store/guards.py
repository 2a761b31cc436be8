"""Who may read which record: heard from every service's events, because owners of records are never asked.

Plain rows: they can be built again by republishing.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, Table, Text, Uuid, any_, bindparam, delete, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db import Statement
from chassis.tx import Tx
from services.notifications.rules.guards import Guard
from services.notifications.store.schema import metadata

guards = Table(
    "guards",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("object", Text, primary_key=True),
    Column("object_id", Uuid, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("owner_id", Uuid),
    Column("department_id", Uuid),
    Column("reader_ids", ARRAY(Uuid), nullable=False),
)


_PLACE = ("tenant_id", "object", "object_id")
_put = upsert(guards).values({c.name: bindparam(c.name, type_=c.type) for c in guards.columns})
_PUT = Statement(
    _put.on_conflict_do_update(
        index_elements=_PLACE,
        set_={c.name: _put.excluded[c.name] for c in guards.columns if c.name not in _PLACE},
        where=guards.c.version < _put.excluded.version,
    )
)
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_OF = Statement(
    select(guards).where(
        guards.c.tenant_id == bindparam("tenant_id", type_=Uuid), guards.c.object_id == any_(_IDS)
    )
)
_FORGET = Statement(
    delete(guards).where(
        guards.c.tenant_id == bindparam("tenant_id", type_=Uuid),
        guards.c.object_id == any_(_IDS),
    )
)


async def note(tx: Tx, object: str, object_id: str, guard: Guard, *, version: int) -> None:
    """Notes who may read a record now; an older version changes nothing."""
    await tx.execute(
        _PUT, object=object, object_id=object_id, version=version, owner_id=guard.owner_id or None,
        department_id=guard.department_id or None, reader_ids=list(guard.reader_ids),
    )  # fmt: skip


async def of(tx: Tx, ids: Sequence[str]) -> dict[tuple[str, str], Guard]:
    """(object, id) -> the guard, of those of these records that are known."""
    rows = await tx.fetch(_OF, ids=list(ids)) if ids else []
    return {(row["object"], str(row["object_id"])): _guard(row) for row in rows}


async def forget(tx: Tx, ids: Sequence[str]) -> int:
    """Removes what is known of these records; the number of rows."""
    return await tx.execute(_FORGET, ids=list(ids))


def _guard(row: Any) -> Guard:
    return Guard(
        str(row["owner_id"] or ""), str(row["department_id"] or ""),
        tuple(str(id) for id in row["reader_ids"]),
    )  # fmt: skip
