"""The tables of imports in a service's database, and their statements; `declare(metadata)` is called in the service's store."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    bindparam,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db.statement import Statement
from chassis.kit.bulk import array_text
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.common.v1 import imports_pb2 as pb

PLANNED, WRITTEN, REPLACED = 0, 1, 2
"""States of an import's records. A replaced one was decided anew, because something had changed since the plan."""
NOT_UNDONE, DELETED, RESTORED, LEFT = 0, 1, 2, 3


def declare(metadata: MetaData) -> Resource[pb.Import]:
    """The imports of a service, with their lines, records and keys.

    Two indexes are partial with a condition that always holds and that only the statements for them repeat: an import fills
    its tables faster than statistics follow, and without them PostgreSQL would read a whole import through the wrong index.
    """
    imports = Resource(
        pb.Import,
        metadata,
        table="imports",
        columns=[Column("owner_id", Uuid), Column("resource", Text, nullable=False), Column("state", SmallInteger, nullable=False)],
        values=lambda i: {"owner_id": i.owner_id or None, "resource": i.resource, "state": i.state},
        fields={
            "owner_id": Field("owner_id", "uuid"),
            "resource": Field("resource", "text"),
            "state": Field("state", "enum", enum=_STATES, sentinel=0),
        },
        default_owner=True,
    )  # fmt: skip
    Table(
        "import_rows", metadata, *_own(),  Column("line", BigInteger, primary_key=True),
        Column("outcome", SmallInteger, nullable=False), Column("reason", Text, nullable=False),
        Column("cells", ARRAY(Text), nullable=False), Column("record_id", Uuid), Column("linked_id", Uuid),
        Index("ix_import_rows_outcome", "tenant_id", "import_id", "outcome", "line", postgresql_where=text("outcome > 0")),
    )  # fmt: skip
    Table(
        "import_records", metadata, *_own(), Column("record_id", Uuid, primary_key=True),
        Column("seq", BigInteger, nullable=False), Column("object", Text, nullable=False),
        Column("line", BigInteger, nullable=False), Column("base_version", BigInteger, nullable=False),
        Column("doc", LargeBinary, nullable=False), Column("state", SmallInteger, nullable=False),
        Column("written_version", BigInteger, nullable=False), Column("moved_to", Uuid),
        Column("undo", SmallInteger, nullable=False), Column("undo_reason", Text, nullable=False),
        Index("uq_import_records_seq", "tenant_id", "import_id", "seq", unique=True, postgresql_where=text("seq > 0")),
        Index("ix_import_records_moved", "tenant_id", "import_id", postgresql_where=text("moved_to IS NOT NULL")),
    )  # fmt: skip
    Table(
        "import_keys", metadata, *_own(),  Column("key", Text, primary_key=True),
        Column("record_id", Uuid, nullable=False),
    )  # fmt: skip
    return imports


def _own() -> list[Column[Any]]:
    return [
        Column("tenant_id", Uuid, primary_key=True),
        Column("import_id", Uuid, primary_key=True),
    ]


_STATES = {
    **dict(pb.Import.State.items()),
    **{name.removeprefix("STATE_"): number for name, number in pb.Import.State.items()},
}


def _sql(sql: str, *names: str, **typed: Any) -> Statement:
    binds = [bindparam("tenant_id", type_=Uuid), *(bindparam(name) for name in names)]
    return Statement(
        text(sql).bindparams(*binds, *(bindparam(k, type_=v) for k, v in typed.items()))
    )


_ID = {"import_id": Uuid}
_MINE = "tenant_id = :tenant_id AND import_id = :import_id"

