"""kill -9 in the middle of a handover of 20,000 contacts and 200 tasks: it completes, each record moved once; reverting restores them all."""

import time
from collections import Counter
from typing import Any

from chassis.testing.events import eventually
from services.contacts import store
from tests.bench import contacts as bench
from tests.bench.company import Company as Many
from tests.chaos.machine import Machine
from tests.e2e.company import Company, Person, becomes, ok
from tests.e2e.outside import reading

COUNT = 20_000
TASKS = 200
UPDATED = "ContactUpdated"
_PICTURE = """
SELECT md5(string_agg((json::jsonb - 'etag' - 'updateTime')::text, '' ORDER BY id)) AS hash, count(*) AS rows
FROM contacts WHERE tenant_id = $1
"""


async def filled(machine: Machine, company: Company, owner_id: str) -> None:
    """Puts the owner's contacts straight into the table: 20,000 creations are not what is tested."""
    many = Many(company.id, "", (owner_id,), (owner_id,))
    made = (bench.contact(number, COUNT, many) for number in range(COUNT))
    server = machine.run_json()["postgres"].rpartition("/")[0]
    await bench.copy(f"{server}/crm_contacts", store.contacts, made, many)
    await machine.sql("ANALYZE contacts")


async def people(company: Company) -> tuple[Person, Person, Person]:
    roles = ok(
        await company.admin.http.get("/v1/roles", params={"filter": 'built_in = "salesperson"'})
    )
    one, two, three = [await company.person(roles["roles"][0]["id"]) for _ in range(3)]
    return one, two, three


async def picture(machine: Machine, company: Company) -> tuple[Any, ...]:
    (row,) = await machine.sql(_PICTURE, company.id)
    return tuple(row)


async def given_tasks(company: Company, owner_id: str) -> None:
    """Open tasks of the leaver's, each on a ladder that waits for its deadline."""
    steps = [{"afterMinutes": 0, "whom": "WHOM_OWNER"}]
    ok(await company.admin.http.post("/v1/ladders", json={"name": "Late", "steps": steps}))
    tasks = [{"subject": f"Call {n}", "dueTime": "2090-01-01T09:00:00Z"} for n in range(100)]
    for _ in range(TASKS // 100):
        body = {"tasks": tasks, "ownerIds": [owner_id]}
        ok(await company.admin.http.post("/v1/tasks:quickAssign", json=body))


async def task_owners(machine: Machine, company: Company) -> dict[tuple[str, int], int]:
    """(owner, version) -> how many tasks."""
    sql = "SELECT owner_id, version, count(*) AS n FROM tasks WHERE tenant_id = $1 GROUP BY 1, 2"
    rows = await machine.sql(sql, company.id, database="crm_tasks")
    return {(str(row["owner_id"]), row["version"]): row["n"] for row in rows}


async def moved(machine: Machine, company: Company) -> int:
    sql = "SELECT count(*) AS n FROM handover_moves WHERE tenant_id = $1 AND state = 2"
    (row,) = await machine.sql(sql, company.id)
    return int(row["n"])


async def reaches(company: Company, id: str, state: str, timeout_s: float) -> dict[str, Any]:
    async def its() -> Any:
        return (await company.admin.http.get(f"/v1/handovers/{id}")).json().get("state")

    await becomes(its, f"STATE_{state}", f"the handover is {state}", timeout_s)
    return ok(await company.admin.http.get(f"/v1/handovers/{id}"))


async def test_a_handover_killed_half_way_completes_once_and_its_undo_restores_everything(
    machine: Machine, company: Company, capsys: Any
) -> None:
    leaver, heir, other = await people(company)
    access = (await company.token(nats=True, natsStart="NATS_START_ALL"))["nats"]
    await filled(machine, company, leaver.id)
    await given_tasks(company, leaver.id)
    before = await picture(machine, company)
    begun = time.monotonic()
    body = {
        "ownerId": leaver.id,
        "kind": "KIND_LEAVER",
        "rules": [{"userIds": [heir.id, other.id]}],
    }
    one = ok(await company.admin.http.post("/v1/handovers", json=body))
    await reaches(company, one["id"], "PREVIEWED", 60)
    took = {"preview": time.monotonic() - begun}
    assert await picture(machine, company) == before

    begun = time.monotonic()
    ok(await company.admin.http.post(f"/v1/handovers/{one['id']}:confirm", json={}))

    async def half_way() -> bool:
        return await moved(machine, company) >= COUNT // 4

    await eventually(half_way, "a quarter has moved", 60)
    for pid in machine.apps():
        machine.kill(pid)
    assert 0 < await moved(machine, company) < COUNT, "it was not killed half-way"
    done = await reaches(company, one["id"], "DONE", 120)
    took["move, killed half-way"] = time.monotonic() - begun

    (part,) = [part for part in done["parts"] if part["service"] == "contacts"]
    assert int(part.get("leftCount", 0)) == 0
    shares = {s["userId"]: int(s["count"]) for s in part["counts"][0]["shares"]}
    assert shares == {heir.id: COUNT // 2, other.id: COUNT // 2}
    half = TASKS // 2
    assert await task_owners(machine, company) == {(heir.id, 2): half, (other.id, 2): half}
    rows = await machine.sql(
        "SELECT owner_id, version, count(*) AS n FROM contacts WHERE tenant_id = $1 GROUP BY 1, 2",
        company.id,
    )
    assert {(str(r["owner_id"]), r["version"]): r["n"] for r in rows} == {
        (heir.id, 2): COUNT // 2,
        (other.id, 2): COUNT // 2,
    }
    ids = [
        str(r["id"])
        for r in await machine.sql("SELECT id FROM contacts WHERE tenant_id = $1", company.id)
    ]
    versions = await machine.sql(
        "SELECT id FROM contacts_history WHERE tenant_id = $1 AND version = 2", company.id
    )
    assert Counter(str(row["id"]) for row in versions) == Counter(ids)
    async with reading(access) as reader:

        def enough(found: list[Any]) -> bool:
            return sum(event.type == UPDATED for event in found) >= COUNT

        found = await reader.until(enough, f"{COUNT} events", 120)
        found += await reader.rest()
    assert Counter(event.subject for event in found if event.type == UPDATED) == Counter(ids)

    begun = time.monotonic()
    ok(await company.admin.http.post(f"/v1/handovers/{one['id']}:revert", json={}))
    await reaches(company, one["id"], "RETURNED", 240)
    took["return"] = time.monotonic() - begun
    assert await picture(machine, company) == before
    assert await task_owners(machine, company) == {(leaver.id, 3): TASKS}
    with capsys.disabled():
        print(f"\n{COUNT} contacts: " + ", ".join(f"{what} {s:.1f} s" for what, s in took.items()))
