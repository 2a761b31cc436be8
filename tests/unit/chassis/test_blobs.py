"""The blob store over a real folder."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chassis import errors
from chassis.blobs import Blob, BlobTooLarge, LocalBlobStore
from chassis.keys import uuid7

TENANT, OTHER = uuid7(), uuid7()


@pytest.fixture
def store(tmp_path: Path) -> LocalBlobStore:
    return LocalBlobStore(tmp_path)


async def chunks(content: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]


async def put(
    store: LocalBlobStore, content: bytes, tenant: str = TENANT, max_bytes: int = 1 << 20
) -> Blob:
    return await store.put(
        tenant, chunks(content), type="text/plain", name="a.txt", owner_id="u", max_bytes=max_bytes
    )


async def content_of(
    store: LocalBlobStore, id: str, start: int = 0, end: int | None = None, tenant: str = TENANT
) -> bytes:
    return b"".join([chunk async for chunk in store.read(tenant, id, start, end)])


def links(root: Path, sha256: str) -> int:
    return next(root.rglob(sha256)).stat().st_nlink


def files(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*") if path.is_file())


async def test_content_and_facts_come_back(store: LocalBlobStore) -> None:
    content = bytes(range(256)) * 3000
    blob = await put(store, content)
    assert await store.get(TENANT, blob.id) == blob
    assert (blob.size, blob.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert await content_of(store, blob.id) == content
    assert await content_of(store, blob.id, 300_000, 300_010) == content[300_000:300_010]
    assert [b async for b in store.list(TENANT)] == [blob]


async def test_equal_content_is_kept_once_and_until_the_last_reference(
    store: LocalBlobStore, tmp_path: Path
) -> None:
    first, second = await put(store, b"same"), await put(store, b"same")
    third = await store.copy(TENANT, first.id, owner_id="v")
    assert links(tmp_path, first.sha256) == 4
    await store.delete(TENANT, first.id)
    await store.delete(TENANT, second.id)
    assert await content_of(store, third.id) == b"same"
    await store.delete(TENANT, third.id)
    await store.delete(TENANT, third.id)
    assert files(tmp_path) == []


async def test_tenants_share_nothing(store: LocalBlobStore) -> None:
    blob = await put(store, b"mine")
    theirs = await put(store, b"mine", OTHER)
    with pytest.raises(errors.NotFound):
        await store.get(OTHER, blob.id)
    with pytest.raises(errors.NotFound):
        await content_of(store, blob.id, tenant=OTHER)
    await store.delete(OTHER, blob.id)
    await store.delete(OTHER, theirs.id)
    assert await content_of(store, blob.id) == b"mine"


async def test_too_large_and_broken_uploads_leave_nothing(
    store: LocalBlobStore, tmp_path: Path
) -> None:
    with pytest.raises(BlobTooLarge):
        await put(store, b"x" * 5000, max_bytes=4999)

    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await store.put(TENANT, broken(), type="t", name="", owner_id="", max_bytes=10)
    assert files(tmp_path) == []
    assert (await put(store, b"x" * 5000, max_bytes=5000)).size == 5000


_ID = "0190163d-8694-739b-aea5-966c26f8ad91"


@pytest.mark.parametrize("id", ["../../etc/passwd", "", "x", _ID.upper(), _ID + "/"])
async def test_an_id_is_never_a_path(store: LocalBlobStore, id: str) -> None:
    with pytest.raises(errors.NotFound):
        await store.get(TENANT, id)
    with pytest.raises(ValueError, match="UUID"):
        await put(store, b"x", tenant="../x")


async def test_uploads_and_deletions_of_the_same_bytes_at_once(
    store: LocalBlobStore, tmp_path: Path
) -> None:
    async def work() -> Blob:
        for _ in range(20):
            blob = await put(store, b"hot")
            await store.delete(TENANT, blob.id)
        return await put(store, b"hot")

    kept = await asyncio.gather(*(work() for _ in range(8)))
    for blob in kept:
        assert await content_of(store, blob.id) == b"hot"
        await store.delete(TENANT, blob.id)
    assert [name for name in files(tmp_path) if not name.startswith(kept[0].sha256)] == []


async def test_sweep_removes_abandoned_uploads_and_nothing_else(
    store: LocalBlobStore, tmp_path: Path
) -> None:
    blob = await put(store, b"kept")
    abandoned, young = (tmp_path / TENANT / "incoming" / name for name in ("old", "young"))
    for path in (abandoned, young):
        path.write_bytes(b"x")
    os.utime(abandoned, (1_000_000_000, 1_000_000_000))
    assert await store.sweep() == 1
    assert (abandoned.exists(), young.exists()) == (False, True)
    assert await content_of(store, blob.id) == b"kept"
