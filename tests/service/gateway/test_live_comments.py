"""Comments live and on the card: they appear as they are written, to who may read the record and to nobody else."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from chassis.testing.installation import Person, Tenant
from chassis.waits import first_of
from tests.service.gateway.conftest import Crm, running, unique
from tests.service.gateway.sse import opened

_OBJECTS = ("contact", "comment", "timeline")
SELLER = [
    *({"object": o, "action": "read", "scope": "own"} for o in _OBJECTS),
    {"object": "comment", "action": "create", "scope": "all"},
]


@pytest.fixture(scope="module")
async def crm() -> AsyncIterator[Crm]:
    async with running(("identity", "contacts", "notifications", "gateway")) as made:
        yield made


async def said(http: httpx.AsyncClient, id: str, text: str, **values: Any) -> Any:
    """Writes a comment, as soon as notifications has heard of the contact."""
    body = {"object": "contact", "objectId": id, "text": text, **values}
    async with asyncio.timeout(20):
        while (answer := await http.post("/v1/comments", json=body)).status_code == 400:
            assert answer.json()["reason"] == "COMMENT_RECORD_UNKNOWN"
            await first_of(asyncio.Event(), timeout_s=0.02)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def contact(http: httpx.AsyncClient, owner: Person) -> str:
    answer = await http.post("/v1/contacts", json={"displayName": unique(), "ownerId": owner.id})
    return str(answer.json()["id"])


async def test_a_comment_appears_live_to_who_may_read_the_record(
    crm: Crm, tenant: Tenant, http: httpx.AsyncClient
) -> None:
    ola, jan = [await tenant.person(SELLER) for _ in range(2)]
    of_ola, of_jan = await contact(http, ola), await contact(http, jan)

    async with (
        crm.client(ola.token) as a,
        crm.client(jan.token) as b,
        opened(a, kinds="comment") as to_ola,
        opened(b, kinds="comment") as to_jan,
    ):
        first = await said(a, of_ola, "Prefers mornings")
        second = await said(b, of_jan, "Prefers evenings")
        seen = await to_ola.until(first["id"])
        first_of_jan = await to_jan.subject()

    assert seen["type"] == "crm.notifications.v1.CommentCreated"
    assert seen["data"]["comment"]["text"] == "Prefers mornings"
    assert first_of_jan == second["id"]  # the one about Ola's contact never came


async def test_a_comment_is_on_the_contact_s_timeline_and_its_deletion_too(
    tenant: Tenant, http: httpx.AsyncClient
) -> None:
    id = await contact(http, tenant.admin)
    made = await said(http, id, "Prefers mornings")
    await http.patch(f"/v1/comments/{made['id']}", json={"text": "Prefers evenings"})
    await http.delete(f"/v1/comments/{made['id']}")

    async def kinds() -> list[tuple[str, str]]:
        entries = (await http.get(f"/v1/contacts/{id}/timeline")).json().get("entries", [])
        return [
            (entry["type"].rpartition(".")[2], entry.get("headline", ""))
            for entry in entries
            if entry["kind"] == "comment"
        ]

    async with asyncio.timeout(20):
        while len(found := await kinds()) < 3:
            await first_of(asyncio.Event(), timeout_s=0.02)
    assert found == [
        ("CommentDeleted", "Prefers evenings"),
        ("CommentEdited", "Prefers evenings"),
        ("CommentCreated", "Prefers mornings"),
    ]
