"""Into which stage a deal comes: looked up, and kept in its pipeline until the commit."""

from chassis.tx import Tx
from services.deals import errors, store
from services.deals.rules import pipelines as rules
from services.deals.rules.pipelines import Pipeline, Stage


async def standing(tx: Tx, pipeline_id: str) -> Pipeline:
    """The pipeline into which a deal comes, with its stages until the commit; ReferenceUnknown if there is none."""
    found = await store.standing(tx, pipeline_id)
    if found is None:
        raise errors.ReferenceUnknown([("pipeline_id", f"pipeline {pipeline_id}")])
    return found


def stage_in(pipeline: Pipeline, stage_id: str) -> Stage:
    """The stage of this pipeline; ReferenceUnknown if it is none of it."""
    found = rules.stage_of(pipeline, stage_id)
    if found is None:
        raise errors.ReferenceUnknown(
            [("stage_id", f"stage {stage_id} in the pipeline {pipeline.name!r}")]
        )
    return found


def offered_stage(pipeline: Pipeline, stage_id: str) -> Stage:
    """The stage, if deals may come into it; else the pipeline's first one."""
    found = rules.stage_of(pipeline, stage_id)
    return found if found is not None and not found.retired else rules.first_stage(pipeline)
