"""How contacts calls its labels and sources: deals carry their ids, and files say names."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, Table, Text, Uuid, bindparam, select, text
from sqlalchemy.dialects.postgresql import insert

from chassis.db.statement import Statement
from chassis.tx import Tx
from services.deals.store.schema import metadata

names = Table(
    "catalogue_names",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("object", Text, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("version", BigInteger, nullable=False),
    # Empty once the entry was deleted: what is told late must not bring it back.
    Column("name", Text, nullable=False),
    Column("key", Text, nullable=False),
)

_NEW = insert(names).values({each.name: bindparam(each.name, type_=each.type) for each in names.c})
_PUT = Statement(
    _NEW.on_conflict_do_update(
        index_elements=["tenant_id", "object", "id"],
        set_={name: _NEW.excluded[name] for name in ("version", "name", "key")},
        where=names.c.version < _NEW.excluded.version,
    )
)
_LIVING = Statement(
    select(names.c.object, names.c.id, names.c.name, names.c.key)
    .where(names.c.tenant_id == bindparam("tenant_id", type_=Uuid), names.c.name != text("''"))
    .order_by(names.c.id)
)


async def put_name(tx: Tx, object: str, id: str, version: int, *, name: str, key: str) -> None:
    """Takes over a version of an entry, with empty texts of one that was deleted; what comes late or twice changes nothing."""
    await tx.execute(_PUT, object=object, id=id, version=version, name=name, key=key)


async def living_names(tx: Tx) -> Sequence[Any]:
    """object, id, name and key (empty where it has none) of every label and source, the oldest first."""
    return await tx.fetch(_LIVING)
