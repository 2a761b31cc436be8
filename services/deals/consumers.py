"""What deals does when a company begins or changes its currency; each further piece has a file of its own."""

from chassis.handlers import on
from chassis.tx import Tx
from crm.identity.v1 import events_pb2 as identity_events
from services.deals import converting, store
from services.deals.rules import catalogues, pipelines


def _names_currency(event: identity_events.TenantUpdated) -> bool:
    return "currency" in event.change.changed_fields


@on(identity_events.TenantUpdated, durable="deals-base-currency", wants=_names_currency)
async def convert_anew(event: identity_events.TenantUpdated, tx: Tx) -> None:
    """Deals are summed in the company's currency unless it chose another one."""
    if not (await store.settings_of(tx)).base_currency:
        await converting.fill_anew(tx)


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
