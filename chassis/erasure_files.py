"""Files and erasures: which files a record names, which files hold somebody, and their removal.

A file that an operation left goes as a whole: nobody cuts lines out of it, and it can be made again.
"""

import asyncio
import io
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from chassis.erasure import UUID
from chassis.errors import NotFound
from chassis.kit import files
from chassis.kit.resource import Resource
from chassis.runtime import Runtime
from chassis.tx import Tx

_MOST_BYTES = 256 << 20
"""A larger file is taken for one that holds him."""
_WRITTEN = (
    "text/",
    "application/json",
    "application/x-ndjson",
    "application/zip",
    "application/vnd.openxmlformats",
)
"""Types of files that programs write records into."""

Holds = Callable[[bytes], bool]
"""True if somebody stands in this content."""


def files_in(tx: Tx, resource: Resource[Any], message: Any) -> set[str]:
    """The files that a record names in its own fields, and in the tenant's fields of type file."""
    found = {id for _, id in files.named_in(message)}
    if resource.has_custom:
        known = tx.runtime.schemas.known(tx.tenant, resource).fields
        found |= set(files.held_in_custom(known, message))
    return {id for id in found if UUID.fullmatch(id.encode())}


async def written_files(runtime: Runtime, tenant: str) -> set[str]:
    """Every file of the tenant that may hold records: also those that an operation wrote and died before it could say so."""
    return {blob.id async for blob in runtime.blobs.list(tenant) if blob.type.startswith(_WRITTEN)}


async def files_holding(
    runtime: Runtime, tenant: str, ids: Iterable[str], holds: Holds
) -> set[str]:
    """Those of the ids that are files in which somebody stands, also within a zip file such as XLSX."""
    found = set()
    for id in sorted(set(ids)):
        with suppress(NotFound):
            blob = await runtime.blobs.get(tenant, id)
            if blob.size > _MOST_BYTES or await _holds(runtime, tenant, id, holds):
                found.add(id)
    return found


async def _holds(runtime: Runtime, tenant: str, id: str, holds: Holds) -> bool:
    content = b"".join([chunk async for chunk in runtime.blobs.read(tenant, id)])
    return await asyncio.to_thread(lambda: any(holds(part) for part in _parts(content)))


def _parts(content: bytes) -> Iterable[bytes]:
    """A file, or the files in it: XLSX is a zip file."""
    if not content.startswith(b"PK"):
        return [content]
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return [archive.read(name) for name in archive.namelist()]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError):  # damaged, or with a password
        return [content]


async def remove_files(runtime: Runtime, tenant: str, ids: Iterable[str]) -> int:
    """Removes those of the ids that are files; returns how many there were."""
    count = 0
    for id in sorted(set(ids)):
        with suppress(NotFound):
            await runtime.blobs.get(tenant, id)
            await runtime.blobs.delete(tenant, id)
            count += 1
    return count
