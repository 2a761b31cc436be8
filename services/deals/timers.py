"""What happens by itself: promises come near and pass, lost customers are asked again."""

from datetime import datetime
from typing import Any

from chassis.handlers import timer
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.deals.v1 import events_pb2 as events
from services.deals import life, people, promises, saving, store
from services.deals.rules import promises as rules


@timer(promises.NEAR)
async def promise_near(payload: dict[str, Any], tx: Tx) -> None:
    """A promise is due soon."""
    await _ring(promises.NEAR, payload, tx)


@timer(promises.MISSED)
async def promise_missed(payload: dict[str, Any], tx: Tx) -> None:
    """A promise has passed."""
    await _ring(promises.MISSED, payload, tx)


@timer(promises.ASK_AGAIN)
async def ask_again(payload: dict[str, Any], tx: Tx) -> None:
    """The morning has come on which a lost customer is to be asked again."""
    await _ring(promises.ASK_AGAIN, payload, tx)


@timer(life.SHOW_AGAIN)
async def show_again(payload: dict[str, Any], tx: Tx) -> None:
    """A stage has other steps, or lets its deals rest longer."""
    await life.show_next(tx, payload["pipeline_id"], payload["after"])


async def _ring(kind: str, payload: dict[str, Any], tx: Tx) -> None:
    """Tells what the moment calls for, if it still does."""
    deal = await store.deals.find(tx, payload["deal_id"])
    if deal is None:
        return
    due = datetime.fromisoformat(payload["due"])
    plan = rules.plan(deal, people.zone_of(tx))
    if kind == promises.NEAR and plan.near == due:
        tx.emit(events.PromiseNear(deal=deal))
    elif kind == promises.ASK_AGAIN and plan.ask_again == due:
        tx.emit(events.AskAgainDue(deal=deal))
    elif kind == promises.MISSED and plan.missed == due:
        deal.promise.miss_time.CopyFrom(to_timestamp(due))
        await saving.save(tx, deal)
        tx.emit(events.PromiseMissed(deal=deal))
