"""Fifty invoices are issued at once while an application process and then PostgreSQL are killed: neither gap nor twin in their numbers."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import httpx

from tests.chaos.load import Load
from tests.chaos.machine import Machine
from tests.e2e.company import Company, ok
from tests.e2e.outside import reading

INVOICES = 50


class Issuing(Load):
    """:issue of numbered drafts, each with an Idempotency-Key of its own; told are the invoices' numbers."""

    def __init__(self, machine: Machine, company: Company, drafts: Sequence[str]) -> None:
        super().__init__(machine, company, "issue")
        self._drafts = drafts

    def outcome(self, body: dict[str, Any]) -> str:
        assert body["state"] == "STATE_ISSUED"
        return str(body["number"])

    async def send(self, http: httpx.AsyncClient, number: int) -> httpx.Response:
        path = f"/v1/invoices/{self._drafts[number]}:issue"
        return await http.post(path, json={}, headers={"idempotency-key": f"issue-{number}"})


async def draft(company: Company) -> str:
    line = {"name": "Window", "quantity": "1", "unitPrice": "100"}
    body = {"currency": "PLN", "buyer": {"name": "Wanda Nowak"}, "lines": [line]}
    return str(ok(await company.admin.http.post("/v1/invoices", json=body))["id"])


async def numbers(company: Company) -> list[str]:
    """The numbers of all invoices, drafts left out."""
    query: dict[str, str | int] = {"pageSize": 200, "filter": "state = ISSUED"}
    found = ok(await company.admin.http.get("/v1/invoices", params=query)).get("invoices", [])
    return [str(invoice["number"]) for invoice in found]


async def test_fifty_numbers_have_neither_gap_nor_twin_whatever_was_killed(
    machine: Machine, company: Company
) -> None:
    access = (await company.token(nats=True, natsStart="NATS_START_ALL"))["nats"]
    drafts = [await draft(company) for _ in range(INVOICES)]
    issuing = Issuing(machine, company, drafts)
    told = issuing.told

    async def kill() -> None:
        await issuing.acknowledges(1)
        machine.kill(machine.apps()[0])
        before = len(told.acknowledged)
        await issuing.acknowledges(before + 1)
        assert len(told.acknowledged) < INVOICES - len(told.unanswered), "all were done before PostgreSQL could be killed"  # fmt: skip
        dead = machine.pids()["postgres"]
        machine.kill(dead)
        await machine.restarted("postgres", dead)

    await asyncio.gather(issuing.run(INVOICES, clients=INVOICES), kill())
    await machine.whole()

    assert told.rude == []
    assert told.unanswered, "nobody was hit: the test proves nothing"
    assert len(told.acknowledged) + len(told.unanswered) == INVOICES
    given = told.acknowledged | await issuing.replay(told.unanswered)
    assert await issuing.replay(set(given)) == given
    series = sorted(given.values())
    first = series[0].removesuffix("0001")
    assert series == [f"{first}{n:04}" for n in range(1, INVOICES + 1)]
    assert sorted(await numbers(company)) == series
    await told_once(access, series)
    path = f"/v1/invoices/{await draft(company)}:issue"
    assert ok(await company.admin.http.post(path, json={}))["number"] == f"{first}{INVOICES + 1:04}"


async def told_once(access: dict[str, Any], series: list[str]) -> None:
    """The stream tells of each number once."""
    async with reading(access, "DEALS") as reader:
        events = await reader.until(
            lambda found: sum(e.type == "InvoiceIssued" for e in found) >= len(series),
            "every number is told",
            60,
        )
        events += await reader.rest()
    issued = Counter(e.body["invoice"]["number"] for e in events if e.type == "InvoiceIssued")
    assert issued == Counter(series)
