""":move: guards, ways, what a refusal names, and that nothing changes then."""

import asyncio

import pytest

from chassis import errors
from chassis.keys import uuid7
from chassis.times import to_datetime
from crm.deals.v1 import deal_verbs_pb2, pipeline_pb2
from crm.deals.v1.pipeline_pb2 import Pipeline
from services.deals.rules.pipelines import first_pipeline
from tests.service.deals import hearing, verbs
from tests.service.deals.world import Deal, World
from tests.service.worlds import Refused


async def guarded(world: World, *enter: str, leave: tuple[str, ...] = ()) -> Pipeline:
    """The first pipeline, whose second stage wants these fields."""
    made = await world.pipeline()
    made.stages[1].enter.fields.extend(enter)
    made.stages[0].leave.fields.extend(leave)
    return await verbs.shape(world, made)


async def test_a_move_is_told_with_the_time_in_the_stage_before(world: World) -> None:
    pipeline = await world.pipeline()
    deal = await world.make()

    moved = await verbs.move(world, deal, pipeline.stages[1].id)

    assert (moved.stage_id, int(moved.etag)) == (pipeline.stages[1].id, 2)
    assert to_datetime(moved.stage_time) > to_datetime(deal.stage_time)
    [told] = await world.events("DealStageChanged")
    assert told["previousStageId"] == pipeline.stages[0].id
    assert "previousPipelineId" not in told
    journey = await world.admin.GetDealJourney(deal_verbs_pb2.GetDealJourneyRequest(id=deal.id))
    assert [stay.stage_id for stay in journey.stays] == [s.id for s in pipeline.stages[:2]]
    assert journey.stays[0].leave_time == journey.stays[1].enter_time
    assert not journey.stays[1].HasField("leave_time")


async def test_a_refused_move_names_every_missing_field_and_changes_nothing(world: World) -> None:
    pipeline = await guarded(
        world, "contact.phones", "company", "deal.amount", leave=("deal.promise.time",)
    )
    deal = await world.make(contact_id=await hearing.contact(world, given_name="Ewa"))

    async with Refused(
        world, errors.FailedPrecondition, "FIELDS_MISSING",
        "deal.promise.time", "contact.phones", "company", "deal.amount",
    ):  # fmt: skip
        await verbs.move(world, deal, pipeline.stages[1].id)


async def test_custom_fields_guard_and_a_deleted_one_wants_nothing(world: World) -> None:
    field = await verbs.custom_field(world, "colour")
    pipeline = await guarded(world, "deal.custom.colour", "contact.custom.size")
    person = await hearing.contact(world, custom={"size": {"number_value": 3}})
    deal = await world.make(contact_id=person)
    async with Refused(world, errors.FailedPrecondition, "FIELDS_MISSING", "deal.custom.colour"):
        await verbs.move(world, deal, pipeline.stages[1].id)

    filled = await verbs.change(
        world, deal, "custom.colour", custom={"colour": {"string_value": "white"}}
    )
    moved = await verbs.move(world, filled, pipeline.stages[1].id)
    assert moved.stage_id == pipeline.stages[1].id

    await verbs.drop_custom_field(world, field)
    other = await world.make(contact_id=person)
    assert (await verbs.move(world, other, pipeline.stages[1].id)).stage_id == moved.stage_id


async def test_a_move_waits_for_the_contact_that_the_caller_saw(world: World) -> None:
    pipeline = await guarded(world, "contact.phones")
    person = await hearing.contact(world, given_name="Ewa")
    deal = await world.make(contact_id=person)

    moving = asyncio.create_task(verbs.move(world, deal, pipeline.stages[1].id, contact_etag="2"))
    await hearing.contact(world, person, version=2, phones=[{"number": "+48123456789"}])

    assert (await moving).stage_id == pipeline.stages[1].id


async def test_what_the_caller_saw_and_does_not_come_is_no_missing_field(world: World) -> None:
    pipeline = await guarded(world, "contact.phones")
    deal = await world.make(contact_id=await hearing.contact(world, given_name="Ewa"))

    async with Refused(world, errors.Aborted, "PARTY_NOT_HERE_YET", "contact_etag"):
        await verbs.move(world, deal, pipeline.stages[1].id, contact_etag="2")
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "contact_etag"):
        await verbs.move(world, deal, pipeline.stages[1].id, contact_etag="W/2")


async def test_stages_are_passed_over_only_with_a_reason_which_is_kept(world: World) -> None:
    pipeline = await world.pipeline()
    deal = await world.make()
    async with Refused(world, errors.FailedPrecondition, "SKIP_REASON_MISSING", "skip_reason"):
        await verbs.move(world, deal, pipeline.stages[3].id)

    await verbs.move(world, deal, pipeline.stages[3].id, skip_reason="he came with a drawing")

    [told] = await world.events("DealStageChanged")
    assert told["skippedStageIds"] == [stage.id for stage in pipeline.stages[1:3]]
    journey = await world.admin.GetDealJourney(deal_verbs_pb2.GetDealJourneyRequest(id=deal.id))
    assert journey.stays[1].skip_reason == "he came with a drawing"


