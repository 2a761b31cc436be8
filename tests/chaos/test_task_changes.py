"""kill -9 of every application process while many tasks change hands: the run goes on, each task is changed once and put back once."""

from typing import Any

from chassis.testing.events import eventually
from tests.chaos.machine import Machine
from tests.e2e.company import Company, ok

TASKS = 4_000
AT_ONCE = 100


async def reaches(company: Company, id: str, state: str) -> dict[str, Any]:
    """The change once it is in this state."""
    last: dict[str, Any] = {}

    async def there() -> bool:
        answer = await company.admin.http.get(f"/v1/taskChanges/{id}")
        if answer.status_code == 200:
            last.update(answer.json())
        return last.get("state") == state

    await eventually(there, f"the change is {state}", 300.0)
    return last


async def versions(machine: Machine, company: Company) -> dict[tuple[str, str, int], int]:
    """(owner, department, version) -> how many tasks."""
    sql = (
        "SELECT owner_id, department_id, version, count(*) AS n FROM tasks WHERE tenant_id = $1"
        " GROUP BY owner_id, department_id, version"
    )
    rows = await machine.sql(sql, company.id, database="crm_tasks")
    return {
        (str(r["owner_id"] or ""), str(r["department_id"] or ""), r["version"]): r["n"]
        for r in rows
    }


async def killed_half_way(machine: Machine, company: Company, operation: str) -> None:
    """Kills everything once some of the work is done and not all."""

    async def some() -> bool:
        answer = await company.admin.http.get(f"/v1/{operation}")
        if answer.status_code != 200:
            return False
        facts = answer.json()["metadata"]["value"]
        assert facts["state"] in ("queued", "running"), "it ended before it could be killed"
        return int(facts["done"]) > 0

    await eventually(some, "some tasks are changed", 120.0)
    for pid in machine.apps():
        machine.kill(pid)
    await machine.whole()


async def test_a_killed_change_ends_and_is_undone_with_each_task_written_once(
    machine: Machine, company: Company
) -> None:
    http = company.admin.http
    queue = ok(await http.post("/v1/departments", json={"name": "Service"}))["id"]
    for first in range(0, TASKS, AT_ONCE):
        tasks = [{"subject": f"Task {first + n}"} for n in range(AT_ONCE)]
        ok(await http.post("/v1/tasks:quickAssign", json={"tasks": tasks, "ownerIds": [company.admin.id]}))  # fmt: skip
    before = await versions(machine, company)
    assert sum(before.values()) == TASKS
    wanted = {"filter": "state = OPEN", "reassign": {"departmentId": queue}}
    change = ok(await http.post("/v1/taskChanges", json=wanted))
    assert change["plannedCount"] == TASKS

    run = ok(await http.post(f"/v1/taskChanges/{change['id']}:run", json={}))
    await killed_half_way(machine, company, run["name"])
    done = await reaches(company, change["id"], "STATE_DONE")

    assert done["changedCount"] == TASKS
    assert await versions(machine, company) == {("", queue, 2): TASKS}

    undo = ok(await http.post(f"/v1/taskChanges/{change['id']}:undo", json={}))
    await killed_half_way(machine, company, undo["name"])
    undone = await reaches(company, change["id"], "STATE_UNDONE")

    assert undone["returnedCount"] == TASKS
    after = await versions(machine, company)
    assert after == {(owner, home, 3): n for (owner, home, _), n in before.items()}
