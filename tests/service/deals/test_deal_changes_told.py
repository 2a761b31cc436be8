"""Each deal of a change of many is told, and goes on, as after the verb for one; and so it is when the change is undone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis.times import to_datetime, to_timestamp
from crm.deals.v1 import deal_verbs_pb2
from crm.deals.v1.deal_change_pb2 import AssignDeals, LabelDeals, MoveDeals
from tests.service.deals import verbs
from tests.service.deals.quotes import Quotes
from tests.service.deals.test_deal_changes import picture, preview, run, undo
from tests.service.deals.world import Deal, World

LABEL = "01890000-0000-7000-8000-0000000000aa"
_OWN = {"id", "createTime", "updateTime", "stageTime", "activityTime", "idleTime"}


async def idling(world: World, key: str = "sales") -> list[str]:
    """The ids of the stages of a pipeline in which deals are idle after five days."""
    pipeline = await world.pipeline(key, name=key)
    for stage in pipeline.stages:
        stage.idle_days, stage.may_be_skipped = 5, False
    return [stage.id for stage in (await verbs.shape(world, pipeline)).stages]


def told_of(event: dict[str, Any]) -> dict[str, Any]:
    """What an event says, but for whose record it is, when, and by which request."""
    deal = {k: v for k, v in event["deal"].items() if k not in _OWN}
    change = {k: v for k, v in event["change"].items() if k not in ("time", "cause")}
    # A change of many names what the deal shows of its activity too; the verb for one shows it, too, and does not name it.
    change["changedFields"] = sorted({*change["changedFields"]} - {"activity_time", "idle_time"})
    rest = {k: v for k, v in event.items() if k not in ("deal", "change", "previousStageSeconds")}
    return {"deal": deal, "change": change} | rest


def idle_after(deal: Deal) -> timedelta:
    return to_datetime(deal.idle_time) - to_datetime(deal.activity_time)


async def journey(world: World, deal: Deal) -> list[tuple[str, str, str, bool]]:
    found = await world.admin.GetDealJourney(deal_verbs_pb2.GetDealJourneyRequest(id=deal.id))
    return [(s.stage_id, s.user_id, s.skip_reason, s.HasField("leave_time")) for s in found.stays]


@pytest.mark.parametrize("kind", ["move", "move elsewhere", "assign", "label"])
async def test_a_deal_among_many_is_told_and_goes_on_as_one_alone(world: World, kind: str) -> None:
    stages, elsewhere = await idling(world), await idling(world, "repairs")
    other = await world.pipeline("repairs")
    ola = await world.seller(await world.tenant.department())
    alone, among = await world.make(), await world.make()
    if kind == "move":
        event, done = "DealStageChanged", {"move": MoveDeals(stage_id=stages[2], skip_reason="Fair")}  # fmt: skip
        await verbs.move(world, alone, stages[2], skip_reason="Fair")
    elif kind == "move elsewhere":
        into = {"stage_id": elsewhere[1], "pipeline_id": other.id}
        event, done = "DealStageChanged", {"move": MoveDeals(**into)}
        await verbs.move(world, alone, **into)
    elif kind == "assign":
        event, done = "DealAssigned", {"assign": AssignDeals(owner_ids=[ola.id])}
        await verbs.assign(world, alone, ola.id)
    else:
        event, done = "DealUpdated", {"label": LabelDeals(add_ids=[LABEL])}
        await verbs.change(world, alone, label_ids=[LABEL])

    change = await run(world, await preview(world, ids=[among.id], **done))

    first, second = await world.events(event, 2)
    assert [first["deal"]["id"], second["deal"]["id"]] == [alone.id, among.id]
    assert told_of(second) == told_of(first)
    assert second["change"]["cause"] == {"kind": "change", "id": change.id}
    assert second["change"]["time"] == second["deal"]["activityTime"]
    both = [await world.deal(deal.id) for deal in (alone, among)]
    assert [idle_after(deal) for deal in both] == [timedelta(days=5)] * 2
    assert await journey(world, among) == await journey(world, alone)
    # pipelines as they were made and shaped, two deals, two facts, and the change: made, begun, done
    assert await world.published() == 4 + 2 + 2 + 3


async def test_the_undo_tells_the_way_back(world: World) -> None:
    stages = await idling(world)
    elsewhere, other = await idling(world, "repairs"), await world.pipeline("repairs")
    ola, deal = await world.seller(), await world.make()
    home, before = deal.pipeline_id, await picture(world)
    into = MoveDeals(stage_id=elsewhere[1], pipeline_id=other.id)
    moved = await run(world, await preview(world, ids=[deal.id], move=into))
    given = await run(world, await preview(world, ids=[deal.id], assign=AssignDeals(owner_ids=[ola.id])))  # fmt: skip
    labelled = await run(world, await preview(world, ids=[deal.id], label=LabelDeals(add_ids=[LABEL])))  # fmt: skip

    for change in (labelled, given, moved):
        await undo(world, change)

    assert await picture(world) == before
    _, back = await world.events("DealStageChanged", 2)
    assert back["change"]["cause"] == {"kind": "undo", "id": moved.id}
    assert (back["previousStageId"], back["previousPipelineId"]) == (elsewhere[1], other.id)
    assert (back["deal"]["stageId"], back["deal"]["pipelineId"]) == (stages[0], home)
    assert not back.keys() & {"skippedStageIds", "skipReason"}
    _, returned = await world.events("DealAssigned", 2)
    assert returned["change"]["cause"] == {"kind": "undo", "id": given.id}
    assert (returned["previousOwnerId"], returned["deal"]["ownerId"]) == (ola.id, deal.owner_id)


async def test_what_happened_since_keeps_its_time_when_labels_go_back(world: World) -> None:
    await idling(world)
    deal = await world.make()
    change = await run(world, await preview(world, ids=[deal.id], label=LabelDeals(add_ids=[LABEL])))  # fmt: skip
    touched = await verbs.change(world, await world.deal(deal.id), title="Seven windows")

    await undo(world, change)

    found = await world.deal(deal.id)
    assert (list(found.label_ids), found.activity_time) == ([], touched.activity_time)
    assert found.idle_time == touched.idle_time


async def test_promises_and_quotes_go_on_with_a_deal_that_is_given_on(world: World) -> None:
    quoting, ola = Quotes(world), await world.seller()
    at = datetime.now(UTC) + timedelta(days=7)
    deal = await quoting.deal(promise={"time": to_timestamp(at)})
    quote = await quoting.sent(deal)
    sql = "SELECT kind, due_at FROM timers WHERE tenant_id = $1 AND key = $2 ORDER BY kind"
    watched = await world.running.rows("deals", sql, world.tenant.id, deal.id)
    assert [row["kind"] for row in watched] == ["promise-missed", "promise-near"]

    await run(world, await preview(world, ids=[deal.id], assign=AssignDeals(owner_ids=[ola.id])))

    assert await world.running.rows("deals", sql, world.tenant.id, deal.id) == watched
    found = await quoting.get(quote.id)
    assert (found.owner_id, found.state) == (ola.id, quote.state)
