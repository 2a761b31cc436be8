"""tasks' part when a person is erased (M20): what was done, when and by whom stays; that it was about him does not.

    1 take      one transaction: his tasks and meetings lose every text, name and file, open ones are cancelled; their old
                versions go, and those of others that named him; stored answers and operations are emptied
    2 sweep     what operations under way left meanwhile; files; messages of the stream and dead letters
    3 clean     the bytes that old rows left in the database's files (a large database: at night), and ErasureDone

Contacts and requests are told by ids alone, and so is everything here. A timer sees to it that the answer comes: an operation
that ended without one, whatever ended it, is started again. Everything may be done twice.
"""

import asyncio
import io
import zipfile
from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from chassis import erasure
from chassis.call import Cause
from chassis.errors import NotFound
from chassis.handlers import on, operation, timer
from chassis.kit import bulk, files
from chassis.operation_runs import OperationRun
from chassis.runtime import Runtime
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.common.v1 import privacy_pb2
from crm.contacts.v1 import privacy_events_pb2 as asked
from crm.tasks.v1 import privacy_events_pb2 as events
from services.tasks import deadlines, import_erasure, series, timers_meetings
from services.tasks.rules import privacy as rules
from services.tasks.store import moves, privacy

ERASE = erasure.CAUSE
CLEAN = f"{ERASE}-clean"
_REQUESTS: dict[str, type[Message]] = {
    ERASE: asked.ContactErased,
    CLEAN: privacy_pb2.ErasureReport,
}
_WATCH = "erasure-watch"
_LOOK_AGAIN = timedelta(minutes=1)
_NIGHT = time(2, 0)  # UTC, as in contacts
_AT_ONCE = 500  # records in one statement
_MOST_BYTES = 256 << 20
"""A larger file of an operation is taken for one that names him: it can be made again."""


# -- asked for ---------------------------------------------------------------------------------------------------------------


@on(asked.ContactErased, durable="tasks-erasure")
async def begin(event: asked.ContactErased, tx: Tx) -> None:
    """It may take a while: an operation does it."""
    await _work_on(tx, event.erasure_id, ERASE, event)


async def _work_on(tx: Tx, erasure_id: str, kind: str, request: Message) -> None:
    """Starts the operation, and the timer that looks after it. What is asked for holds nothing but ids."""
    started: Any = await tx.start_operation(kind, request)
    payload = {
        "erasure_id": erasure_id,
        "kind": kind,
        "request": json_format.MessageToDict(request),
        "operation_id": started.name.rpartition("/")[2],
    }
    await tx.set_timer(_WATCH, erasure_id, tx.now + _LOOK_AGAIN, payload)


@timer(_WATCH)
async def watch(payload: dict[str, Any], tx: Tx) -> None:
    """Starts what is due, or what ended without having done it, and looks again until it is done."""
    erasure_id, kind = payload["erasure_id"], payload["kind"]
    if payload["operation_id"]:
        under_way = await tx.runtime.operations.get(tx, payload["operation_id"])
        if not under_way.done:
            return await tx.set_timer(_WATCH, erasure_id, tx.now + _LOOK_AGAIN, payload)
        if under_way.HasField("response"):
            return None
    request = _REQUESTS[kind]()
    json_format.ParseDict(payload["request"], request, ignore_unknown_fields=True)
    return await _work_on(tx, erasure_id, kind, request)


# -- carried out -------------------------------------------------------------------------------------------------------------


@operation(ERASE)
async def erase(run: OperationRun) -> None:
    """Each step may be done twice; what was found, ids all of it, is kept before anything is taken."""
    runtime = await erasure.runtime_of(run)
    event: Any = run.request
    found = dict(run.position)
    if "records" not in found:
        found = await run.write(lambda tx: look(tx, event))
        named = await _files_naming(run, runtime, {event.contact_id, *event.merged_ids})
        found["operations"] = sorted(named)
        found["left"] = sorted(id for each in named.values() for id in each)
        await run.progress(0, 2, position=found)
    if "counts" not in found:
        found |= await run.write(lambda tx: take(tx, event, found, keep=run.id))
        await run.progress(1, 2, position=found)
    counts = await _sweep(run, runtime, event, found)
    report = privacy_pb2.ErasureReport(
        erasure_id=event.erasure_id, service="tasks",
        places=[privacy_pb2.ErasedPlace(name=name, count=n) for name, n in sorted(counts.items()) if n],
    )  # fmt: skip
    if await erasure.clean_at_once(runtime):
        await _clean_and_confirm(run, report)
    else:
        await run.write(lambda tx: tonight(tx, report))


