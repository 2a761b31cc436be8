"""PostgreSQL goes away and comes back under load: 503 or the truth, never a false success, and no hand is needed."""

import asyncio
import signal
from collections import Counter

import httpx

from chassis.testing.events import eventually
from tests.chaos import records
from tests.chaos.load import Load
from tests.chaos.machine import Machine
from tests.e2e.company import Company, client, ok, phone

HTML = {"accept": "text/html"}
THANKS = "Thank you! We call you back."


async def test_a_restart_under_load_loses_nothing_that_was_acknowledged(
    machine: Machine, company: Company
) -> None:
    access = (await company.token(nats=True, natsStart="NATS_START_ALL"))["nats"]
    load = Load(machine, company, "Restart")
    writing = asyncio.create_task(load.run(1_000_000, 16))
    await load.acknowledges(200)

    await restart_at_once(machine)
    after = len(load.told.acknowledged)
    await load.acknowledges(after + 200)
    load.stop.set()
    await writing

    told = load.told
    assert told.rude == []
    assert told.refusals[503] > 0
    assert set(told.refusals) == {503}
    assert not told.unanswered  # the application lives: it answers everybody
    once = Counter(told.acknowledged.values())
    names = {id: f"Restart {number}" for number, id in told.acknowledged.items()}
    assert await records.listed(company) == names
    events = await records.created_events(access, once.total())
    assert Counter(event.subject for event in events) == once
    await records.timeline_shows(company, once)


async def test_a_visitor_is_never_thanked_for_what_was_not_kept(
    machine: Machine, company: Company
) -> None:
    form = await company.form(rateLimitPerMinute=10_000)
    receipts: list[str] = []
    pages: Counter[int] = Counter()
    refusals: Counter[int] = Counter()
    over = asyncio.Event()

    async def programs(http: httpx.AsyncClient) -> None:
        while not over.is_set():
            body = {"fields": {"name": "Wanda", "phone": phone()}}
            answer = await http.post(f"/v1/public/forms/{form['key']}", json=body)
            if answer.status_code == 200:
                receipts.append(answer.json()["receiptId"])
            else:
                refusals[answer.status_code] += 1
                assert "retry-after" in answer.headers, answer.text

    async def people(http: httpx.AsyncClient) -> None:
        while not over.is_set():
            data = {"name": "Jan", "phone": phone()}
            page = await http.post(f"/forms/{form['key']}", data=data, headers=HTML)
            pages[page.status_code] += 1
            assert (THANKS in page.text) == (page.status_code == 200)
            assert page.status_code == 200 or "retry-after" in page.headers

    async with client(company.url) as http, asyncio.TaskGroup() as group:
        group.create_task(programs(http))
        group.create_task(people(http))
        await eventually(lambda: len(receipts) >= 10 and pages[200] >= 5, "visitors are served")
        await restart_at_once(machine)
        known = len(receipts), pages[200]
        await eventually(
            lambda: len(receipts) > known[0] and pages[200] > known[1],
            "visitors are served again",
            30,
        )
        over.set()

    assert set(refusals) == {503}
    assert set(pages) == {200, 503}
    kept = await company.admin.ids("/v1/requests")
    assert set(receipts) <= kept
    assert len(kept) == len(receipts) + pages[200]
    found = {
        receipt: ok(await company.admin.http.get(f"/v1/requests/{receipt}"))["formId"]
        for receipt in receipts[:10]
    }
    assert set(found.values()) == {form["id"]}


async def restart_at_once(machine: Machine) -> None:
    """What `pg_ctl restart -m immediate` does: no shutdown, no checkpoint; the supervisor is the one that starts it again."""
    pid = machine.pids()["postgres"]
    machine.send(pid, signal.SIGQUIT)
    await machine.restarted("postgres", pid)