async def test_only_some_roles_move_deals_into_a_stage(world: World) -> None:
    pipeline, seller = await world.pipeline(), await world.seller()
    role = await verbs.role(world)
    pipeline.stages[1].mover_role_ids.append(role)
    pipeline = await verbs.shape(world, pipeline)
    deal = await world.make(seller)
    async with Refused(world, errors.FailedPrecondition, "MOVE_NOT_ALLOWED", "stage_id"):
        await verbs.move(world, deal, pipeline.stages[1].id, seller)
    async with Refused(world, errors.FailedPrecondition, "MOVE_NOT_ALLOWED", "stage_id"):
        await world.make(seller, stage_id=pipeline.stages[1].id)


async def test_a_new_deal_in_a_later_stage_asks_its_guard(world: World) -> None:
    pipeline = await guarded(world, "deal.amount")
    async with Refused(world, errors.FailedPrecondition, "FIELDS_MISSING", "deal.amount"):
        await world.make(stage_id=pipeline.stages[1].id)
    made = await world.make(stage_id=pipeline.stages[1].id, amount="10")
    assert made.stage_id == pipeline.stages[1].id


async def test_a_deal_moves_to_another_pipeline_by_its_guards(world: World) -> None:
    first, deal = await guarded(world, leave=("deal.amount",)), await world.make()
    second = await world.pipeline("repairs", name="Repairs")
    there = second.stages[2]
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "stage_id"):
        await verbs.move(world, deal, there.id)
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "pipeline_id"):
        await verbs.move(world, deal, there.id, pipeline_id=uuid7())
    async with Refused(world, errors.FailedPrecondition, "FIELDS_MISSING", "deal.amount"):
        await verbs.move(world, deal, there.id, pipeline_id=second.id)

    deal = await verbs.change(world, deal, amount="5")
    moved = await verbs.move(world, deal, there.id, pipeline_id=second.id)

    assert (moved.pipeline_id, moved.stage_id) == (second.id, there.id)
    [told] = await world.events("DealStageChanged")
    assert told["previousPipelineId"] == first.id


async def test_nothing_comes_into_a_pipeline_that_is_not_offered_any_more(world: World) -> None:
    old = await world.pipeline("old", name="Old")
    old.retired = True
    old = await verbs.shape(world, old, "retired")
    deal = await world.make()
    async with Refused(world, errors.FailedPrecondition, "MOVE_NOT_ALLOWED", "pipeline_id"):
        await verbs.move(world, deal, old.stages[0].id, pipeline_id=old.id)
    async with Refused(world, errors.FailedPrecondition, "MOVE_NOT_ALLOWED", "pipeline_id"):
        await world.make(pipeline_id=old.id)


async def test_a_required_step_is_done_before_the_stage_is_left(world: World) -> None:
    made = first_pipeline()
    made.stages[0].steps.add(key="call", text="Call him", required=True)
    made.stages[0].steps.add(key="thank", text="Thank him")
    made.key = "steps"
    pipeline = await world.admin.CreatePipeline(pipeline_pb2.CreatePipelineRequest(pipeline=made))
    deal = await world.make(pipeline_id=pipeline.id)
    assert (deal.current_step, deal.following_step) == ("call", "thank")
    async with Refused(world, errors.FailedPrecondition, "FIELDS_MISSING", "done_steps.call"):
        await verbs.move(world, deal, pipeline.stages[1].id)
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "done_steps[0]"):
        await verbs.change(world, deal, done_steps=["sing"])

    deal = await verbs.change(world, deal, done_steps=["call"])

    assert (deal.current_step, deal.following_step) == ("thank", "")
    moved = await verbs.move(world, deal, pipeline.stages[1].id)
    assert (list(moved.done_steps), moved.current_step) == ([], "")


async def test_the_same_key_moves_once(world: World) -> None:
    pipeline, deal = await world.pipeline(), await world.make()
    first = await verbs.move(world, deal, pipeline.stages[1].id, request_id="k")
    again = await verbs.move(world, deal, pipeline.stages[1].id, request_id="k")
    assert again == first
    assert (await world.deal(deal.id)).etag == "2"


async def test_a_move_to_where_it_stands_and_one_of_an_old_version(world: World) -> None:
    pipeline, deal = await world.pipeline(), await world.make()
    assert (await verbs.move(world, deal, pipeline.stages[0].id)).etag == "1"
    await verbs.change(world, deal, title="Doors")
    async with Refused(world, errors.Aborted, "CHANGED_MEANWHILE"):
        await verbs.move(world, deal, pipeline.stages[1].id, etag="1")


@pytest.mark.parametrize("callers", [20])
async def test_many_movers_at_once_leave_one_journey(world: World, callers: int) -> None:
    pipeline, deal = await world.pipeline(), await world.make()
    stages = [pipeline.stages[1].id, pipeline.stages[2].id]

    await asyncio.gather(
        *(verbs.move(world, deal, stages[n % 2], skip_reason="r") for n in range(callers)),
        return_exceptions=True,
    )

    journey = await world.admin.GetDealJourney(deal_verbs_pb2.GetDealJourneyRequest(id=deal.id))
    last = await world.deal(deal.id)
    ends = [stay.leave_time for stay in journey.stays[:-1]]
    begins = [stay.enter_time for stay in journey.stays[1:]]
    assert ends == begins
    assert journey.stays[-1].stage_id == last.stage_id
    assert len(journey.stays) == int(last.etag)
    assert isinstance(last, Deal)
