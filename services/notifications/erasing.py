"""notifications' part when a person is erased, or asks for his data.

What tells of the person goes whole: notices and comments about him or a record that stood on him, what waits for a digest,
visits that lie ahead, who might read his records; then stored answers, operations, the stream and dead letters, as everywhere.
A timer sees to it that the answer comes, and a database that is too large to be rewritten while people work is rewritten at night.
"""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import orjson
from google.protobuf import json_format
from google.protobuf.message import Message

from chassis import erasure, personal_data
from chassis.call import Cause
from chassis.handlers import on, operation, timer
from chassis.operation_runs import OperationRun
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.common.v1 import privacy_pb2
from crm.contacts.v1 import privacy_events_pb2 as asked
from crm.notifications.v1 import privacy_events_pb2 as events
from services.notifications import comments, store

ERASE, HAND_OUT = erasure.CAUSE, "personal_data"
CLEAN = f"{ERASE}-clean"
_REQUESTS: dict[str, type[Message]] = {ERASE: asked.ContactErased, CLEAN: privacy_pb2.ErasureReport}
_WATCH = "erasure-watch"
_LOOK_AGAIN = timedelta(minutes=1)
_NIGHT = time(2, 0)  # UTC, as in contacts


@on(asked.ContactErased, durable="notifications-erasure")
async def begin(event: asked.ContactErased, tx: Tx) -> None:
    """It may take a while: an operation does it."""
    await _work_on(tx, event.erasure_id, ERASE, event)


async def _work_on(tx: Tx, erasure_id: str, kind: str, request: Message) -> None:
    """Starts the operation, and the timer that looks after it. What is asked for holds nothing but ids."""
    started: Any = await tx.start_operation(kind, request)
    payload = {
        "erasure_id": erasure_id, "kind": kind, "request": json_format.MessageToDict(request),
        "operation_id": started.name.rpartition("/")[2],
    }  # fmt: skip
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


@operation(ERASE)
async def erase(run: OperationRun) -> None:
    """Each step may be done twice."""
    runtime = await erasure.runtime_of(run)
    event: Any = run.request
    ids = {event.contact_id, *event.merged_ids, *event.record_ids}
    if "comments" not in run.position:  # a second try must still know whose events to remove
        said = await run.write(lambda tx: store.comments.about(tx, sorted(ids)))
        await run.progress(0, position={"comments": said})
    ids.update(run.position["comments"])
    counts: erasure.Counts = await run.write(lambda tx: _take(tx, sorted(ids)))
    await erasure.added(
        counts, await run.write(lambda tx: erasure.empty_plumbing(tx, ids, keep=run.id))
    )
    await erasure.until_published(runtime, run.tenant)

    def tells(headers: Any, body: bytes) -> bool:
        return erasure.tells_of(headers, body, ids) or _is_notice_of(body, ids)

    await erasure.added(
        counts, erasure.erase_streams(runtime.nats, run.tenant, ["notifications"], tells)
    )
    report = privacy_pb2.ErasureReport(
        erasure_id=event.erasure_id, service="notifications",
        places=[privacy_pb2.ErasedPlace(name=name, count=n) for name, n in sorted(counts.items()) if n],
    )  # fmt: skip
    if await erasure.clean_at_once(runtime):
        await _clean_and_confirm(run, report)
    else:
        await run.write(lambda tx: tonight(tx, report))


def _is_notice_of(body: bytes, ids: set[str]) -> bool:
    """True for a notice that names one of them anywhere: it names its persons in a list, and exists for nobody else."""
    named = {each.decode() for each in erasure.UUID.findall(body)}
    return not named.isdisjoint(ids) and "notice" in orjson.loads(body)


async def _take(tx: Tx, ids: list[str]) -> erasure.Counts:
    """What tells of the person or of what stood on him, out of the tables."""
    told = await store.notices.about(tx, ids)
    counts = {"deliveries": await store.deliveries.forget(tx, told)}
    counts["notices"] = await store.notices.remove(tx, told)
    counts["gathered_notices"] = await store.notices.forget_gathered(tx, ids)
    counts["visits"] = await store.visits.forget(tx, ids)
    counts["guards"] = await store.guards.forget(tx, ids)
    said, _ = await comments.erase(tx, ids)
    return {**counts, **said}


async def tonight(tx: Tx, report: privacy_pb2.ErasureReport) -> None:
    """Rewriting a large database keeps people waiting: it is done when they sleep."""
    day = tx.now.date() + timedelta(days=1 if tx.now.time() >= _NIGHT else 0)
    payload = {
        "erasure_id": report.erasure_id, "kind": CLEAN, "request": json_format.MessageToDict(report),
        "operation_id": "",
    }  # fmt: skip
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


@on(asked.PersonalDataRequested, durable="notifications-personal-data")
async def begin_to_hand_out(event: asked.PersonalDataRequested, tx: Tx) -> None:
    """The file is written by an operation: no transaction waits for the blob store."""
    await tx.start_operation(HAND_OUT, event)


@operation(HAND_OUT)
async def hand_out(run: OperationRun) -> None:
    """The notices and comments about the person, in a file."""
    runtime = await erasure.runtime_of(run)
    event: Any = run.request
    if "file_id" not in run.position:
        ids = [event.contact_id, *event.merged_ids]
        told = await run.write(lambda tx: _notices(tx, ids))
        said = await run.write(lambda tx: comments.about(tx, ids))
        file_id = await personal_data.keep(
            runtime, run.tenant, f"notifications-{event.contact_id}.json",
            personal_data.encoded({"notices": told, "comments": said}), type="application/json", owner_id="",
        )  # fmt: skip
        await run.progress(1, 1, position={"file_id": file_id})
    await run.write(lambda tx: _tell(tx, event, run.position["file_id"]))


async def _notices(tx: Tx, ids: list[str]) -> list[Any]:
    return list(await store.notices.notices.find_many(tx, await store.notices.about(tx, ids)))


async def _tell(tx: Tx, event: asked.PersonalDataRequested, file_id: str) -> None:
    part = privacy_pb2.PersonalDataPart(
        export_id=event.export_id, service="notifications", contact_id=event.contact_id, file_id=file_id
    )  # fmt: skip
    tx.emit(events.PersonalDataReady(part=part))
