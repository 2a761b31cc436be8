"""NATS stands still, dies, comes back: no write fails, every event arrives, and what was revoked meanwhile is refused."""

import asyncio
from collections import Counter

import httpx

from chassis.waits import first_of
from tests.chaos import records
from tests.chaos.load import Load
from tests.chaos.machine import Machine
from tests.e2e.company import Company, becomes, ok
from tests.e2e.outside import is_let_in

OUTAGE_S = 60.0
CLIENTS = 4
PACE_S = 0.05
"""Between two creates of one client: the outage is to be long, not the load high."""


async def fresh(faces: list[httpx.AsyncClient]) -> list[bool]:
    """What each process says of its directory."""
    return ["akrab_directory_fresh 1.0" in (await face.get("/metrics")).text for face in faces]


async def statuses(faces: list[httpx.AsyncClient], path: str = "/v1/contacts") -> list[int]:
    return [(await face.get(path)).status_code for face in faces]


async def test_writes_go_on_while_nats_stands_still_and_all_events_arrive_after(
    machine: Machine, company: Company
) -> None:
    access = (await company.token(nats=True, natsStart="NATS_START_ALL"))["nats"]
    revoked = await company.token(nats=True)
    faces = await machine.faces(token=revoked["secret"])
    await becomes(lambda: statuses(faces), [200, 200], "both processes know the token", 5)
    load, never = Load(machine, company, "Still", pace_s=PACE_S), asyncio.Event()
    writing = asyncio.create_task(load.run(1_000_000, CLIENTS))
    await load.acknowledges(20)

    with machine.frozen("nats"):
        await becomes(
            lambda: fresh(faces),
            [False, False],
            "both processes know that the directory is not fresh",
            15,
        )
        before = len(load.told.acknowledged)
        ok(await company.admin.http.delete(f"/v1/apiTokens/{revoked['apiToken']['id']}"))
        await first_of(never, timeout_s=OUTAGE_S)
        meanwhile = len(load.told.acknowledged) - before
        assert await fresh(faces) == [False, False]

    assert (
        await becomes(
            lambda: statuses(faces), [401, 401], "both processes refuse the revoked token"
        )
        < 5
    )
    assert await becomes(lambda: is_let_in(revoked["nats"]), False, "NATS refuses it") < 5
    await becomes(lambda: fresh(faces), [True, True], "the directory is fresh again")
    load.stop.set()
    await writing

    assert meanwhile > OUTAGE_S
    assert load.told.rude == []
    assert not load.told.refusals
    assert not load.told.unanswered
    once = Counter(load.told.acknowledged.values())
    events = await records.created_events(access, once.total())
    assert Counter(event.subject for event in events) == once
    await records.timeline_shows(company, once)


async def test_a_token_revoked_while_nats_restarts_is_refused_everywhere(
    machine: Machine, company: Company
) -> None:
    """The worst order: it is revoked while nobody hears it, and NATS dies before it could be told."""
    revoked = await company.token(nats=True)
    faces = await machine.faces(token=revoked["secret"])
    assert await statuses(faces) == [200, 200]

    with machine.frozen("nats"):
        ok(await company.admin.http.delete(f"/v1/apiTokens/{revoked['apiToken']['id']}"))
        machine.kill(pid := machine.pids()["nats"])
        await machine.restarted("nats", pid)

    assert (
        await becomes(
            lambda: statuses(faces), [401, 401], "both processes refuse the revoked token"
        )
        < 5
    )
    assert await becomes(lambda: is_let_in(revoked["nats"]), False, "NATS refuses it") < 5
