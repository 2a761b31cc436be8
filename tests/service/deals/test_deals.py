"""Deals by the standard methods."""

import pytest

from chassis import errors
from crm.deals.v1 import deal_pb2
from tests.service.deals import verbs
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


async def test_an_amount_is_written_with_all_places_of_its_currency(world: World) -> None:
    made = [await world.make(amount="800", currency=c) for c in ("PLN", "JPY", "KWD")]
    assert [deal.amount for deal in made] == ["800.00", "800", "800.000"]
    changed = await verbs.change(world, made[1], amount="7.0")
    assert changed.amount == "7"


@pytest.mark.parametrize(
    ("amount", "currency"),
    [("10.005", "PLN"), ("0.5", "JPY"), ("-1", "PLN"), ("1000000000000000", "PLN")],
    ids=["places", "no places", "negative", "too large"],
)
async def test_what_cannot_be_paid_is_refused_as_an_amount(
    world: World, amount: str, currency: str
) -> None:
    deal = await world.make(amount="1", currency=currency)
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "amount"):
        await verbs.change(world, deal, amount=amount)
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "amount"):
        await world.make(amount=amount, currency=currency)


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