async def look(tx: Tx, event: asked.ContactErased) -> dict[str, Any]:
    """His records and the files that they name or named."""
    await tx.runtime.schemas.load(tx)  # the tenant's fields of type file
    records: dict[str, list[str]] = {}
    file_ids = set[str]()
    for object in moves.FOLLOWING:
        records[object] = await _about(tx, object, event)
        for message in await privacy.versions(tx, object, records[object]):
            file_ids |= _files_of(tx, object, message)
    everything = {*event.merged_ids, event.contact_id, *records["task"]}
    file_ids |= await import_erasure.files(tx, everything)
    return {"records": records, "files": sorted(file_ids)}


async def take(
    tx: Tx, event: asked.ContactErased, found: dict[str, Any], *, keep: str = ""
) -> dict[str, Any]:
    """Step 1, with what was written about him since `look` too."""
    tx.cause = Cause(erasure.CAUSE, event.erasure_id)
    ids = [event.contact_id, *event.merged_ids]
    records: dict[str, list[str]] = {}
    counts: erasure.Counts = {}
    for object, resource in moves.FOLLOWING.items():
        about = await _about(tx, object, event)
        records[object] = sorted({*found["records"][object], *about})
        counts[str(resource.name)] = await _anonymise(tx, object, event)
    await erasure.added(counts, privacy.forget(tx, ids, records))
    texts = {*ids, *(id for each in records.values() for id in each)}
    counts["import_rows"] = await import_erasure.scrub(tx, texts)
    emptied = erasure.empty_plumbing(tx, texts, keep=keep, operations=found["operations"])
    await erasure.added(counts, emptied)
    held = await privacy.held_files(tx, found["files"])
    return {
        "records": records, "files": sorted({*found["files"]} - held), "counts": counts,
        "late": await erasure.operations_under_way(tx),
    }  # fmt: skip


async def _concerning(tx: Tx, object: str, event: asked.ContactErased) -> list[Any]:
    return await privacy.concerning(
        tx, object, [event.contact_id, *event.merged_ids], list(event.record_ids)
    )


async def _about(tx: Tx, object: str, event: asked.ContactErased) -> list[str]:
    """What is about him, and not only with him among others."""
    read = moves.FOLLOWING[object].message.FromString
    found = [read(row["doc"]) for row in await _concerning(tx, object, event)]
    return [record.id for record in found if _is_about(record, event)]


def _is_about(record: Any, event: asked.ContactErased) -> bool:
    return rules.is_about(record, [event.contact_id, *event.merged_ids], event.record_ids)


async def _anonymise(tx: Tx, object: str, event: asked.ContactErased) -> int:
    """His own records become bare, meetings with others go on without him; the number of records."""
    resource, writes = moves.FOLLOWING[object], []
    for row in await _concerning(tx, object, event):
        old = resource.message.FromString(row["doc"])
        if not _is_about(old, event):
            new = resource.message.FromString(row["doc"])
            rules.without(new, [event.contact_id, *event.merged_ids])
        elif object == "task":
            new = rules.anonymised_task(old, at=tx.now)
            await deadlines.follow(tx, new, old)
            await series.follow(tx, new, old)
        else:
            new = rules.anonymised_meeting(old, at=tx.now)
            await timers_meetings.follow(tx, new)
        writes.append(bulk.Write(new, row["doc"], "deleted" if row["delete_time"] else ""))
    for at in range(0, len(writes), _AT_ONCE):
        await bulk.write(tx, resource, writes[at : at + _AT_ONCE])
    return len(writes)


