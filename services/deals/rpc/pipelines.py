"""Pipelines and their stages."""

from chassis.handlers import Servicer
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.deals.v1 import pipeline_pb2
from services.deals import errors, life, references, store
from services.deals.rules import pipelines as rules

Pipeline = pipeline_pb2.Pipeline


async def check_pipeline(tx: Tx, new: Pipeline, old: Pipeline | None) -> None:
    """Keeps I2 and I7: stages in which deals stand stay until the last has left."""
    rules.keep_keys(new, old)
    rules.normalise(new, tx.new_id)
    removed = rules.removed(new, old)
    if removed:
        await store.lock_pipeline(tx, new.id)
    rules.keep_occupied(new, old, await store.occupied_stages(tx, new.id, removed))
    custom = tx.runtime.schemas.known(tx.tenant, store.deals).fields
    rules.check(new, old, custom.keys())
    references.check_movers(tx, new, old)
    if rules.shows_otherwise(new, old):
        await life.show_again(tx, new.id)


async def refuse_in_use(tx: Tx, pipeline: Pipeline) -> None:
    """PipelineInUse while open deals stand in it."""
    await store.lock_pipeline(tx, pipeline.id)
    if count := await store.count_open(tx, pipeline.id):
        raise errors.PipelineInUse(pipeline.name, count)


StandardPipeline = standard(store.pipelines, on_save=check_pipeline, on_delete=refuse_in_use)


class Pipelines(StandardPipeline, Servicer):  # type: ignore[misc, valid-type]
    """`/v1/pipelines`."""
