"""tasks' part when somebody asks for everything that is kept about him: his tasks and meetings with all their versions."""

from typing import Any

from chassis import erasure, personal_data
from chassis.handlers import on, operation
from chassis.operation_runs import OperationRun
from chassis.tx import Tx
from crm.common.v1 import privacy_pb2
from crm.contacts.v1 import privacy_events_pb2 as asked
from crm.tasks.v1 import privacy_events_pb2 as events
from services.tasks.store import moves, privacy

HAND_OUT = "personal_data"


@on(asked.PersonalDataRequested, durable="tasks-personal-data")
async def begin_to_hand_out(event: asked.PersonalDataRequested, tx: Tx) -> None:
    """The file is written by an operation: no transaction waits for the blob store."""
    await tx.start_operation(HAND_OUT, event)


@operation(HAND_OUT)
async def hand_out(run: OperationRun) -> None:
    """What tasks keeps of the contact, in a file."""
    runtime = await erasure.runtime_of(run)
    event: Any = run.request
    if "file_id" not in run.position:
        ids = [event.contact_id, *event.merged_ids]
        content = personal_data.encoded(await run.write(lambda tx: everything(tx, ids)))
        name = f"tasks-{event.contact_id}.json"
        file_id = await personal_data.keep(
            runtime, run.tenant, name, content, type="application/json", owner_id=""
        )
        await run.progress(1, 1, position={"file_id": file_id})
    await run.write(lambda tx: _tell(tx, event, run.position["file_id"]))


async def everything(tx: Tx, ids: list[str]) -> dict[str, list[Any]]:
    """Table -> records that concern these contacts, as they are and as they were."""
    content: dict[str, list[Any]] = {}
    for object, resource in moves.FOLLOWING.items():
        rows = await privacy.concerning(tx, object, ids, [])
        content[str(resource.name)] = [resource.message.FromString(row["doc"]) for row in rows]
        found = [str(row["id"]) for row in rows]
        content[f"{resource.name}_history"] = await privacy.versions(tx, object, found)
    return content


async def _tell(tx: Tx, event: asked.PersonalDataRequested, file_id: str) -> None:
    part = privacy_pb2.PersonalDataPart(
        export_id=event.export_id, service="tasks", contact_id=event.contact_id, file_id=file_id
    )
    tx.emit(events.PersonalDataReady(part=part))
