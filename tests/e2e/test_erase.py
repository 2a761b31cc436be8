"""U40 and M20 over HTTP: a person gets everything that is kept about her, and then is kept nowhere."""

import io
import json
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chassis import erasure
from chassis.testing.events import eventually
from crm.common.v1 import privacy_pb2
from tests.e2e.company import Company, grants, ok, phone, refused
from tests.service.gateway.conftest import Crm, running

pytestmark = pytest.mark.large

SURNAME = "Brzozowiczowna"


def answering() -> list[str]:
    """Every service that keeps something of persons."""
    return sorted(erasure.answering("report", privacy_pb2.ErasureReport))


@pytest.fixture(scope="module")
async def crm() -> AsyncIterator[Crm]:
    """An installation in which all of them run."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CRM_SIGNUP", "1")
        async with running((*answering(), "gateway")) as made:
            yield made


async def over(company: Company, name: str) -> dict[str, Any]:
    last: list[dict[str, Any]] = []

    async def is_over() -> bool:
        last[:] = [ok(await company.admin.http.get(f"/v1/{name}"))]
        return bool(last[0].get("done"))

    await eventually(is_over, f"{name} is over", 150)
    return last[0]


async def test_a_person_gets_her_data_and_is_erased(company: Company) -> None:
    http, number = company.admin.http, phone()
    form = await company.form()
    stranger = await company.open()
    ok(
        await stranger.post(
            f"/v1/public/forms/{form['key']}",
            json={"fields": {"name": f"Maria {SURNAME}", "phone": number}},
        )
    )
    (person,) = ok(await http.get("/v1/contacts", params={"q": SURNAME}))["contacts"]
    ok(
        await http.post(
            "/v1/notes", json={"contactId": person["id"], "text": f"{SURNAME} likes tea"}
        )
    )

    call = ok(
        await http.post("/v1/tasks", json={"subject": f"Call {SURNAME}", "contactId": person["id"]})
    )

    started = ok(
        await http.post(f"/v1/contacts/{person['id']}:exportPersonalData", json={"waitS": 60})
    )
    archive = (await over(company, started["name"]))["response"]
    services = answering()
    assert (archive["services"], archive.get("missingServices", [])) == (services, [])
    content = (await http.get(f"/v1/files/{archive['fileId']}")).content
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        assert sorted(opened.namelist()) == [f"{name}.json" for name in services]
        tasks = json.loads(opened.read("tasks.json"))["tasks"]
        assert call["id"] in [task["id"] for task in tasks]
        assert [note["text"] for note in json.loads(opened.read("contacts.json"))["notes"]] == [
            f"{SURNAME} likes tea"
        ]
        assert "audit_entries" in json.loads(opened.read("identity.json"))

    preview = ok(await http.get(f"/v1/contacts/{person['id']}:previewErasure"))
    assert preview["services"] == services
    body = {"reason": "asked by letter", "confirmation": preview["confirmation"]}
    begun = ok(await http.post(f"/v1/contacts/{person['id']}:erase", json=body))
    streams = ["gateway", *services]
    everything = {"since": ",".join(f"{name.upper()}:0" for name in streams)}

    async def is_swept() -> bool:
        """The rows are gone, the others have confirmed, and no stream knows her; a large database is rewritten at night."""
        told = ok(await http.get(f"/v1/erasures/{begun['id']}"))
        confirmed = {each["service"] for each in told.get("confirmations", [])}
        if not {"identity", "tasks"} <= confirmed:
            return False
        replay = await http.get(
            "/v1/events", params=everything, headers={"accept": "application/json"}
        )
        return replay.status_code == 200 and SURNAME not in replay.text

    await eventually(is_swept, "nothing is left to replay", 150)

    assert refused(await http.get(f"/v1/contacts/{person['id']}"), 404, "NOT_FOUND")
    assert (await http.get(f"/v1/files/{archive['fileId']}")).status_code == 404
    for path in (
        "/v1/contacts",
        "/v1/requests",
        "/v1/timeline",
        "/v1/operations/contacts",
        "/v1/tasks",
        f"/v1/tasks/{call['id']}/history",
        "/v1/erasures",
    ):
        assert SURNAME not in (await http.get(path)).text, path
    (request,) = ok(await http.get("/v1/requests"))["requests"]
    assert (request["channel"], request.get("name", ""), request.get("contactId", "")) == (
        "CHANNEL_FORM",
        "",
        "",
    )
    bare = ok(await http.get(f"/v1/tasks/{call['id']}"))
    assert (bare["state"], "subject" in bare, "contactId" in bare) == (
        "STATE_CANCELLED",
        False,
        False,
    )
    audited = ok(await http.get("/v1/audit", params={"objectId": person["id"]}))["entries"]
    assert sorted(entry["kind"] for entry in audited) == ["erasure", "personal_data_export"]


async def test_who_may_not_erase_changes_nothing(company: Company) -> None:
    contact = await company.contact(familyName="Zostaje")
    clerk = await company.person(
        await company.role(grants(("contact", "read", "all"), ("contact", "delete", "all")))
    )
    body = {"reason": "r", "confirmation": contact["displayName"]}

    refused(
        await clerk.http.post(f"/v1/contacts/{contact['id']}:erase", json=body),
        403,
        "PERMISSION_DENIED",
    )

    assert (
        ok(await company.admin.http.get(f"/v1/contacts/{contact['id']}"))["etag"] == contact["etag"]
    )
    assert ok(await company.admin.http.get("/v1/erasures")).get("erasures", []) == []
