"""Many deals moved, given to others or labelled in one go: preview, run, stop and undo."""

from typing import Any

from google.longrunning import operations_pb2

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.events import eventually
from chassis.testing.installation import Person
from crm.deals.v1 import deal_change_pb2 as pb
from crm.deals.v1 import deal_pb2, pipeline_pb2
from crm.deals.v1 import deal_verbs_pb2 as verbs
from crm.deals.v1.deal_change_pb2 import (  # fmt: skip
    AssignDeals,
    DealChange,
    DealChangeItem,
    LabelDeals,
    MoveDeals,
)
from crm.deals.v1.deal_changes_service_pb2_grpc import DealChangesServiceStub
from tests.service.deals.world import SELLER, Deal, World
from tests.service.worlds import Refused

CHANGER = [
    *SELLER,
    *({"object": "deal_change", "action": a, "scope": "own"} for a in ("read", "create", "run")),
]
S = DealChange


def stub(world: World, person: Person | None = None) -> Any:
    return (person or world.tenant.admin).stub(DealChangesServiceStub)


async def preview(world: World, by: Person | None = None, **given: Any) -> DealChange:
    request = pb.CreateDealChangeRequest(deal_change=DealChange(**given))
    return await stub(world, by).CreateDealChange(request)


async def get(world: World, id: str, by: Person | None = None) -> DealChange:
    return await stub(world, by).GetDealChange(pb.GetDealChangeRequest(id=id))


async def ended(world: World, id: str, state: "S.State", by: Person | None = None) -> DealChange:
    """The change once it is in this state."""

    async def there() -> bool:
        return (await get(world, id, by)).state == state

    await eventually(there, f"the change is {S.State.Name(state)}", 30)
    return await get(world, id, by)


async def run(world: World, change: DealChange, by: Person | None = None) -> DealChange:
    started = await stub(world, by).RunDealChange(pb.RunDealChangeRequest(id=change.id))
    assert isinstance(started, operations_pb2.Operation)
    return await ended(world, change.id, S.STATE_DONE, by)


async def undo(world: World, change: DealChange, by: Person | None = None) -> DealChange:
    await stub(world, by).UndoDealChange(pb.UndoDealChangeRequest(id=change.id))
    return await ended(world, change.id, S.STATE_UNDONE, by)


async def picture(world: World) -> Any:
    """Every deal without what each write changes, every stay, and what the open deals come to."""
    listed = await world.admin.ListDeals(deal_pb2.ListDealsRequest(page_size=200))
    for deal in listed.deals:
        for field in ("etag", "update_time", "can"):
            deal.ClearField(field)
    stays = "SELECT * FROM deal_stays WHERE tenant_id = $1 ORDER BY deal_id, number"
    sums = """SELECT stage_id, owner_id, sum(count) AS count, sum(amount) AS amount FROM deal_sums WHERE tenant_id = $1
    GROUP BY 1, 2 HAVING sum(count) <> 0 ORDER BY 1, 2"""
    rows = [await world.running.rows("deals", sql, world.tenant.id) for sql in (stays, sums)]
    return {deal.id: deal for deal in listed.deals}, [[tuple(r) for r in some] for some in rows]


def reasons(items: Any) -> list[str]:
    return [DealChangeItem.Reason.Name(item.reason).removeprefix("REASON_") for item in items]


async def stages(world: World) -> list[str]:
    return [stage.id for stage in (await world.pipeline()).stages]


# -- moving ----------------------------------------------------------------------------------------------------------------


async def test_a_move_is_previewed_run_and_taken_back_to_the_start(world: World) -> None:
    first, second, *_ = await stages(world)
    for n in range(3):
        await world.make(title=f"Deal {n}", amount=str(n), expected_close_date={"year": 2030, "month": 1, "day": 1})  # fmt: skip
    there = await world.make(stage_id=second, title="There already")
    before = await picture(world)

    change = await preview(world, filter="state = OPEN", move=MoveDeals(stage_id=second))

    assert (change.state, change.matched_count, change.planned_count, change.unchanged_count) == (
        S.STATE_PREVIEWED, 4, 3, 1,
    )  # fmt: skip
    item = change.samples[0]
    assert (item.before.stage_id, item.after.stage_id) == (first, second)
    assert await picture(world) == before

    done = await run(world, change)

    assert (done.changed_count, done.planned_count) == (3, 0)
    deals, (stays, _) = await picture(world)
    assert {deal.stage_id for deal in deals.values()} == {second}
    assert len(stays) == 3 * 2 + 1
    told = await world.events("DealStageChanged", 3)
    assert {(e["change"]["cause"]["kind"], e["change"]["cause"]["id"]) for e in told} == {("change", change.id)}  # fmt: skip
    assert all("stage_id" in e["change"]["changedFields"] for e in told)
    (event,) = await world.events("DealChangeDone")
    assert event["dealChange"]["changedCount"] == 3
    assert deals[there.id].stage_time == there.stage_time

    undone = await undo(world, done)

    assert (undone.returned_count, undone.kept_count, undone.changed_count) == (3, 0, 0)
    assert await picture(world) == before


