"""How a deal moves, whoever moves it: the way is looked up, the guards are asked, then it goes.

For :move and for what moves by itself; changes of many deals (judging.py) look up the same once for all.
"""

from collections.abc import Collection

from chassis.errors import Violation
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from services.deals import guards, places, saving, store
from services.deals.rules import moving as rules
from services.deals.rules.moving import Way

Deal = deal_pb2.Deal


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
    stays = pipeline.id == deal.pipeline_id
    before = pipeline if stays else await store.pipelines.find(tx, deal.pipeline_id)
    return rules.way(deal, before, pipeline, there, roles=roles, reason=reason)


async def missing(tx: Tx, deal: Deal, way: Way) -> list[Violation]:
    """Everything that the guards of both stages want and that is not filled."""
    filled = await guards.filled(tx, deal)
    return rules.missing(deal, way.here, way.there, filled, forward=way.forward)


async def go(tx: Tx, deal: Deal, way: Way, *, reason: str = "") -> Deal:
    """Puts the deal into the stage and tells of it."""
    before = Deal(pipeline_id=deal.pipeline_id, stage_id=deal.stage_id, stage_time=deal.stage_time)
    rules.enter(deal, way.pipeline, way.there, tx.now)
    await saving.save(tx, deal, skip_reason=reason)
    told = rules.moved(deal, before, tx.now, passed=way.passed, reason=reason)
    told.deal.CopyFrom(deal)
    tx.emit(told)
    return deal
