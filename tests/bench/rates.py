"""B1, B2, B3: reads, lists and creations a second, side by side with what they are compared to, in rounds."""

import asyncio
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

import asyncpg
import nats
from nats.js.api import ConsumerInfo

from chassis.settings import Settings
from deploy.local.settings import CHECKOUT
from tests.bench import contacts, machine
from tests.bench.company import Company
from tests.bench.installation import Installation, free_ports, is_ready, moment, until
from tests.bench.load import Job, Measured, request, run
from tests.bench.report import Result, at_least, at_most, told

_CONNECTIONS = 16
_IDS = 2_000
_PAGE = 50
_MOST_CREATED_PER_S = 4_000


@dataclass
class Rounds:
    """What every round measured, by name."""

    seconds: float
    of: dict[str, list[Measured]] = field(default_factory=dict)
    alone: list[float] = field(default_factory=list)
    alone_cpu_us: list[float] = field(default_factory=list)
    caught_up_s: list[float] = field(default_factory=list)

    def ratio(self, name: str, other: str) -> float:
        """The middle of the rounds' ratios of rates: what disturbs one round disturbs both sides of it."""
        return median(a.rate / b.rate for a, b in zip(self.of[name], self.of[other], strict=True))

    def middle(self, name: str, value: str) -> float:
        return median(getattr(m, value) for m in self.of[name])


def measure(
    installation: Installation, company: Company, wanted: set[str], rounds: int, seconds: float
) -> list[Result]:
    """B1 to B3, as far as they are wanted; B1 is measured always, the others are compared to it."""
    ids = asyncio.run(_ids(installation, company))
    found = Rounds(seconds)
    with _hello(len(installation.app_pids)) as (port, pids):
        for _ in range(rounds):
            admin = company.sign_in(installation)
            jobs = {
                "hello": Job(
                    port=port, pids=pids, requests=[request("GET", "/", "none")], seconds=seconds
                ),
                "get": job_of(
                    installation,
                    [request("GET", f"/v1/contacts/{id}", admin.token) for id in ids],
                    seconds,
                ),
            }
            if "B2" in wanted:
                path = f"/v1/contacts?pageSize={_PAGE}"
                jobs["list"] = job_of(installation, [request("GET", path, admin.token)], seconds)
            for name, job in jobs.items():
                found.of.setdefault(name, []).append(run(job))
            if "B3" in wanted:
                _creations(
                    installation, company, admin.token, admin.get("/v1/me")["user"]["id"], found
                )
    return [
        *_b1(found),
        *(_b2(found) if "B2" in wanted else ()),
        *(_b3(found) if "B3" in wanted else ()),
    ]


def _b1(found: Rounds) -> list[Result]:
    return [
        at_least(
            "B1",
            "GET one contact, c=16, rate / bare ASGI hello",
            found.ratio("get", "hello"),
            "",
            0.20,
        ),
        at_most(
            "B1",
            "GET one contact, CPU of application and PostgreSQL",
            found.middle("get", "cpu_us"),
            "us",
            260,
        ),
        told("B1", "GET one contact", found.middle("get", "rate"), "1/s"),
        told("B1", "GET one contact, p99", found.middle("get", "p99_ms"), "ms"),
        told("B1", "bare ASGI hello", found.middle("hello", "rate"), "1/s"),
        told("B1", "bare ASGI hello, CPU", found.middle("hello", "cpu_us"), "us"),
        told(
            "B1", "load generator's own CPU per request", found.middle("get", "client_cpu_us"), "us"
        ),
    ]


def _b2(found: Rounds) -> list[Result]:
    return [
        at_least("B2", "LIST 50 contacts, c=16, rate / B1", found.ratio("list", "get"), "", 0.35),
        told("B2", "LIST 50 contacts", found.middle("list", "rate"), "1/s"),
        told("B2", "LIST 50 contacts, CPU", found.middle("list", "cpu_us"), "us"),
    ]


def _b3(found: Rounds) -> list[Result]:
    alone = median(m.rate / a for m, a in zip(found.of["create"], found.alone, strict=True))
    return [
        at_least("B3", "CREATE contact, c=16, rate / B1", found.ratio("create", "get"), "", 0.15),
        at_least("B3", "CREATE contact, rate / its statement by asyncpg alone", alone, "", 0.5),
        told("B3", "CREATE contact", found.middle("create", "rate"), "1/s"),
        told(
            "B3",
            "CREATE contact, CPU with relay and timeline",
            found.middle("create", "cpu_us"),
            "us",
        ),
        told("B3", "its statement by asyncpg alone", median(found.alone), "1/s"),
        told(
            "B3",
            "its statement by asyncpg alone, CPU with relay and timeline",
            median(found.alone_cpu_us),
            "us",
        ),
        told(
            "B3",
            "every consumer caught up after a round of creations",
            median(found.caught_up_s),
            "s",
        ),
    ]


