"""Stages that were removed while deals stood in them: the last one that leaves takes the stage along (I7)."""

from typing import Any

from chassis.handlers import on
from chassis.tx import Tx
from crm.deals.v1 import events_pb2 as events
from services.deals import store
from services.deals.rules import pipelines as rules


def _leaves(event: Any) -> bool:
    return not event.change.republished


@on(events.DealStageChanged, events.DealDeleted, durable="deals-emptied-stages", wants=_leaves)
async def drop_emptied(event: Any, tx: Tx) -> None:
    """Drops the retired stages of the pipeline that are empty by now; seen again with each deal that leaves."""
    pipeline_id = getattr(event, "previous_pipeline_id", "") or event.deal.pipeline_id
    pipeline = await store.pipelines.find(tx, pipeline_id)
    if pipeline is None or not any(stage.retired for stage in pipeline.stages):
        return
    await store.lock_pipeline(tx, pipeline_id)
    retired = [stage.id for stage in pipeline.stages if stage.retired]
    if rules.drop_emptied(pipeline, await store.occupied_stages(tx, pipeline_id, retired)):
        store.pipelines.save(tx, pipeline)
