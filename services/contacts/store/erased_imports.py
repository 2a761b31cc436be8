"""What imports remember of their files: read and taken away by the values that stand there."""

from collections.abc import Collection, Sequence

from sqlalchemy import Uuid, any_, bindparam, delete, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db import Statement
from chassis.tx import Tx
from services.contacts.store.imports import imports

__all__ = [
    "documents",
    "files_of_imports",
    "forget_old_versions",
    "imports",
    "old_documents",
    "take_lines",
]

_TENANT, _IDS = bindparam("tenant_id", type_=Uuid), bindparam("ids", type_=ARRAY(Uuid))
_t, _h = imports.table.c, imports.history.c
_NOW = Statement(
    select(_t.id, _t.doc, _t.delete_time).where(_t.tenant_id == _TENANT).order_by(_t.id)
)
_OLD = Statement(select(_h.id, _h.doc).where(_h.tenant_id == _TENANT, _h.valid_to.is_not(None)))
_FORGET = Statement(
    delete(imports.history).where(
        _h.tenant_id == _TENANT, _h.id == any_(_IDS), _h.valid_to.is_not(None)
    )
)


def _taking(table: str, *where: str) -> Statement:
    return Statement(
        text(
            f"DELETE FROM {table} WHERE tenant_id = :tenant_id AND EXISTS ("
            f"SELECT FROM unnest(CAST(:texts AS text[])) AS n WHERE {' OR '.join(where)})"
        ).bindparams(bindparam("tenant_id"), bindparam("texts"))
    )


_TAKING = (
    _taking(
        "import_rows",
        "position(n IN lower(array_to_string(cells, '|') || '|' || reason)) > 0",
        # Phones are spelled as people spell them.
        "position(n IN regexp_replace(array_to_string(cells, '|'), '[ ().-]', '', 'g')) > 0",
    ),
    _taking("import_records", "position(convert_to(n, 'UTF8') IN doc) > 0"),
    _taking("import_keys", "position(n IN lower(key)) > 0"),
)


async def take_lines(tx: Tx, texts: Collection[str]) -> int:
    """Lines, planned records and keys in which one of the texts stands, whatever became of them."""
    given = sorted({*texts, *(text.lower() for text in texts)})
    return sum([await tx.execute(statement, texts=given) for statement in _TAKING])


async def documents(tx: Tx) -> list[tuple[str, bytes, bool]]:
    """(id, document, is deleted) of every import."""
    return [
        (str(row["id"]), row["doc"], row["delete_time"] is not None) for row in await tx.fetch(_NOW)
    ]


async def old_documents(tx: Tx) -> list[tuple[str, bytes]]:
    """(id, document) of every old version."""
    return [(str(row["id"]), row["doc"]) for row in await tx.fetch(_OLD)]


async def forget_old_versions(tx: Tx, ids: Sequence[str]) -> None:
    """What these imports were before their last change."""
    if ids:
        await tx.execute(_FORGET, ids=list(ids))


async def files_of_imports(tx: Tx, late: Collection[str] | None = None) -> dict[str, set[str]]:
    """Import -> the file it read and the one with lines it could not take; only of imports that these operations ran, if given."""
    found = {}
    for id, doc, _ in await documents(tx):
        made = imports.message.FromString(doc)
        if late is None or made.operation.rpartition("/")[2] in late:
            found[id] = {file for file in (made.file_id, made.error_file_id) if file}
    return found
