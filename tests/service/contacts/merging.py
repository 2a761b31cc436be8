"""What the tests of duplicates and merges share: stubs, records, and the state of a tenant that an undo must restore."""

from dataclasses import dataclass
from typing import Any

from crm.contacts.v1 import company_pb2, contact_pb2, duplicates_service_pb2_grpc, merge_pb2
from crm.contacts.v1.company_pb2 import Company
from crm.contacts.v1.contact_pb2 import Contact
from tests.service.contacts.world import World

_SILENT = ("etag", "create_time", "update_time")
_TABLES = {"contacts": contact_pb2.Contact, "companies": company_pb2.Company}


@dataclass
class Merging:
    """A tenant's duplicates and merges."""

    world: World

    @property
    def stub(self) -> Any:
        return self.world.tenant.admin.stub(duplicates_service_pb2_grpc.DuplicatesServiceStub)

    def stub_of(self, person: Any) -> Any:
        return person.stub(duplicates_service_pb2_grpc.DuplicatesServiceStub)

    async def merge(self, survivor: Any, *merged: Any, **more: Any) -> merge_pb2.Merge:
        """Merges contacts, or companies."""
        if isinstance(survivor, Company):
            ids = [each.id for each in merged]
            return await self.stub.MergeCompanies(
                merge_pb2.MergeCompaniesRequest(id=survivor.id, merged_ids=ids, **more)
            )
        ids = [each.id for each in merged]
        return await self.stub.MergeContacts(
            merge_pb2.MergeContactsRequest(id=survivor.id, merged_ids=ids, **more)
        )

    async def undo(self, merge: merge_pb2.Merge) -> merge_pb2.UndoMergeResponse:
        return await self.stub.UndoMerge(merge_pb2.UndoMergeRequest(id=merge.id))

    async def company(self, **values: Any) -> Company:
        return await self.world.admin.CreateCompany(
            company_pb2.CreateCompanyRequest(company=Company(**values))
        )

    async def contact(self, **values: Any) -> Contact:
        return await self.world.contact(**values)

    async def state(self) -> dict[str, Any]:
        """Everything that a merge touches, without versions and times: equal before a merge and after its undo."""
        found: dict[str, Any] = {}
        for table in ("contacts", "companies", "requests", "notes", "agreements"):
            for row in await self._rows(f"SELECT id, json FROM {table} WHERE tenant_id = $1"):
                found[f"{table}/{row['id']}"] = self._plain(row["json"])
        for row in await self._rows("SELECT * FROM external_ids WHERE tenant_id = $1"):
            found[f"{row['object']}/{row['system']}/{row['external_id']}"] = str(row["holder_id"])
        for row in await self._rows("SELECT * FROM merged_parties WHERE tenant_id = $1"):
            found[f"merged/{row['id']}"] = str(row["survivor_id"])
        for row in await self._rows("SELECT * FROM displaced_references WHERE tenant_id = $1"):
            found[f"displaced/{row['record_id']}/{row['field']}"] = bytes(row["settled"])
        return found

    async def _rows(self, sql: str) -> list[Any]:
        return await self.world.running.rows("contacts", sql, self.world.tenant.id)

    @staticmethod
    def _plain(json: str) -> Any:
        import orjson

        values = orjson.loads(json)
        return {
            key: value
            for key, value in values.items()
            if key not in ("etag", "createTime", "updateTime")
        }
