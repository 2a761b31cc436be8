"""Imports of tasks and of the history of calls, and exports of tasks."""

from google.longrunning import operations_pb2

from chassis.handlers import Servicer, writes
from chassis.kit.imports import exporting
from chassis.kit.imports.forgetting import forgets
from chassis.kit.imports.rpcs import import_rpcs, operations
from chassis.tx import Tx
from crm.common.v1 import imports_pb2
from crm.tasks.v1 import imports_service_pb2 as pb
from services.tasks import errors
from services.tasks.importing import ADAPTERS
from services.tasks.store.imports import imports


class ImportsRpcs(import_rpcs(imports, ADAPTERS), Servicer):  # type: ignore[misc]
    """`/v1/taskImports`, `/v1/tasks:export`."""

    service = "crm.tasks.v1.TaskImportsService"

    @writes
    async def ExportTasks(self, request: pb.ExportTasksRequest, tx: Tx) -> operations_pb2.Operation:
        if request.format == imports_pb2.FILE_FORMAT_VCARD:
            raise errors.NoCards
        return await exporting.start(tx, ADAPTERS["tasks"], request)  # type: ignore[no-any-return]


IMPORT_OPERATIONS = operations(imports, ADAPTERS)
forget_imports = forgets(imports)
