"""The deadline simulator (M11): an installation whose clock the tests move, and who is told what when nobody calls the customer.

The clock only moves forward, so each test waits for the next day of its kind.
"""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.chaos.machine import Machine, free_port
from tests.e2e.company import Company, Person, becomes, client, ok, phone, signed_up
from tests.e2e.runtime.harness import processes_of, until

WARSAW = ZoneInfo("Europe/Warsaw")
MINUTE = timedelta(minutes=1)
OFFICE = [{"weekday": day, "start": "09:00", "end": "18:00"} for day in range(1, 6)]
LADDER = [
    {"afterMinutes": 15, "whom": "WHOM_OWNER"},
    {"afterMinutes": 20, "whom": "WHOM_HEAD"},
    {"afterMinutes": 30, "whom": "WHOM_HEADS_DEPUTY"},
]


@pytest.fixture(scope="module")
async def machine() -> AsyncIterator[Machine]:
    """A one-machine installation of its own, marked for tests."""
    folder = Path(tempfile.mkdtemp(prefix="akrab-deadlines-"))
    os.chmod(folder, 0o711)  # PostgreSQL does not run as root and must pass
    settings = {"CRM_PROCESSES": "2", "CRM_SIGNUP": "1", "CRM_TEST_CLOCK": "1"}
    made = Machine(folder / "data", free_port(), settings=settings)
    try:
        await made.up()
        async with signed_up(made.url, made.setup_token):
            pass  # the first company; every test has one of its own
        yield made
    finally:
        made.end(signal.SIGTERM)
        until(lambda: not processes_of(made.data), "the tests left processes", 20)
        shutil.rmtree(folder)


@dataclass
class Shop:
    """A company with a chief, and below him sales with a head, his deputy and two sellers; a form whose requests Ana gets."""

    firm: Company
    chief: Person
    head: Person
    deputy: Person
    ana: Person
    budi: Person
    sales: str
    form: dict[str, Any]
    heard: tuple[datetime, float] | None = None
    """What time the installation said that it is, and when it said so."""

    @property
    def http(self) -> Any:
        return self.firm.admin.http

    async def now(self) -> datetime:
        """What time it is for the installation."""
        if self.heard is None:
            return await self.wait(timedelta(0))
        told, when = self.heard
        return told + timedelta(seconds=time.monotonic() - when)

    async def wait(self, by: timedelta) -> datetime:
        """Moves the clock; returns when all that follows has happened."""
        answer = ok(
            await self.http.post("/v1/testClock:advance", json={"seconds": by.total_seconds()})
        )
        told = datetime.fromisoformat(answer["now"])
        self.heard = told, time.monotonic()
        return told

    async def at(self, moment: datetime) -> None:
        """Moves the clock to half a second after this moment."""
        await self.wait(moment - await self.now() + timedelta(seconds=0.5))

    async def next(self, weekday: int, hour: int, minute: int = 0) -> datetime:
        """Moves the clock to the next such moment in Warsaw (1 is Monday)."""
        local = (await self.now()).astimezone(WARSAW)
        day = local.date() + timedelta(days=(weekday - local.isoweekday()) % 7 or 7)
        moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=WARSAW)
        await self.at(moment)
        return moment.astimezone(UTC)

    async def asked(self) -> dict[str, Any]:
        """A customer asks through the form; the task to call him."""
        async with client(self.firm.url) as visitor:
            body = {"fields": {"name": "Wanda", "phone": phone()}}
            receipt = ok(await visitor.post(f"/v1/public/forms/{self.form['key']}", json=body))
        return await self.task_of(receipt["receiptId"])

    async def task_of(self, request_id: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = []

        async def there() -> bool:
            query = {"filter": f'link.request_id = "{request_id}"'}
            found[:] = ok(await self.http.get("/v1/tasks", params=query)).get("tasks", [])
            return bool(found)

        await becomes(there, True, "the request made a task")
        return found[0]

    async def run(self, task: dict[str, Any]) -> dict[str, Any]:
        """The newest run of the task's ladder."""
        return dict(ok(await self.http.get(f"/v1/tasks/{task['id']}/ladder"))["runs"][0])

    async def told(self, task: dict[str, Any]) -> list[tuple[str, str]]:
        """(who, why) of each step that was told, in order; no step was late."""
        steps = [s for s in (await self.run(task)).get("steps", []) if "fireTime" in s]
        assert [s.get("lateSeconds", 0) for s in steps] == [0] * len(steps)
        assert all(len(s["told"]) == 1 for s in steps)
        return [
            (s["told"][0]["userId"], s["told"][0]["because"].removeprefix("BECAUSE_"))
            for s in steps
        ]

    async def plans(self, task: dict[str, Any]) -> list[str]:
        """When the steps are planned, on the clock in Warsaw."""
        plans = [datetime.fromisoformat(s["planTime"]) for s in (await self.run(task))["steps"]]
        return [plan.astimezone(WARSAW).strftime("%a %H:%M") for plan in plans]

    async def escalations(self, task: dict[str, Any]) -> int:
        """How often the customer's timeline says that somebody was told."""
        path = f"/v1/contacts/{task['contactId']}/timeline"
        entries = ok(await self.http.get(path, params={"pageSize": 200})).get("entries", [])
        return sum(entry["type"].endswith(".Escalated") for entry in entries)

    async def away(self, person: Person, **given: Any) -> None:
        """Somebody is away from now on, for a week."""
        start = await self.now()
        times = {"startTime": told_at(start), "endTime": told_at(start + timedelta(days=7))}
        body = {"ownerId": person.id, "kind": "KIND_SICK", **times, **given}
        ok(await self.http.post("/v1/absences", json=body))
        await self.wait(timedelta(0))  # all that follows has happened


def told_at(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


@pytest.fixture
async def shop(machine: Machine) -> AsyncIterator[Shop]:
    async with signed_up(machine.url) as firm:
        http = firm.admin.http
        ok(
            await http.patch(
                "/v1/tenant", json={"workingHours": OFFICE, "holidays": {"worked": True}}
            )
        )
        roles = ok(await http.get("/v1/roles", params={"filter": 'built_in = "salesperson"'}))[
            "roles"
        ]
        company = await firm.department()
        sales = await firm.department(company)
        chief = await firm.person(roles[0]["id"], company)
        head, deputy, ana, budi = [await firm.person(roles[0]["id"], sales) for _ in range(4)]
        ok(await http.patch(f"/v1/departments/{company}", json={"headId": chief.id}))
        leaders = {"headId": head.id, "deputyId": deputy.id}
        ok(await http.patch(f"/v1/departments/{sales}", json=leaders))
        rule = {"rule": "RULE_ROUND_ROBIN", "userIds": [ana.id]}
        form = await firm.form(departmentId=sales, assignment=rule)
        body = {"name": "15, 20, 30", "formIds": [form["id"]], "steps": LADDER}
        ok(await http.post("/v1/ladders", json=body))
        yield Shop(firm, chief, head, deputy, ana, budi, sales, form)


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
