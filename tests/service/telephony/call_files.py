"""What the tests of imports of calls share: somebody with files, and imports of them."""

from dataclasses import dataclass
from typing import Any

from google.longrunning import operations_pb2

from chassis.testing.installation import Person
from crm.common.v1 import common_pb2
from crm.common.v1 import imports_pb2 as imports
from crm.telephony.v1 import imports_service_pb2 as pb
from crm.telephony.v1 import operation_pb2
from crm.telephony.v1.calls_service_pb2_grpc import CallsServiceStub
from crm.telephony.v1.imports_service_pb2_grpc import CallImportsServiceStub
from tests.service.kit.support import until
from tests.service.telephony.world import World

Import = imports.Import
Options = imports.ImportOptions


@dataclass
class Clerk:
    """Somebody who imports and exports calls."""

    world: World
    person: Person

    @property
    def stub(self) -> Any:
        return self.person.stub(CallImportsServiceStub)

    @property
    def blobs(self) -> Any:
        return self.world.running.process.runtimes["telephony"].blobs

    async def begin(self, content: str, **values: Any) -> Import:
        """An import whose head has been read."""

        async def chunks() -> Any:
            yield content.encode()

        blob = await self.blobs.put(
            self.world.tenant.id, chunks(), type="text/csv", name="calls.csv", owner_id=self.person.id, max_bytes=1 << 24
        )  # fmt: skip
        made = Import(resource="calls", file_id=blob.id, **values)
        created = await self.stub.CreateImport(pb.CreateImportRequest(**{"import": made}))
        await self.done(created.operation)
        return await self.get(created.id)

    async def get(self, id: str) -> Import:
        return await self.stub.GetImport(pb.GetImportRequest(id=id))

    async def plan(self, imported: Import) -> Import:
        await self.done((await self.stub.PlanImport(pb.PlanImportRequest(id=imported.id))).name)
        return await self.get(imported.id)

    async def run(self, imported: Import) -> Import:
        await self.done((await self.stub.RunImport(pb.RunImportRequest(id=imported.id))).name)
        return await self.get(imported.id)

    async def undo(self, imported: Import) -> Import:
        await self.done((await self.stub.UndoImport(pb.UndoImportRequest(id=imported.id))).name)
        return await self.get(imported.id)

    async def imported(self, content: str, **values: Any) -> Import:
        """From the file to the end of the run."""
        return await self.run(await self.plan(await self.begin(content, **values)))

    async def reasons(self, imported: Import) -> dict[int, str]:
        """Line -> why it was not taken."""
        asked = pb.ListImportRowsRequest(id=imported.id, page_size=200)
        rows = (await self.stub.ListImportRows(asked)).rows
        return {row.line: row.reason for row in rows if row.reason}

    async def export(self, **asked: Any) -> str:
        """The content of an exported file."""
        started = await self.stub.ExportCalls(pb.ExportCallsRequest(**asked))
        listed = common_pb2.ListedFile()
        (await self.done(started.name)).response.Unpack(listed)
        chunks = [c async for c in self.blobs.read(self.world.tenant.id, listed.file_id)]
        return b"".join(chunks).decode("utf-8-sig")

    async def done(self, name: str) -> operations_pb2.Operation:
        """The operation at its good end."""
        request = operation_pb2.GetOperationRequest(id=name.rpartition("/")[2])

        async def over() -> Any:
            operation = await self.person.stub(CallsServiceStub).GetOperation(request)
            return operation if operation.done else None

        ended: operations_pb2.Operation = await until(over, timeout_s=60)
        assert not ended.HasField("error"), ended.error
        return ended


def counts(made: Any) -> dict[str, int]:
    """What is not zero of counts."""
    return {field.name: value for field, value in made.ListFields()}