async def test_each_deal_that_a_guard_holds_back_is_named_with_what_is_missing(
    world: World,
) -> None:
    pipeline = await world.pipeline()
    pipeline.stages[1].enter.fields.extend(["deal.amount", "contact.phones"])
    request = pipeline_pb2.UpdatePipelineRequest(pipeline=pipeline)
    request.update_mask.paths.append("stages")
    pipeline = await world.admin.UpdatePipeline(request)
    first, second, third, *_ = [stage.id for stage in pipeline.stages]
    empty = await world.make(contact_id=uuid7())
    far = await world.make(amount="5")
    gone = await world.make()
    await world.admin.WinDeal(verbs.WinDealRequest(id=gone.id))
    ids = [empty.id, gone.id, uuid7()]

    change = await preview(world, ids=ids, move=MoveDeals(stage_id=second))

    assert reasons(change.refused) == ["FIELDS_MISSING", "ENDED", "NOT_FOUND"]
    assert list(change.refused[0].missing) == ["deal.amount", "contact.phones"]
    skipping = await preview(world, ids=[far.id], move=MoveDeals(stage_id=third))
    assert reasons(skipping.refused) == ["SKIP_REASON_MISSING"]
    done = await run(world, await preview(world, ids=[far.id], move=MoveDeals(stage_id=third, skip_reason="Fair")))  # fmt: skip
    assert done.changed_count == 1
    journey = await world.admin.GetDealJourney(verbs.GetDealJourneyRequest(id=far.id))
    assert [(s.stage_id, s.skip_reason) for s in journey.stays] == [(first, ""), (third, "Fair")]
    assert journey.stays[0].HasField("leave_time")


async def test_what_ended_since_the_preview_is_judged_again(world: World) -> None:
    _, second, *_ = await stages(world)
    kept, won = await world.make(), await world.make()
    change = await preview(world, ids=[kept.id, won.id], move=MoveDeals(stage_id=second))
    await world.admin.WinDeal(verbs.WinDealRequest(id=won.id))
    done = await run(world, change)
    assert (done.changed_count, reasons(done.refused)) == (1, ["ENDED"])


async def test_undo_leaves_what_was_touched_since_and_says_why(world: World) -> None:
    first, second, *_ = await stages(world)
    back, edited, moved, over = [await world.make(title=t) for t in "ABCD"]
    done = await run(world, await preview(world, ids=[d.id for d in (back, edited, moved, over)], move=MoveDeals(stage_id=second)))  # fmt: skip
    request = deal_pb2.UpdateDealRequest(deal=Deal(id=edited.id, title="Another"))
    request.update_mask.paths.append("title")
    await world.admin.UpdateDeal(request)
    await world.admin.MoveDeal(verbs.MoveDealRequest(id=moved.id, stage_id=first))
    await world.admin.WinDeal(verbs.WinDealRequest(id=over.id))

    undone = await undo(world, done)

    assert (undone.returned_count, undone.kept_count) == (2, 2)
    assert {i.deal_id: r for i, r in zip(undone.kept, reasons(undone.kept), strict=True)} == {
        moved.id: "CHANGED_SINCE", over.id: "ENDED",
    }  # fmt: skip
    found = await world.deal(edited.id)
    assert (found.title, found.stage_id) == ("Another", first)


# -- giving on and labels --------------------------------------------------------------------------------------------------


async def test_deals_are_given_in_turn_and_come_back(world: World) -> None:
    home = await world.tenant.department()
    ola, jan = await world.seller(home), await world.seller()
    for n in range(3):
        await world.make(title=f"Deal {n}")
    before = await picture(world)
    change = await preview(world, filter="state = OPEN", assign=AssignDeals(owner_ids=[ola.id, jan.id]))  # fmt: skip
    assert {share.owner_id: share.count for share in change.received} == {ola.id: 2, jan.id: 1}
    done = await run(world, change)
    deals, _ = await picture(world)
    assert {deal.owner_id: deal.department_id for deal in deals.values()} == {ola.id: home, jan.id: ""}  # fmt: skip
    await undo(world, done)
    assert await picture(world) == before


