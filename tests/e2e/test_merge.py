"""U14 over HTTP: two cards of one person become one, the old id leads there, and the merge is undone."""

from typing import Any

from tests.e2e.company import Company, grants, ok, phone, refused

SILENT = ("etag", "updateTime")


async def card(company: Company, id: str) -> dict[str, Any]:
    return ok(await company.admin.http.get(f"/v1/contacts/{id}/card"))


async def plain(company: Company, id: str) -> dict[str, Any]:
    """The contact without version and time of change."""
    found = ok(await company.admin.http.get(f"/v1/contacts/{id}"))
    return {name: value for name, value in found.items() if name not in SILENT}


async def test_two_cards_become_one_and_two_again(company: Company) -> None:
    http, number = company.admin.http, phone()
    keeps = await company.contact(givenName="Jan", phones=[{"number": number}])
    goes = await company.contact(givenName="Janek", position="Boss", phones=[{"number": number}])
    note = ok(await http.post("/v1/notes", json={"contactId": goes["id"], "text": "likes tea"}))
    before = [await plain(company, one["id"]) for one in (keeps, goes)]

    found = ok(await http.get("/v1/contacts:findDuplicates", params={"phone": number}))["found"]
    assert {one["contact"]["id"] for one in found} == {keeps["id"], goes["id"]}
    body = {"mergedIds": [goes["id"]], "choices": {"position": goes["id"]}}
    preview = ok(await http.post(f"/v1/contacts/{keeps['id']}:previewMerge", json=body))
    assert preview["contact"]["position"] == "Boss"
    assert preview["moved"] == [{"object": "note", "count": 1}]
    assert [await plain(company, one["id"]) for one in (keeps, goes)] == before

    merge = ok(await http.post(f"/v1/contacts/{keeps['id']}:merge", json=body))

    assert (merge["survivorId"], merge["mergedIds"]) == (keeps["id"], [goes["id"]])
    assert (merge["contact"]["givenName"], merge["contact"]["position"]) == ("Jan", "Boss")
    assert ok(await http.get(f"/v1/contacts/{goes['id']}"))["id"] == keeps["id"]
    assert ok(await http.get(f"/v1/notes/{note['id']}"))["contactId"] == keeps["id"]
    assert await company.admin.ids("/v1/contacts") == {keeps["id"]}

    # The card by the old id is that of the survivor, whole.
    by_new, by_old = await card(company, keeps["id"]), await card(company, goes["id"])
    assert by_old["contact"]["id"] == keeps["id"]
    assert by_old.get("unavailable", []) == []
    assert by_old == by_new
    assert note["id"] in str(by_old)

    undone = ok(await http.post(f"/v1/merges/{merge['id']}:undo", json={}))

    assert (undone["merge"]["state"], undone.get("keptCount", 0)) == ("STATE_UNDONE", 0)
    assert [await plain(company, one["id"]) for one in (keeps, goes)] == before
    assert ok(await http.get(f"/v1/notes/{note['id']}"))["contactId"] == goes["id"]
    assert (await card(company, goes["id"]))["contact"]["id"] == goes["id"]
    (listed,) = ok(await http.get("/v1/merges", params={"partyId": goes["id"]}))["merges"]
    assert (listed["id"], listed["state"]) == (merge["id"], "STATE_UNDONE")


async def test_a_merge_that_is_refused_over_http_changes_nothing(company: Company) -> None:
    http = company.admin.http
    keeps, goes = [await company.contact(givenName=name) for name in ("Jan", "Ewa")]
    reader = await company.person(await company.role(grants(("contact", "read", "all"))))
    path = f"/v1/contacts/{keeps['id']}"
    before = [await plain(company, one["id"]) for one in (keeps, goes)]

    denied = await reader.http.post(f"{path}:merge", json={"mergedIds": [goes["id"]]})
    refused(denied, 403, "PERMISSION_DENIED")
    unknown = {"mergedIds": [goes["id"]], "choices": {"shoeSize": goes["id"]}}
    problem = refused(await http.post(f"{path}:merge", json=unknown), 400, "MERGE_CHOICE_UNKNOWN")
    assert "shoeSize" in problem["violations"][0]["field"]
    late = await http.post(
        f"{path}:merge", json={"mergedIds": [goes["id"]]}, headers={"if-match": '"99"'}
    )
    assert late.status_code == 412, late.text

    assert [await plain(company, one["id"]) for one in (keeps, goes)] == before
    assert ok(await http.get("/v1/merges")).get("merges", []) == []

    merge = ok(await http.post(f"{path}:merge", json={"mergedIds": [goes["id"]]}))
    refused(
        await reader.http.post(f"/v1/merges/{merge['id']}:undo", json={}), 403, "PERMISSION_DENIED"
    )
    ok(await http.post(f"/v1/merges/{merge['id']}:undo", json={}))
    refused(await http.post(f"/v1/merges/{merge['id']}:undo", json={}), 422, "MERGE_UNDONE")
