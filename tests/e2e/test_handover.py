"""Scenarios 16 and 16b over HTTP: an employee quits, another falls ill; an installation whose clock the tests move."""

import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.machine import Machine, free_port
from tests.e2e.company import Company, Person, becomes, ok, refused, signed_up
from tests.e2e.runtime.harness import processes_of, until


@pytest.fixture(scope="module")
async def machine() -> AsyncIterator[Machine]:
    """A one-machine installation of its own, marked for tests."""
    folder = Path(tempfile.mkdtemp(prefix="akrab-clock-"))
    os.chmod(folder, 0o711)  # PostgreSQL does not run as root and must pass
    made = Machine(
        folder / "data",
        free_port(),
        settings={"CRM_PROCESSES": "2", "CRM_SIGNUP": "1", "CRM_TEST_CLOCK": "1"},
    )
    try:
        await made.up()
        async with signed_up(made.url, made.setup_token):
            pass  # the first company; every test has one of its own
        yield made
    finally:
        made.end(signal.SIGTERM)
        until(lambda: not processes_of(made.data), "the tests left processes", 20)
        shutil.rmtree(folder)


@pytest.fixture
async def firm(machine: Machine) -> AsyncIterator[Company]:
    async with signed_up(machine.url) as made:
        yield made


async def now(firm: Company) -> datetime:
    """What time it is for the installation."""
    told = ok(await firm.admin.http.post("/v1/testClock:advance", json={"seconds": 0}))["now"]
    return datetime.fromisoformat(told)


async def advance(firm: Company, by: timedelta) -> None:
    body = {"seconds": by.total_seconds()}
    ok(await firm.admin.http.post("/v1/testClock:advance", json=body))


