"""What deals tells of deals, quotes, invoices and price lists, kept for the day plan; tasks of a deal learn whose it is."""

from typing import Any

from chassis import contracts
from chassis.handlers import on
from chassis.times import to_datetime
from chassis.tx import Tx
from crm.deals.v1 import product_events_pb2
from services.tasks import store
from services.tasks.rules import matters as rules


@on(
    *contracts.carrying(*rules.OBJECTS),
    product_events_pb2.PriceListPublished,
    durable="tasks-matters",
)
async def follow(event: Any, tx: Tx) -> None:
    """By version: what comes late or twice changes nothing."""
    if isinstance(event, product_events_pb2.PriceListPublished):
        if event.change.cause.kind != "import" and not event.change.republished:
            published = to_datetime(event.change.time)
            await store.matters.put_price_list(tx, event.price_list.id, published)
        return
    object, record = contracts.carried(event)
    await store.matters.put(tx, rules.of_record(object, record, event.change.version))
