"""identity's part when a person is erased, or asks for his data.

identity keeps nothing of a company's customers but the audit's entries about them: who did what with which record and when,
by ids alone. They stay after an erasure, because they account for what colleagues did; stored answers, operations, the stream
and dead letters (which may hold a failed event with the person in it) are erased like everywhere.
"""

from datetime import UTC, datetime
from typing import Any

from chassis import erasure, personal_data
from chassis.call import Cause
from chassis.handlers import on, operation
from chassis.operation_runs import OperationRun
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.common.v1 import privacy_pb2
from crm.contacts.v1 import privacy_events_pb2 as asked
from crm.identity.v1 import privacy_events_pb2 as events
from services.identity import store

ERASE, HAND_OUT = erasure.CAUSE, "personal_data"
_MOST_ENTRIES = 10_000
_END, _LAST_ID = datetime(9999, 1, 1, tzinfo=UTC), "ffffffff-ffff-ffff-ffff-ffffffffffff"


@on(asked.ContactErased, durable="identity-erasure")
async def begin(event: asked.ContactErased, tx: Tx) -> None:
    """It may take a while: an operation does it."""
    await tx.start_operation(ERASE, event)


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
    cleaned = await erasure.clean_database(runtime)
    await run.write(lambda tx: _confirm(tx, event.erasure_id, counts, cleaned.remains))


async def _confirm(tx: Tx, id: str, counts: erasure.Counts, remains: list[str]) -> None:
    tx.cause = Cause(erasure.CAUSE, id)
    report = privacy_pb2.ErasureReport(
        erasure_id=id, service="identity", time=to_timestamp(tx.now), remains=remains,
        places=[privacy_pb2.ErasedPlace(name=name, count=n) for name, n in sorted(counts.items()) if n],
    )  # fmt: skip
    tx.emit(events.ErasureDone(report=report))


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
