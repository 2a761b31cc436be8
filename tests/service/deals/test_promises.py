"""Promises and asking again, by the real clock: each told once, at its time."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from google.type.date_pb2 import Date

from chassis.testing.events import eventually
from chassis.times import to_datetime, to_timestamp
from crm.deals.v1 import deal_pb2
from crm.deals.v1.deal_pb2 import Promise
from services.deals import timers
from tests.service.deals import verbs
from tests.service.deals.moving import system
from tests.service.deals.world import Deal, World

SOON = timedelta(seconds=1)
WEEK = timedelta(days=7)


def now() -> datetime:
    return datetime.now(UTC)


def promise(at: datetime, **given: object) -> Promise:
    return Promise(time=to_timestamp(at), **given)  # type: ignore[arg-type]


async def planned(world: World) -> dict[str, datetime]:
    """What is planned: kind -> when."""
    sql = "SELECT kind, due_at FROM timers WHERE tenant_id = $1"
    rows = await world.running.rows("deals", sql, world.tenant.id)
    return {row["kind"]: row["due_at"] for row in rows}


async def missed(world: World, deal: Deal) -> Deal:
    async def there() -> bool:
        return (await world.deal(deal.id)).promise.HasField("miss_time")

    await eventually(there, "the promise was missed")
    return await world.deal(deal.id)


async def test_a_promise_that_passes_is_missed_once(world: World) -> None:
    at = now() + SOON
    deal = await world.make(promise=promise(at))
    assert set(await planned(world)) == {"promise-missed"}  # a day before it nobody knew of it

    late = await missed(world, deal)

    assert to_datetime(late.promise.miss_time) == to_datetime(late.promise.time)
    [told] = await world.events("PromiseMissed")
    assert told["deal"]["id"] == deal.id
    assert (await planned(world), late.etag) == ({}, "2")
    assert await world.published() == 3  # the pipeline, the deal, and that it was missed


async def test_a_promise_comes_near_once(world: World) -> None:
    at = now() + timedelta(minutes=1) + SOON
    deal = await world.make(promise=promise(at, near_minutes=1))

    [told] = await world.events("PromiseNear")

    assert told["deal"]["id"] == deal.id
    assert (await world.deal(deal.id)).etag == "1"
    assert set(await planned(world)) == {"promise-missed"}


async def test_a_moved_promise_is_watched_anew_and_a_kept_one_no_more(world: World) -> None:
    first, second = now() + WEEK, now() + 2 * WEEK
    deal = await world.make(promise=promise(first))
    assert await planned(world) == {
        "promise-near": first - timedelta(days=1), "promise-missed": first,
    }  # fmt: skip

    deal = await verbs.change(world, deal, promise=promise(second, near_minutes=60))

    assert await planned(world) == {
        "promise-near": second - timedelta(hours=1), "promise-missed": second,
    }  # fmt: skip
    won = await verbs.win(world, deal)
    assert len(await planned(world)) == 2  # what was sold is still to be delivered

    kept = promise(second, near_minutes=60, kept_time=to_timestamp(now()))
    await verbs.change(world, won, promise=kept)
    assert await planned(world) == {}


@pytest.mark.large
async def test_a_missed_promise_that_is_moved_can_be_missed_again(world: World) -> None:
    deal = await missed(world, await world.make(promise=promise(now() + SOON)))

    moved = await verbs.change(world, deal, promise=promise(now() + SOON))

    assert not moved.promise.HasField("miss_time")
    await missed(world, moved)
    assert len(await world.events("PromiseMissed", 2)) == 2


async def test_a_deleted_or_lost_deal_promises_nothing(world: World) -> None:
    deal = await world.make(promise=promise(now() + WEEK))
    await world.admin.DeleteDeal(deal_pb2.DeleteDealRequest(id=deal.id))
    assert await planned(world) == {}
    await world.admin.UndeleteDeal(deal_pb2.UndeleteDealRequest(id=deal.id))
    assert len(await planned(world)) == 2
    await verbs.lose(world, deal, await verbs.reason(world))
    assert await planned(world) == {}


async def test_a_lost_customer_is_asked_again_in_the_companys_morning(world: World) -> None:
    deal, why = await world.make(), await verbs.reason(world)
    day = (now() + WEEK).date()
    when = Date(year=day.year, month=day.month, day=day.day)

    lost = await verbs.lose(world, deal, why, ask_again_date=when)

    [(kind, due)] = (await planned(world)).items()
    morning = datetime(day.year, day.month, day.day, 7, tzinfo=ZoneInfo("Europe/Warsaw"))
    assert (kind, due) == ("ask-again", morning)
    payload = {"deal_id": deal.id, "due": due.isoformat()}
    stale = {"deal_id": deal.id, "due": (due + WEEK).isoformat()}
    for fired in (stale, payload):
        await fire(world, fired)
    [told] = await world.events("AskAgainDue")
    assert told["deal"]["id"] == lost.id
    await verbs.reopen(world, lost)
    assert await planned(world) == {}
    await fire(world, payload)
    assert len(await world.events("DealReopened")) == 1
    assert await world.published() == 6


async def fire(world: World, payload: dict[str, str]) -> None:
    """As the timer would, whatever its time."""
    await system(world, lambda tx: timers.ask_again(payload, tx))
