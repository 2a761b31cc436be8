"""Notices through crashes: an event makes each notice once, whatever is killed; a push comes again only if it was on its way (I1, I9)."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest

from chassis.testing.events import eventually
from crm.notifications.v1.notice_pb2 import Notice, Receipt
from services.notifications.delivering import CLAIMED
from services.notifications.rules.push import encoded
from tests.chaos.clock import jump, now
from tests.chaos.machine import Machine
from tests.e2e.company import Company, Person, ok
from tests.e2e.outside import reading
from tests.service.notifications.browsers import Device, PushService

TASKS = 100
PUSHED = 40
_LATER = CLAIMED + timedelta(seconds=1)


class Slow(PushService):
    """A push service that takes what comes and reads and answers it only once it is `opened`."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = 0
        self.opened = asyncio.Event()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        await self.opened.wait()
        with suppress(OSError, asyncio.IncompleteReadError):  # its sender is dead
            await super().accept(reader, writer)


@asynccontextmanager
async def slow_push_service() -> AsyncIterator[Slow]:
    made = Slow()
    server = await asyncio.start_server(made.accept, "127.0.0.1", 0)
    made.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield made


@pytest.fixture
async def ana(company: Company) -> Person:
    """Somebody who is given tasks."""
    query = {"filter": 'built_in = "salesperson"'}
    roles = ok(await company.admin.http.get("/v1/roles", params=query))
    return await company.person(roles["roles"][0]["id"])


async def given(company: Company, to: Person, count: int) -> list[str]:
    """New tasks of somebody; their ids."""
    body = {"tasks": [{"subject": f"Call {n}"} for n in range(count)], "ownerIds": [to.id]}
    answer = ok(await company.admin.http.post("/v1/tasks:quickAssign", json=body))
    return [task["id"] for task in answer["tasks"]]


async def notices(machine: Machine, to: Person, at_least: int) -> list[Notice]:
    """What somebody was told, once it is so much."""
    found: list[Notice] = []

    async def enough() -> bool:
        sql = "SELECT doc FROM notices WHERE owner_id = $1"
        rows = await machine.sql(sql, to.id, database="crm_notifications")
        found[:] = [Notice.FromString(row["doc"]) for row in rows]
        return len(found) >= at_least

    await eventually(enough, f"{at_least} notices", 180)
    return found


async def feed(person: Person) -> Counter[tuple[str, str]]:
    """(code, record) -> how often it stands in the feed, over all pages."""
    found: Counter[tuple[str, str]] = Counter()
    token = ""
    while True:
        query: dict[str, str | int] = {"pageSize": 200, "pageToken": token}
        page = ok(await person.http.get("/v1/me/notices", params=query))
        found.update((one["code"], one["objectId"]) for one in page.get("notices", []))
        if not (token := page.get("nextPageToken", "")):
            return found


async def created(access: dict[str, Any], count: int) -> Counter[str]:
    """Notice -> how many events tell of its creation, each event once however often it was delivered."""
    async with reading(access, "NOTIFICATIONS") as reader:

        def enough(events: list[Any]) -> bool:
            return sum(event.type == "NoticeCreated" for event in events) >= count

        events = await reader.until(enough, f"{count} notices in the stream", 180)
        events += await reader.rest()
    once = {event.id: event.subject for event in events if event.type == "NoticeCreated"}
    return Counter(once.values())


async def test_killed_between_events_and_notices_each_event_is_told_once(
    machine: Machine, company: Company, ana: Person
) -> None:
    access = (await company.token(nats=True, natsStart="NATS_START_ALL"))["nats"]
    tasks: list[str] = []
    at_kill = []

    for victim in ("apps", "nats", "postgres"):
        tasks += await given(company, ana, TASKS)
        before = len(tasks) - TASKS
        at_kill.append(len(await notices(machine, ana, before + 1)) - before)
        await machine.killed(victim)
        await notices(machine, ana, len(tasks))

    assert min(at_kill) < TASKS, "nothing was ever killed half-way: the test proves nothing"
    await now(company)  # all that follows has happened
    once = Counter(("task_assigned", task) for task in tasks)
    assert len(once) == len(tasks)
    assert await feed(ana) == once
    ids = [notice.id for notice in await notices(machine, ana, len(tasks))]
    assert await created(access, len(ids)) == Counter(ids)


async def test_killed_between_notice_and_push_only_what_was_on_its_way_is_pushed_again(
    machine: Machine, company: Company, ana: Person
) -> None:
    async with slow_push_service() as outside:
        device = Device()
        address = {"endpoint": f"{outside.origin}/ana", "p256dh": encoded(device.point), "auth": encoded(device.auth)}  # fmt: skip
        ok(await ana.http.post("/v1/pushSubscriptions:subscribe", json=address))
        tasks = await given(company, ana, PUSHED)
        told = {notice.id for notice in await notices(machine, ana, PUSHED)}
        await eventually(lambda: outside.taken > 0, "a push is on its way", 60)

        for pid in machine.apps():
            machine.kill(pid)
        on_their_way = await tried(machine, ana)
        outside.opened.set()
        await machine.whole()
        await delivered(machine, company, ana)
        pushes = Counter(one["noticeId"] for one in outside.read("/ana", device))
        await jump(company.admin.http, 10 * _LATER)
        await now(company)

        assert set(pushes) == told
        assert 0 < len(on_their_way) < PUSHED
        assert {id for id, times in pushes.items() if times > 1} <= on_their_way
        assert max(pushes.values()) <= 2
        assert Counter(one["noticeId"] for one in outside.read("/ana", device)) == pushes
    receipts = [list(notice.receipts) for notice in await notices(machine, ana, PUSHED)]
    assert [[one.state for one in each] for each in receipts] == [[Receipt.STATE_SENT]] * PUSHED
    assert await feed(ana) == Counter(("task_assigned", task) for task in tasks)


async def tried(machine: Machine, to: Person) -> set[str]:
    """The notices of somebody that some process has taken to push them."""
    sql = "SELECT notice_id FROM deliveries WHERE owner_id = $1 AND attempts > 0"
    rows = await machine.sql(sql, to.id, database="crm_notifications")
    return {str(row["notice_id"]) for row in rows}


async def delivered(machine: Machine, company: Company, to: Person) -> None:
    """Moves the clock until the dead processes' pushes are anybody's, and waits until nothing waits to be pushed."""
    await now(company)
    await jump(company.admin.http, _LATER)

    async def over() -> bool:
        sql = "SELECT 1 FROM deliveries WHERE owner_id = $1 AND state = 'waiting'"
        return not await machine.sql(sql, to.id, database="crm_notifications")

    await eventually(over, "everything is pushed", 180)
