"""A window shop on an installation whose clock the tests move: who is told what, and when (M11).

The clock only moves forward, so each test waits for the next day of its kind.
"""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

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


@asynccontextmanager
async def clocked_machine(name: str, **settings: str) -> AsyncIterator[Machine]:
    """A one-machine installation of its own, marked for tests; two application processes."""
    folder = Path(tempfile.mkdtemp(prefix=f"akrab-{name}-"))
    os.chmod(folder, 0o711)  # PostgreSQL does not run as root and must pass
    given = {"CRM_PROCESSES": "2", "CRM_SIGNUP": "1", "CRM_TEST_CLOCK": "1", **settings}
    made = Machine(folder / "data", free_port(), settings=given)
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


@asynccontextmanager
async def opened(machine: Machine) -> AsyncIterator[Shop]:
    """A new shop."""
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
