"""Imports of deals, payments, products and price lists, and exports."""

from google.longrunning import operations_pb2

from chassis.handlers import Servicer, writes
from chassis.kit.imports import exporting
from chassis.kit.imports.forgetting import forgets
from chassis.kit.imports.rpcs import import_rpcs, operations
from chassis.tx import Tx
from crm.common.v1 import imports_pb2
from crm.deals.v1 import imports_service_pb2 as pb
from services.deals import errors
from services.deals.importing import ADAPTERS
from services.deals.store.imports import imports


class DealImportsRpcs(import_rpcs(imports, ADAPTERS), Servicer):  # type: ignore[misc]
    """`/v1/dealImports`, `/v1/deals:export`, `/v1/products:export`, `/v1/priceLists:export`."""

    service = "crm.deals.v1.DealImportsService"

    @writes
    async def ExportDeals(self, request: pb.ExportDealsRequest, tx: Tx) -> operations_pb2.Operation:
        _refuse_cards(request.format)
        return await exporting.start(tx, ADAPTERS["deals"], request)  # type: ignore[no-any-return]

    @writes
    async def ExportProducts(
        self, request: pb.ExportProductsRequest, tx: Tx
    ) -> operations_pb2.Operation:
        _refuse_cards(request.format)
        return await exporting.start(tx, ADAPTERS["products"], request)  # type: ignore[no-any-return]

    @writes
    async def ExportPriceLists(
        self, request: pb.ExportPriceListsRequest, tx: Tx
    ) -> operations_pb2.Operation:
        _refuse_cards(request.format)
        return await exporting.start(tx, ADAPTERS["priceLists"], request)  # type: ignore[no-any-return]


def _refuse_cards(format: int) -> None:
    if format == imports_pb2.FILE_FORMAT_VCARD:
        raise errors.NoCards


IMPORT_OPERATIONS = operations(imports, ADAPTERS)
forget_imports = forgets(imports)