def job_of(
    installation: Installation, requests: list[str], seconds: float, *, once: bool = False
) -> Job:
    """These requests over 16 connections; counted is the CPU of the application and of PostgreSQL."""
    return Job(
        port=installation.port, pids=installation.app_pids, requests=requests, seconds=seconds, once=once,
        connections=_CONNECTIONS, postmaster=installation.pids()["postgres"],
    )  # fmt: skip


def _creations(
    installation: Installation, company: Company, token: str, user_id: str, found: Rounds
) -> None:
    """Creations through the API and, in turn, their statement alone; each begins with nothing left to publish or consume."""
    bodies = [
        _body(random.randrange(10**7))
        for _ in range(int(_MOST_CREATED_PER_S * (found.seconds + 1)))
    ]
    job = job_of(
        installation,
        [request("POST", "/v1/contacts", token, body) for body in bodies],
        found.seconds,
        once=True,
    )
    asyncio.run(settled(installation))
    found.of.setdefault("create", []).append(run(job))
    ended = time.monotonic()
    asyncio.run(settled(installation))
    found.caught_up_s.append(time.monotonic() - ended)
    rate, cpu_us = _alone(installation, company, user_id, found.seconds)
    found.alone.append(rate)
    found.alone_cpu_us.append(cpu_us)
    asyncio.run(settled(installation))


def _body(number: int) -> str:
    given, family = contacts.name(random.Random())
    return json.dumps({
        "givenName": given, "familyName": family, "phones": [{"number": f"+4850{number:07d}"}],
        "emails": [{"address": f"b{number}@customers.example"}],
    })  # fmt: skip


def _alone(
    installation: Installation, company: Company, user_id: str, seconds: float
) -> tuple[float, float]:
    """(rows a second, CPU a row) of the creation's statement, by as many processes and connections as the API had.

    Relay and timeline work beside it as they do beside the API, and count as they do there.
    """
    told_, processes = installation.told(), []
    settings = Settings(
        postgres_url=told_["CRM_POSTGRES_URL"],
        nats_url=told_["CRM_NATS_URL"],
        secret=told_["CRM_SECRET"],
    )
    count = len(installation.app_pids)
    job = {
        "url": settings.database_url("crm_contacts", "crm_contacts"), "tenant_id": company.tenant_id, "user_id": user_id,
        "rows": int(_MOST_CREATED_PER_S * seconds), "connections": _CONNECTIONS // count, "seconds": seconds,
    }  # fmt: skip
    for _ in range(count):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.statement"],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        processes.append(process)
    for process in processes:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the statement could not be run alone")
    pids, postmaster = (
        [*installation.app_pids, *(p.pid for p in processes)],
        installation.pids()["postgres"],
    )
    cpu_s, answers = machine.cpu_s(pids, postmaster), []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        assert process.stdout is not None
        answers.append(json.loads(process.stdout.readline()))
    cpu_s = machine.cpu_s(pids, postmaster) - cpu_s
    for process in processes:
        process.communicate()
    return sum(a["rows"] / a["seconds"] for a in answers), cpu_s / sum(
        a["rows"] for a in answers
    ) * 1e6


async def _ids(installation: Installation, company: Company) -> list[str]:
    connection = await asyncpg.connect(installation.database_url())
    try:
        rows = await connection.fetch(
            "SELECT id FROM contacts WHERE tenant_id = $1 ORDER BY md5(id::text) LIMIT $2",
            company.tenant_id,
            _IDS,
        )
    finally:
        await connection.close()
    return [str(row["id"]) for row in rows]


async def settled(installation: Installation, deadline_s: float = 600) -> None:
    """Waits until the outbox is empty and every consumer of the stream has consumed everything."""
    connection = await asyncpg.connect(installation.database_url())
    client = await nats.connect(installation.nats_url)
    behind: dict[str, int] = {}
    try:
        async with asyncio.timeout(deadline_s):
            while await connection.fetchval("SELECT EXISTS (SELECT FROM outbox)"):
                await moment()
            while behind := _behind(await client.jetstream().consumers_info("CONTACTS")):
                await moment()
    except TimeoutError as error:
        raise TimeoutError(
            f"not settled within {deadline_s:.0f} s; {behind or 'the outbox'}"
        ) from error
    finally:
        await client.close()
        await connection.close()


def _behind(consumers: list[ConsumerInfo]) -> dict[str, int]:
    """Of the durables that have not consumed everything: how many events are still before them."""
    each = {
        one.name: (one.num_pending or 0) + (one.num_ack_pending or 0)
        for one in consumers
        if one.config.durable_name
    }
    return {name: count for name, count in each.items() if count}


@contextmanager
def _hello(processes: int) -> Iterator[tuple[int, list[int]]]:
    """(port, pids) of the bare ASGI application in as many processes as the real one has."""
    port = free_ports()
    started = [
        subprocess.Popen([sys.executable, "-m", "tests.bench.hello", str(port)], cwd=CHECKOUT)
        for _ in range(processes)
    ]
    try:
        until(lambda: is_ready(port), "the bare ASGI application", 30)
        yield port, [process.pid for process in started]
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            process.wait(timeout=30)
