"""What deals does when a company begins; each further piece has a file of its own."""

from chassis.handlers import on
from chassis.tx import Tx
from crm.identity.v1 import events_pb2 as identity_events
from services.deals import store
from services.deals.rules import catalogues, pipelines


@on(identity_events.TenantCreated, durable="deals-first-pipeline")
async def seed(event: identity_events.TenantCreated, tx: Tx) -> None:
    """A new tenant begins with a sales pipeline and reasons; what somebody was quicker to make stays his."""
    first = pipelines.first_pipeline()
    if await store.pipeline_with_key(tx, first.key) is not None:
        return
    pipelines.normalise(first, tx.new_id)
    store.pipelines.save(tx, first)
    for reason in catalogues.first_reasons():
        store.deal_reasons.save(tx, reason)
