"""Everything that all services keep about a person, as one zip file (U40).

The operation asks the others by PersonalDataRequested and waits: each puts its part into a file and says which by an event with
a field `part`. contacts' own part is read here. Who has not answered in time is named; his late part is removed.
"""

import asyncio
import io
import zipfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from chassis import erasure, personal_data
from chassis.erasure_files import remove_files
from chassis.errors import NotFound
from chassis.handlers import operation
from chassis.operation_runs import OperationRun
from chassis.runtime import Runtime
from chassis.tx import Tx
from chassis.waits import first_of
from crm.common.v1 import audit_pb2, privacy_pb2
from crm.contacts.v1 import privacy_events_pb2 as events
from crm.contacts.v1 import privacy_pb2 as pb
from crm.contacts.v1.card_facts_pb2 import CardFacts
from services.contacts import erasing, store
from services.contacts.store import erasures, privacy
from services.contacts.store import personal_data as kept

KIND = personal_data.KIND
WAIT_S = 120
_LOOK_S = 0.25
_ARCHIVE = ""  # the service of the archive itself among the files


def who_answers() -> list[str]:
    """The other services that have a part."""
    return sorted(erasure.answering("part", privacy_pb2.PersonalDataPart))


@operation(KIND)
async def export(run: OperationRun) -> pb.PersonalDataArchive:
    """Asks, waits, puts together; a resumed run goes on waiting for what it has asked for."""
    runtime = await erasure.runtime_of(run)
    request: Any = run.request
    if not run.position:
        await run.write(lambda tx: _ask(tx, run, request.id), position={"asked": True})
    parts = await _answers(run, request.wait_s or WAIT_S)
    ids = await run.write(lambda tx: erasing.family(tx, request.id))
    content, files = await run.write(lambda tx: everything(tx, ids))
    archive = await _archive(runtime, run.tenant, content, parts, files)
    name = f"personal-data-{request.id}.zip"
    file_id = await personal_data.keep(
        runtime,
        run.tenant,
        name,
        archive.getvalue(),
        type="application/zip",
        owner_id=run.actor.user_id,
    )
    await run.write(lambda tx: _kept(tx, run.id, request.id, file_id))
    await remove_files(runtime, run.tenant, parts.values())
    return pb.PersonalDataArchive(
        contact_id=request.id, file_id=file_id, services=sorted(["contacts", *parts]),
        missing_services=sorted(set(who_answers()) - parts.keys()), file_count=len(files),
    )  # fmt: skip


async def _ask(tx: Tx, run: OperationRun, contact_id: str) -> None:
    ids = await erasing.family(tx, contact_id)
    tx.actor = run.actor
    tx.emit(
        events.PersonalDataRequested(
            export_id=run.id, contact_id=contact_id, merged_ids=[id for id in ids if id != contact_id],
            audited=audit_pb2.AuditedAction(
                action="personal_data_export", object="contact", object_id=contact_id, session_id=run.actor.session_id
            ),
        )
    )  # fmt: skip


async def _kept(tx: Tx, export_id: str, contact_id: str, file_id: str) -> None:
    """Noted, so that an erasure of the person takes the archive too; or not kept, if he was erased meanwhile."""
    await tx.lock(f"subject/{contact_id}")
    if not await privacy.still_there(tx, [contact_id]):
        raise NotFound(f"there is no contact with id {contact_id}")
    await erasures.add_personal_file(tx, export_id, _ARCHIVE, contact_id, file_id)


async def _answers(run: OperationRun, wait_s: float) -> dict[str, str]:
    """Service -> file, as soon as all have answered, or of those that have when the time is over."""
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_s
    while True:
        parts = await run.write(lambda tx: erasures.personal_files(tx, run.id))
        if set(who_answers()) <= parts.keys() or loop.time() > until:
            return {service: file for service, file in parts.items() if service != _ARCHIVE}
        await first_of(asyncio.Event(), timeout_s=_LOOK_S)


async def noted(event: Any, tx: Tx) -> None:
    """A service's part is there."""
    part: privacy_pb2.PersonalDataPart = event.part
    await erasures.add_personal_file(
        tx, part.export_id, part.service, part.contact_id, part.file_id
    )


def consumers() -> list[Callable[..., Any]]:
    """One for each event by which some service answers."""
    return erasure.hearing(
        "part", privacy_pb2.PersonalDataPart, noted, durable="contacts-personal-data"
    )


async def everything(tx: Tx, ids: list[str]) -> tuple[dict[str, list[Any]], list[str]]:
    """What contacts keeps: table -> records and rows; and the person's files."""
    person = await erasing.look(tx, ids)
    content: dict[str, list[Any]] = {}
    for resource, records in (
        (store.contacts, ids), (store.requests, person.requests),
        *((resource, person.standing[table]) for table, resource in privacy.standing().items()),
    ):  # fmt: skip
        content[resource.name] = await kept.present(tx, resource, records)
        content[f"{resource.name}_history"] = await kept.past(tx, resource, records)
    content["card_facts"] = [
        CardFacts.FromString(row["facts"])
        for row in await store.card_facts.rows(tx, "contact", ids)
        if row["facts"]
    ]
    content |= await kept.rows_of(tx, [*ids, *person.records], person.requests)
    return content, sorted(person.files - set(await erasures.personal_files_of(tx, ids)))


async def _archive(
    runtime: Runtime,
    tenant_id: str,
    content: dict[str, list[Any]],
    parts: dict[str, str],
    files: list[str],
) -> io.BytesIO:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("contacts.json", personal_data.encoded(content))
        for service, file_id in sorted(parts.items()):
            archive.writestr(f"{service}.json", await _read(runtime, tenant_id, file_id))
        for file_id in files:
            with suppress(NotFound):  # named once, and removed since
                blob = await runtime.blobs.get(tenant_id, file_id)
                name = blob.name.replace("\\", "/").rpartition("/")[2] or "file"
                archive.writestr(
                    f"files/{file_id}/{name}", await _read(runtime, tenant_id, file_id)
                )
    return made


async def _read(runtime: Runtime, tenant_id: str, file_id: str) -> bytes:
    return b"".join([chunk async for chunk in runtime.blobs.read(tenant_id, file_id)])
