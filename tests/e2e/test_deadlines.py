"""The deadline simulator (M11): who is told what, and when, while nobody calls the customer."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.chaos.machine import Machine
from tests.e2e.company import ok
from tests.e2e.shop import MINUTE, WARSAW, Shop, clocked_machine, opened, told_at


@pytest.fixture(scope="module")
async def machine() -> AsyncIterator[Machine]:
    async with clocked_machine("deadlines") as made:
        yield made


@pytest.fixture
async def shop(machine: Machine) -> AsyncIterator[Shop]:
    async with opened(machine) as made:
        yield made


async def test_a_new_company_has_the_ladder_of_the_articles(shop: Shop) -> None:
    ladders = ok(await shop.http.get("/v1/ladders", params={"orderBy": "create_time"}))["ladders"]

    first = [(s["afterMinutes"], s["whom"]) for s in ladders[0]["steps"]]

    assert first == [
        (10, "WHOM_OWNER"),
        (15, "WHOM_OWNER"),
        (20, "WHOM_HEAD"),
        (30, "WHOM_HEADS_DEPUTY"),
    ]


async def test_a_request_of_monday_morning_climbs_the_whole_ladder_in_five_seconds(
    shop: Shop,
) -> None:
    nine = await shop.next(1, 9)
    began = time.monotonic()

    task = await shop.asked()
    assert task["ownerId"] == shop.ana.id
    counts = []
    for minutes in (14, 15, 19, 20, 29, 30, 90):
        await shop.at(
            nine + minutes * MINUTE + timedelta(seconds=5 if minutes not in (14, 19, 29) else 0)
        )
        counts.append(len(await shop.told(task)))

    took = time.monotonic() - began
    assert counts == [0, 1, 1, 2, 2, 3, 3]
    assert await shop.told(task) == [
        (shop.ana.id, "OWNER"),
        (shop.head.id, "HEAD"),
        (shop.deputy.id, "DEPUTY"),
    ]
    assert await shop.escalations(task) == 3
    seen = ok(await shop.http.get(f"/v1/tasks/{task['id']}"))
    assert seen["missTime"] == seen["dueTime"]
    assert (await shop.run(task))["state"] == "STATE_ENDED"
    assert took < 5, f"{took:.1f} s"


async def test_a_request_of_friday_evening_waits_over_the_weekend_and_the_holiday(
    shop: Shop,
) -> None:
    local = (await shop.now()).astimezone(WARSAW)
    friday = local.date() + timedelta(days=(5 - local.isoweekday()) % 7 or 7)
    monday = friday + timedelta(days=3)
    day = {"year": monday.year, "month": monday.month, "day": monday.day}
    ok(
        await shop.http.patch(
            "/v1/tenant", json={"specialDays": [{"date": day, "name": "Holiday"}]}
        )
    )
    evening = await shop.next(5, 17, 55)

    task = await shop.asked()

    due = datetime.fromisoformat(task["dueTime"]).astimezone(WARSAW)
    assert due.strftime("%a %H:%M") == "Tue 09:10"
    assert await shop.plans(task) == ["Tue 09:10", "Tue 09:15", "Tue 09:25"]
    await shop.at(evening + timedelta(days=3, hours=6))
    assert await shop.told(task) == []
    tuesday = datetime.combine(monday + timedelta(days=1), datetime.min.time(), WARSAW)
    for minute in (10, 15):
        await shop.at(tuesday.replace(hour=9, minute=minute).astimezone(UTC) + timedelta(seconds=5))
    assert [who for who, _ in await shop.told(task)] == [shop.ana.id, shop.head.id]


async def test_on_the_sunday_when_the_clocks_change_working_time_is_what_passes(shop: Shop) -> None:
    nights = [{"weekday": 7, "start": "00:00", "end": "06:00"}]
    ok(await shop.http.patch("/v1/tenant", json={"workingHours": nights}))
    moment = await shop.now()
    day = moment.astimezone(WARSAW).date() + timedelta(days=1)
    while _offset(day) == _offset(day + timedelta(days=1)):
        day += timedelta(days=1)
    change = "Sun 03:05" if _offset(day) < _offset(day + timedelta(days=1)) else "Sun 02:05"
    await shop.at(datetime(day.year, day.month, day.day, 1, 50, tzinfo=WARSAW))

    task = await shop.asked()

    assert (await shop.plans(task))[0] == change
    await shop.wait(14 * MINUTE)
    assert await shop.told(task) == []
    await shop.wait(MINUTE + timedelta(seconds=5))
    assert await shop.told(task) == [(shop.ana.id, "OWNER")]


def _offset(day: Any) -> timedelta:
    return datetime(day.year, day.month, day.day, tzinfo=WARSAW).utcoffset() or timedelta(0)


async def test_the_head_is_away_and_his_delegate_is_told(shop: Shop) -> None:
    nine = await shop.next(1, 9)
    await shop.away(shop.head, delegateId=shop.budi.id)

    task = await shop.asked()
    await shop.at(nine + 40 * MINUTE)

    step = (await shop.run(task))["steps"][1]
    assert step["told"] == [
        {"userId": shop.budi.id, "because": "BECAUSE_DELEGATE", "insteadOfId": shop.head.id}
    ]


async def test_the_owner_is_the_head_and_the_next_head_is_told(shop: Shop) -> None:
    nine = await shop.next(1, 9)
    ok(await shop.http.patch(f"/v1/departments/{shop.sales}", json={"headId": shop.ana.id}))

    task = await shop.asked()
    await shop.at(nine + 15 * MINUTE + timedelta(seconds=5))
    await shop.at(nine + 20 * MINUTE + timedelta(seconds=5))

    assert await shop.told(task) == [(shop.ana.id, "OWNER"), (shop.chief.id, "NEXT_HEAD")]


async def test_all_are_away_and_the_administrator_is_told(shop: Shop) -> None:
    nine = await shop.next(1, 9)
    task = await shop.asked()
    for person in (shop.ana, shop.budi, shop.head, shop.deputy, shop.chief):
        await shop.away(person)

    await shop.at(nine + 15 * MINUTE + timedelta(seconds=5))
    await shop.at(nine + 20 * MINUTE + timedelta(seconds=5))

    assert [why for _, why in await shop.told(task)] == ["ADMINISTRATOR", "ADMINISTRATOR"]
    assert {who for who, _ in await shop.told(task)} == {shop.firm.admin.id}


async def test_given_on_at_minute_twelve_the_customers_clock_goes_on(shop: Shop) -> None:
    nine = await shop.next(1, 9)
    task = await shop.asked()
    before = await shop.run(task)
    await shop.at(nine + 12 * MINUTE)

    ok(await shop.http.post(f"/v1/tasks/{task['id']}:assign", json={"ownerId": shop.budi.id}))
    await shop.at(nine + 15 * MINUTE + timedelta(seconds=5))

    after = await shop.run(task)
    assert (after["number"], after["startTime"]) == (before["number"], before["startTime"])
    assert await shop.told(task) == [(shop.budi.id, "OWNER")]


async def test_moved_after_it_was_told_it_is_told_again(shop: Shop) -> None:
    nine = await shop.next(1, 9)
    task = await shop.asked()
    await shop.at(nine + 15 * MINUTE + timedelta(seconds=5))
    assert len(await shop.told(task)) == 1

    # Ana has agreed with the customer to call at four.
    four = (nine.astimezone(WARSAW)).replace(hour=16).astimezone(UTC)
    ok(await shop.http.patch(f"/v1/tasks/{task['id']}", json={"dueTime": told_at(four)}))
    await shop.at(nine + 60 * MINUTE)
    assert await shop.told(task) == []
    assert await shop.plans(task) == ["Mon 16:15", "Mon 16:20", "Mon 16:30"]
    await shop.at(four + 15 * MINUTE + timedelta(seconds=5))

    assert await shop.told(task) == [(shop.ana.id, "OWNER")]
    assert await shop.escalations(task) == 2
    assert ok(await shop.http.get(f"/v1/tasks/{task['id']}"))["missTime"] == told_at(four)


async def test_done_in_the_last_seconds_nobody_else_is_told(shop: Shop) -> None:
    nine = await shop.next(1, 9)
    task = await shop.asked()
    await shop.at(nine + 14 * MINUTE + timedelta(seconds=49.5))

    path = f"/v1/tasks/{task['id']}:complete"
    done = ok(await shop.ana.http.post(path, json={"outcome": ""}))
    await shop.at(nine + 120 * MINUTE)

    assert (done["state"], done["reaction"]["stoppedBy"]) == ("STATE_DONE", "done")
    assert (await shop.run(task)).get("steps", []) == []
    assert await shop.escalations(task) == 0
    assert "missTime" not in ok(await shop.http.get(f"/v1/tasks/{task['id']}"))
