"""M20 over a whole installation: an erasure whose processes are killed half-way ends, and then the person is nowhere."""

import asyncio
import os
import subprocess
from pathlib import Path
from typing import Any

import nats

from chassis.testing.events import eventually
from deploy.local import postgres
from services.contacts import certificates
from tests.chaos.machine import Machine
from tests.e2e.company import Company, client, ok

SURNAME, EMAIL = "Grzegrzolkowska", "jadwiga.g@example.com"
PHONE = "+48698765432"
NEEDLES = (SURNAME, SURNAME.lower(), "698765432", "698 765 432", "698-765-432", EMAIL)


async def written_down(company: Company) -> dict[str, Any]:
    """Somebody who came by a form, was changed, noted, exported, searched for and related to."""
    http = company.admin.http
    form = await company.form()
    stranger = await company.open()
    ok(
        await stranger.post(
            f"/v1/public/forms/{form['key']}",
            json={"fields": {"name": f"Jadwiga {SURNAME}", "phone": "698 765 432"}},
        )
    )
    found = ok(await http.get("/v1/contacts", params={"q": SURNAME}))["contacts"]
    person = found[0]
    person = ok(
        await http.patch(
            f"/v1/contacts/{person['id']}",
            json={"emails": [{"address": EMAIL}], "position": f"sister of {SURNAME}"},
            headers={"Idempotency-Key": "once"},
        )
    )
    ok(
        await http.post(
            "/v1/notes", json={"contactId": person["id"], "text": f"{SURNAME}: call 698-765-432"}
        )
    )
    friend = await company.contact(relations=[{"contactId": person["id"], "kind": "friend"}])
    twin = await company.contact(familyName=SURNAME, phones=[{"number": PHONE}])
    ok(await http.post(f"/v1/contacts/{person['id']}:merge", json={"mergedIds": [twin["id"]]}))
    listed = ok(
        await http.post(
            "/v1/operations/contacts:listAsOf",
            json={"resource": "contacts", "asOf": person["updateTime"], "q": SURNAME},
        )
    )
    await over(company, listed["name"])
    exported = ok(
        await http.post(
            "/v1/contacts:export",
            json={"format": "FILE_FORMAT_XLSX", "filter": f'family_name = "{SURNAME}"'},
        )
    )
    assert await over(company, exported["name"])
    imported = await imports(company)
    return {
        "person": person,
        "twin": twin["id"],
        "friend": friend["id"],
        "form": form,
        "import": imported,
    }


async def imports(company: Company) -> str:
    """The id of an import whose file names her in a line that is taken and in one that fails."""
    http = company.admin.http
    lines = [
        "First name,Last name,Phone",
        "Ola,Kot,+48600100200",
        f"Jadwiga,{SURNAME},698-765-432",
        f"Jadwiga,{SURNAME},12",
    ]
    file = ok(
        await http.post(
            "/v1/files",
            params={"name": "people.csv"},
            content="\n".join(lines),
            headers={"content-type": "text/csv"},
        )
    )
    begun = ok(await http.post("/v1/imports", json={"resource": "contacts", "fileId": file["id"]}))

    async def now(*states: str) -> dict[str, Any]:
        last: list[dict[str, Any]] = []

        async def is_there() -> bool:
            last[:] = [ok(await http.get(f"/v1/imports/{begun['id']}"))]
            return last[0]["state"] in states

        await eventually(is_there, f"the import is {states}", 60)
        return last[0]

    await now("STATE_UPLOADED")
    ok(await http.post(f"/v1/imports/{begun['id']}:plan", json={}))
    await now("STATE_PLANNED")
    ok(await http.post(f"/v1/imports/{begun['id']}:run", json={}))
    assert (await now("STATE_DONE"))["outcome"]["failed"] == "1"
    return str(begun["id"])


async def over(company: Company, name: str) -> dict[str, Any]:
    last: list[dict[str, Any]] = []

    async def is_over() -> bool:
        last[:] = [ok(await company.admin.http.get(f"/v1/{name}"))]
        return bool(last[0].get("done"))

    await eventually(is_over, f"{name} is over", 60)
    return last[0]


