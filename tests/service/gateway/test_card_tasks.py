"""The card shows what is to be done for the customer, and stands where tasks is down or not there at all."""

from collections.abc import AsyncIterator

import httpx
import pytest

from chassis import errors
from tests.service.gateway.conftest import Crm, running

pytestmark = pytest.mark.large

METHOD = "/crm.tasks.v1.TasksService/GetContactTasks"


@pytest.fixture(scope="module")
async def whole() -> AsyncIterator[Crm]:
    async with running(("identity", "contacts", "tasks", "gateway")) as made:
        yield made


async def make(http: httpx.AsyncClient, plural: str, **fields: object) -> str:
    answer = await http.post(f"/v1/{plural}", json=fields)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


async def test_open_tasks_by_their_deadline(whole: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = await whole.installation.tenant()
    async with whole.client(tenant.admin.token) as http:
        contact = await make(http, "contacts", displayName="Ana")
        matter = {"link": {"contactId": contact}}
        late = await make(http, "tasks", subject="Later", dueTime="2030-01-02T00:00:00Z", **matter)
        soon = await make(http, "tasks", subject="Soon", dueTime="2030-01-01T00:00:00Z", **matter)
        done = await make(http, "tasks", subject="Done", **matter)
        await make(http, "tasks", subject="Of nobody")
        await http.post(f"/v1/tasks/{done}:complete", json={})

        card = (await http.get(f"/v1/contacts/{contact}/card")).json()

        assert [task["id"] for task in card["openTasks"]] == [soon, late]
        assert card["unavailable"] == []

        async def down(request: bytes, call: object) -> bytes:
            raise errors.Unavailable("down")

        endpoints = whole.installation.process.endpoints
        served = endpoints[METHOD]
        monkeypatch.setitem(endpoints, METHOD, type(served)(served.method, down))
        card = (await http.get(f"/v1/contacts/{contact}/card")).json()
        assert (card["openTasks"], card["unavailable"]) == ([], ["tasks"])


async def test_an_installation_without_tasks_has_a_card_without_tasks(
    http: httpx.AsyncClient,
) -> None:
    contact = await make(http, "contacts", displayName="Ana")
    card = (await http.get(f"/v1/contacts/{contact}/card")).json()
    assert (card["openTasks"], card["unavailable"]) == ([], [])
    answer = await http.get("/v1/public/calendars/0")
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "this installation runs without tasks",
    )
