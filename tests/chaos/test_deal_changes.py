"""kill -9 of every application process while many deals move: the run goes on, each deal is moved once and put back once."""

import asyncio
from typing import Any

from chassis.testing.events import eventually
from tests.chaos.machine import Machine
from tests.e2e.company import Company, ok

DEALS = 1_200
CLIENTS = 16


async def first_pipeline(company: Company) -> dict[str, Any]:
    """The one that every new company gets, once it is there."""
    found: list[dict[str, Any]] = []

    async def there() -> bool:
        found[:] = ok(await company.admin.http.get("/v1/pipelines")).get("pipelines", [])
        return bool(found)

    await eventually(there, "the first pipeline", 60.0)
    return found[0]


async def filled(company: Company, stage_id: str, pipeline_id: str) -> None:
    """Open deals in this stage."""
    http = company.admin.http

    async def make(numbers: range) -> None:
        for number in numbers:
            body = {"title": f"Deal {number}", "pipelineId": pipeline_id, "stageId": stage_id, "amount": "10"}  # fmt: skip
            ok(await http.post("/v1/deals", json=body))

    await asyncio.gather(*(make(range(at, DEALS, CLIENTS)) for at in range(CLIENTS)))


async def reaches(company: Company, id: str, state: str) -> dict[str, Any]:
    """The change once it is in this state."""
    last: dict[str, Any] = {}

    async def there() -> bool:
        answer = await company.admin.http.get(f"/v1/dealChanges/{id}")
        if answer.status_code == 200:
            last.update(answer.json())
        return last.get("state") == state

    await eventually(there, f"the change is {state}", 300.0)
    return last


async def killed_half_way(machine: Machine, company: Company, operation: str) -> None:
    """Kills everything once some of the work is done and not all."""

    async def some() -> bool:
        answer = await company.admin.http.get(f"/v1/{operation}")
        if answer.status_code != 200:
            return False
        facts = answer.json()["metadata"]["value"]
        assert facts["state"] in ("queued", "running"), "it ended before it could be killed"
        return int(facts["done"]) > 0

    await eventually(some, "some deals are changed", 120.0)
    for pid in machine.apps():
        machine.kill(pid)
    await machine.whole()


async def deals(machine: Machine, company: Company) -> dict[tuple[str, int, int], int]:
    """(stage, version, stays that are kept) -> how many deals."""
    sql = (
        "SELECT stage_id, version, stays, count(*) AS n FROM (SELECT d.stage_id, d.version, (SELECT count(*) FROM deal_stays s"
        " WHERE s.tenant_id = d.tenant_id AND s.deal_id = d.id) AS stays FROM deals d WHERE d.tenant_id = $1) AS each"
        " GROUP BY 1, 2, 3"
    )
    rows = await machine.sql(sql, company.id, database="crm_deals")
    return {(str(r["stage_id"]), r["version"], r["stays"]): r["n"] for r in rows}


async def sums(company: Company, pipeline_id: str) -> dict[str, tuple[int, str]]:
    """Stage -> (how many deals stand in it, what they come to), as the board shows it."""
    board = ok(await company.admin.http.get(f"/v1/pipelines/{pipeline_id}/board"))
    return {
        column["stageId"]: (column["count"], column["sums"][0]["amount"])
        for column in board["columns"]
        if column.get("count")
    }


async def test_a_killed_move_ends_and_is_undone_with_each_deal_written_once(
    machine: Machine, company: Company
) -> None:
    http = company.admin.http
    pipeline = await first_pipeline(company)
    first, second = [stage["id"] for stage in pipeline["stages"][:2]]
    await filled(company, first, pipeline["id"])
    wanted = {"filter": "state = OPEN", "move": {"stageId": second}}
    change = ok(await http.post("/v1/dealChanges", json=wanted))
    assert change["plannedCount"] == DEALS
    before = await sums(company, pipeline["id"])

    run = ok(await http.post(f"/v1/dealChanges/{change['id']}:run", json={}))
    await killed_half_way(machine, company, run["name"])
    done = await reaches(company, change["id"], "STATE_DONE")

    assert done["changedCount"] == DEALS
    assert await deals(machine, company) == {(second, 2, 2): DEALS}
    assert await sums(company, pipeline["id"]) == {second: before[first]}

    undo = ok(await http.post(f"/v1/dealChanges/{change['id']}:undo", json={}))
    await killed_half_way(machine, company, undo["name"])
    undone = await reaches(company, change["id"], "STATE_UNDONE")

    assert undone["returnedCount"] == DEALS
    assert await deals(machine, company) == {(first, 3, 1): DEALS}
    assert await sums(company, pipeline["id"]) == before == {first: (DEALS, f"{10 * DEALS}.00")}
