"""Pipelines: what is refused, and what becomes of deals whose stage is removed."""

import asyncio
from datetime import timedelta

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.events import eventually
from chassis.times import to_datetime
from crm.deals.v1 import deal_pb2, deal_settings_pb2, pipeline_pb2
from crm.deals.v1.pipeline_pb2 import Pipeline, Stage
from tests.service.deals import verbs
from tests.service.deals.world import World
from tests.service.worlds import Refused


async def delete(world: World, pipeline: Pipeline) -> None:
    await world.admin.DeletePipeline(pipeline_pb2.DeletePipelineRequest(id=pipeline.id))


async def settings(world: World, **given: str) -> None:
    await world.admin.UpdateDealSettings(
        deal_settings_pb2.UpdateDealSettingsRequest(
            deal_settings=deal_settings_pb2.DealSettings(**given),  # type: ignore[arg-type]
            update_mask={"paths": list(given)},
        )
    )


async def test_guards_of_fields_that_do_not_exist_and_roles_are_refused_by_name(world: World) -> None:  # fmt: skip
    pipeline = await world.pipeline()
    pipeline.stages[1].enter.fields.extend(["deal.colour", "deal.custom.colour", "deal.amount"])
    pipeline.stages[1].leave.fields.append("contact.phones.number")
    async with Refused(
        world, errors.InvalidArgument, "VALUES_INVALID",
        "stages[1].enter.fields", "stages[1].enter.fields", "stages[1].leave.fields",
    ):  # fmt: skip
        await verbs.shape(world, pipeline)
    pipeline = await verbs.pipeline(world, pipeline.id)
    pipeline.stages[0].mover_role_ids.append(uuid7())
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "stages[0].mover_role_ids"):  # fmt: skip
        await verbs.shape(world, pipeline)


async def test_the_key_of_a_pipeline_is_its_own(world: World) -> None:
    pipeline = await world.pipeline()
    twin = Pipeline(key=pipeline.key, name="Twin", stages=[Stage(key="new", name="New")])
    async with Refused(world, errors.AlreadyExists, "KEY_TAKEN", "key"):
        await world.admin.CreatePipeline(pipeline_pb2.CreatePipelineRequest(pipeline=twin))


async def test_a_stage_that_is_renamed_reordered_or_guarded_keeps_its_deals(world: World) -> None:
    pipeline, deal = await world.pipeline(), await world.make()
    stages = [Stage.FromString(s.SerializeToString()) for s in reversed(pipeline.stages)]
    stages[-1].name = "Fresh"
    stages[-1].enter.fields.append("deal.amount")
    del pipeline.stages[:]
    pipeline.stages.extend(stages)

    await verbs.shape(world, pipeline)

    assert (await world.deal(deal.id)).stage_id == deal.stage_id
    listed = await world.admin.ListDeals(
        deal_pb2.ListDealsRequest(filter=f'stage_id = "{deal.stage_id}"')
    )
    assert [each.id for each in listed.deals] == [deal.id]


async def test_a_removed_stage_stays_until_its_last_deal_has_left(world: World) -> None:
    pipeline, deal = await world.pipeline(), await world.make()
    won = await world.make(title="Doors")
    won = await verbs.win(world, won)
    gone = pipeline.stages[0]
    del pipeline.stages[1], pipeline.stages[0]

    left = await verbs.shape(world, pipeline)

    assert [(s.id, s.retired) for s in left.stages][-1] == (gone.id, True)
    assert [s.retired for s in left.stages] == [False, False, False, True]
    async with Refused(world, errors.FailedPrecondition, "MOVE_NOT_ALLOWED", "stage_id"):
        await verbs.reopen(world, won, stage_id=gone.id)
    assert (await verbs.reopen(world, won)).stage_id == left.stages[0].id

    await verbs.move(world, deal, left.stages[0].id)

    async def dropped() -> bool:
        stages = (await verbs.pipeline(world, pipeline.id)).stages
        return [s.id for s in stages] == [s.id for s in left.stages[:3]]

    await eventually(dropped, "the empty stage is dropped")


async def test_deals_show_the_new_steps_and_rest_of_their_stage_and_keep_their_version(world: World) -> None:  # fmt: skip
    pipeline, deal = await world.pipeline(), await world.make()
    pipeline.stages[0].steps.add(key="call", text="Call")
    pipeline.stages[0].idle_days = 30
    await verbs.shape(world, pipeline)

    async def shown() -> bool:
        return (await world.deal(deal.id)).current_step == "call"

    await eventually(shown, "the deal shows the new step")
    now = await world.deal(deal.id)
    assert to_datetime(now.idle_time) - to_datetime(now.activity_time) == timedelta(days=30)
    assert now.etag == deal.etag
    assert not (await verbs.change(world, now, done_steps=["call"])).current_step


async def test_a_deleted_deal_comes_back_into_a_stage_that_is_there(world: World) -> None:
    pipeline, deal = await world.pipeline(), await world.make()
    await world.admin.DeleteDeal(deal_pb2.DeleteDealRequest(id=deal.id))
    del pipeline.stages[0]
    left = await verbs.shape(world, pipeline)
    assert len(left.stages) == 4  # nobody stands in it

    back = await world.admin.UndeleteDeal(deal_pb2.UndeleteDealRequest(id=deal.id))

    assert back.stage_id == left.stages[0].id


async def test_no_deal_is_left_in_a_stage_that_is_removed_meanwhile(world: World) -> None:
    pipeline = await world.pipeline()
    deals = [await world.make() for _ in range(8)]
    gone = pipeline.stages[1].id
    shorter = Pipeline.FromString(pipeline.SerializeToString())
    del shorter.stages[1]

    await asyncio.gather(
        *(verbs.move(world, deal, gone) for deal in deals[:4]),
        verbs.shape(world, shorter),
        *(verbs.move(world, deal, gone) for deal in deals[4:]),
        return_exceptions=True,
    )

    stages = {stage.id for stage in (await verbs.pipeline(world, pipeline.id)).stages}
    stand_in = {(await world.deal(deal.id)).stage_id for deal in deals}
    assert stand_in <= stages


async def test_a_pipeline_with_open_deals_is_not_deleted(world: World) -> None:
    pipeline, deal = await world.pipeline(), await world.make()
    async with Refused(world, errors.FailedPrecondition, "PIPELINE_IN_USE"):
        await delete(world, pipeline)
    await verbs.win(world, deal)

    await delete(world, pipeline)

    async with Refused(world, errors.FailedPrecondition, "NO_PIPELINE", "pipeline_id"):
        await world.make(pipeline_id="")
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "pipeline_id"):
        await verbs.reopen(world, deal)
    assert (await world.deal(deal.id)).state == deal_pb2.Deal.STATE_WON


async def test_deals_begin_in_the_chosen_pipeline_while_it_is_offered(world: World) -> None:
    first, second = await world.pipeline(), await world.pipeline("repairs", name="Repairs", position=9)  # fmt: skip
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "default_pipeline_id"):
        await settings(world, default_pipeline_id=uuid7())
    await settings(world, default_pipeline_id=second.id)
    assert (await world.make(pipeline_id="")).pipeline_id == second.id

    second.retired = True
    await verbs.shape(world, second, "retired")

    assert (await world.make(pipeline_id="")).pipeline_id == first.id