_ADD_ROWS = _sql(
    "INSERT INTO import_rows (tenant_id, import_id, line, outcome, reason, cells, record_id, linked_id)"
    " SELECT :tenant_id, :import_id, r.line, r.outcome, r.reason, CAST(r.cells AS text[]), r.record_id, r.linked_id"
    " FROM unnest(CAST(:lines AS bigint[]), CAST(:outcomes AS smallint[]), CAST(:reasons AS text[]),"
    " CAST(:cells AS text[]), CAST(:records AS uuid[]), CAST(:linked AS uuid[]))"
    " AS r(line, outcome, reason, cells, record_id, linked_id)"
    " ON CONFLICT (tenant_id, import_id, line) DO UPDATE SET outcome = excluded.outcome,"
    " reason = excluded.reason, record_id = excluded.record_id, linked_id = excluded.linked_id",
    "lines", "outcomes", "reasons", "cells", "records", "linked", **_ID,
)  # fmt: skip
_ADD_RECORDS = _sql(
    "INSERT INTO import_records (tenant_id, import_id, seq, record_id, object, line, base_version, doc, state,"
    " written_version, undo, undo_reason)"
    " SELECT :tenant_id, :import_id, r.seq, r.id, r.object, r.line, r.base, r.doc, CAST(:state AS smallint), r.written, 0, ''"
    " FROM unnest(CAST(:seqs AS bigint[]), CAST(:ids AS uuid[]), CAST(:objects AS text[]), CAST(:lines AS bigint[]),"
    " CAST(:bases AS bigint[]), CAST(:docs AS bytea[]), CAST(:written AS bigint[]))"
    " AS r(seq, id, object, line, base, doc, written)"
    " ON CONFLICT (tenant_id, import_id, record_id) DO UPDATE SET doc = excluded.doc, state = excluded.state,"
    " base_version = excluded.base_version, written_version = excluded.written_version",
    "seqs", "ids", "objects", "lines", "bases", "docs", "written", "state", **_ID,
)  # fmt: skip
_ADD_KEYS = _sql(
    "INSERT INTO import_keys (tenant_id, import_id, key, record_id) SELECT :tenant_id, :import_id, k.key, k.id"
    " FROM unnest(CAST(:keys AS text[]), CAST(:ids AS uuid[])) AS k(key, id) ON CONFLICT DO NOTHING",
    "keys", "ids", **_ID,
)  # fmt: skip
_KEYS = _sql(
    f"SELECT key, record_id FROM import_keys WHERE {_MINE} AND key = ANY(CAST(:keys AS text[]))", "keys", **_ID
)  # fmt: skip
_RECORD = "seq, record_id, object, line, base_version, doc, state, written_version, moved_to, undo, undo_reason"
_BY_IDS = _sql(
    f"SELECT {_RECORD} FROM import_records WHERE {_MINE} AND record_id = ANY(CAST(:ids AS uuid[]))", "ids", **_ID
)  # fmt: skip
_NEXT = _sql(
    f"SELECT {_RECORD} FROM import_records WHERE {_MINE} AND seq > 0 AND seq > :after AND state = 0 ORDER BY seq LIMIT :size",
    "after", "size", **_ID,
)  # fmt: skip
_LAST = _sql(
    f"SELECT {_RECORD} FROM import_records WHERE {_MINE} AND seq > 0 AND seq < :before AND state = 1 ORDER BY seq DESC LIMIT :size",
    "before", "size", **_ID,
)  # fmt: skip
_MOVED = _sql(
    f"SELECT record_id, moved_to FROM import_records WHERE {_MINE} AND moved_to IS NOT NULL", **_ID
)
_MARK = _sql(
    "UPDATE import_records r SET state = CAST(:state AS smallint), written_version = m.version, moved_to = m.moved_to, doc = ''"
    " FROM unnest(CAST(:ids AS uuid[]), CAST(:versions AS bigint[]), CAST(:moved AS uuid[])) AS m(id, version, moved_to)"
    " WHERE r.tenant_id = :tenant_id AND r.import_id = :import_id AND r.record_id = m.id",
    "ids", "versions", "moved", "state", **_ID,
)  # fmt: skip
_MARK_UNDO = _sql(
    "UPDATE import_records r SET undo = m.undo, undo_reason = m.reason"
    " FROM unnest(CAST(:ids AS uuid[]), CAST(:undos AS smallint[]), CAST(:reasons AS text[])) AS m(id, undo, reason)"
    " WHERE r.tenant_id = :tenant_id AND r.import_id = :import_id AND r.record_id = m.id",
    "ids", "undos", "reasons", **_ID,
)  # fmt: skip
_COUNT_ROWS = _sql(
    f"SELECT outcome, count(*) AS n FROM import_rows WHERE {_MINE} GROUP BY outcome", **_ID
)
_COUNT_SETTLED = _sql(
    "SELECT w.outcome, count(*) AS n FROM import_rows w LEFT JOIN import_records r ON r.tenant_id = w.tenant_id"
    " AND r.import_id = w.import_id AND r.record_id = w.record_id AND r.state = 0"
    " WHERE w.tenant_id = :tenant_id AND w.import_id = :import_id AND (r.seq IS NULL OR w.outcome > 2) GROUP BY w.outcome",
    **_ID,
)  # fmt: skip
# Without statistics, which follow an import only later, the join above would be made line by line.
_HASH_JOINS = Statement(select(func.set_config("enable_nestloop", "off", True)))
_COUNT_LINKED = _sql(
    f"SELECT base_version = 0 AS created, count(*) AS n FROM import_records WHERE {_MINE} AND object <> :object"
    " AND (state = 1 OR CAST(:planned AS boolean)) GROUP BY 1",
    "object", "planned", **_ID,
)  # fmt: skip
_COUNT_RECORDS = _sql(
    f"SELECT count(*) FROM import_records WHERE {_MINE} AND state = :state", "state", **_ID
)
_COUNT_UNDO = _sql(
    f"SELECT undo, count(*) AS n FROM import_records WHERE {_MINE} AND state = 1 GROUP BY undo",
    **_ID,
)
_ROWS = _sql(
    f"SELECT line, cells, outcome, reason, record_id FROM import_rows WHERE {_MINE} AND line > :after"
    " ORDER BY line LIMIT :size",
    "after", "size", **_ID,
)  # fmt: skip
_ROWS_OF_OUTCOME = _sql(
    f"SELECT line, cells, outcome, reason, record_id FROM import_rows WHERE {_MINE} AND line > :after"
    " AND outcome > 0 AND outcome = :outcome ORDER BY line LIMIT :size",
    "after", "outcome", "size", **_ID,
)  # fmt: skip
_LEFT_ROWS = _sql(
    "SELECT w.line, w.cells, w.outcome, r.undo_reason AS reason, r.record_id FROM import_records r"
    " JOIN import_rows w ON w.tenant_id = r.tenant_id AND w.import_id = r.import_id AND w.line = r.line"
    " WHERE r.tenant_id = :tenant_id AND r.import_id = :import_id AND r.undo = 3 AND r.state = 1 AND r.seq > 0 AND r.seq > :after"
    " ORDER BY r.seq LIMIT :size",
    "after", "size", **_ID,
)  # fmt: skip
_LEFT_SEQ = _sql(
    f"SELECT seq FROM import_records WHERE {_MINE} AND record_id = :record_id",
    record_id=Uuid,
    **_ID,
)
_OF_RECORDS = _sql(
    f"SELECT line, cells, outcome, record_id, linked_id FROM import_rows WHERE {_MINE}"
    " AND (record_id = ANY(CAST(:ids AS uuid[])) OR linked_id = ANY(CAST(:ids AS uuid[]))) ORDER BY line",
    "ids", **_ID,
)  # fmt: skip
_SAMPLES = _sql(
    "SELECT s.line, s.cells, s.outcome, s.reason, s.record_id FROM generate_series(1, 5) AS o(outcome)"
    " CROSS JOIN LATERAL (SELECT * FROM import_rows w WHERE w.tenant_id = :tenant_id AND w.import_id = :import_id"
    " AND w.outcome > 0 AND w.outcome = o.outcome ORDER BY w.line LIMIT 3) s ORDER BY s.line",
    **_ID,
)  # fmt: skip
_CLEAR = {
    table: _sql(
        f"DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {_MINE} LIMIT 5000))", **_ID
    )
    for table in ("import_rows", "import_records", "import_keys")
}  # fmt: skip
_IMPORT_DOCS = _sql(
    "SELECT i.doc, EXISTS (SELECT FROM import_rows w WHERE w.tenant_id = i.tenant_id AND w.import_id = i.id)"
    " OR EXISTS (SELECT FROM import_records r WHERE r.tenant_id = i.tenant_id AND r.import_id = i.id) AS has_lines"
    " FROM imports i WHERE i.tenant_id = :tenant_id AND i.delete_time IS NULL"
)
_FORGET_ROWS = _sql(
    "UPDATE import_rows SET cells = '{}', reason = '' WHERE tenant_id = :tenant_id"
    " AND record_id = ANY(CAST(:ids AS uuid[]))",
    "ids",
)  # fmt: skip
_FORGET_KEYS = _sql(
    "DELETE FROM import_keys WHERE tenant_id = :tenant_id AND record_id = ANY(CAST(:ids AS uuid[]))",
    "ids",
)
_FORGET_RECORDS = _sql(
    "UPDATE import_records SET doc = '' WHERE tenant_id = :tenant_id AND record_id = ANY(CAST(:ids AS uuid[]))",
    "ids",
)


