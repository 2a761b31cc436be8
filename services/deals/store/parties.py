"""What contacts told of contacts and companies: which fields are filled, never what is in them; and by what payers are known."""

from collections.abc import Collection, Iterable

from sqlalchemy import BigInteger, Column, Table, Text, Uuid, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY, insert

from chassis.db.statement import Statement
from chassis.tx import Tx
from services.deals.store.schema import metadata

parties = Table(
    "parties",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("filled", ARRAY(Text), nullable=False),
)

_NAMES = ("tenant_id", "id", "kind", "version", "filled")
_NEW = insert(parties).values({name: bindparam(name) for name in _NAMES})
_PUT = Statement(
    _NEW.on_conflict_do_update(
        index_elements=["tenant_id", "id"],
        set_={name: _NEW.excluded[name] for name in ("kind", "version", "filled")},
        where=parties.c.version < _NEW.excluded.version,
    )
)
_THESE = parties.c.id == bindparam("ids", type_=ARRAY(Uuid)).any_()  # type: ignore[attr-defined]
_FILLED = Statement(select(parties.c.id, parties.c.filled).where(_THESE))
_VERSION = Statement(select(parties.c.version).where(parties.c.id == bindparam("of_id", type_=Uuid)))  # fmt: skip


async def put_party(tx: Tx, kind: str, id: str, version: int, filled: Iterable[str]) -> None:
    """Takes over a version; what comes late or twice changes nothing."""
    await tx.execute(_PUT, id=id, kind=kind, version=version, filled=sorted(filled))


async def filled_of(tx: Tx, ids: Collection[str]) -> dict[str, frozenset[str]]:
    """The filled fields of each party that is known here."""
    rows = await tx.fetch(_FILLED, ids=list(ids)) if ids else []
    return {str(row["id"]): frozenset(row["filled"]) for row in rows}


async def party_reached(tx: Tx, id: str, version: int) -> bool:
    """Whether that version, or a later one, is known here."""
    known = await tx.fetchval(_VERSION, of_id=id)
    return known is not None and known >= version
