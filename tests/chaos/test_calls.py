"""Calls through crashes: whatever dies while a phone rings, people speak and are recorded, each call is one right record (I1 to I4)."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import httpx
import pytest

from chassis.testing.events import eventually
from tests.chaos.machine import Machine
from tests.e2e.company import Company, ok, phone, signed_up
from tests.e2e.outside import Event, reading

LINE, RECORDED_LINE = "+48300000101", "+48300000102"
LONG_S, SHORT_S = 300, 4
"""Longer than any test, and as long as whatever breaks is away."""
TAKEOVER_S = 10.0
ENDS_S = 90.0
"""The longest until nothing rings any more: a lease, the simulated exchange's patience, and a busy machine."""
MISSED, ANSWERED = ["CallRinging", "CallMissed"], ["CallRinging", "CallAnswered", "CallEnded"]
OUTCOMES = {
    "OUTCOME_MISSED": MISSED,
    "OUTCOME_ABANDONED_IN_QUEUE": MISSED,
    "OUTCOME_ANSWERED": ANSWERED,
    "OUTCOME_NO_ANSWER": ["CallRinging", "CallEnded"],
}
"""What is told of a call that ended so, in this order, each once."""


@dataclass
class Office:
    """A company with the simulated exchange, a line, and a line whose calls are recorded."""

    machine: Machine
    firm: Company
    access: dict[str, Any]
    """To its events in NATS."""

    @property
    def http(self) -> httpx.AsyncClient:
        return self.firm.admin.http

    async def rings(self, script: str, ring_s: int, talk_s: int = LONG_S, line: str = LINE) -> str:
        """The id of a stranger's call that a session plays: with that session it dies."""
        body = {
            "number": phone(), "toNumber": line, "script": script, "ringSeconds": ring_s, "talkSeconds": talk_s,
            "userIds": [self.firm.admin.id],
        }  # fmt: skip
        call = ok(await self.http.post("/v1/telephony/simulator/calls", json=body))
        sql = "SELECT 1 FROM exchange_commands WHERE tenant_id = $1"

        async def is_played() -> bool:
            return not await self.machine.sql(sql, self.firm.id, database="crm_telephony")

        await eventually(is_played, "a session plays the call", 30)
        return str(call["id"])

    async def dials(self) -> str:
        """The id of a call to somebody outside."""
        return str(ok(await self.http.post("/v1/calls:dial", json={"number": phone()}))["id"])

    async def listed(self, path: str, **query: str) -> list[dict[str, Any]]:
        """The records of a list, once anybody answers."""
        found: list[dict[str, Any]] = []

        async def answered() -> bool:
            with suppress(httpx.TransportError):
                answer = await self.http.get(f"/v1/{path}", params={"pageSize": 200, **query})
                found[:] = answer.json().get(path, []) if answer.status_code == 200 else []
                return answer.status_code == 200
            return False

        await eventually(answered, f"somebody answers for {path}", ENDS_S)
        return found

    async def become(self, state: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """All calls of the company by id, as soon as these are so far."""
        calls: dict[str, dict[str, Any]] = {}

        async def so_far() -> bool:
            calls.update({call["id"]: call for call in await self.listed("calls")})
            return all(calls[id]["state"] == f"STATE_{state}" for id in ids)

        await eventually(so_far, f"{len(ids)} calls are {state}", ENDS_S)
        return calls

    async def rings_outside(self, id: str) -> None:
        """Returns as soon as the customer's phone rings."""

        async def rings() -> bool:
            legs = ok(await self.http.get(f"/v1/calls/{id}/legs")).get("legs", [])
            return any(leg["side"] == "SIDE_OUTSIDE" for leg in legs)

        await eventually(rings, "it rings outside", 30)

    async def told(self, calls: dict[str, dict[str, Any]]) -> dict[str, list[Event]]:
        """What the stream tells of each call, each event once however often it was delivered."""
        last = {"CallMissed", "CallEnded"}

        def enough(found: list[Event]) -> bool:
            return {e.subject for e in found if e.type in last} >= calls.keys()

        async with reading(self.access, "TELEPHONY") as reader:
            found = await reader.until(enough, f"the ends of {len(calls)} calls", ENDS_S)
            found += await reader.rest()
        events: dict[str, list[Event]] = defaultdict(list)
        for event in {event.id: event for event in found}.values():
            events[event.subject].append(event)
        return events


@pytest.fixture
async def office(machine: Machine) -> AsyncIterator[Office]:
    async with signed_up(machine.url) as firm:
        access = (await firm.token(nats=True, natsStart="NATS_START_ALL"))["nats"]
        made = Office(machine, firm, access)
        exchanges: list[dict[str, Any]] = []

        async def spoken_with() -> bool:
            answer = ok(await made.http.get("/v1/telephoneConnections"))
            exchanges[:] = answer.get("connections", [])
            if not exchanges:
                return False
            path = f"/v1/telephoneConnections/{exchanges[0]['id']}/status"
            return bool(ok(await made.http.get(path)).get("connected"))

        await eventually(spoken_with, "the company's exchange is spoken with", 60)
        for number in (LINE, RECORDED_LINE):
            line = {"name": number, "number": number, "record": number == RECORDED_LINE}
            ok(await made.http.post("/v1/lines", json=line))
        yield made


async def one_record_each(office: Office, wanted: dict[str, str]) -> None:
    """Each call is one record that ended so, told of once; a stranger's is one request, a missed one is one task."""
    calls = await office.become("ENDED", list(wanted))
    assert {id: call["outcome"] for id, call in calls.items()} == wanted
    assert len(await office.listed("calls")) == len(wanted)
    told = await office.told(calls)
    for id, call in calls.items():
        names = [event.type for event in told[id] if event.type != "CallUpdated"]
        assert names == OUTCOMES[call["outcome"]], (call, told[id])
        assert [event.version for event in told[id]] == list(range(1, len(told[id]) + 1))
        assert bool(call.get("answerTime")) == (call["outcome"] == "OUTCOME_ANSWERED")
        legs = ok(await office.http.get(f"/v1/calls/{id}/legs"))["legs"]
        assert all(leg.get("endTime") for leg in legs), legs
    await strangers_are_requests_and_missed_ones_tasks(office, calls)


async def strangers_are_requests_and_missed_ones_tasks(
    office: Office, calls: dict[str, dict[str, Any]]
) -> None:
    inbound = {id for id, call in calls.items() if call["direction"] == "DIRECTION_INBOUND"}
    missed = {id for id, call in calls.items() if OUTCOMES[call["outcome"]] == MISSED}
    found: dict[str, list[str]] = {}

    async def all_there() -> bool:
        found["requests"] = [each.get("callId", "") for each in await office.listed("requests")]
        tasks = await office.listed("tasks")
        found["tasks"] = [task["callBack"]["callId"] for task in tasks if "callBack" in task]
        return inbound <= set(found["requests"]) and missed <= set(found["tasks"])

    await eventually(all_there, f"requests {inbound} and tasks {missed}; {found}", ENDS_S)
    assert sorted(found["requests"]) == sorted(inbound)
    assert sorted(found["tasks"]) == sorted(missed)


async def is_heard(office: Office, id: str) -> None:
    """The call's one recording is kept and can be played."""
    recordings: list[dict[str, Any]] = []

    async def ready() -> bool:
        recordings[:] = await office.listed("recordings", filter=f'call_id = "{id}"')
        return [each["state"] for each in recordings] == ["STATE_READY"]

    await eventually(ready, "the recording is kept", ENDS_S)
    sound = await office.http.get(f"/v1/recordings/{recordings[0]['id']}/audio")
    assert (sound.status_code, sound.content[:4]) == (200, b"RIFF")
    assert len(sound.content) == int(recordings[0]["size"])


@pytest.mark.parametrize("victim", ["apps", "supervisor"])
async def test_calls_whose_exchange_died_end_once_as_far_as_they_were(
    office: Office, victim: str
) -> None:
    """The simulated exchange dies with the process that plays it: what was ringing was missed, who spoke has spoken."""
    ringing = await office.rings("SCRIPT_ANSWERED", LONG_S)
    queued = await office.rings("SCRIPT_ABANDONED_IN_QUEUE", LONG_S)
    answered = await office.rings("SCRIPT_ANSWERED", 1)
    recorded = await office.rings("SCRIPT_ANSWERED", 1, line=RECORDED_LINE)
    await office.become("ACTIVE", [answered, recorded])
    outbound = await office.dials()
    await office.rings_outside(outbound)
    before = await office.become("RINGING", [ringing, outbound])
    assert before[queued]["state"] == "STATE_QUEUED"

    await office.machine.killed(victim)

    await one_record_each(office, {
        ringing: "OUTCOME_MISSED", queued: "OUTCOME_ABANDONED_IN_QUEUE", answered: "OUTCOME_ANSWERED",
        recorded: "OUTCOME_ANSWERED", outbound: "OUTCOME_NO_ANSWER",
    })  # fmt: skip
    await is_heard(office, recorded)


async def test_calls_go_on_while_nats_stands_still_and_are_told_of_after(office: Office) -> None:
    ringing = await office.rings("SCRIPT_ANSWERED", 2 * SHORT_S, 1)
    recorded = await office.rings("SCRIPT_ANSWERED", 1, SHORT_S, RECORDED_LINE)
    await office.become("ACTIVE", [recorded])

    with office.machine.frozen("nats"):
        missed = await office.rings("SCRIPT_ABANDONED", 1)
        begun = await office.rings("SCRIPT_ANSWERED", 1, 1, RECORDED_LINE)
        await office.become("ENDED", [ringing, recorded, missed, begun])
        for id in (recorded, begun):
            await is_heard(office, id)

    answered = dict.fromkeys((ringing, recorded, begun), "OUTCOME_ANSWERED")
    await one_record_each(office, {**answered, missed: "OUTCOME_MISSED"})


async def test_calls_outlive_that_postgres_is_killed(office: Office) -> None:
    """What is told meanwhile waits for the database; if that takes longer than a lease, the exchange has lost who rang."""
    ringing = await office.rings("SCRIPT_ANSWERED", SHORT_S, 1)
    recorded = await office.rings("SCRIPT_ANSWERED", 1, SHORT_S, RECORDED_LINE)
    await office.become("ACTIVE", [recorded])

    await office.machine.killed("postgres")

    outcome = (await office.become("ENDED", [ringing, recorded]))[ringing]["outcome"]
    assert outcome in ("OUTCOME_ANSWERED", "OUTCOME_MISSED")
    await one_record_each(office, {ringing: outcome, recorded: "OUTCOME_ANSWERED"})
    await is_heard(office, recorded)


async def test_another_process_speaks_with_the_exchange_within_ten_seconds(office: Office) -> None:
    """First the one that speaks stands still, or the other one does; then the one that speaks for certain dies."""
    with office.machine.frozen("app-0"):
        seconds = await lease_is_renewed(office)
    assert seconds < TAKEOVER_S
    dying = office.machine.pids()["app-1"]
    lost = await office.rings("SCRIPT_ANSWERED", LONG_S)

    office.machine.kill(dying)
    seconds = await lease_is_renewed(office)

    assert seconds < TAKEOVER_S
    played = await office.rings("SCRIPT_ANSWERED", 1, 1)
    await one_record_each(office, {lost: "OUTCOME_MISSED", played: "OUTCOME_ANSWERED"})
    await office.machine.whole()


async def lease_is_renewed(office: Office) -> float:
    """Seconds until the lease with the company's exchange is longer than it was, whoever has it."""
    sql = "SELECT lease_until FROM exchange_leases WHERE tenant_id = $1"

    async def until() -> datetime:
        (row,) = await office.machine.sql(sql, office.firm.id, database="crm_telephony")
        return cast(datetime, row["lease_until"])

    before = await until()

    async def longer() -> bool:
        return await until() > before

    return await eventually(longer, "somebody renews the lease", 30)