def told(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


async def salesperson(firm: Company, department_id: str = "") -> Person:
    roles = ok(
        await firm.admin.http.get("/v1/roles", params={"filter": 'built_in = "salesperson"'})
    )
    return await firm.person(roles["roles"][0]["id"], department_id)


async def handover(firm: Company, id: str) -> dict[str, Any]:
    return ok(await firm.admin.http.get(f"/v1/handovers/{id}"))


async def reaches(firm: Company, id: str, state: str, timeout_s: float = 30.0) -> dict[str, Any]:
    async def its() -> Any:
        return (await handover(firm, id))["state"]

    await becomes(its, f"STATE_{state}", f"the handover is {state}", timeout_s)
    return await handover(firm, id)


async def propose(firm: Company, owner_id: str, **fields: Any) -> dict[str, Any]:
    made = ok(await firm.admin.http.post("/v1/handovers", json={"ownerId": owner_id, **fields}))
    return await reaches(firm, made["id"], "PREVIEWED")


async def request(firm: Company, owner_id: str, **fields: Any) -> str:
    made = ok(await firm.admin.http.post("/v1/requests", json={"text": "How much?", **fields}))
    path = f"/v1/requests/{made['id']}:assign"
    ok(await firm.admin.http.post(path, json={"ownerId": owner_id}))
    return str(made["id"])


async def owners(firm: Company, plural: str) -> dict[str, str]:
    page = ok(await firm.admin.http.get(f"/v1/{plural}", params={"pageSize": 200}))
    return {row["id"]: row.get("ownerId", "") for row in page[plural]}


async def task(firm: Company, owner_id: str, **fields: Any) -> str:
    made = ok(
        await firm.admin.http.post(
            "/v1/tasks", json={"subject": "Call back", "ownerId": owner_id, **fields}
        )
    )
    return str(made["id"])


async def read_task(firm: Company, id: str) -> dict[str, Any]:
    return ok(await firm.admin.http.get(f"/v1/tasks/{id}"))


async def open_tasks(firm: Company, owner_id: str) -> set[str]:
    wanted = {"filter": f'owner_id = "{owner_id}" AND state = OPEN', "pageSize": 200}
    return {
        one["id"]
        for one in ok(await firm.admin.http.get("/v1/tasks", params=wanted)).get("tasks", [])
    }


def shares(one: dict[str, Any], object: str) -> dict[str, int]:
    """Who gets how many records of this kind."""
    (part,) = [part for part in one["parts"] if part["service"] == "contacts"]
    (count,) = [c for c in part["counts"] if (c["object"], c["field"]) == (object, "owner_id")]
    return {share["userId"]: int(share["count"]) for share in count["shares"]}


async def test_an_employee_quits_and_nothing_of_his_is_forgotten(firm: Company) -> None:
    sales = await firm.department()
    leaver, heir, other = [await salesperson(firm, sales) for _ in range(3)]
    path = f"/v1/departments/{sales}"
    ok(await firm.admin.http.patch(path, json={"headId": leaver.id, "deputyId": heir.id}))
    contacts = {(await firm.contact(ownerId=leaver.id))["id"] for _ in range(6)}
    requests = {await request(firm, leaver.id) for _ in range(3)}
    before = await owners(firm, "contacts")
    steps = [{"afterMinutes": 0, "whom": "WHOM_OWNER"}]
    ok(
        await firm.admin.http.post(
            "/v1/ladders", json={"name": "Late", "clock": "CLOCK_DEADLINE", "steps": steps}
        )
    )
    late = await task(firm, leaver.id, dueTime=told(await now(firm) + timedelta(days=10)))
    tasks = {late, *[await task(firm, leaver.id) for _ in range(3)]}
    finished = await task(firm, leaver.id)
    ok(await leaver.http.post(f"/v1/tasks/{finished}:complete", json={}))

    # The preview says what would go to whom, and changes nothing.
    one = await propose(firm, leaver.id, kind="KIND_LEAVER", rules=[{"departmentId": sales}])
    assert shares(one, "contact") == {heir.id: 3, other.id: 3}
    assert sum(shares(one, "request").values()) == 3
    assert await owners(firm, "contacts") == before
    assert (await leaver.http.get("/v1/contacts")).status_code == 200
    confirm = f"/v1/handovers/{one['id']}:confirm"
    # The department would lose its head.
    refused(await firm.admin.http.post(confirm, json={}), 422, "DEPARTMENT_WITHOUT_HEAD")
    heads = [{"departmentId": sales, "deputyTakesOver": True}]
    ok(await firm.admin.http.patch(f"/v1/handovers/{one['id']}", json={"heads": heads}))
    await reaches(firm, one["id"], "PREVIEWED")

    ok(await firm.admin.http.post(confirm, json={}))

    # He is out in less than five seconds, and everything is somebody's.
    async def status() -> int:
        return (await leaver.http.get("/v1/contacts")).status_code

    assert await becomes(status, 401, "the leaver's session has ended", 5) < 5
    done = await reaches(firm, one["id"], "DONE")
    assert {part.get("leftCount", "0") for part in done["parts"]} == {"0"}
    assert {"contacts", "identity", "tasks"} <= {part["service"] for part in done["parts"]}
    assert Counter((await owners(firm, "contacts")).values()) == {heir.id: 3, other.id: 3}
    assert leaver.id not in (await owners(firm, "requests")).values()
    department = ok(await firm.admin.http.get(path))
    assert (department["headId"], department.get("deputyId", "")) == (heir.id, "")
    assert await open_tasks(firm, leaver.id) == set()
    heirs = {(await read_task(firm, id))["ownerId"] for id in tasks}
    assert heirs == {heir.id, other.id}
    assert (await read_task(firm, finished))["ownerId"] == leaver.id
    history = ok(await firm.admin.http.get(f"/v1/contacts/{min(contacts)}/history"))["revisions"][0]
    assert history["cause"] == {"kind": "handover", "id": one["id"]}

    # Within 30 days it can be undone; what somebody has given on stays and is listed.
    given_on = min(requests)
    ok(
        await firm.admin.http.post(
            f"/v1/requests/{given_on}:assign", json={"ownerId": firm.admin.id}
        )
    )
    await advance(firm, timedelta(days=29))

    async def told_by_the_ladder() -> list[str]:
        """The deadline of the task passed while the heir had it: its ladder tells him."""
        (run,) = ok(await firm.admin.http.get(f"/v1/tasks/{late}/ladder"))["runs"]
        return [each["userId"] for each in run["steps"][0].get("told", [])]

    now_his = (await read_task(firm, late))["ownerId"]
    await becomes(told_by_the_ladder, [now_his], "the ladder has told who has the task now")
    ok(await firm.admin.http.post(f"/v1/handovers/{one['id']}:revert", json={}))
    back = await reaches(firm, one["id"], "RETURNED")
    assert await owners(firm, "contacts") == before
    assert tasks <= await open_tasks(firm, leaver.id)
    (part,) = [part for part in back["parts"] if part["service"] == "contacts"]
    assert [(kept["id"], kept["reason"]) for kept in part["kept"]] == [
        (given_on, "REASON_MOVED_ON")
    ]
    assert (await firm.signed_in(leaver.email)).id == leaver.id
    assert ok(await firm.admin.http.get(path))["headId"] == leaver.id


async def test_who_is_seen_to_own_records_is_not_deactivated_before_they_are_handed_over(
    firm: Company,
) -> None:
    leaver, heir = [await salesperson(firm) for _ in range(2)]
    contacts = {(await firm.contact(ownerId=leaver.id))["id"] for _ in range(2)}
    one = await propose(firm, leaver.id, kind="KIND_LEAVER", rules=[{"userIds": [heir.id]}])
    path, before = f"/v1/users/{leaver.id}", await owners(firm, "contacts")
    user = ok(await firm.admin.http.get(path))

    problem = refused(
        await firm.admin.http.post(f"{path}:deactivate", json={}), 422, "USER_OWNS_RECORDS"
    )

    assert one["id"] in str(problem)
    assert "contact" in str(problem)
    assert "2" in problem["detail"]
    assert ok(await firm.admin.http.get(path)) == user
    assert await owners(firm, "contacts") == before
    assert (await leaver.http.get("/v1/contacts")).status_code == 200
    ok(await firm.admin.http.post(f"/v1/handovers/{one['id']}:confirm", json={}))
    await reaches(firm, one["id"], "DONE")
    assert {(await owners(firm, "contacts"))[id] for id in contacts} == {heir.id}


async def test_after_thirty_days_it_stays(firm: Company) -> None:
    leaver, heir = [await salesperson(firm) for _ in range(2)]
    await firm.contact(ownerId=leaver.id)
    one = await propose(firm, leaver.id, kind="KIND_LEAVER", rules=[{"userIds": [heir.id]}])
    ok(await firm.admin.http.post(f"/v1/handovers/{one['id']}:confirm", json={}))
    await reaches(firm, one["id"], "DONE")

    await advance(firm, timedelta(days=30, minutes=1))

    answer = await firm.admin.http.post(f"/v1/handovers/{one['id']}:revert", json={})
    refused(answer, 422, "HANDOVER_REVERT_LATE")
    assert set((await owners(firm, "contacts")).values()) == {heir.id}


async def test_a_preview_of_yesterday_must_be_made_again(firm: Company) -> None:
    leaver, heir = [await salesperson(firm) for _ in range(2)]
    one = await propose(firm, leaver.id, kind="KIND_LEAVER", rules=[{"userIds": [heir.id]}])
    await advance(firm, timedelta(hours=25))
    answer = await firm.admin.http.post(f"/v1/handovers/{one['id']}:confirm", json={})
    refused(answer, 422, "HANDOVER_PREVIEW_OLD")
    assert (await leaver.http.get("/v1/contacts")).status_code == 200
    ok(await firm.admin.http.post(f"/v1/handovers/{one['id']}:preview", json={}))
    await reaches(firm, one["id"], "PREVIEWED")
    ok(await firm.admin.http.post(f"/v1/handovers/{one['id']}:confirm", json={}))
    await reaches(firm, one["id"], "DONE")


async def test_an_employee_falls_ill_for_two_weeks_and_everything_returns_by_itself(
    firm: Company,
) -> None:
    ill, colleague, second = [await salesperson(firm) for _ in range(3)]
    contact = (await firm.contact(ownerId=ill.id))["id"]
    todo, done = [await request(firm, ill.id) for _ in range(2)]
    call, called = [await task(firm, ill.id) for _ in range(2)]
    start = await now(firm)
    plan = {
        "kind": "KIND_SICK",
        "startTime": told(start + timedelta(days=1)),
        "endTime": told(start + timedelta(days=15)),
    }
    # The colleague is away himself in the first week: his own delegate stands in.
    ok(
        await firm.admin.http.post(
            "/v1/absences",
            json={**plan, "kind": "KIND_LEAVE", "ownerId": colleague.id, "delegateId": second.id, "endTime": told(start + timedelta(days=8))},
        )
    )  # fmt: skip
    absence = ok(
        await ill.http.post("/v1/absences", json={**plan, "delegateId": colleague.id})
    )  # planned by himself
    overlapping = await ill.http.post("/v1/absences", json=plan)
    assert absence["id"] in str(refused(overlapping, 422, "ABSENCE_OVERLAPS"))
    one = await propose(firm, ill.id, kind="KIND_TEMPORARY", absenceId=absence["id"])
    ok(await firm.admin.http.post(f"/v1/handovers/{one['id']}:confirm", json={}))
    await reaches(firm, one["id"], "SCHEDULED")

    await advance(firm, timedelta(days=1, minutes=1))

    await reaches(firm, one["id"], "DONE")
    begun = ok(await firm.admin.http.get(f"/v1/absences/{absence['id']}"))
    assert (begun["state"], begun["standInId"]) == ("STATE_STARTED", second.id)
    # Both are told: the event names them, and each may read it.
    for person in (ill, second):
        assert (await person.http.get(f"/v1/absences/{absence['id']}")).status_code == 200
    user = ok(await firm.admin.http.get(f"/v1/users/{ill.id}"))
    assert (user["awayFrom"], user["awayUntil"]) == (absence["startTime"], absence["endTime"])
    assert (await owners(firm, "contacts"))[contact] == second.id
    assert (await owners(firm, "requests")) == {todo: second.id, done: second.id}
    assert {(await read_task(firm, id))["ownerId"] for id in (call, called)} == {second.id}
    ok(await second.http.post(f"/v1/tasks/{called}:complete", json={}))
    new = await task(firm, ill.id)  # given to him by name: it waits for him
    closing = {"reason": "CLOSE_REASON_DUPLICATE"}
    ok(await second.http.post(f"/v1/requests/{done}:close", json=closing))

    await advance(firm, timedelta(days=14))

    await reaches(firm, one["id"], "RETURNED")
    assert (await owners(firm, "contacts"))[contact] == ill.id
    assert (await owners(firm, "requests")) == {todo: ill.id, done: second.id}
    assert [(await read_task(firm, id))["ownerId"] for id in (call, called, new)] == [
        ill.id, second.id, ill.id,
    ]  # fmt: skip
    user = ok(await firm.admin.http.get(f"/v1/users/{ill.id}"))
    assert "awayFrom" not in user
    assert ok(await firm.admin.http.get(f"/v1/absences/{absence['id']}"))["state"] == "STATE_ENDED"
