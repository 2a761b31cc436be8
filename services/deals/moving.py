"""How a deal moves, whoever moves it: the way is looked up, the guards are asked, then it goes.

For :move, for changes of many deals, and for what moves by itself.
"""

from collections.abc import Collection
from dataclasses import dataclass

from chassis.errors import Violation
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from crm.deals.v1 import events_pb2 as events
from services.deals import guards, places, saving, store
from services.deals.rules import moving as rules
from services.deals.rules import pipelines as pipeline_rules
from services.deals.rules.moving import Pipeline, Stage

Deal = deal_pb2.Deal


@dataclass(frozen=True, slots=True)
class Way:
    """From the stage in which a deal stands to another one."""

    here: Stage
    there: Stage
    pipeline: Pipeline
    """That of the stage to which it goes."""
    passed: list[Stage]
    forward: bool


async def way_to(
    tx: Tx, deal: Deal, stage_id: str, pipeline_id: str = "", *, roles: Collection[str] | None, reason: str = ""
) -> Way | None:  # fmt: skip
    """The way of the open deal; None if it stands there already. Refuses a way that is closed, e.g. to these roles.

    `roles` is None for what moves by itself. The stage stays in the pipeline until the commit.
    """
    rules.require_open(deal, "moved")
    pipeline = await places.standing(tx, pipeline_id or deal.pipeline_id)
    there = places.stage_in(pipeline, stage_id)
    if there.id == deal.stage_id:
        return None
    if pipeline.id == deal.pipeline_id:
        here = pipeline_rules.stage_of(pipeline, deal.stage_id)
        assert here is not None, "a stage in which a deal stands stays in its pipeline"
        rules.check_entry(there, roles)
        passed = rules.check_way(pipeline, here, there, reason=reason)
        return Way(here, there, pipeline, passed, rules.is_forward(pipeline, here.id, there.id))
    before = await store.pipelines.find(tx, deal.pipeline_id)
    here = pipeline_rules.stage_of(before, deal.stage_id) if before is not None else None
    rules.check_offered(pipeline)
    rules.check_entry(there, roles)
    return Way(here or Stage(), there, pipeline, [], here is not None and not here.retired)


async def missing(tx: Tx, deal: Deal, way: Way) -> list[Violation]:
    """Everything that the guards of both stages want and that is not filled."""
    filled = await guards.filled(tx, deal)
    return rules.missing(deal, way.here, way.there, filled, forward=way.forward)


async def go(tx: Tx, deal: Deal, way: Way, *, reason: str = "") -> Deal:
    """Puts the deal into the stage and tells of it."""
    before, since = (deal.pipeline_id, deal.stage_id), to_datetime(deal.stage_time)
    rules.enter(deal, way.pipeline, way.there, tx.now)
    await saving.save(tx, deal, skip_reason=reason)
    tx.emit(
        events.DealStageChanged(
            deal=deal, previous_stage_id=before[1],
            previous_pipeline_id=before[0] if before[0] != way.pipeline.id else "",
            previous_stage_seconds=int((tx.now - since).total_seconds()),
            skipped_stage_ids=[stage.id for stage in way.passed], skip_reason=reason,
        )
    )  # fmt: skip
    return deal
