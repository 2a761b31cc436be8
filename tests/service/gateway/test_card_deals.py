"""The card and the search show deals, and stand where deals is down or not there at all."""

from collections.abc import AsyncIterator

import httpx
import pytest

from chassis import errors
from tests.service.gateway.conftest import Crm, running

METHOD = "/crm.deals.v1.DealsService/GetContactDeals"


@pytest.fixture(scope="module")
async def whole() -> AsyncIterator[Crm]:
    async with running(("identity", "contacts", "deals", "gateway")) as made:
        yield made


async def make(http: httpx.AsyncClient, plural: str, **fields: object) -> dict[str, str]:
    answer = await http.post(f"/v1/{plural}", json=fields)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.large
async def test_open_deals_with_the_names_of_their_stages(
    whole: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = await whole.installation.tenant()
    async with whole.client(tenant.admin.token) as http:
        stages = [{"key": "new", "name": "New"}, {"key": "agreed", "name": "Agreed"}]
        pipeline = await make(http, "pipelines", key="sales", name="Sales", stages=stages)
        contact = (await make(http, "contacts", displayName="Ana"))["id"]
        common = {"pipelineId": pipeline["id"], "contactId": contact}
        windows = await make(http, "deals", title="Six windows", **common)
        lost = await make(http, "deals", title="A door", **common)
        reason = await make(http, "dealReasons", name="Too dear", kind="KIND_LOST")
        ended = await http.post(f"/v1/deals/{lost['id']}:lose", json={"reasonId": reason["id"]})
        assert ended.status_code == 200, ended.text

        card = (await http.get(f"/v1/contacts/{contact}/card")).json()
        found = (await http.get("/v1/search", params={"q": "windows"})).json()

        assert [deal["id"] for deal in card["openDeals"]] == [windows["id"]]
        assert [stage["name"] for stage in card["pipelines"][0]["stages"]] == ["New", "Agreed"]
        assert [deal["id"] for deal in found["deals"]] == [windows["id"]]
        assert card["unavailable"] == found["unavailable"] == []

        async def down(request: bytes, call: object) -> bytes:
            raise errors.Unavailable("down")

        endpoints = whole.installation.process.endpoints
        served = endpoints[METHOD]
        monkeypatch.setitem(endpoints, METHOD, type(served)(served.method, down))
        card = (await http.get(f"/v1/contacts/{contact}/card")).json()
        assert (card["openDeals"], card["unavailable"]) == ([], ["deals"])


async def test_an_installation_without_deals_has_a_card_without_deals(
    http: httpx.AsyncClient,
) -> None:
    contact = (await make(http, "contacts", displayName="Ana"))["id"]
    card = (await http.get(f"/v1/contacts/{contact}/card")).json()
    assert (card["openDeals"], card["pipelines"], card["unavailable"]) == ([], [], [])
