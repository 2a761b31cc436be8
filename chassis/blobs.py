"""Files of any size, by tenant: content stored once, each upload a reference of its own.

Layout of the local store, per tenant:

    content/ab/<sha256>     the bytes, one name per distinct content
    refs/cd/<id>.bytes      a hard link to those bytes
    refs/cd/<id>.json       what is known of the upload; its appearance is the commit, its disappearance the deletion

The references hold the bytes themselves, not a path to them: the file system counts, and a reader's or another uploader's
bytes cannot vanish under a deletion, whatever the order of two processes. The name under content/ only finds equal bytes again.
"""

import asyncio
import hashlib
import json
import os
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from chassis import errors, keys

# Large enough that a thread's switch does not matter, small enough for thousands of readers.
CHUNK = 256 << 10
_ABANDONED_S = 86_400
# An id or a tenant becomes part of a path.
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class BlobTooLarge(errors.InvalidArgument):
    """The content exceeds the limit that the caller of `put` gave."""

    reason = "FILE_TOO_LARGE"


@dataclass(frozen=True, slots=True)
class Blob:
    """One stored file: `owner_id` is who put it, `type` its media type, `sha256` the hex digest of its bytes."""

    id: str
    sha256: str
    size: int
    type: str
    name: str
    owner_id: str
    create_time: datetime


