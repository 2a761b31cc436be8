"""Deals by the standard methods."""

from chassis import errors
from crm.deals.v1 import deal_pb2
from tests.service.deals.world import Deal, World
from tests.service.worlds import Refused


async def test_a_new_deal_stands_in_the_first_stage_and_is_its_makers(world: World) -> None:
    pipeline = await world.pipeline()
    seller = await world.seller()
    deal = await world.make(seller, title="  Six   windows ")
    assert (deal.title, deal.state, deal.owner_id) == ("Six windows", Deal.STATE_OPEN, seller.id)
    assert (deal.pipeline_id, deal.stage_id) == (pipeline.id, pipeline.stages[0].id)
    assert deal.currency == "PLN"
    [created] = await world.events("DealCreated")
    assert created["deal"]["id"] == deal.id


async def test_a_stage_of_another_pipeline_is_refused_by_name(world: World) -> None:
    pipeline = await world.pipeline()
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "stage_id"):
        await world.admin.CreateDeal(
            deal_pb2.CreateDealRequest(
                deal=Deal(title="Doors", pipeline_id=pipeline.id, stage_id=world.tenant.id)
            )
        )


async def test_a_deal_of_somebody_else_answers_like_one_that_is_not(world: World) -> None:
    deal = await world.make()
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await world.deal(deal.id, await world.seller())
