"""Whose number it is: telephony's own projection of the phones of contacts and companies."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, Column, Index, Table, Text, Uuid, bindparam, text

from chassis.db.statement import Statement
from chassis.kit.tables import Moment
from chassis.tx import Tx
from services.telephony.store.schema import metadata

parties = Table(
    "number_parties",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("kind", Text, primary_key=True),  # contact or company; user: his version alone
    Column("id", Uuid, primary_key=True),
    Column("version", BigInteger, nullable=False),  # of the record: what is older changes nothing
    Column("name", Text, nullable=False),
    Column("owner_id", Uuid),
    Column("department_id", Uuid),
    Column("follower_ids", ARRAY(Uuid), nullable=False),
    Column("last_call_time", Moment),
)
numbers = Table(
    "numbers",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("number", Text, primary_key=True),  # E.164
    Column("kind", Text, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Index("ix_numbers_party", "tenant_id", "kind", "id"),
)


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody who has a number."""

    kind: str
    id: str
    name: str
    owner_id: str
    department_id: str
    follower_ids: tuple[str, ...]
    last_call_time: datetime | None


def _sql(sql: str, **types: object) -> Statement:
    binds = [bindparam("tenant_id", type_=Uuid), *(bindparam(name, type_=type_) for name, type_ in types.items())]  # type: ignore[arg-type]  # fmt: skip
    return Statement(text(sql).bindparams(*binds))


_PUT = _sql(
    "INSERT INTO number_parties AS p (tenant_id, kind, id, version, name, owner_id, department_id, follower_ids)"
    " VALUES (:tenant_id, :kind, :id, :version, :name, :owner_id, :department_id, :follower_ids)"
    " ON CONFLICT (tenant_id, kind, id) DO UPDATE SET version = excluded.version, name = excluded.name,"
    " owner_id = excluded.owner_id, department_id = excluded.department_id, follower_ids = excluded.follower_ids"
    " WHERE p.version < excluded.version RETURNING 1",
    kind=Text, id=Uuid, version=BigInteger, name=Text, owner_id=Uuid, department_id=Uuid, follower_ids=ARRAY(Uuid),
)  # fmt: skip
_DROP_NUMBERS = _sql(
    "DELETE FROM numbers WHERE tenant_id = :tenant_id AND kind = :kind AND id = :id AND number <> all(:numbers)"
    " RETURNING number",
    kind=Text, id=Uuid, numbers=ARRAY(Text),
)  # fmt: skip
_ADD_NUMBERS = _sql(
    "INSERT INTO numbers (tenant_id, number, kind, id)"
    " SELECT CAST(:tenant_id AS uuid), number, :kind, CAST(:id AS uuid) FROM unnest(CAST(:numbers AS text[])) AS number"
    " ON CONFLICT DO NOTHING RETURNING number",
    kind=Text, id=Uuid, numbers=ARRAY(Text),
)  # fmt: skip
_WHOSE = _sql(
    "SELECT p.kind, p.id, p.name, p.owner_id, p.department_id, p.follower_ids, p.last_call_time"
    " FROM numbers n JOIN number_parties p ON p.tenant_id = :tenant_id AND p.kind = n.kind AND p.id = n.id"
    " WHERE n.tenant_id = :tenant_id AND n.number = :number"
    " ORDER BY p.last_call_time DESC NULLS LAST, p.kind DESC, p.id LIMIT 20",
    number=Text,
)
_TOUCH = _sql(
    "UPDATE number_parties SET last_call_time = greatest(last_call_time, CAST(:time AS timestamptz))"
    " WHERE tenant_id = :tenant_id AND kind = :kind AND id = :id",
    kind=Text, id=Uuid, time=Moment,
)  # fmt: skip
_FORGET = (
    _sql("DELETE FROM numbers WHERE tenant_id = :tenant_id AND kind = :kind AND id = any(:ids)", kind=Text, ids=ARRAY(Uuid)),
    _sql("DELETE FROM number_parties WHERE tenant_id = :tenant_id AND kind = :kind AND id = any(:ids)", kind=Text, ids=ARRAY(Uuid)),
)  # fmt: skip


async def put_party(tx: Tx, party: Party, version: int, numbers: Sequence[str]) -> list[str]:
    """Keeps who has these numbers (E.164); the numbers that he has newly, or has no more.

    Nothing changes if this version of the record is kept already, or a later one.
    """
    await tx.begin()
    newer = await tx.fetchval(
        _PUT, kind=party.kind, id=party.id, version=version, name=party.name, owner_id=party.owner_id or None,
        department_id=party.department_id or None, follower_ids=list(party.follower_ids),
    )  # fmt: skip
    if not newer:
        return []
    changed: list[str] = []
    for statement in (_DROP_NUMBERS, _ADD_NUMBERS):
        rows = await tx.fetch(statement, kind=party.kind, id=party.id, numbers=list(numbers))
        changed += [row["number"] for row in rows]
    return sorted(changed)


async def lock(tx: Tx, numbers: Sequence[str]) -> None:
    """Who writes down whose these are, and whoever makes a call of one of them, see each other."""
    await tx.lock(*(f"number {number}" for number in numbers))


async def is_newer(tx: Tx, kind: str, id: str, version: int) -> bool:
    """Notes the version of a record that has no number outside, such as a user; False if it is kept already, or a later one."""
    await tx.begin()
    noted = await tx.fetchval(
        _PUT, kind=kind, id=id, version=version, name="", owner_id=None, department_id=None, follower_ids=[],
    )  # fmt: skip
    return bool(noted)


async def whose(tx: Tx, number: str) -> list[Party]:
    """Everybody who has the number (E.164), whom we spoke with last first; at most 20."""
    return [
        Party(
            kind=row["kind"], id=str(row["id"]), name=row["name"], owner_id=str(row["owner_id"] or ""),
            department_id=str(row["department_id"] or ""), follower_ids=tuple(map(str, row["follower_ids"])),
            last_call_time=row["last_call_time"],
        )
        for row in await tx.fetch(_WHOSE, number=number)
    ]  # fmt: skip


async def touch_party(tx: Tx, kind: str, id: str, time: datetime) -> None:
    """Somebody spoke with him."""
    await tx.begin()
    await tx.execute(_TOUCH, kind=kind, id=id, time=time)


async def forget_parties(tx: Tx, kind: str, ids: Sequence[str]) -> None:
    """Nobody of them has a number any more: deleted or erased."""
    await tx.begin()
    for statement in _FORGET:
        await tx.execute(statement, kind=kind, ids=list(ids))
