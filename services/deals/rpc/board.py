"""Boards, forecasts, statistics and sales."""

from chassis.call import Raw
from chassis.handlers import Servicer, reads
from chassis.kit import showing
from chassis.tx import Tx
from crm.deals.v1 import board_pb2 as pb
from crm.deals.v1 import statistics_pb2
from services.deals import boards, figures, store

_PLACED_BY = ("pipeline_id", "stage_id", "state")


class BoardsRpcs(Servicer):
    """`/v1/boards`, `/v1/pipelines/{id}/forecast`, `/v1/pipelines/{id}/statistics` and `/v1/sales`."""

    service = "crm.deals.v1.BoardsService"

    @reads
    async def GetBoard(self, request: pb.GetBoardRequest, tx: Tx) -> Raw:
        await _require_pipelines(tx)
        return await (boards.then if request.HasField("as_of") else boards.now)(tx, request)

    @reads
    async def GetForecast(
        self, request: statistics_pb2.GetForecastRequest, tx: Tx
    ) -> statistics_pb2.Forecast:
        await _require_pipelines(tx)
        return await figures.forecast(tx, request)

    @reads
    async def GetPipelineStatistics(
        self, request: statistics_pb2.GetPipelineStatisticsRequest, tx: Tx
    ) -> statistics_pb2.PipelineStatistics:
        await _require_pipelines(tx)
        return await figures.statistics(tx, request)

    @reads
    async def GetSales(
        self, request: statistics_pb2.GetSalesRequest, tx: Tx
    ) -> statistics_pb2.Sales:
        return await figures.sales(tx, request)


async def _require_pipelines(tx: Tx) -> None:
    """Refuses who may not read pipelines, and who may not see in which stage a deal stands: the answer tells both."""
    await tx.require("pipeline", "read")
    showing.refuse_unreadable(tx, store.deals, _PLACED_BY)
