"""Imports of calls: which call has which id elsewhere, and whose numbers files name."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Text, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db.statement import Statement
from chassis.kit.imports.store import declare
from chassis.kit.tables import Moment
from chassis.tx import Tx
from services.telephony.store.catalogues import extensions, lines
from services.telephony.store.schema import metadata

imports = declare(metadata)

ELSEWHERE = "00000000-0000-0000-0000-000000000000"
"""Stands in call_keys for the exchange of what was brought in: the key is its id in the program from which it came."""

_TYPES: dict[str, Any] = {
    "ids": ARRAY(Uuid), "keys": ARRAY(Text), "numbers": ARRAY(Text), "starts": ARRAY(Moment), "elsewhere": Uuid,
}  # fmt: skip


def _sql(sql: str, *names: str) -> Statement:
    binds = (bindparam(name, type_=_TYPES.get(name)) for name in ("tenant_id", *names))
    return Statement(text(sql).bindparams(*binds))


_WITH_ID = _sql(
    "SELECT v.doc FROM call_keys k JOIN calls_of_tenant v ON v.tenant_id = k.tenant_id AND v.id = k.call_id"
    " WHERE k.tenant_id = :tenant_id AND k.connection_id = :elsewhere AND k.key = any(:keys) AND v.delete_time IS NULL",
    "elsewhere", "keys",
)  # fmt: skip
_AT = _sql(
    "SELECT doc FROM calls_of_tenant"
    " WHERE tenant_id = :tenant_id AND number = any(:numbers) AND start_time = any(:starts) AND delete_time IS NULL",
    "numbers", "starts",
)  # fmt: skip
_CLAIM = _sql(
    "INSERT INTO call_keys (tenant_id, connection_id, key, call_id)"
    " SELECT CAST(:tenant_id AS uuid), CAST(:elsewhere AS uuid), n.key, n.id"
    " FROM unnest(CAST(:keys AS text[]), CAST(:ids AS uuid[])) AS n(key, id)"
    " ON CONFLICT (tenant_id, connection_id, key) DO UPDATE SET call_id = excluded.call_id",
    "elsewhere", "keys", "ids",
)  # fmt: skip
_RELEASE = _sql(
    "DELETE FROM call_keys WHERE tenant_id = :tenant_id AND connection_id = :elsewhere AND call_id = any(:ids)",
    "elsewhere", "ids",
)  # fmt: skip
# Of several who have a number it is his with whom somebody spoke last; nobody's where nobody spoke with any (linking.py).
_WHOSE = _sql(
    "SELECT n.number, (array_agg(n.id ORDER BY p.last_call_time DESC NULLS LAST))[1] AS id"
    " FROM numbers n JOIN number_parties p ON p.tenant_id = n.tenant_id AND p.kind = n.kind AND p.id = n.id"
    " WHERE n.tenant_id = :tenant_id AND n.kind = :kind AND n.number = any(:numbers)"
    " GROUP BY n.number HAVING count(*) = 1 OR max(p.last_call_time) IS NOT NULL",
    "kind", "numbers",
)  # fmt: skip
_LINES, _EXTENSIONS = lines.select(), extensions.select()


async def with_ids(tx: Tx, ids: Sequence[str]) -> list[bytes]:
    """The docs of the living calls that have one of these ids elsewhere."""
    rows = await tx.fetch(_WITH_ID, elsewhere=ELSEWHERE, keys=list(ids)) if ids else []
    return [row["doc"] for row in rows]


async def begun_at(tx: Tx, numbers: Sequence[str], starts: Sequence[datetime]) -> list[bytes]:
    """The docs of the living calls with one of the numbers that began at one of the times."""
    rows = await tx.fetch(_AT, numbers=list(numbers), starts=list(starts)) if numbers else []
    return [row["doc"] for row in rows]


async def claim(tx: Tx, ids: Mapping[str, str]) -> None:
    """Id elsewhere -> the call that has it from now on."""
    await tx.execute(_CLAIM, elsewhere=ELSEWHERE, keys=list(ids), ids=list(ids.values()))


async def release(tx: Tx, call_ids: Sequence[str]) -> None:
    """These calls have no ids elsewhere any more."""
    await tx.execute(_RELEASE, elsewhere=ELSEWHERE, ids=list(call_ids))


async def whose(tx: Tx, kind: str, numbers: Sequence[str]) -> dict[str, str]:
    """Number -> the contact, or the company, whose it is; without those that are nobody's."""
    rows = await tx.fetch(_WHOSE, kind=kind, numbers=list(numbers))
    return {row["number"]: str(row["id"]) for row in rows}


async def all_lines(tx: Tx) -> list[Any]:
    """Every living line, also such that take no calls any more."""
    return await lines.find_where(tx, _LINES)


async def all_extensions(tx: Tx) -> list[Any]:
    """Every living extension."""
    return await extensions.find_where(tx, _EXTENSIONS)