async def add_rows(tx: Tx, import_id: str, rows: Sequence[Any]) -> None:
    """Keeps lines with what becomes of them, or changes what becomes of those that are kept. Rows as `deciding.Line`."""
    if rows:
        await tx.execute(
            _ADD_ROWS, import_id=import_id,
            lines=[r.line for r in rows], outcomes=[r.outcome for r in rows], reasons=[r.reason for r in rows],
            cells=[array_text(r.cells) for r in rows], records=[r.record_id or None for r in rows],
            linked=[r.linked_id or None for r in rows],
        )  # fmt: skip


async def add_records(
    tx: Tx, import_id: str, records: Sequence[Any], *, state: int = PLANNED
) -> None:
    """Keeps what the plan makes of records (`deciding.Entry`); one that is kept already is replaced."""
    if records:
        await tx.execute(
            _ADD_RECORDS, import_id=import_id, state=state, seqs=[r.seq for r in records],
            ids=[r.message.id for r in records], objects=[r.resource.name for r in records],
            lines=[r.line for r in records], bases=[r.base_version for r in records],
            docs=[b"" if state == WRITTEN else r.message.SerializeToString() for r in records],
            written=[int(r.message.etag or 0) if state == WRITTEN else 0 for r in records],
        )  # fmt: skip


