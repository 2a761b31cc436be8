"""Imports of the history of calls, and exports of calls."""

from google.longrunning import operations_pb2

from chassis.handlers import Servicer, writes
from chassis.kit.imports import exporting
from chassis.kit.imports.forgetting import forgets
from chassis.kit.imports.rpcs import import_rpcs, operations
from chassis.tx import Tx
from crm.common.v1 import imports_pb2
from crm.telephony.v1 import imports_service_pb2 as pb
from services.telephony import errors
from services.telephony.importing import ADAPTERS
from services.telephony.store.imports import imports


class ImportsRpcs(import_rpcs(imports, ADAPTERS), Servicer):  # type: ignore[misc]
    """`/v1/callImports`, `/v1/calls:export`."""

    service = "crm.telephony.v1.CallImportsService"

    @writes
    async def ExportCalls(self, request: pb.ExportCallsRequest, tx: Tx) -> operations_pb2.Operation:
        if request.format == imports_pb2.FILE_FORMAT_VCARD:
            raise errors.NoCards
        return await exporting.start(tx, ADAPTERS["calls"], request)  # type: ignore[no-any-return]


IMPORT_OPERATIONS = operations(imports, ADAPTERS)
forget_imports = forgets(imports)
