"""B15: who calls, among a million numbers; and 20 calls at once at the simulated exchange: how soon each rings on the screen.

The calls are played by the exchange's session as their scripts say, for a while; afterwards each is one record with its outcome.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlencode

import asyncpg
import httpx

from crm.telephony.v1 import call_pb2
from deploy.local.demo.client import Client
from tests.bench import asking, load
from tests.bench.company import Company
from tests.bench.events import Arrivals
from tests.bench.installation import Installation, moment, until
from tests.bench.report import Result, at_most, told
from tests.e2e.company import client, ok
from tests.service.telephony import crowd

Call = call_pb2.Call

_LOOK_UP_MS, _RING_MS = 50.0, 1_000.0
_STEP = 7_919  # a prime, so that those looked up lie all over the table
_AT_ONCE, _RING_S, _TALK_S = 20, 2, 2
_PATIENCE_S = 60.0
_PLAYED = {
    "SCRIPT_ANSWERED": Call.OUTCOME_ANSWERED,
    "SCRIPT_NO_ANSWER": Call.OUTCOME_MISSED,
    "SCRIPT_HELD": Call.OUTCOME_ANSWERED,
    "SCRIPT_ABANDONED": Call.OUTCOME_MISSED,
    "SCRIPT_REJECTED": Call.OUTCOME_MISSED,
    "SCRIPT_ABANDONED_IN_QUEUE": Call.OUTCOME_ABANDONED_IN_QUEUE,
}
"""What is played, in turn, and how such a call ends."""


def measure(
    installation: Installation, company: Company, numbers: int, rounds: int, seconds: float
) -> list[Result]:
    """B15 on a running installation, once its company knows so many numbers."""
    asyncio.run(_fill(installation, company.tenant_id, numbers))
    admin = company.sign_in(installation)
    until(lambda: _is_spoken_with(admin), "the simulated exchange is spoken with")
    found = _look_ups(installation, admin, numbers, rounds)
    played = asyncio.run(_play(installation, admin.token, seconds))
    rings = played.arrivals.delays_ms(played.arrivals.live)
    outcomes = asyncio.run(_outcomes(installation, company.tenant_id, played))
    wrong = sum(outcomes.get(id) != outcome for id, outcome in played.outcomes.items())
    what = f"{_AT_ONCE} calls at once: it rings -> SSE client"
    return [
        *found,
        at_most("B15", f"{what}, p95", asking.percentile(rings, 95), "ms", _RING_MS),
        told("B15", f"{what}, p50", asking.percentile(rings, 50), "ms"),
        told("B15", "calls played", len(played.outcomes), ""),
        at_most("B15", "calls without one record, or records without a call", len(outcomes.keys() ^ played.outcomes.keys()), "", 0),
        at_most("B15", "calls that ended otherwise than they were played", wrong, "", 0),
    ]  # fmt: skip


async def _fill(installation: Installation, tenant_id: str, numbers: int) -> None:
    raw = await asyncpg.connect(installation.database_url("crm_telephony"))
    try:
        await crowd.fill(raw, tenant_id, numbers)
    finally:
        await raw.close()


def _is_spoken_with(admin: Client) -> bool:
    """Whether the exchange that a company begins with has a session."""
    exchanges = admin.get("/v1/telephoneConnections").get("connections", [])
    path = "/v1/telephoneConnections/{}/status"
    return any(admin.get(path.format(each["id"])).get("connected") for each in exchanges)


def _look_ups(installation: Installation, admin: Client, numbers: int, rounds: int) -> list[Result]:
    people = [1 + at * _STEP % numbers for at in range(rounds)]
    paths = [f"/v1/callers:lookUp?{urlencode({'number': crowd.number(n)})}" for n in people]
    times = asking.times(
        installation, admin.token, paths, len(paths), warm=4 * len(installation.app_pids),
        right=lambda said: len(said["callers"]) >= 1,  # imported contacts may share a number
    )  # fmt: skip
    p50, p95 = (asking.percentile(times, share) for share in (50, 95))
    what = f"who calls, among {numbers:,} numbers"
    return [
        at_most("B15", f"{what}, p95", p95, "ms", _LOOK_UP_MS),
        told("B15", f"{what}, p50", p50, "ms"),
    ]


@dataclass(slots=True)
class _Played:
    """The calls, and how each is to end."""

    arrivals: Arrivals = field(default_factory=lambda: Arrivals(0))
    """Of each call: when its exchange told that it rings, and when that reached the SSE client."""
    outcomes: dict[str, int] = field(default_factory=dict)


async def _play(installation: Installation, token: str, seconds: float) -> _Played:
    """Calls by strangers, so many at once that each is followed by another for so long; returns when all are over."""
    played, opened = _Played(), asyncio.Event()
    reader, writer = await asyncio.open_connection("127.0.0.1", installation.port)
    writer.write(load.request("GET", "/v1/events", token).encode())
    listening = asyncio.create_task(played.arrivals.read_live(reader, opened))
    try:
        await asyncio.wait_for(opened.wait(), 30)
        end, numbers = time.monotonic() + seconds, itertools.count()
        async with client(installation.url, token) as http, asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(_callers(http, played, numbers, end))
        async with asyncio.timeout(_PATIENCE_S):
            while played.outcomes.keys() - played.arrivals.live.keys():
                await moment()
    finally:
        listening.cancel()
        writer.close()
    return played


async def _callers(
    http: httpx.AsyncClient, played: _Played, numbers: Iterator[int], end: float
) -> None:
    """One stranger after the other."""
    while time.monotonic() < end:
        number = next(numbers)
        script = list(_PLAYED)[number % len(_PLAYED)]
        body = {"number": f"22{number:07}", "script": script, "ringSeconds": _RING_S, "talkSeconds": _TALK_S}  # fmt: skip
        began = time.perf_counter()
        call = ok(await http.post("/v1/telephony/simulator/calls", json=body))
        played.arrivals.answered[call["id"]] = began
        played.outcomes[call["id"]] = _PLAYED[script]
        async with asyncio.timeout(_PATIENCE_S):
            while call["state"] != "STATE_ENDED":
                await moment(0.5)
                call = ok(await http.get(f"/v1/calls/{call['id']}"))


async def _outcomes(installation: Installation, tenant_id: str, played: _Played) -> dict[str, int]:
    """How each call of the company since the first of these ended, as the database has it."""
    raw = await asyncpg.connect(installation.database_url("crm_telephony"))
    try:
        sql = "SELECT id, outcome FROM calls WHERE tenant_id = $1 AND id >= $2"
        rows = await raw.fetch(sql, tenant_id, min(played.outcomes))
    finally:
        await raw.close()
    return {str(row["id"]): row["outcome"] for row in rows}
