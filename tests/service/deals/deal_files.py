"""What the tests of imports share: somebody with files, imports of them, and what is left of them."""

from dataclasses import dataclass
from typing import Any

import orjson
from google.longrunning import operations_pb2

from chassis.testing.installation import Person
from crm.common.v1 import common_pb2
from crm.common.v1 import imports_pb2 as imports
from crm.contacts.v1 import company_pb2, contact_pb2, events_pb2
from crm.deals.v1 import imports_service_pb2 as pb
from crm.deals.v1 import operation_pb2
from crm.deals.v1.imports_service_pb2_grpc import DealImportsServiceStub
from services.deals import consumers_party_keys
from tests.service.deals.moving import put_file, system
from tests.service.deals.world import World
from tests.service.kit.support import until

Import = imports.Import
Options = imports.ImportOptions
SKIP = Options.ON_MATCH_SKIP
OVERWRITE = Options.ON_MATCH_OVERWRITE


@dataclass
class Clerk:
    """The administrator, who imports and exports."""

    world: World

    @property
    def person(self) -> Person:
        return self.world.tenant.admin

    @property
    def stub(self) -> Any:
        return self.person.stub(DealImportsServiceStub)

    async def begin(self, content: str, *, resource: str = "deals", **values: Any) -> Import:
        """An import whose head has been read."""
        file_id = await put_file(self.world, content.encode(), name="deals.csv", type="text/csv")
        made = Import(resource=resource, file_id=file_id, **values)
        created = await self.stub.CreateImport(pb.CreateImportRequest(**{"import": made}))
        await self.done(created.operation)
        return await self.get(created.id)

    async def get(self, id: str) -> Import:
        return await self.stub.GetImport(pb.GetImportRequest(id=id))

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

    async def refusals(self, imported: Import) -> list[tuple[int, str]]:
        """Line and reason of each line that failed."""
        asked = pb.ListImportRowsRequest(id=imported.id, page_size=200)
        rows = (await self.stub.ListImportRows(asked)).rows
        return [(row.line, row.reason) for row in rows if row.reason]

    async def export(self, request: Any) -> str:
        """The content of an exported file."""
        verb = getattr(self.stub, type(request).__name__.removesuffix("Request"))
        return await self.file_of(await verb(request))

    async def file_of(self, started: operations_pb2.Operation) -> str:
        """The content of the file that an operation writes."""
        operation = await self.done(started.name)
        listed = common_pb2.ListedFile()
        operation.response.Unpack(listed)
        blobs = self.world.running.process.runtimes["deals"].blobs
        chunks = [c async for c in blobs.read(self.world.tenant.id, listed.file_id)]
        return b"".join(chunks).decode("utf-8-sig")

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
    """Every living deal, product and price list without etag and time of change, which no undo gives back; stays, timers, sales facts' sums."""
    found: dict[str, Any] = {}
    for table in ("deals", "products", "price_lists"):
        rows = await world.running.rows(
            "deals", f"SELECT json FROM {table} WHERE tenant_id = $1 AND delete_time IS NULL", world.tenant.id
        )  # fmt: skip
        for row in rows:
            record = orjson.loads(row["json"])
            found[record["id"]] = {
                k: v for k, v in record.items() if k not in ("etag", "updateTime")
            }
    stays = await world.running.rows(
        "deals", "SELECT deal_id::text, number, stage_id::text, enter_time, leave_time FROM deal_stays"
        " WHERE tenant_id = $1 ORDER BY 1, 2", world.tenant.id,
    )  # fmt: skip
    timers = await world.running.rows(
        "deals", "SELECT kind, key FROM timers WHERE tenant_id = $1 ORDER BY kind, key", world.tenant.id
    )  # fmt: skip
    sales = await world.running.rows(
        "deals", "SELECT coalesce(sum(amount), 0) AS n FROM sales_facts WHERE tenant_id = $1", world.tenant.id
    )  # fmt: skip
    return found | {
        "stays": [tuple(row) for row in stays],
        "timers": [tuple(row) for row in timers],
        "sales": sales[0]["n"],
    }


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
    await system(world, lambda tx: consumers_party_keys.follow(event, tx))