async def erased(company: Company, person: dict[str, Any]) -> str:
    """The erasure's id."""
    http = company.admin.http
    preview = ok(await http.get(f"/v1/contacts/{person['id']}:previewErasure"))
    body = {"reason": "asked by letter", "confirmation": preview["confirmation"]}
    return str(ok(await http.post(f"/v1/contacts/{person['id']}:erase", json=body))["id"])


async def done(
    machine: Machine, company: Company, id: str, timeout_s: float = 240.0
) -> dict[str, Any]:
    last: list[dict[str, Any]] = []

    async def is_done() -> bool:
        try:
            async with client(machine.url, company.admin.token) as http:
                answer = await http.get(f"/v1/erasures/{id}")
        except OSError:
            return False
        if answer.status_code != 200:
            return False
        last[:] = [answer.json()]
        return last[0]["state"] == "STATE_DONE"

    try:
        await eventually(is_done, "every service has confirmed", timeout_s)
    except AssertionError as late:
        working = await machine.sql(
            "SELECT kind, state, position, error, update_time FROM operations ORDER BY id DESC LIMIT 5"
        )
        raise AssertionError(f"{late}: {last} {[dict(row) for row in working]}") from None
    return last[0]


async def sees(machine: Machine, what: str, statement: str, *arguments: Any) -> None:
    async def is_so() -> bool:
        return bool(await machine.sql(statement, *arguments))

    await eventually(is_so, what, 60)


async def dumped(machine: Machine) -> list[str]:
    """Databases whose dump, with statistics, holds the person; documents are hexadecimal there."""
    url = machine.run_json()["postgres"]
    wanted = {each.encode() for each in NEEDLES} | {
        each.encode().hex().encode() for each in NEEDLES
    }
    found = []
    for database in ("crm_contacts", "crm_identity"):
        dump = await asyncio.to_thread(
            subprocess.run,
            [postgres.program("pg_dump"), f"--dbname={database}", "--statistics"],
            env=os.environ | postgres.client_environment(url), capture_output=True, check=True,
        )  # fmt: skip
        assert len(dump.stdout) > 10_000
        place = b""
        for line in dump.stdout.splitlines():
            place = line if line.startswith(b"COPY ") else place
            if any(each in line for each in wanted):
                found.append(f"{database}: {place[:40]!r} {line[:300]!r}")
    return found


def in_files(folder: Path) -> list[str]:
    """Every file below, logs too, with one of the needles in it."""
    found = []
    for path in sorted(folder.rglob("*")):
        try:
            content = path.read_bytes() if path.is_file() else b""
        except FileNotFoundError:
            continue  # a log segment that went meanwhile
        found += [
            f"{path.relative_to(folder)}: {each}" for each in NEEDLES if each.encode() in content
        ]
    return found


async def in_streams(machine: Machine) -> list[str]:
    """Every message of every stream that holds the person."""
    found, connection = [], await nats.connect(machine.run_json()["nats"])
    try:
        jetstream = connection.jetstream()
        for info in await jetstream.streams_info():
            name = info.config.name or ""
            for sequence in range(max(1, info.state.first_seq), info.state.last_seq + 1):
                try:
                    message = await jetstream.get_msg(name, sequence)
                except nats.js.errors.NotFoundError:
                    continue
                said = f"{message.subject} {message.headers} {(message.data or b'').decode()}"
                found += [f"{name} {sequence}: {each}" for each in NEEDLES if each in said]
    finally:
        await connection.close()
    return found


