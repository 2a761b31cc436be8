"""Brings the sound of recordings from exchanges, and removes it, outside any transaction: a loop beside the sessions (exchanges.py).

    claim    what is due: due_time moves ahead, so a process that dies gives it back by time
    do       as the recording's state says: PENDING is fetched and put into the blob store, DELETED is removed from there
    settle   one transaction: the recording and its row

A kill between do and settle leaves bytes that no recording names: each further try removes them first.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from prometheus_client import Counter

from chassis.blobs import Blob
from chassis.call import Cause
from chassis.db.pool import DRIVER_ERRORS
from chassis.errors import CrmError
from chassis.tx import Tx
from chassis.waits import first_of
from crm.telephony.v1 import recording_pb2
from services.telephony import recordings, store
from services.telephony.pbx.adapter import (
    MOST_SOUND,
    SOUND_S,
    Adapter,
    Astray,
    Cut,
    Impossible,
    TooLarge,
)
from services.telephony.rules import sounds

if TYPE_CHECKING:
    from chassis.runtime import Runtime

log = logging.getLogger(__name__)

FETCHES = Counter("akrab_recording_fetches", "Tries to bring a recording's sound.", ["outcome"])

CLAIMED = timedelta(seconds=150)
"""Longer than a try: until then nobody else takes it."""
RETRY_S = (2, 10, 60, 300, 1800, 6 * 3600, 24 * 3600)
MOST_TRIES = len(RETRY_S) + 1
_POLL_S = 0.5  # of a table that is empty almost always: an index look-up
_AT_ONCE = 4  # each holds one whole sound

Recording = recording_pb2.Recording
AdapterOf = Callable[[str, str], Adapter | None]
"""(tenant, exchange) -> the session with it, if this process has one that stands."""


class _Unusable(Exception):
    """What came is not kept, and asking again would not help; the text is the recording's problem."""


async def run(runtime: "Runtime", owner: str, adapter_of: AdapterOf, stop: asyncio.Event) -> None:
    """Fetches and removes until `stop`, for the exchanges of this owner and those that are nobody's."""
    while not stop.is_set():
        try:
            now = runtime.clock.now()
            claimed = await store.recordings.claim(runtime, owner, now, now + CLAIMED, _AT_ONCE)
            async with asyncio.TaskGroup() as group:
                for row in claimed:
                    group.create_task(_do(runtime, row, adapter_of))
        except* (*DRIVER_ERRORS, CrmError) as failed:
            # The database is away: what was claimed comes again by time.
            log.info("recordings: fetching begins anew: %s", type(failed.exceptions[0]).__name__)
            claimed = []
        if not claimed:
            await first_of(stop, timeout_s=_POLL_S)


async def _do(runtime: "Runtime", row: Any, adapter_of: AdapterOf) -> None:
    tenant, id = str(row["tenant_id"]), str(row["recording_id"])

    async def write(work: Callable[[Tx], Any]) -> Any:
        return await runtime.run_system(tenant, Cause("recording", id), work)

    recording = await write(lambda tx: store.recordings.recordings.find(tx, id))
    if row["attempts"] > 1:
        await _remove_lost(runtime, tenant, id, recording)
    if recording is None or recording.state != Recording.STATE_PENDING:
        if recording is not None and recording.sound_id:
            await runtime.blobs.delete(tenant, recording.sound_id)
        await write(lambda tx: recordings.removed(tx, id))
        return
    try:
        blob, seconds = await _fetch(
            runtime, tenant, id, row["name"], adapter_of(tenant, str(row["connection_id"]))
        )
    except _Unusable as error:
        FETCHES.labels("unusable").inc()
        await write(lambda tx, problem=str(error): recordings.failed(tx, id, problem))  # type: ignore[misc]
        return
    except (Impossible, Cut, OSError, EOFError) as error:  # TimeoutError is an OSError
        FETCHES.labels("later").inc()
        log.info("recording %s: try %d: %s", id, row["attempts"], error or type(error).__name__)
        await write(lambda tx: _again(tx, id, row["attempts"]))
        return
    wanted = await write(
        lambda tx: recordings.fetched(
            tx, id, file_id=blob.id, size=blob.size, type=blob.type, seconds=seconds
        )
    )
    FETCHES.labels("ready" if wanted else "unwanted").inc()
    if not wanted:  # erased meanwhile
        await runtime.blobs.delete(tenant, blob.id)
        await write(lambda tx: recordings.removed(tx, id))


async def _fetch(
    runtime: "Runtime", tenant: str, id: str, name: str, adapter: Adapter | None
) -> tuple[Blob, int | None]:
    """The sound as a file, and its seconds."""
    if adapter is None:
        raise Impossible("nobody speaks with the exchange")
    try:
        async with asyncio.timeout(SOUND_S):
            sound = await adapter.fetch(name)
    except TooLarge:
        raise _Unusable("TOO_LARGE") from None
    except Astray as error:
        raise _Unusable(str(error)) from None
    type = sounds.type_of(sound)
    if not type:
        raise _Unusable("NOT_A_SOUND")

    async def content() -> AsyncIterator[bytes]:
        yield sound

    # It is nobody's file: only through the recording does anybody get at it.
    blob = await runtime.blobs.put(
        tenant, content(), type=type, name=_file_name(id, type), owner_id="", max_bytes=MOST_SOUND
    )
    return blob, sounds.seconds_of(sound)


async def _again(tx: Tx, id: str, attempts: int) -> None:
    if attempts >= MOST_TRIES:
        await recordings.failed(tx, id, "NOT_GIVEN")
        return
    await store.recordings.fetch_later(tx, id, tx.now + timedelta(seconds=RETRY_S[attempts - 1]))


def _file_name(id: str, type: str) -> str:
    """What the file is called: never as somebody outside calls it."""
    return f"recording-{id}.{sounds.ENDINGS[type]}"


async def _remove_lost(
    runtime: "Runtime", tenant: str, id: str, recording: Recording | None
) -> None:
    """Removes what an earlier try kept without living to say so."""
    names = {_file_name(id, type) for type in sounds.ENDINGS}
    kept = recording.sound_id if recording is not None else ""
    async for blob in runtime.blobs.list(tenant):
        if blob.name in names and not blob.owner_id and blob.id != kept:
            await runtime.blobs.delete(tenant, blob.id)
