"""Paths that several services share: the resource decides who answers."""

import httpx

from tests.service.gateway.conftest import unique


async def test_custom_fields_of_contacts_over_the_shared_path(http: httpx.AsyncClient) -> None:
    field = {
        "resource": "contacts",
        "key": "shoe_size",
        "label": "Shoe size",
        "type": "CUSTOM_FIELD_TYPE_NUMBER",
        "filterable": True,
    }
    made = await http.post("/v1/customFields", json=field)
    assert made.status_code == 200, made.text
    id, here = made.json()["id"], {"resource": "contacts"}
    listed = await http.get("/v1/customFields", params=here)
    assert [f["key"] for f in listed.json()["customFields"]] == ["shoe_size"]
    changed = await http.patch(f"/v1/customFields/{id}", json={"label": "Size"}, params=here)
    assert (changed.status_code, changed.json()["label"]) == (200, "Size"), changed.text
    contact = await http.post(
        "/v1/contacts", json={"displayName": unique(), "custom": {"shoe_size": 42}}
    )
    assert contact.json()["custom"] == {"shoe_size": 42}
    found = await http.get("/v1/contacts", params={"filter": "custom.shoe_size > 41"})
    assert [c["id"] for c in found.json()["contacts"]] == [contact.json()["id"]]
    assert (await http.delete(f"/v1/customFields/{id}", params=here)).status_code == 200
    assert (await http.post(f"/v1/customFields/{id}:undelete", params=here)).status_code == 200


async def test_saved_views_over_the_shared_path(http: httpx.AsyncClient) -> None:
    made = await http.post(
        "/v1/views", json={"resource": "companies", "label": "Mine", "filter": "name = x"}
    )
    assert made.status_code == 200, made.text
    listed = await http.get("/v1/views", params={"resource": "companies"})
    assert [v["id"] for v in listed.json()["savedViews"]] == [made.json()["id"]]
