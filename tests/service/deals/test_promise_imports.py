"""What files say of promises: a day to come is watched as if somebody had typed it, what is over is history."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chassis.times import to_datetime
from crm.deals.v1 import deal_pb2
from crm.deals.v1 import imports_service_pb2 as pb
from tests.service.deals import verbs
from tests.service.deals.deal_files import OVERWRITE, Clerk, Options, content_of, counts
from tests.service.deals.test_promises import missed, promise
from tests.service.deals.world import Deal, World

WARSAW, WEEK = ZoneInfo("Europe/Warsaw"), timedelta(days=7)


@pytest.fixture
def clerk(world: World) -> Clerk:
    return Clerk(world)


def day(ahead: int) -> str:
    return (datetime.now(WARSAW) + timedelta(days=ahead)).date().isoformat()


def end_of(said: str) -> datetime:
    """The last minute of the day in the company's zone."""
    return datetime.fromisoformat(f"{said}T23:59").replace(tzinfo=WARSAW).astimezone(UTC)


async def found(world: World) -> dict[str, Deal]:
    answer = await world.admin.ListDeals(deal_pb2.ListDealsRequest(page_size=200))
    return {deal.title: deal for deal in answer.deals}


async def watched(world: World, deal: Deal) -> dict[str, datetime]:
    sql = "SELECT kind, due_at FROM timers WHERE tenant_id = $1 AND key = $2"
    rows = await world.running.rows("deals", sql, world.tenant.id, deal.id)
    return {row["kind"]: row["due_at"] for row in rows}


def file() -> str:
    return (
        "Id,Title,State,Closed,Promise date,What was promised,Promise kept\n"
        f"1,Coming,open,,{day(7)},Six windows,\n"
        f"2,Sold,won,{day(-9)},{day(7)},,\n"
        f"3,Late,open,,{day(-7)},,\n"
        f"4,Delivered,won,{day(-99)},{day(-90)},,\n"
        f"5,Delivered late,won,{day(-99)},{day(-90)},,{day(-80)}\n"
        "6,Words only,open,,,Six windows,\n"
        f"7,Kept tomorrow,open,,{day(7)},,{day(1)}\n"
    )


async def test_what_is_to_come_is_watched_and_what_is_over_tells_nobody(
    world: World, clerk: Clerk
) -> None:
    await world.pipeline()
    before = await content_of(world)

    done = await clerk.imported(file())

    deals, due = await found(world), end_of(day(7))
    for title in ("Coming", "Sold"):
        assert to_datetime(deals[title].promise.time) == due
        assert await watched(world, deals[title]) == {
            "promise-near": due - timedelta(days=1), "promise-missed": due,
        }  # fmt: skip
    coming = deals["Coming"].promise
    assert (coming.text, coming.zone) == ("Six windows", "Europe/Warsaw")
    for title in ("Late", "Delivered", "Delivered late"):
        assert await watched(world, deals[title]) == {}
    assert not deals["Late"].promise.HasField("kept_time")
    assert deals["Delivered"].promise.kept_time == deals["Delivered"].promise.time
    kept = to_datetime(deals["Delivered late"].promise.kept_time).astimezone(WARSAW)
    assert kept.date().isoformat() == day(-80)
    assert [(line, why.partition(":")[0]) for line, why in await clerk.refusals(done)] == [
        (7, "promised"), (8, "promise_kept"),
    ]  # fmt: skip
    undone = await clerk.undo(done)
    assert counts(undone.undo) == {"deleted": 5}
    assert await content_of(world) == before


async def test_what_was_missed_is_told_where_the_import_asks_for_it(
    world: World, clerk: Clerk
) -> None:
    await world.pipeline()

    await clerk.imported(file(), options=Options(tell_missed_promises=True))

    deals = await found(world)
    late = [await missed(world, deals[title]) for title in ("Late", "Delivered")]
    told = await world.events("PromiseMissed", 2)
    assert {event["deal"]["id"] for event in told} == {deal.id for deal in late}
    assert not deals["Delivered late"].promise.HasField("miss_time")


async def test_a_file_moves_the_promise_of_a_deal_that_is_known(world: World, clerk: Clerk) -> None:
    await world.pipeline()
    await clerk.imported(f"Id,Title,Promise date\n1,Gate,{day(7)}\n")
    gate = (await found(world))["Gate"]
    at = datetime.now(UTC) + WEEK
    chosen = promise(at, near_minutes=60, zone="Asia/Jakarta", text="By noon")
    gate = await verbs.change(world, gate, promise=chosen)

    await clerk.imported(
        f"Id,Title,Promise date\n1,Gate,{day(20)}\n"
    )  # it has one: nothing is blank
    assert (await world.deal(gate.id)).promise == gate.promise
    await clerk.imported(f"Id,Title,Promise date\n1,Gate,{day(20)}\n", options=Options(on_match=OVERWRITE))  # fmt: skip

    moved, due = (await world.deal(gate.id)).promise, end_of(day(20))
    assert (moved.near_minutes, moved.zone, moved.text) == (60, "Asia/Jakarta", "By noon")
    assert await watched(world, gate) == {
        "promise-near": due - timedelta(hours=1), "promise-missed": due,
    }  # fmt: skip


async def test_what_is_exported_is_the_same_promise_again(world: World, clerk: Clerk) -> None:
    await world.pipeline()
    await clerk.imported(file())
    before: Any = {title: deal.promise for title, deal in (await found(world)).items()}

    again = await clerk.imported(
        await clerk.export(pb.ExportDealsRequest()), options=Options(on_match=OVERWRITE)
    )

    assert counts(again.outcome) == {"unchanged": 5}
    assert {title: deal.promise for title, deal in (await found(world)).items()} == before