async def add_keys(tx: Tx, import_id: str, keys: dict[str, str]) -> None:
    """Remembers by which keys later lines find a record of this import; the first holder of a key keeps it."""
    if keys:
        ordered = sorted(keys)
        await tx.execute(
            _ADD_KEYS, import_id=import_id, keys=ordered, ids=[keys[k] for k in ordered]
        )


async def known_keys(tx: Tx, import_id: str, keys: Iterable[str]) -> dict[str, str]:
    """key -> record that an earlier line of the file makes or changes."""
    rows = await tx.fetch(_KEYS, import_id=import_id, keys=list(keys))
    return {row["key"]: str(row["record_id"]) for row in rows}


async def records_of(tx: Tx, import_id: str, ids: Iterable[str]) -> list[Any]:
    """What the plan makes of these records."""
    return await tx.fetch(_BY_IDS, import_id=import_id, ids=list(ids))


async def next_records(tx: Tx, import_id: str, after: int, size: int) -> list[Any]:
    """The next records to write."""
    return await tx.fetch(_NEXT, import_id=import_id, after=after, size=size)


async def last_records(tx: Tx, import_id: str, before: int, size: int) -> list[Any]:
    """The next records to undo: the last written first."""
    return await tx.fetch(_LAST, import_id=import_id, before=before, size=size)


async def moved_records(tx: Tx, import_id: str) -> dict[str, str]:
    """Planned id -> the id of the record that took its place, because something had changed since the plan."""
    rows = await tx.fetch(_MOVED, import_id=import_id)
    return {str(row["record_id"]): str(row["moved_to"]) for row in rows}


async def mark(
    tx: Tx, import_id: str, state: int, marks: Sequence[tuple[str, int, str | None]]
) -> None:
    """(record, version written, record that took its place) of records that are settled."""
    if marks:
        ids, versions, moved = zip(*marks, strict=True)
        await tx.execute(
            _MARK, import_id=import_id, state=state, ids=ids, versions=versions, moved=moved
        )


