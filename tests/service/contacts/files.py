"""What the tests of imports share: somebody with files, imports of them, and what is left of them."""

from dataclasses import dataclass
from typing import Any

import orjson
from google.longrunning import operations_pb2
from google.protobuf.field_mask_pb2 import FieldMask

from chassis.testing.installation import Person
from crm.common.v1 import common_pb2
from crm.common.v1 import imports_pb2 as imports
from crm.contacts.v1 import imports_service_pb2 as pb
from crm.contacts.v1 import operation_pb2
from crm.contacts.v1.imports_service_pb2_grpc import ImportsServiceStub
from tests.service.contacts.world import World
from tests.service.kit.support import until

Import = imports.Import
Options = imports.ImportOptions
Row = imports.ImportRow
SKIP, FILL, OVERWRITE = (Options.ON_MATCH_SKIP, Options.ON_MATCH_FILL_BLANKS, Options.ON_MATCH_OVERWRITE)  # fmt: skip


@dataclass
class Clerk:
    """Somebody who imports and exports."""

    world: World
    person: Person
    patience_s: float = 60
    """How long an operation may take."""

    @property
    def stub(self) -> Any:
        return self.person.stub(ImportsServiceStub)

    async def upload(self, content: bytes, name: str = "people.csv") -> str:
        """A file of this person's, as the gateway would store it."""

        async def chunks() -> Any:
            for at in range(0, len(content), 65_536):
                yield content[at : at + 65_536]

        runtime = self.world.running.process.runtimes["contacts"]
        blob = await runtime.blobs.put(
            self.world.tenant.id, chunks(), type="text/csv", name=name, owner_id=self.person.id,
            max_bytes=1 << 30,
        )  # fmt: skip
        return str(blob.id)

    async def content(self, file_id: str) -> bytes:
        """What a file holds."""
        runtime = self.world.running.process.runtimes["contacts"]
        return b"".join([c async for c in runtime.blobs.read(self.world.tenant.id, file_id)])

    async def begin(
        self,
        content: bytes | str,
        name: str = "people.csv",
        *,
        resource: str = "contacts",
        **values: Any,
    ) -> Import:
        """An import whose head has been read."""
        raw = content.encode() if isinstance(content, str) else content
        made = Import(resource=resource, file_id=await self.upload(raw, name), **values)
        created = await self.stub.CreateImport(pb.CreateImportRequest(**{"import": made}))
        await self.ended(created.operation)
        return await self.get(created.id)

    async def get(self, id: str) -> Import:
        return await self.stub.GetImport(pb.GetImportRequest(id=id))

    async def update(self, imported: Import, *paths: str) -> Import:
        """Sends these fields; returns when nothing of it is under way."""
        request = pb.UpdateImportRequest(**{"import": imported}, update_mask=FieldMask(paths=paths))
        changed = await self.stub.UpdateImport(request)
        await self.ended(changed.operation)
        return await self.get(imported.id)

    async def map(self, imported: Import, **fields: str) -> Import:
        """Maps columns by their headers (blanks written as _)."""
        for column in imported.columns:
            key = column.header.replace(" ", "_")
            if key in fields:
                column.field = fields[key]
        return await self.update(imported, "columns")

    async def plan(self, imported: Import) -> Import:
        await self.done(await self.stub.PlanImport(pb.PlanImportRequest(id=imported.id)))
        return await self.get(imported.id)

    async def run(self, imported: Import) -> Import:
        await self.done(await self.stub.RunImport(pb.RunImportRequest(id=imported.id)))
        return await self.get(imported.id)

    async def undo(self, imported: Import) -> Import:
        await self.done(await self.stub.UndoImport(pb.UndoImportRequest(id=imported.id)))
        return await self.get(imported.id)

    async def preview(self, imported: Import) -> Import:
        request = pb.PreviewUndoImportRequest(id=imported.id)
        await self.done(await self.stub.PreviewUndoImport(request))
        return await self.get(imported.id)

    async def imported(
        self, content: bytes | str, name: str = "people.csv", **values: Any
    ) -> Import:
        """From the file to the end of the run."""
        begun = await self.begin(content, name, **values)
        return await self.run(await self.plan(begun))

    async def rows(self, imported: Import, **asked: Any) -> list[Row]:
        answer = await self.stub.ListImportRows(pb.ListImportRowsRequest(id=imported.id, **asked))
        return list(answer.rows)

    async def export(self, kind: str = "Contacts", **asked: Any) -> bytes:
        """The content of an exported file."""
        request = getattr(pb, f"Export{kind}Request")(**asked)
        operation = await self.done(await getattr(self.stub, f"Export{kind}")(request))
        listed = common_pb2.ListedFile()
        operation.response.Unpack(listed)
        return await self.content(listed.file_id)

    async def ended(self, name: str) -> operations_pb2.Operation:
        """The operation at its end, however it ended."""
        request = operation_pb2.GetOperationRequest(id=name.rpartition("/")[2])
        stub = self.world.stub(self.person)

        async def done() -> Any:
            operation = await stub.GetOperation(request)
            return operation if operation.done else None

        ended: operations_pb2.Operation = await until(done, timeout_s=self.patience_s)
        return ended

    async def done(self, started: Any) -> operations_pb2.Operation:
        """The operation at its good end."""
        operation = await self.ended(started.name)
        assert not operation.HasField("error"), operation.error
        return operation


def counts(made: Any) -> dict[str, int]:
    """What is not zero of counts."""
    return {field.name: value for field, value in made.ListFields()}


async def state_of(world: World) -> dict[str, Any]:
    """Every living record's content: JSON without etag and time of change, which no undo gives back, and all claims."""
    found: dict[str, Any] = {}
    for table in ("contacts", "companies", "custom_fields"):
        rows = await world.running.rows(
            "contacts", f"SELECT json FROM {table} WHERE tenant_id = $1 AND delete_time IS NULL",
            world.tenant.id,
        )  # fmt: skip
        for row in rows:
            record = orjson.loads(row["json"])
            found[record["id"]] = {
                k: v for k, v in record.items() if k not in ("etag", "updateTime")
            }
    claims = await world.running.rows(
        "contacts", "SELECT system, external_id, holder_id FROM external_ids WHERE tenant_id = $1",
        world.tenant.id,
    )  # fmt: skip
    return found | {"claims": sorted(tuple(map(str, row)) for row in claims)}