async def in_answers(company: Company, told: dict[str, Any]) -> list[str]:
    """Every way in which the API could still tell of the person."""
    http, found = company.admin.http, []
    asked: list[tuple[str, dict[str, Any]]] = [
        ("/v1/contacts", {"pageSize": 200, "showDeleted": True}),
        *(("/v1/contacts", {"q": each}) for each in NEEDLES),
        *(("/v1/search", {"q": each}) for each in NEEDLES),
        ("/v1/contacts", {"pageSize": 200, "asOf": told["person"]["updateTime"]}),
        ("/v1/requests", {"pageSize": 200}),
        ("/v1/requests", {"pageSize": 200, "asOf": told["person"]["updateTime"]}),
        ("/v1/timeline", {"pageSize": 200}), ("/v1/notes", {"pageSize": 200}), ("/v1/merges", {}),
        ("/v1/duplicates", {}), ("/v1/imports", {}), (f"/v1/imports/{told['import']}/rows", {}), ("/v1/operations/contacts", {"pageSize": 200}), ("/v1/audit", {"pageSize": 200}),
        ("/v1/events", {"since": "CONTACTS:0,IDENTITY:0,GATEWAY:0"}), ("/v1/erasures", {}),
        *((f"/v1/contacts/{id}{way}", {}) for id in (told["person"]["id"], told["twin"])
          for way in ("", "/history", "/timeline", "/card")),
        (f"/v1/contacts/{told['friend']}", {}), (f"/v1/contacts/{told['friend']}/history", {}),
    ]  # fmt: skip
    for path, query in asked:
        answer = await http.get(path, params=query, headers={"accept": "application/json"})
        assert answer.status_code in (200, 404), (path, answer.text)
        # What was asked for may stand in a refusal.
        found += [
            f"{path} {query}: {each}"
            for each in NEEDLES
            if answer.status_code == 200 and each in answer.text
        ]
    return found


async def nowhere(machine: Machine, company: Company, told: dict[str, Any]) -> dict[str, list[str]]:
    """Where the person still is; the place with nothing is left out."""
    found = {
        "answers": await in_answers(company, told), "streams": await in_streams(machine),
        "dumps": await dumped(machine), "files": await asyncio.to_thread(in_files, machine.data),
    }  # fmt: skip
    return {place: each for place, each in found.items() if each}


async def test_an_erasure_that_is_killed_half_way_leaves_nothing(
    machine: Machine, company: Company
) -> None:
    told = await written_down(company)
    before = await nowhere(machine, company, told)
    assert set(before) == {"answers", "streams", "dumps", "files"}

    id = await erased(company, told["person"])
    for what, is_so in (
        ("it has begun", "SELECT FROM operations WHERE kind = 'erasure' AND state = 'running'"),
        ("the rows are gone", "SELECT FROM erasures WHERE erase_time IS NOT NULL"),
    ):
        await sees(machine, what, f"{is_so} AND tenant_id = $1", company.id)
        for pid in machine.apps():
            machine.kill(pid)
        await machine.whole()
    erasure = await done(machine, company, id)

    assert await nowhere(machine, company, told) == {}
    confirmed = sorted(each["service"] for each in erasure["confirmations"])
    assert confirmed == certificates.who_answers()
    assert [each.get("remains", []) for each in erasure["confirmations"]] == [[] for _ in confirmed]
    assert sorted(erasure["mergedIds"]) == [told["twin"]]
    friend = ok(await company.admin.http.get(f"/v1/contacts/{told['friend']}"))
    assert "relations" not in friend
    requests = ok(await company.admin.http.get("/v1/requests"))["requests"]
    assert [(each["channel"], "name" in each, "contactId" in each) for each in requests] == [
        ("CHANNEL_FORM", False, False)
    ]


async def test_who_was_erased_after_a_backup_is_erased_again_after_its_restore(
    machine: Machine, company: Company, tmp_path: Path
) -> None:
    told = await written_down(company)
    source = machine.data.parent / f"{company.id}.tar"
    backed_up = machine.verb("backup", "--to", str(source))
    assert backed_up.returncode == 0, backed_up.stderr
    id = await erased(company, told["person"])
    await done(machine, company, id)

    assert machine.end() == 0
    restored = machine.verb("restore", "--from", str(source), "--force")
    assert restored.returncode == 0, restored.stderr
    assert "1 erasures are newer than the backup" in restored.stdout + restored.stderr
    source.unlink()
    await machine.up()

    answer = await company.admin.http.get(f"/v1/contacts/{told['person']['id']}")
    assert answer.status_code == 404
    erasure = await done(machine, company, id)
    assert "reapplyTime" in erasure
    assert await nowhere(machine, company, told) == {}
