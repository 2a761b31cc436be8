"""At seven by his own clock each person who works today is told what his day holds: once."""

from collections.abc import Awaitable, Callable
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from chassis.call import Cause
from chassis.running import run_system
from chassis.testing.installation import Person
from chassis.times import to_timestamp
from crm.identity.v1 import events_pb2 as identity
from crm.tasks.v1 import day_pb2 as pb
from services.tasks import store, timers_day
from tests.service.tasks.days import SELLER, Told, dated, now, today, zone_where_it_is
from tests.service.tasks.meeting_world import until
from tests.service.tasks.world import World

SEVEN, AFTERNOON = zone_where_it_is(7), zone_where_it_is(14)
COMPANY = "UTC"
"""Where the company's administrator is, whose seven o'clock may come before theirs."""
_TEST_TAKES = timedelta(minutes=5)
"""At most: until then nobody's seven o'clock comes by itself."""


async def write(world: World, work: Callable[[Any], Awaitable[Any]]) -> Any:
    runtime = world.running.process.runtimes["tasks"]
    return await run_system(runtime, world.tenant.id, Cause("timer", "test"), work)


async def known(world: World, person: Person, zone: str, days_ago: int = 1) -> None:
    """The person's last morning was so many days ago."""
    day = today(zone) - timedelta(days=days_ago)
    await write(world, lambda tx: store.day.note_morning(tx, person.id, day))


async def morning(world: World) -> None:
    """What the timer does when it is due."""
    await write(world, lambda tx: timers_day.morning({}, tx))


async def planned(world: World, count: int) -> list[dict[str, Any]]:
    """All that was told, once nothing waits to be: so many and no more."""
    told = await world.events("DayPlanned", count) if count else []
    await world.published()
    stream = await world.running.process.nats.js.stream_info(
        "TASKS", subjects_filter=f"crm.{world.tenant.id}.tasks.DayPlanned"
    )
    assert sum((stream.state.subjects or {}).values()) == count
    return told


def next_seven(zone: str) -> datetime:
    at = datetime.combine(today(zone), time(7), ZoneInfo(zone))
    return at if at > now() else at + timedelta(days=1)  # the Etc zones and UTC have no summer time


async def due_timer(world: World) -> datetime:
    (row,) = await world.running.rows(
        "tasks", "SELECT due_at FROM timers WHERE tenant_id = $1 AND kind = 'day-morning'", world.tenant.id
    )  # fmt: skip
    found: datetime = row["due_at"]
    return found


async def test_a_day_is_told_once_with_its_counts_and_no_names(world: World) -> None:
    anna = await world.tenant.person(SELLER, time_zone=SEVEN)
    await known(world, anna, SEVEN)
    await world.make(owner_id=anna.id, due_time=to_timestamp(now() - timedelta(days=1)))

    await morning(world)
    await morning(world)

    (event,) = await planned(world, 1)
    assert (event["userId"], event["lineCount"]) == (anna.id, 1)
    assert event["counts"] == [{"code": "CODE_OVERDUE", "count": 1}]
    assert pb.Day(date=dated(today(SEVEN))).date.day == event["date"]["day"]
    assert "Call back" not in str(event)
    assert event["change"]["actor"]["kind"] == "system"


async def test_who_is_in_another_zone_away_new_or_free_today_is_told_nothing(
    world: World,
) -> None:
    six = zone_where_it_is(6, within=_TEST_TAKES)
    closed = [{"weekday": 1 + today(SEVEN).isoweekday() % 7, "start": "09:00", "end": "17:00"}]
    away: Any = {"away_from": now().timestamp() - 9, "away_until": now().timestamp() + 9_999}
    silent = {
        six: await world.tenant.person(SELLER, time_zone=six),
        AFTERNOON: await world.tenant.person(SELLER, time_zone=AFTERNOON),
        "away": await world.tenant.person(SELLER, time_zone=SEVEN, **away),
        "free": await world.tenant.person(SELLER, time_zone=SEVEN, working_hours=closed),
        "left": await world.tenant.person(SELLER, time_zone=SEVEN, state="deactivated"),
    }
    for zone, person in silent.items():
        await known(world, person, zone if zone in (six, AFTERNOON) else SEVEN)
    await world.tenant.person(SELLER, time_zone=SEVEN)  # new

    await morning(world)

    assert await planned(world, 0) == []
    assert await due_timer(world) == min(next_seven(six), next_seven(COMPANY))


async def test_many_are_told_in_turns(world: World) -> None:
    count = timers_day.AT_ONCE + 1
    people = [await world.tenant.person(SELLER, time_zone=SEVEN) for _ in range(count)]
    for each in people:
        await known(world, each, SEVEN)

    await morning(world)  # and the timer that it has set does the rest

    told = await world.events("DayPlanned", count)
    assert {event["userId"] for event in told} == {each.id for each in people}


async def test_somebody_new_is_expected_on_his_next_morning(world: World) -> None:
    anna = await world.tenant.person(SELLER, time_zone=SEVEN)

    await Told(world).event(identity.UserCreated())

    async def noted() -> bool:
        rows = await world.running.rows(
            "tasks", "SELECT date FROM day_mornings WHERE tenant_id = $1 AND user_id = $2", world.tenant.id, anna.id
        )  # fmt: skip
        return [row["date"] for row in rows] == [today(SEVEN)]

    await until(noted)
    assert await planned(world, 0) == []
    assert await due_timer(world) > now()


async def test_a_later_morning_after_an_outage_says_how_late_it_is(world: World) -> None:
    ten = zone_where_it_is(10)
    anna = await world.tenant.person(SELLER, time_zone=ten)
    await known(world, anna, ten, days_ago=3)

    await morning(world)

    (event,) = await planned(world, 1)
    assert 3 * 3600 <= int(event["lateSeconds"]) < 4 * 3600 + 60
