"""Deals by the standard methods."""

from chassis.handlers import Servicer, writes
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2 as pb
from services.deals import checking, places, saving, store
from services.deals.rules import moving

Deal = pb.Deal


async def bring_back(tx: Tx, deal: Deal) -> None:
    """A deal comes back where it stood; into the first stage if its own was removed meanwhile."""
    pipeline = await places.standing(tx, deal.pipeline_id)
    stage = places.offered_stage(pipeline, deal.stage_id)
    if stage.id != deal.stage_id:
        moving.enter(deal, pipeline, stage, tx.now)


StandardDeal = standard(store.deals, on_save=checking.check, on_undelete=bring_back)


class Deals(StandardDeal, Servicer):  # type: ignore[misc, valid-type]
    """`/v1/deals`."""

    @writes
    async def CreateDeal(self, request: pb.CreateDealRequest, tx: Tx) -> Deal:
        request.deal.ClearField("ending")  # a new deal has none, whatever it was copied from
        return await saving.followed(tx, await super().CreateDeal(request, tx))

    @writes
    async def UpdateDeal(self, request: pb.UpdateDealRequest, tx: Tx) -> Deal:
        return await saving.followed(tx, await super().UpdateDeal(request, tx))

    @writes
    async def DeleteDeal(self, request: pb.DeleteDealRequest, tx: Tx) -> Deal:
        return await saving.followed(tx, await super().DeleteDeal(request, tx))

    @writes
    async def UndeleteDeal(self, request: pb.UndeleteDealRequest, tx: Tx) -> Deal:
        return await saving.followed(tx, await super().UndeleteDeal(request, tx))
