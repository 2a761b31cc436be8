"""Imports of contacts and companies, and their exports."""

from google.longrunning import operations_pb2

from chassis.handlers import Servicer, writes
from chassis.kit.imports import exporting
from chassis.kit.imports.forgetting import forgets
from chassis.kit.imports.rpcs import import_rpcs, operations
from chassis.tx import Tx
from crm.contacts.v1 import imports_service_pb2 as pb
from services.contacts import store
from services.contacts.importing import ADAPTERS


class ImportsRpcs(import_rpcs(store.imports, ADAPTERS), Servicer):  # type: ignore[misc]
    """`/v1/imports`, `/v1/contacts:export`, `/v1/companies:export`."""

    service = "crm.contacts.v1.ImportsService"

    @writes
    async def ExportContacts(
        self, request: pb.ExportContactsRequest, tx: Tx
    ) -> operations_pb2.Operation:
        return await exporting.start(tx, ADAPTERS["contacts"], request)  # type: ignore[no-any-return]

    @writes
    async def ExportCompanies(
        self, request: pb.ExportCompaniesRequest, tx: Tx
    ) -> operations_pb2.Operation:
        return await exporting.start(tx, ADAPTERS["companies"], request)  # type: ignore[no-any-return]


IMPORT_OPERATIONS = operations(store.imports, ADAPTERS)
forget_imports = forgets(store.imports)
