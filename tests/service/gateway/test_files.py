"""Files: in, out, in part, and to whom."""

import hashlib

import httpx

from chassis.keys import uuid7
from chassis.testing.installation import Tenant
from tests.service.gateway.conftest import Crm, unique

CONTENT = bytes(range(256)) * 5000
FILE, TEXT = "CUSTOM_FIELD_TYPE_FILE", "CUSTOM_FIELD_TYPE_TEXT"
READ_CONTACTS = [
    {"object": "contact", "action": "read", "scope": "all"},
    {"object": "custom_field", "action": "read", "scope": "all"},
]


async def upload(
    http: httpx.AsyncClient, content: bytes = CONTENT, type_: str = "image/png", **query: str
) -> dict:  # type: ignore[type-arg]
    answer = await http.post(
        "/v1/files", content=content, headers={"content-type": type_}, params=query
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_file_comes_back_as_it_went_in(http: httpx.AsyncClient) -> None:
    made = await upload(http, name="zdjęcie 1.png")
    assert (made["size"], made["type"], made["name"]) == (
        str(len(CONTENT)),
        "image/png",
        "zdjęcie 1.png",
    )
    assert made["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    got = await http.get(f"/v1/files/{made['id']}")
    assert (got.status_code, got.content) == (200, CONTENT)
    assert got.headers["content-type"] == "image/png"
    assert "filename*=UTF-8''zdj%C4%99cie%201%2Epng" in got.headers["content-disposition"]
    assert "sandbox" in got.headers["content-security-policy"]
    same = await http.get(f"/v1/files/{made['id']}", headers={"if-none-match": got.headers["etag"]})
    assert same.status_code == 304


async def test_ranges(http: httpx.AsyncClient) -> None:
    id = (await upload(http))["id"]
    size = len(CONTENT)
    for asked, start, end in (
        ("bytes=0-9", 0, 10),
        ("bytes=1000-", 1000, size),
        ("bytes=-7", size - 7, size),
    ):
        part = await http.get(f"/v1/files/{id}", headers={"range": asked})
        assert (part.status_code, part.content) == (206, CONTENT[start:end])
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
    beyond = await http.get(f"/v1/files/{id}", headers={"range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.json()["metadata"]) == (416, {"size": str(size)})
    changed = await http.get(
        f"/v1/files/{id}", headers={"range": "bytes=0-9", "if-range": '"other"'}
    )
    assert (changed.status_code, len(changed.content)) == (200, size)


async def test_multipart_upload(http: httpx.AsyncClient) -> None:
    made = await http.post(
        "/v1/files",
        data={"note": "x"},
        files={"file": ("C:\\a\\b.txt", b"hello\r\n--not", "text/plain")},
    )
    assert made.status_code == 200, made.text
    assert (made.json()["name"], made.json()["type"]) == ("b.txt", "text/plain")
    assert (await http.get(f"/v1/files/{made.json()['id']}")).content == b"hello\r\n--not"
    empty = await http.post(
        "/v1/files",
        content=b"--x--\r\n",
        headers={"content-type": "multipart/form-data; boundary=x"},
    )
    assert (empty.status_code, empty.json()["reason"]) == (400, "MULTIPART_MALFORMED")


async def test_scripts_are_never_shown_by_the_browser(http: httpx.AsyncClient) -> None:
    made = await upload(http, b"<script>alert(1)</script>", "text/html", name="x.html")
    got = await http.get(f"/v1/files/{made['id']}")
    assert got.headers["content-disposition"].startswith("attachment")


async def test_only_the_uploader_until_a_record_holds_it(
    crm: Crm, tenant: Tenant, http: httpx.AsyncClient
) -> None:
    id = (await upload(http))["id"]
    stranger = await crm.installation.tenant()
    field = {"resource": "contacts", "key": "scan", "label": "Scan", "type": FILE}
    assert (await http.post("/v1/customFields", json=field)).status_code == 200
    reader = await tenant.person(READ_CONTACTS)
    contact = await http.post(
        "/v1/contacts", json={"displayName": unique(), "custom": {"scan": id}}
    )
    assert contact.status_code == 200, contact.text
    holder = f"contacts/{contact.json()['id']}"
    async with crm.client(reader.token) as colleague, crm.client(stranger.admin.token) as foreign:
        assert (await colleague.get(f"/v1/files/{id}")).status_code == 404
        assert (await colleague.get(f"/v1/files/{id}", params={"in": holder})).status_code == 200
        other = (await http.post("/v1/contacts", json={"displayName": unique()})).json()["id"]
        assert (
            await colleague.get(f"/v1/files/{id}", params={"in": f"contacts/{other}"})
        ).status_code == 404
        assert (await colleague.delete(f"/v1/files/{id}")).status_code == 404
        for query in ({}, {"in": holder}):
            answer = await foreign.get(f"/v1/files/{id}", params=query)
            assert (answer.status_code, answer.json()["reason"]) == (404, "NOT_FOUND")
    assert (await http.get(f"/v1/files/{uuid7()}")).status_code == 404
    assert (await http.delete(f"/v1/files/{id}")).status_code == 200
    assert (await http.get(f"/v1/files/{id}")).status_code == 404


async def test_an_id_in_any_other_text_opens_nothing(
    crm: Crm, tenant: Tenant, http: httpx.AsyncClient
) -> None:
    id = (await upload(http))["id"]
    field = {"resource": "contacts", "key": "remark", "label": "Remark", "type": TEXT}
    assert (await http.post("/v1/customFields", json=field)).status_code == 200
    thief = await tenant.person(
        [{"object": "contact", "action": "*", "scope": "all"}, *READ_CONTACTS]
    )
    async with crm.client(thief.token) as other:
        made = await other.post("/v1/contacts", json={"displayName": id, "custom": {"remark": id}})
        assert made.status_code == 200, made.text
        got = await other.get(f"/v1/files/{id}", params={"in": f"contacts/{made.json()['id']}"})

    assert (got.status_code, got.json()["reason"]) == (404, "NOT_FOUND")


async def test_names_types_and_sessions_are_checked(crm: Crm, http: httpx.AsyncClient) -> None:
    for query, type_ in (
        ({"name": "a/b"}, "image/png"),
        ({"name": "x\n"}, "image/png"),
        ({}, "no type"),
    ):
        answer = await http.post(
            "/v1/files", content=b"x", headers={"content-type": type_}, params=query
        )
        assert answer.status_code == 400
    async with crm.client() as stranger:
        assert (await stranger.post("/v1/files", content=b"x")).status_code == 401
