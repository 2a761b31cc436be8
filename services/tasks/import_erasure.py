"""Imports and erasures: the file, the lines and the plan of an import hold people, as somebody's list had them.

An import in which an erased person stands loses his lines, all that failed (one may be about him), its samples, old versions and
files. Its counts stay, and so does its undo of what is about others. What was not run yet has to be uploaded again.
"""

from collections.abc import Collection

from chassis.kit import bulk
from chassis.tx import Tx
from crm.common.v1 import imports_pb2 as pb
from services.tasks.store import imports as store

_NOT_RUN = (pb.Import.STATE_UPLOADED, pb.Import.STATE_PLANNED)


async def files(tx: Tx, ids: Collection[str]) -> set[str]:
    """The files of imports with lines about these contacts or tasks: whole files go, nobody cuts lines out of them."""
    found = await store.docs(tx, await store.of_person(tx, sorted(ids)))
    each = [pb.Import.FromString(doc) for doc, _ in found]
    return {id for one in each for id in (one.file_id, one.error_file_id) if id}


async def scrub(tx: Tx, ids: Collection[str]) -> int:
    """Takes what imports remember of these contacts or tasks; how many lines went. May be done again."""
    held = await store.of_person(tx, sorted(ids))
    lines = await store.take_lines(tx, held, sorted(ids))
    writes = []
    for doc, deleted in await store.docs(tx, held):
        imported = pb.Import.FromString(doc)
        _reduce(imported)
        writes.append(bulk.Write(imported, doc, "deleted" if deleted else ""))
    if writes:
        await bulk.write(tx, store.imports, writes)
    await store.forget_versions(tx, held)
    return lines


def _reduce(imported: pb.Import) -> None:
    for column in imported.columns:
        del column.samples[:]
    del imported.samples[:]
    imported.options.date_example = imported.error_file_id = ""
    if imported.state in _NOT_RUN:
        imported.state = pb.Import.STATE_FAILED
        imported.failure = "somebody in its file was erased; upload a file without him"
