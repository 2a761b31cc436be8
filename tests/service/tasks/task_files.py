"""What the tests of imports of tasks share: somebody with files, imports of them, and what is left of them."""

from dataclasses import dataclass
from typing import Any

import orjson
from google.longrunning import operations_pb2
from google.protobuf.field_mask_pb2 import FieldMask

from chassis.testing.installation import Person
from crm.common.v1 import common_pb2
from crm.common.v1 import imports_pb2 as imports
from crm.contacts.v1 import company_pb2, contact_pb2, events_pb2
from crm.tasks.v1 import imports_service_pb2 as pb
from crm.tasks.v1 import operation_pb2
from crm.tasks.v1.imports_service_pb2_grpc import TaskImportsServiceStub
from services.tasks import consumers_parties
from tests.service.kit.support import until
from tests.service.tasks.moving import system
from tests.service.tasks.world import World

Import = imports.Import
Options = imports.ImportOptions
SKIP = Options.ON_MATCH_SKIP
OVERWRITE = Options.ON_MATCH_OVERWRITE


@dataclass
class Clerk:
    """Somebody who imports and exports tasks."""

    world: World
    person: Person

    @property
    def stub(self) -> Any:
        return self.person.stub(TaskImportsServiceStub)

    async def upload(self, content: str) -> str:
        """A file of this person's, as the gateway would store it."""

        async def chunks() -> Any:
            yield content.encode()

        blob = await self.blobs.put(
            self.world.tenant.id, chunks(), type="text/csv", name="tasks.csv", owner_id=self.person.id, max_bytes=1 << 24
        )  # fmt: skip
        return str(blob.id)

    @property
    def blobs(self) -> Any:
        return self.world.running.process.runtimes["tasks"].blobs

    async def content(self, file_id: str) -> str:
        """What a file holds."""
        chunks = [c async for c in self.blobs.read(self.world.tenant.id, file_id)]
        return b"".join(chunks).decode("utf-8-sig")

    async def begin(self, content: str, *, resource: str = "tasks", **values: Any) -> Import:
        """An import whose head has been read."""
        made = Import(resource=resource, file_id=await self.upload(content), **values)
        created = await self.stub.CreateImport(pb.CreateImportRequest(**{"import": made}))
        await self.done(created.operation)
        return await self.get(created.id)

    async def get(self, id: str) -> Import:
        return await self.stub.GetImport(pb.GetImportRequest(id=id))

    async def update(self, imported: Import, *paths: str) -> Import:
        request = pb.UpdateImportRequest(**{"import": imported}, update_mask=FieldMask(paths=paths))
        await self.stub.UpdateImport(request)
        return await self.get(imported.id)

    async def plan(self, imported: Import) -> Import:
        started = await self.stub.PlanImport(pb.PlanImportRequest(id=imported.id))
        await self.done(started.name)
        return await self.get(imported.id)

    async def run(self, imported: Import) -> Import:
        started = await self.stub.RunImport(pb.RunImportRequest(id=imported.id))
        await self.done(started.name)
        return await self.get(imported.id)

    async def undo(self, imported: Import) -> Import:
        started = await self.stub.UndoImport(pb.UndoImportRequest(id=imported.id))
        await self.done(started.name)
        return await self.get(imported.id)

    async def imported(self, content: str, **values: Any) -> Import:
        """From the file to the end of the run."""
        return await self.run(await self.plan(await self.begin(content, **values)))

    async def rows(self, imported: Import) -> list[imports.ImportRow]:
        asked = pb.ListImportRowsRequest(id=imported.id, page_size=200)
        return list((await self.stub.ListImportRows(asked)).rows)

    async def export(self, **asked: Any) -> str:
        """The content of an exported file."""
        started = await self.stub.ExportTasks(pb.ExportTasksRequest(**asked))
        operation = await self.done(started.name)
        listed = common_pb2.ListedFile()
        operation.response.Unpack(listed)
        return await self.content(listed.file_id)

    async def done(self, name: str) -> operations_pb2.Operation:
        """The operation at its good end."""
        request = operation_pb2.GetOperationRequest(id=name.rpartition("/")[2])

        async def over() -> Any:
            operation = await self.world.stub(self.person).GetOperation(request)
            return operation if operation.done else None

        ended: operations_pb2.Operation = await until(over, timeout_s=60)
        assert not ended.HasField("error"), ended.error
        return ended


def counts(made: Any) -> dict[str, int]:
    """What is not zero of counts."""
    return {field.name: value for field, value in made.ListFields()}


async def content_of(world: World) -> dict[str, Any]:
    """Every living task without etag and time of change, which no undo gives back; whose ids are whose; and all timers."""
    found: dict[str, Any] = {}
    for row in await world.running.rows(
        "tasks", "SELECT json FROM tasks WHERE tenant_id = $1 AND delete_time IS NULL", world.tenant.id
    ):  # fmt: skip
        task = orjson.loads(row["json"])
        found[task["id"]] = {k: v for k, v in task.items() if k not in ("etag", "updateTime")}
    claims = await world.running.rows(
        "tasks", "SELECT key, task_id::text AS id FROM task_keys WHERE tenant_id = $1 ORDER BY key", world.tenant.id
    )  # fmt: skip
    return found | {"claims": [tuple(row) for row in claims], "timers": await timers(world)}


async def timers(world: World) -> list[tuple[str, str]]:
    """(kind, key) of the timers of tasks that are set."""
    rows = await world.running.rows(
        "tasks", "SELECT kind, key FROM timers WHERE tenant_id = $1 AND kind IN ('deadline', 'ladder', 'task-series')"
        " ORDER BY kind, key", world.tenant.id,
    )  # fmt: skip
    return [tuple(row) for row in rows]


async def told(
    world: World, party: contact_pb2.Contact | company_pb2.Company, *, version: int = 1
) -> None:
    """contacts tells of a contact or company."""
    change = common_pb2.Change(version=version)
    event: Any
    if isinstance(party, contact_pb2.Contact):
        event = events_pb2.ContactUpdated(change=change, contact=party)
    else:
        event = events_pb2.CompanyUpdated(change=change, company=party)
    await system(world, lambda tx: consumers_parties.follow(event, tx))
