"""Many clients that write whatever breaks, and remember what they were told: creates of contacts, and what else is numbered."""

import asyncio
import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

from chassis.testing.events import eventually
from chassis.waits import first_of
from tests.chaos.machine import Machine
from tests.e2e.company import Company, client, ok

_PAUSE_S = 0.1
_DEADLINE_S = 120.0
_NEVER = asyncio.Event()


@dataclass
class Told:
    """What the clients were told of their creates: number -> id, and the numbers that nobody answered."""

    acknowledged: dict[int, str] = field(default_factory=dict)
    unanswered: set[int] = field(default_factory=set)
    refusals: Counter[int] = field(default_factory=Counter)
    """Answers other than 200, by status; each was sent again with its key."""
    rude: list[str] = field(default_factory=list)
    """Refusals that were not 503 with Retry-After."""


class Load:
    """Creates of numbered contacts, each with an Idempotency-Key of its own."""

    def __init__(self, machine: Machine, company: Company, name: str, pace_s: float = 0.0) -> None:
        self._machine, self._company, self._name, self._pace_s = machine, company, name, pace_s
        self._numbers = itertools.count()
        self.told = Told()
        self.stop = asyncio.Event()

    async def acknowledges(self, count: int, timeout_s: float = 180.0) -> None:
        """Return when so many creates are acknowledged."""
        told = self.told.acknowledged
        await eventually(lambda: len(told) >= count, f"{count} creates are acknowledged", timeout_s)

    async def run(self, count: int, clients: int = 32) -> None:
        """`count` creates in all, or until `stop`."""
        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(self._client(count))

    async def _client(self, count: int) -> None:
        async with client(self._machine.url, self._company.admin.token) as http:
            while not self.stop.is_set() and (number := next(self._numbers)) < count:
                try:
                    self.told.acknowledged[number] = await self._create(http, number)
                except httpx.TransportError:
                    self.told.unanswered.add(number)
                if self._pace_s:
                    await first_of(self.stop, timeout_s=self._pace_s)

    async def _create(self, http: httpx.AsyncClient, number: int) -> str:
        """The id of the contact; TransportError if a request was sent and nobody answered."""
        async with asyncio.timeout(_DEADLINE_S):
            while True:
                try:
                    answer = await self.send(http, number)
                except (
                    httpx.ConnectError
                ):  # nothing was sent: both processes are dead at this moment
                    await first_of(_NEVER, timeout_s=_PAUSE_S)
                    continue
                if answer.status_code == 200:
                    return self.outcome(answer.json())
                self.told.refusals[answer.status_code] += 1
                if answer.status_code != 503 or "retry-after" not in answer.headers:
                    self.told.rude.append(f"{answer.status_code} {answer.text}")
                await first_of(_NEVER, timeout_s=_PAUSE_S)

    def outcome(self, body: dict[str, Any]) -> str:
        """By which a write's effect is known."""
        return str(body["id"])

    async def send(self, http: httpx.AsyncClient, number: int) -> httpx.Response:
        body = {"givenName": self._name, "familyName": str(number)}
        return await http.post(
            "/v1/contacts", json=body, headers={"idempotency-key": f"{self._name}-{number}"}
        )

    async def replay(self, numbers: set[int]) -> dict[int, str]:
        """Sends these again with their keys; number -> id."""
        async with client(self._machine.url, self._company.admin.token) as http:
            return {n: self.outcome(ok(await self.send(http, n))) for n in sorted(numbers)}
