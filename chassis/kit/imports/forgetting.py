"""How long an import can be undone: then its lines and files go, and what it did stays told in numbers.

Lines and files hold people as somebody's list had them, also those who never became a record; nobody may keep them for ever.
"""

import contextlib
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from chassis import errors
from chassis.call import Cause
from chassis.kit.imports import store
from chassis.kit.imports.adapter import ImportWrongState
from chassis.tx import Tx
from crm.common.v1 import imports_pb2 as pb

if TYPE_CHECKING:
    from chassis.kit.resource import Resource
    from chassis.runtime import Runtime
    from chassis.service import Nightly

DAYS_KEPT = 90
"""After the last change of an import: a wrong one is seen at the latest in the figures of its quarter."""
_BEFORE_RUN = (pb.Import.STATE_UPLOADED, pb.Import.STATE_PLANNED)
_UNDER_WAY = (
    pb.Import.STATE_READING, pb.Import.STATE_PLANNING, pb.Import.STATE_RUNNING, pb.Import.STATE_UNDOING,
)  # fmt: skip


def check_kept(imported: pb.Import) -> None:
    """ImportWrongState if lines and files are gone: they go together with the name of the last operation, which all have."""
    if not imported.operation:
        day = imported.update_time.ToDatetime().date().isoformat()
        raise ImportWrongState(
            imported.state,
            f"its lines and its file were removed on {day}, {DAYS_KEPT} days after it was last used;"
            " what it wrote stays; begin another import to change it",
        )


def forgets(imports: "Resource[pb.Import]") -> "Nightly":
    """For the manifest of a service with imports: what is forgotten each night."""

    async def nightly(runtime: "Runtime", tenant: str, now: datetime) -> int:
        return await forget(runtime, imports, tenant, now)

    return nightly


async def forget(
    runtime: "Runtime", imports: "Resource[pb.Import]", tenant: str, now: datetime
) -> int:
    """Removes lines, planned values, keys and files of imports that nobody touched for so long; how many imports."""
    before, cause = now - timedelta(days=DAYS_KEPT), Cause("retention")
    rows = await runtime.run_system(tenant, cause, store.import_docs)
    known = [(pb.Import.FromString(doc), has_lines) for doc, has_lines in rows]
    due = [one for one, _ in known if _is_due(one, before)]
    used = {one.file_id for one, _ in known if one.operation and not _is_due(one, before)}
    for one in due:
        await _forget_one(runtime, imports, tenant, one, used)
    for one, has_lines in known:
        if has_lines and not one.operation:  # an earlier try broke off
            await _clear(runtime, tenant, one.id)
    return len(due)


def _is_due(imported: pb.Import, before: datetime) -> bool:
    last = imported.update_time.ToDatetime(tzinfo=before.tzinfo)
    return bool(imported.operation) and last < before and imported.state not in _UNDER_WAY


async def _forget_one(
    runtime: "Runtime",
    imports: "Resource[pb.Import]",
    tenant: str,
    imported: pb.Import,
    used: Collection[str],
) -> None:
    """Marked before the first line goes: nobody undoes the half of an import."""
    for file_id in {imported.file_id, imported.error_file_id} - {"", *used}:
        with contextlib.suppress(errors.NotFound):
            await runtime.blobs.delete(tenant, file_id)

    async def mark(tx: Tx) -> bool:
        now: Any = await imports.find(tx, imported.id)
        if now is None or now.etag != imported.etag:
            return False  # somebody deleted it or uses it again
        _reduce(now)
        imports.save(tx, now)
        return True

    if await runtime.run_system(tenant, Cause("retention", imported.id), mark):
        await _clear(runtime, tenant, imported.id)


async def _clear(runtime: "Runtime", tenant: str, id: str) -> None:
    async def some(tx: Tx) -> int:
        return await store.clear(tx, id)

    while await runtime.run_system(tenant, Cause("retention", id), some):
        pass


def _reduce(imported: pb.Import) -> None:
    """What it did stays; of the file's values nothing does."""
    for column in imported.columns:
        del column.samples[:]
    del imported.samples[:]
    imported.options.date_example = imported.operation = imported.error_file_id = ""
    if imported.state in _BEFORE_RUN:
        imported.state = pb.Import.STATE_FAILED
        imported.failure = f"its file was kept for {DAYS_KEPT} days; upload it again"
