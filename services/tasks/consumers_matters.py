"""What deals tells of deals, quotes, invoices and price lists, kept for the day plan; tasks of a deal learn whose it is."""

from typing import Any

from chassis import contracts
from chassis.handlers import on_any
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.deals.v1 import product_events_pb2
from services.tasks import store
from services.tasks.rules import matters as rules


def _concerns_matters(event: Any) -> bool:
    if isinstance(event, product_events_pb2.PriceListPublished):
        return not event.change.republished
    option = contracts.event_option(event.DESCRIPTOR)
    return option is not None and option.resource in rules.OBJECTS


@on_any(durable="tasks-matters", services=("deals",), wants=_concerns_matters)
async def follow(event: Any, tx: Tx) -> None:
    """By version: what comes late or twice changes nothing."""
    if isinstance(event, product_events_pb2.PriceListPublished):
        if event.change.cause.kind != "import":
            published = to_datetime(event.change.time)
            await store.matters.put_price_list(tx, event.price_list.id, published)
        return
    option = contracts.event_option(event.DESCRIPTOR)
    assert option is not None
    record = getattr(event, option.resource)
    await store.matters.put(tx, rules.of_record(option.resource, record, event.change.version))