class BlobStore(Protocol):
    """Where files are kept; every method knows only the given tenant's."""

    async def put(
        self,
        tenant: str,
        content: AsyncIterator[bytes],
        *,
        type: str,
        name: str,
        owner_id: str,
        max_bytes: int,
    ) -> Blob:
        """Stores the content durably; BlobTooLarge beyond `max_bytes`, and then nothing is kept."""

    async def get(self, tenant: str, id: str) -> Blob:
        """What is known of a file; NotFound if there is none."""

    def read(
        self, tenant: str, id: str, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` to before `end`, in chunks; NotFound if there is no such file."""

    async def copy(self, tenant: str, id: str, *, owner_id: str) -> Blob:
        """Another reference to the same bytes, deleted on its own."""

    async def delete(self, tenant: str, id: str) -> None:
        """Removes the reference, and the bytes with the last one; nothing happens if it is gone already."""

    def list(self, tenant: str) -> AsyncIterator[Blob]:
        """All files of the tenant, in no order."""


class LocalBlobStore:
    """A BlobStore in a folder; several processes may share it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(
        self,
        tenant: str,
        content: AsyncIterator[bytes],
        *,
        type: str,
        name: str,
        owner_id: str,
        max_bytes: int,
    ) -> Blob:
        home = self._home(tenant)
        id = keys.uuid7()
        incoming = home / "incoming" / id
        digest, size = hashlib.sha256(), 0
        file = await asyncio.to_thread(_create, incoming)
        try:
            with file:
                async for chunk in content:
                    size += len(chunk)
                    if size > max_bytes:
                        raise BlobTooLarge(
                            f"the file is larger than {max_bytes} bytes; the limit is {max_bytes} bytes"
                        )
                    digest.update(chunk)
                    await asyncio.to_thread(file.write, chunk)
                await asyncio.to_thread(_sync, file)
            blob = Blob(id, digest.hexdigest(), size, type, name, owner_id, datetime.now(UTC))
            await asyncio.to_thread(_keep, home, incoming, blob)
        finally:
            incoming.unlink(missing_ok=True)
        return blob

    async def get(self, tenant: str, id: str) -> Blob:
        return await asyncio.to_thread(_load, self._ref(tenant, id))

    async def read(
        self, tenant: str, id: str, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        path = self._ref(tenant, id).with_suffix(".bytes")
        try:
            file = await asyncio.to_thread(open, path, "rb")
        except FileNotFoundError:
            raise _absent(id) from None
        with file:
            await asyncio.to_thread(file.seek, start)
            left = None if end is None else end - start
            while left is None or left > 0:
                chunk = await asyncio.to_thread(
                    file.read, CHUNK if left is None else min(CHUNK, left)
                )
                if not chunk:
                    return
                left = None if left is None else left - len(chunk)
                yield chunk

    async def copy(self, tenant: str, id: str, *, owner_id: str) -> Blob:
        old = await self.get(tenant, id)
        blob = Blob(
            keys.uuid7(), old.sha256, old.size, old.type, old.name, owner_id, datetime.now(UTC)
        )
        source = self._ref(tenant, id).with_suffix(".bytes")
        try:
            await asyncio.to_thread(_refer, self._home(tenant), source, blob)
        except FileNotFoundError:
            raise _absent(id) from None
        return blob

    async def delete(self, tenant: str, id: str) -> None:
        await asyncio.to_thread(_drop, self._home(tenant), self._ref(tenant, id))

    async def list(self, tenant: str) -> AsyncIterator[Blob]:
        refs = self._home(tenant) / "refs"
        for path in await asyncio.to_thread(lambda: sorted(refs.glob("*/*.json"))):
            with suppress(errors.NotFound):
                yield await asyncio.to_thread(_load, path)

    async def sweep(self) -> int:
        """Removes what uploads left behind that were cut off by a crash a day or more ago; returns how many."""
        return await asyncio.to_thread(_sweep, self._root)

    def _home(self, tenant: str) -> Path:
        if not _UUID.fullmatch(tenant):
            raise ValueError("a tenant is a UUID")
        return self._root / tenant

    def _ref(self, tenant: str, id: str) -> Path:
        """The path of a reference's description; the last two digits spread a UUIDv7 evenly, the first would not."""
        if not _UUID.fullmatch(id):
            raise _absent(id)
        return _ref_path(self._home(tenant), id)


def _absent(id: str) -> errors.NotFound:
    return errors.NotFound(f"there is no file {id[:60]}")


def _ref_path(home: Path, id: str) -> Path:
    return home / "refs" / id[-2:] / f"{id}.json"


def _content_path(home: Path, sha256: str) -> Path:
    return home / "content" / sha256[:2] / sha256


def _create(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    return open(path, "xb")


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _keep(home: Path, incoming: Path, blob: Blob) -> None:
    """Makes the incoming bytes findable by their hash, or uses the equal ones that are there already, and refers to them."""
    content = _content_path(home, blob.sha256)
    content.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(incoming, content)
        source = incoming
    except FileExistsError:
        source = content
    _sync_folder(content.parent)
    try:
        _refer(home, source, blob)
    except (
        FileNotFoundError
    ):  # the last other reference went between the two steps: our own bytes are as good
        _refer(home, incoming, blob)


def _refer(home: Path, source: Path, blob: Blob) -> None:
    ref = _ref_path(home, blob.id)
    ref.parent.mkdir(parents=True, exist_ok=True)
    os.link(source, ref.with_suffix(".bytes"))
    draft = ref.with_suffix(".new")
    with open(draft, "x", encoding="utf-8") as file:
        json.dump(asdict(blob) | {"create_time": blob.create_time.isoformat()}, file)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(ref)
    _sync_folder(ref.parent)


def _load(ref: Path) -> Blob:
    try:
        known = json.loads(ref.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _absent(ref.stem) from None
    return Blob(**known | {"create_time": datetime.fromisoformat(known["create_time"])})


def _drop(home: Path, ref: Path) -> None:
    try:
        blob = _load(ref)
    except errors.NotFound:
        return
    ref.unlink(missing_ok=True)
    ref.with_suffix(".bytes").unlink(missing_ok=True)
    content = _content_path(home, blob.sha256)
    with suppress(FileNotFoundError):
        # One link is the name under content/ itself. If an upload links here between the two calls, it keeps its bytes.
        if content.stat().st_nlink == 1:
            content.unlink()


def _sweep(root: Path) -> int:
    """Only incoming files: no upload takes a day, so nobody is writing them any more."""
    oldest = time.time() - _ABANDONED_S
    stale = [path for path in root.glob("*/incoming/*") if path.stat().st_mtime < oldest]
    for path in stale:
        path.unlink(missing_ok=True)
    return len(stale)
