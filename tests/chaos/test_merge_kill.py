"""Every process is killed in the middle of a merge of hundreds of pairs, and again in the middle of its undo: both complete, once."""

import asyncio
from collections import Counter
from typing import Any

import httpx

from chassis.testing.events import eventually
from tests.chaos.machine import Machine
from tests.e2e.company import Company, ok
from tests.e2e.outside import reading

PAIRS = 400
AT_ONCE = 16


async def test_a_merge_of_many_that_is_killed_completes_and_so_does_its_undo(
    machine: Machine, company: Company
) -> None:
    access = (await company.token(nats=True, natsStart="NATS_START_ALL"))["nats"]
    before = await twins(company)
    await eventually(lambda: all_suspected(company), "every pair suspected", 120)

    merged = await killed_halfway(
        machine, company, "/v1/duplicates:mergeAll", {"object": "contact", "minScore": 80}
    )

    assert merged["response"]["mergeCount"] == PAIRS
    after = await state(company)
    assert len(after) == PAIRS
    batch_id = merged["name"].rpartition("/")[2]
    async with reading(access) as reader:
        told = await reader.until(
            lambda found: sum(e.type == "ContactMerged" for e in found) >= PAIRS, "merges told", 60
        )
        told += await reader.rest()
    merges = Counter(e.body["mergeId"] for e in told if e.type == "ContactMerged")
    assert (len(merges), max(merges.values())) == (PAIRS, 1)

    undone = await killed_halfway(machine, company, "/v1/merges:undoAll", {"batchId": batch_id})

    assert (undone["response"]["undoneCount"], undone["response"].get("keptCount", 0)) == (PAIRS, 0)
    assert await state(company) == before


async def twins(company: Company) -> dict[str, Any]:
    """Two contacts of one name and phone, many times."""

    async def create(number: int) -> None:
        fields = {"givenName": f"Name{number}", "familyName": f"Family{number}"}
        phones = [{"number": f"+48601{number:06}"}]
        for _ in range(2):
            await company.contact(**fields, phones=phones)

    for at in range(0, PAIRS, AT_ONCE):
        await asyncio.gather(*(create(n) for n in range(at, min(at + AT_ONCE, PAIRS))))
    return await state(company)


async def all_suspected(company: Company) -> bool:
    found, token = 0, ""
    while True:
        query: dict[str, str | int] = {"pageSize": 200, "pageToken": token, "minScore": 80}
        page = ok(await company.admin.http.get("/v1/duplicates", params=query))
        found += len(page.get("duplicates", []))
        if not (token := page.get("nextPageToken", "")):
            return found == PAIRS


async def killed_halfway(
    machine: Machine, company: Company, path: str, body: dict[str, Any]
) -> dict[str, Any]:
    """The operation's end; all processes were killed when it had done something and not everything."""
    id = ok(await company.admin.http.post(path, json=body))["name"].rpartition("/")[2]

    async def under_way() -> bool:
        done = int((await operation(company, id))["metadata"]["value"]["done"])
        assert done < PAIRS, "it was done before anybody was killed: the test proves nothing"
        return done > 0

    await eventually(under_way, "the operation to begin", 30)
    for pid in machine.apps():
        machine.kill(pid)
    await machine.whole()

    async def over() -> bool:
        return bool((await operation(company, id)).get("done"))

    await eventually(over, "the operation to be taken over and completed", 120)
    return await operation(company, id)


async def operation(company: Company, id: str) -> dict[str, Any]:
    while True:
        try:
            return ok(await company.admin.http.get(f"/v1/operations/contacts/{id}"))
        except httpx.TransportError:  # its process was just killed
            continue


async def state(company: Company) -> dict[str, Any]:
    """Every contact without version and times."""
    found: dict[str, Any] = {}
    token = ""
    while True:
        query: dict[str, str | int] = {"pageSize": 200, "pageToken": token}
        page = ok(await company.admin.http.get("/v1/contacts", params=query))
        for row in page.get("contacts", []):
            found[row["id"]] = {
                k: v for k, v in row.items() if k not in ("etag", "createTime", "updateTime")
            }
        if not (token := page.get("nextPageToken", "")):
            return found
