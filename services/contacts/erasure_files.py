"""Files and erasures: which files a person's records name, which files of operations hold his values, and their removal."""

import asyncio
import io
import re
import zipfile
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any

from chassis.errors import NotFound
from chassis.kit import files
from chassis.kit.resource import Resource
from chassis.runtime import Runtime
from chassis.tx import Tx
from services.contacts.rules.privacy import mentions

_MOST_BYTES = 256 << 20
"""A larger file of an operation is taken for one that holds him: it can be made again."""
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def files_in(tx: Tx, resource: Resource[Any], message: Any) -> set[str]:
    """The files that a record names in its own fields, and in the tenant's fields of type file."""
    found = {id for _, id in files.named_in(message)}
    if resource.has_custom:
        known = tx.runtime.schemas.known(tx.tenant, resource).fields
        found |= set(files.held_in_custom(known, message))
    return {id for id in found if _ID.fullmatch(id)}


_WRITTEN = (
    "text/",
    "application/json",
    "application/x-ndjson",
    "application/zip",
    "application/vnd.openxmlformats",
)
"""Types of files that programs write records into."""


async def written_files(runtime: Runtime, tenant_id: str) -> set[str]:
    """Every file of the tenant that may hold records: also those that an operation wrote and died before it could say so."""
    return {
        blob.id async for blob in runtime.blobs.list(tenant_id) if blob.type.startswith(_WRITTEN)
    }


async def files_holding(
    runtime: Runtime, tenant_id: str, named: Mapping[str, Collection[str]], texts: Collection[str]
) -> set[str]:
    """Those of the ids that are files in which one of the texts stands, also within a zip file such as XLSX."""
    found = set()
    for id in sorted({id for each in named.values() for id in each}):
        with suppress(NotFound):
            blob = await runtime.blobs.get(tenant_id, id)
            if blob.size > _MOST_BYTES:
                found.add(id)
                continue
            content = b"".join([chunk async for chunk in runtime.blobs.read(tenant_id, id)])
            if await asyncio.to_thread(_holds, content, texts):
                found.add(id)
    return found


def _holds(content: bytes, texts: Collection[str]) -> bool:
    wanted = {text.casefold() for text in texts}
    return any(mentions(part.decode("utf-8", errors="replace"), wanted) for part in _parts(content))


def _parts(content: bytes) -> Iterable[bytes]:
    if not content.startswith(b"PK"):
        return [content]
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return [archive.read(name) for name in archive.namelist()]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError):  # damaged, or with a password
        return [content]


async def remove_files(runtime: Runtime, tenant_id: str, ids: Iterable[str]) -> int:
    """Removes those of the ids that are files; returns how many there were."""
    count = 0
    for id in sorted(set(ids)):
        with suppress(NotFound):
            await runtime.blobs.get(tenant_id, id)
            await runtime.blobs.delete(tenant_id, id)
            count += 1
    return count