async def _sweep(
    run: OperationRun, runtime: Runtime, event: Any, found: dict[str, Any]
) -> erasure.Counts:
    """Step 2, by ids alone."""
    ids = {event.contact_id, *event.merged_ids}
    records = {id for each in found["records"].values() for id in each}
    counts: erasure.Counts = dict(found["counts"])
    late = found["late"]  # what read him before he was gone may write about him until it ends
    await erasure.until_over(run, late)
    made = await run.write(lambda tx: import_erasure.files(tx, ids | records))
    counts["import_rows"] += await run.write(lambda tx: import_erasure.scrub(tx, ids | records))
    left = await run.write(lambda tx: erasure.files_of_operations(tx, set(late)))
    named = {id for each in left.values() for id in each}
    counts["files"] = await _remove(
        runtime, run.tenant, {*found["files"], *found["left"], *named, *made}
    )
    await erasure.added(
        counts,
        run.write(
            lambda tx: erasure.empty_plumbing(tx, ids | records, keep=run.id, operations=late)
        ),
    )
    await erasure.until_published(runtime, run.tenant)

    def tells(headers: Any, body: bytes) -> bool:
        return erasure.tells_of(headers, body, ids | records)

    await erasure.added(counts, erasure.erase_streams(runtime.nats, run.tenant, ["tasks"], tells))
    return counts


# -- files -------------------------------------------------------------------------------------------------------------------


def _files_of(tx: Tx, object: str, message: Any) -> set[str]:
    """The files that a record names: in its own fields, in its result, in the tenant's fields of type file."""
    resource = moves.FOLLOWING[object]
    found = {id for _, id in files.named_in(message)}
    if resource.has_custom:
        known = tx.runtime.schemas.known(tx.tenant, resource).fields
        found |= set(files.held_in_custom(known, message))
    for value in getattr(message, "result", {}).values():
        found |= {id.decode() for id in erasure.UUID.findall(value.SerializeToString())}
    return {id for id in found if erasure.UUID.fullmatch(id.encode())}


async def _files_naming(
    run: OperationRun, runtime: Runtime, ids: Collection[str]
) -> dict[str, set[str]]:
    """Finished operation -> the files that it left and in which one of the ids stands."""
    found: dict[str, set[str]] = {}
    for operation_id, named in (
        await run.write(lambda tx: erasure.files_of_operations(tx))
    ).items():
        for id in sorted(named):
            with suppress(NotFound):
                blob = await runtime.blobs.get(run.tenant, id)
                if blob.size > _MOST_BYTES or await _names(runtime, run.tenant, id, ids):
                    found.setdefault(operation_id, set()).add(id)
    return found


async def _names(runtime: Runtime, tenant: str, file_id: str, ids: Collection[str]) -> bool:
    content = b"".join([chunk async for chunk in runtime.blobs.read(tenant, file_id)])

    def stands() -> bool:
        return any(id.encode() in part for part in _parts(content) for id in ids)

    return await asyncio.to_thread(stands)


def _parts(content: bytes) -> Iterable[bytes]:
    """A file, or the files in it: XLSX is a zip file."""
    if not content.startswith(b"PK"):
        return [content]
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return [archive.read(name) for name in archive.namelist()]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError):  # damaged, or with a password
        return [content]


async def _remove(runtime: Runtime, tenant: str, ids: Iterable[str]) -> int:
    """Removes those of the ids that are files; returns how many there were."""
    count = 0
    for id in sorted(ids):
        with suppress(NotFound):
            await runtime.blobs.get(tenant, id)
            await runtime.blobs.delete(tenant, id)
            count += 1
    return count


# -- the end -----------------------------------------------------------------------------------------------------------------


async def tonight(tx: Tx, report: privacy_pb2.ErasureReport) -> None:
    """Rewriting a large database keeps people waiting: it is done when they sleep."""
    day = tx.now.date() + timedelta(days=1 if tx.now.time() >= _NIGHT else 0)
    payload = {
        "erasure_id": report.erasure_id,
        "kind": CLEAN,
        "request": json_format.MessageToDict(report),
        "operation_id": "",
    }
    await tx.set_timer(_WATCH, report.erasure_id, datetime.combine(day, _NIGHT, UTC), payload)


@operation(CLEAN)
async def clean(run: OperationRun) -> None:
    """The last step of an erasure, where it had to wait for the night; its request is the report so far."""
    report: Any = run.request
    await _clean_and_confirm(run, report)


async def _clean_and_confirm(run: OperationRun, report: privacy_pb2.ErasureReport) -> None:
    cleaned = await erasure.clean_database(await erasure.runtime_of(run))

    async def confirm(tx: Tx) -> None:
        tx.cause = Cause(erasure.CAUSE, report.erasure_id)
        done = privacy_pb2.ErasureReport(time=to_timestamp(tx.now), remains=cleaned.remains)
        done.MergeFrom(report)
        tx.emit(events.ErasureDone(report=done))

    await run.write(confirm)