async def test_labels_are_added_removed_and_brought_back(world: World) -> None:
    a, b, c = uuid7(), uuid7(), uuid7()
    one, two = await world.make(label_ids=[a, b]), await world.make(label_ids=[c])
    before = await picture(world)
    change = await preview(world, ids=[one.id, two.id], label=LabelDeals(add_ids=[c], remove_ids=[a]))  # fmt: skip
    assert (change.planned_count, change.unchanged_count) == (1, 1)
    done = await run(world, change)
    assert list((await world.deal(one.id)).label_ids) == [b, c]
    await undo(world, done)
    assert await picture(world) == before


async def test_what_the_caller_may_not_do_with_a_deal_is_left(world: World) -> None:
    me, ola = await world.tenant.person(CHANGER), await world.seller()
    mine = await world.make(me)
    read_only, hidden = await world.make(follower_ids=[me.id]), await world.make()
    ids = [mine.id, read_only.id, hidden.id]
    change = await preview(world, me, ids=ids, assign=AssignDeals(owner_ids=[ola.id]))
    assert reasons(change.refused) == ["NOT_ALLOWED", "NOT_FOUND"]
    done = await run(world, change, me)
    assert (await world.deal(mine.id)).owner_id == ola.id
    assert (await world.deal(read_only.id)).owner_id == world.tenant.admin.id
    await undo(world, done, me)
    assert (await world.deal(mine.id)).owner_id == me.id


# -- refusals and the way of a change --------------------------------------------------------------------------------------


async def test_what_cannot_be_a_change_is_refused(world: World) -> None:
    deal = await world.make()
    label = LabelDeals(add_ids=[uuid7()])
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "filter"):
        await preview(world, label=label)
    async with Refused(world, errors.InvalidArgument, "BAD_LIST", "filter"):
        await preview(world, filter="state = WON) OR (state = LOST", label=label)
    async with Refused(world, errors.FailedPrecondition, "OWNER_NOT_ACTIVE", "assign.owner_ids[0]"):
        await preview(world, ids=[deal.id], assign=AssignDeals(owner_ids=[uuid7()]))
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "move.stage_id"):
        await preview(world, ids=[deal.id], move=MoveDeals(stage_id=uuid7()))
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "move.pipeline_id"):
        await preview(world, ids=[deal.id], move=MoveDeals(stage_id=deal.stage_id, pipeline_id=uuid7()))  # fmt: skip


async def test_a_change_is_run_once_and_undone_once(world: World) -> None:
    deal = await world.make()
    change = await preview(world, ids=[deal.id], label=LabelDeals(add_ids=[uuid7()]))
    async with Refused(world, errors.FailedPrecondition, "DEAL_CHANGE_WRONG_STATE"):
        await stub(world).UndoDealChange(pb.UndoDealChangeRequest(id=change.id))
    async with Refused(world, errors.FailedPrecondition, "DEAL_CHANGE_WRONG_STATE"):
        await stub(world).CancelDealChange(pb.CancelDealChangeRequest(id=change.id))
    await run(world, change)
    async with Refused(world, errors.FailedPrecondition, "DEAL_CHANGE_WRONG_STATE"):
        await stub(world).RunDealChange(pb.RunDealChangeRequest(id=change.id))
    await undo(world, change)
    async with Refused(world, errors.FailedPrecondition, "DEAL_CHANGE_WRONG_STATE"):
        await stub(world).UndoDealChange(pb.UndoDealChangeRequest(id=change.id))


async def test_stopped_it_says_what_was_done_and_goes_on_or_back(world: World) -> None:
    _, second, *_ = await stages(world)
    made = [await world.make() for _ in range(3)]
    before = await picture(world)
    change = await preview(world, ids=[d.id for d in made], move=MoveDeals(stage_id=second))
    await stub(world).RunDealChange(pb.RunDealChangeRequest(id=change.id))
    try:
        stopped = await stub(world).CancelDealChange(pb.CancelDealChangeRequest(id=change.id))
    except errors.FailedPrecondition:  # it was quicker
        stopped = await get(world, change.id)
    assert stopped.state in (S.STATE_STOPPED, S.STATE_DONE)
    assert stopped.changed_count + stopped.planned_count == 3
    if stopped.state == S.STATE_STOPPED:
        await run(world, stopped)
    assert (await get(world, change.id)).changed_count == 3
    await undo(world, change)
    assert await picture(world) == before


async def test_a_change_is_its_makers_own(world: World) -> None:
    me, ola = await world.tenant.person(CHANGER), await world.tenant.person(CHANGER)
    deal = await world.make(me)
    change = await preview(world, me, ids=[deal.id], label=LabelDeals(add_ids=[uuid7()]))
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await get(world, change.id, ola)
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await stub(world, ola).RunDealChange(pb.RunDealChangeRequest(id=change.id))
