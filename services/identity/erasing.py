"""identity's part when a person is erased, or asks for his data.

identity keeps nothing of a company's customers but the audit's entries about them: who did what with which record and when,
by ids alone. They stay after an erasure, because they account for what colleagues did; stored answers, operations, the stream
and dead letters (which may hold a failed event with the person in it) are erased like everywhere.

A timer sees to it that the answer comes: an operation that ended without one, whatever ended it, is started again. A database
that is too large to be rewritten while people work is rewritten at night, and confirmed then.
"""

from datetime import UTC, datetime, time, timedelta
from typing import Any

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
from crm.identity.v1 import privacy_events_pb2 as events
from services.identity import store

ERASE, HAND_OUT = erasure.CAUSE, "personal_data"
CLEAN = f"{ERASE}-clean"
_REQUESTS: dict[str, type[Message]] = {
    ERASE: asked.ContactErased,
    CLEAN: privacy_pb2.ErasureReport,
}
_WATCH = "erasure-watch"
_LOOK_AGAIN = timedelta(minutes=1)
_NIGHT = time(2, 0)  # UTC, as in contacts
_MOST_ENTRIES = 10_000
_END, _LAST_ID = datetime(9999, 1, 1, tzinfo=UTC), "ffffffff-ffff-ffff-ffff-ffffffffffff"


@on(asked.ContactErased, durable="identity-erasure")
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


@operation(ERASE)
async def erase(run: OperationRun) -> None:
    """Each step may be done twice."""
    runtime = await erasure.runtime_of(run)
    event: Any = run.request
    ids = {event.contact_id, *event.merged_ids, *event.record_ids}
    counts: erasure.Counts = await run.write(
        lambda tx: erasure.empty_plumbing(tx, ids, keep=run.id)
    )
    await erasure.until_published(runtime, run.tenant)

    def tells(headers: Any, body: bytes) -> bool:
        return erasure.tells_of(headers, body, ids)

    await erasure.added(
        counts, erasure.erase_streams(runtime.nats, run.tenant, ["identity"], tells)
    )
    report = privacy_pb2.ErasureReport(
        erasure_id=event.erasure_id, service="identity",
        places=[privacy_pb2.ErasedPlace(name=name, count=n) for name, n in sorted(counts.items()) if n],
    )  # fmt: skip
    if await erasure.clean_at_once(runtime):
        await _clean_and_confirm(run, report)
    else:
        await run.write(lambda tx: tonight(tx, report))


async def tonight(tx: Tx, report: privacy_pb2.ErasureReport) -> None:
    """Rewriting a large database keeps people waiting, whoever signs in among them: it is done when they sleep."""
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


@on(asked.PersonalDataRequested, durable="identity-personal-data")
async def begin_to_hand_out(event: asked.PersonalDataRequested, tx: Tx) -> None:
    """The file is written by an operation: no transaction waits for the blob store."""
    await tx.start_operation(HAND_OUT, event)


@operation(HAND_OUT)
async def hand_out(run: OperationRun) -> None:
    """The audit's entries about the contact, in a file."""
    runtime = await erasure.runtime_of(run)
    event: Any = run.request
    if "file_id" not in run.position:
        entries = await run.write(lambda tx: _entries(tx, [event.contact_id, *event.merged_ids]))
        content = personal_data.encoded({"audit_entries": entries})
        name = f"identity-{event.contact_id}.json"
        file_id = await personal_data.keep(
            runtime, run.tenant, name, content, type="application/json", owner_id=""
        )
        await run.progress(1, 1, position={"file_id": file_id})
    await run.write(lambda tx: _tell(tx, event, run.position["file_id"]))


async def _entries(tx: Tx, ids: list[str]) -> list[dict[str, Any]]:
    found = []
    for id in ids:
        filters = {"object_id": id}
        for row in await store.audit_entries_before(
            tx, filters, time=_END, id=_LAST_ID, many=_MOST_ENTRIES
        ):
            shown = {name: row[name] for name in ("kind", "actor", "object", "details")}
            found.append(shown | {"time": row["time"].isoformat(), "object_id": id})
    return found


async def _tell(tx: Tx, event: asked.PersonalDataRequested, file_id: str) -> None:
    tx.emit(
        events.PersonalDataReady(
            part=privacy_pb2.PersonalDataPart(
                export_id=event.export_id,
                service="identity",
                contact_id=event.contact_id,
                file_id=file_id,
            )
        )
    )
