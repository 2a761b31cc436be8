"""Imports and erasures: the file, the lines and the plan of an import hold records, as somebody's list had them.

An import in which an erased record stands loses its lines, all that failed (one may be about it), its samples, old versions and
files. Its counts stay, and so does its undo of what is about others. What was not run yet has to be uploaded again.
"""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import LargeBinary, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db.statement import Statement
from chassis.kit import bulk
from chassis.tx import Tx
from crm.common.v1 import imports_pb2 as pb

if TYPE_CHECKING:
    from chassis.kit.resource import Resource

TABLES = ("import_rows", "import_records", "import_keys")
"""What is kept of imports beside their records."""

_NOT_RUN = (pb.Import.STATE_UPLOADED, pb.Import.STATE_PLANNED)
_TYPES: dict[str, Any] = {
    "ids": ARRAY(Uuid), "imports": ARRAY(Uuid), "needles": ARRAY(LargeBinary),
}  # fmt: skip


def _sql(sql: str, *names: str) -> Statement:
    binds = (bindparam(name, type_=_TYPES.get(name)) for name in ("tenant_id", *names))
    return Statement(text(sql).bindparams(*binds))


_MINE = "tenant_id = :tenant_id"
_HELD = "(record_id = any(CAST(:ids AS uuid[])) OR linked_id = any(CAST(:ids AS uuid[])))"
_HOLDING = _sql(f"SELECT DISTINCT import_id FROM import_rows WHERE {_MINE} AND {_HELD}", "ids")
# Failed lines have no record: those of an import in which the record stands go too, because one of them may be about it.
_TAKE_ROWS = _sql(
    f"DELETE FROM import_rows WHERE {_MINE} AND import_id = any(CAST(:imports AS uuid[]))"
    f" AND (record_id IS NULL OR {_HELD})",
    "imports", "ids",
)  # fmt: skip
_TAKE_RECORDS = _sql(
    f"DELETE FROM import_records WHERE {_MINE} AND (record_id = any(CAST(:ids AS uuid[]))"
    " OR EXISTS (SELECT FROM unnest(CAST(:needles AS bytea[])) AS n WHERE position(n IN doc) > 0))",
    "ids", "needles",
)  # fmt: skip
_TAKE_KEYS = _sql(
    f"DELETE FROM import_keys WHERE {_MINE} AND record_id = any(CAST(:ids AS uuid[]))", "ids"
)
_OLD_VERSIONS = _sql(
    f"DELETE FROM imports_history WHERE {_MINE} AND id = any(CAST(:imports AS uuid[]))"
    " AND valid_to IS NOT NULL",
    "imports",
)
_DOCS = _sql(
    f"SELECT doc, delete_time FROM imports_of_tenant WHERE {_MINE}"
    " AND id = any(CAST(:imports AS uuid[]))",
    "imports",
)


async def files(tx: Tx, ids: Collection[str]) -> set[str]:
    """The files of imports with lines about these records: whole files go, nobody cuts lines out of them."""
    found = await _docs(tx, await holding(tx, ids))
    each = [pb.Import.FromString(doc) for doc, _ in found]
    return {id for one in each for id in (one.file_id, one.error_file_id) if id}


async def scrub(tx: Tx, imports: "Resource[pb.Import]", ids: Collection[str]) -> int:
    """Takes what imports remember of these records; how many lines went. May be done again."""
    named, held = sorted(ids), await holding(tx, ids)
    await tx.execute(_TAKE_RECORDS, ids=named, needles=[id.encode() for id in named])
    await tx.execute(_TAKE_KEYS, ids=named)
    if not held:
        return 0
    lines = int(await tx.execute(_TAKE_ROWS, imports=held, ids=named))
    writes = []
    for doc, deleted in await _docs(tx, held):
        imported = pb.Import.FromString(doc)
        _reduce(imported)
        writes.append(bulk.Write(imported, doc, "deleted" if deleted else ""))
    await bulk.write(tx, imports, writes)
    await tx.execute(_OLD_VERSIONS, imports=held)
    return lines


async def holding(tx: Tx, ids: Collection[str]) -> list[str]:
    """The imports with lines about these records; what was told of them holds samples of lines."""
    return [str(row["import_id"]) for row in await tx.fetch(_HOLDING, ids=sorted(ids))]


async def _docs(tx: Tx, import_ids: Sequence[str]) -> list[tuple[bytes, bool]]:
    rows = await tx.fetch(_DOCS, imports=list(import_ids)) if import_ids else []
    return [(row["doc"], row["delete_time"] is not None) for row in rows]


def _reduce(imported: pb.Import) -> None:
    for column in imported.columns:
        del column.samples[:]
    del imported.samples[:]
    imported.options.date_example = imported.error_file_id = ""
    if imported.state in _NOT_RUN:
        imported.state = pb.Import.STATE_FAILED
        imported.failure = "somebody in its file was erased; upload a file without him"