async def mark_undo(tx: Tx, import_id: str, marks: Sequence[tuple[str, int, str]]) -> None:
    """(record, what the undo did, reason) of records."""
    if marks:
        ids, undos, reasons = zip(*marks, strict=True)
        await tx.execute(_MARK_UNDO, import_id=import_id, ids=ids, undos=undos, reasons=reasons)


async def counts(tx: Tx, import_id: str, main: str, *, planned: bool) -> pb.ImportCounts:
    """Lines by what becomes of them: all as planned, or only those whose record is settled."""
    made = pb.ImportCounts()
    if planned or not await count_records(tx, import_id, PLANNED):
        rows = await tx.fetch(_COUNT_ROWS, import_id=import_id)
    else:
        await tx.begin()
        await tx.fetchval(_HASH_JOINS)
        rows = await tx.fetch(_COUNT_SETTLED, import_id=import_id)
    for row in rows:
        name = pb.ImportOutcome.Name(row["outcome"]).removeprefix("IMPORT_OUTCOME_").lower()
        setattr(made, name, row["n"])
    for row in await tx.fetch(_COUNT_LINKED, import_id=import_id, object=main, planned=planned):
        setattr(made, "linked_created" if row["created"] else "linked_updated", row["n"])
    return made


async def count_records(tx: Tx, import_id: str, state: int) -> int:
    """How many records are in this state."""
    return int(await tx.fetchval(_COUNT_RECORDS, import_id=import_id, state=state))


async def undo_counts(tx: Tx, import_id: str, *, preview: bool) -> pb.ImportUndo:
    """Records by what the undo did or would do."""
    rows = {row["undo"]: row["n"] for row in await tx.fetch(_COUNT_UNDO, import_id=import_id)}
    return pb.ImportUndo(
        preview=preview, deleted=rows.get(DELETED, 0), restored=rows.get(RESTORED, 0), left=rows.get(LEFT, 0)
    )  # fmt: skip


async def rows_of(tx: Tx, import_id: str, after: int, outcome: int, size: int) -> list[Any]:
    """Lines in the order of the file, of one outcome or (0) of all."""
    if outcome:
        return await tx.fetch(
            _ROWS_OF_OUTCOME, import_id=import_id, after=after, outcome=outcome, size=size
        )
    return await tx.fetch(_ROWS, import_id=import_id, after=after, size=size)


async def left_rows(tx: Tx, import_id: str, after: int, size: int) -> list[Any]:
    """The first lines of the records that the undo left, in the order of writing."""
    return await tx.fetch(_LEFT_ROWS, import_id=import_id, after=after, size=size)


async def seq_of(tx: Tx, import_id: str, record_id: str) -> int:
    """The place of a record in the order of writing."""
    return int(await tx.fetchval(_LEFT_SEQ, import_id=import_id, record_id=record_id) or 0)


async def lines_of(tx: Tx, import_id: str, ids: Iterable[str]) -> list[Any]:
    """The lines that make or find these records, in the order of the file."""
    return await tx.fetch(_OF_RECORDS, import_id=import_id, ids=list(ids))


async def sample_rows(tx: Tx, import_id: str) -> list[Any]:
    """A few lines of each outcome."""
    return await tx.fetch(_SAMPLES, import_id=import_id)


async def clear(tx: Tx, import_id: str, tables: Sequence[str] = tuple(_CLEAR)) -> int:
    """Removes some of what an earlier plan kept; 0 when nothing is left."""
    return sum([await tx.execute(_CLEAR[table], import_id=import_id) for table in tables])


async def import_docs(tx: Tx) -> list[tuple[bytes, bool]]:
    """Every living import, and whether lines or records of it are kept."""
    return [(row["doc"], row["has_lines"]) for row in await tx.fetch(_IMPORT_DOCS)]


async def forget(tx: Tx, record_ids: Sequence[str]) -> None:
    """Removes what imports keep of these records' persons: cells, keys and planned values (M20)."""
    for statement in (_FORGET_ROWS, _FORGET_KEYS, _FORGET_RECORDS):
        await tx.execute(statement, ids=list(record_ids))
