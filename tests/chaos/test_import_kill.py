"""kill -9 of every application process while 50,000 lines are imported: the run goes on, nothing is lost, nothing is twice."""

import csv
import io
import random
from collections import Counter
from typing import Any

from chassis.testing.events import eventually
from tests.chaos import records
from tests.chaos.machine import Machine
from tests.e2e.company import Company, ok

LINES = 50_000
CHANCE = random.Random(19)


def file_of(lines: int) -> tuple[bytes, int]:
    """Phones as numbers and as text, 8 % twins, headers in two languages; and how many persons that is."""
    out, persons = io.StringIO(), 0
    writer = csv.writer(out)
    writer.writerow(["Nama Lengkap", "Telefon", "E-mail", "Nama Perusahaan"])
    before: list[list[str]] = []
    for number in range(lines):
        if before and CHANCE.random() < 0.08:
            writer.writerow(CHANCE.choice(before))
            continue
        phone = f"{601_000_000 + number}"
        phone = phone if number % 2 else f"+48 {phone[:3]}-{phone[3:]}"
        row = [f"Osoba {number}", phone, f"o{number}@example.com", f"Firma {number % 500}"]
        writer.writerow(row)
        persons += 1
        before = [*before[-999:], row]
    return out.getvalue().encode(), persons


async def begun(company: Company, content: bytes) -> str:
    """An import whose plan is made; its id."""
    http = company.admin.http
    file = ok(await http.post("/v1/files?name=people.csv", content=content, headers={"content-type": "text/csv"}))  # fmt: skip
    made = ok(await http.post("/v1/imports", json={"resource": "contacts", "fileId": file["id"]}))
    await reaches(company, made["id"], "STATE_UPLOADED")
    ok(await http.post(f"/v1/imports/{made['id']}:plan", json={}))
    await reaches(company, made["id"], "STATE_PLANNED")
    return str(made["id"])


async def reaches(
    company: Company, id: str, state: str, timeout_s: float = 300.0
) -> dict[str, Any]:
    """The import once it is in this state."""
    last: dict[str, Any] = {}

    async def there() -> bool:
        answer = await company.admin.http.get(f"/v1/imports/{id}")
        if answer.status_code == 200:
            last.update(answer.json())
        return last.get("state") == state

    await eventually(there, f"the import is {state}", timeout_s)
    return last


async def test_import_goes_on_after_kills_and_writes_each_person_once(
    machine: Machine, company: Company
) -> None:
    access = (await company.token(nats=True, natsStart="NATS_START_ALL"))["nats"]
    content, persons = file_of(LINES)
    id = await begun(company, content)
    planned = await reaches(company, id, "STATE_PLANNED")
    ok(await company.admin.http.post(f"/v1/imports/{id}:run", json={}))

    for mark in (0.2, 0.5):
        await progressed(company, id, int(persons * mark))
        for pid in machine.apps():
            machine.kill(pid)
        await machine.whole()

    done = await reaches(company, id, "STATE_DONE", 600.0)
    assert done["outcome"] == planned["plan"]
    assert int(done["outcome"]["created"]) == persons
    listed = await records.listed(company)
    assert len(listed) == persons == len(set(listed.values()))
    events = await records.created_events(access, persons, 300.0)
    assert Counter(event.subject for event in events) == Counter(list(listed))


async def progressed(company: Company, id: str, records_written: int) -> None:
    """Returns when the run has written so many records."""

    async def far() -> bool:
        imported = await company.admin.http.get(f"/v1/imports/{id}")
        if imported.status_code != 200:
            return False
        name = imported.json()["operation"]
        operation = await company.admin.http.get(f"/v1/{name}")
        if operation.status_code != 200:
            return False
        facts = operation.json()["metadata"]["value"]
        assert facts["state"] in ("queued", "running"), "it ended before it could be killed"
        return int(facts["done"]) >= records_written

    await eventually(far, f"{records_written} records are written", 300.0)
