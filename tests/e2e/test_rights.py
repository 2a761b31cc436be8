"""Scenario 21: the same questions by a seller, a team leader, a head, an accountant, a program and another company."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from chassis.keys import uuid7
from tests.e2e.company import (
    PASSWORD,
    Company,
    Person,
    becomes,
    client,
    grants,
    ok,
    refused,
    signed_up,
)
from tests.service.gateway.conftest import Crm
from tests.service.gateway.sse import opened

GET = "/crm.contacts.v1.ContactsService/GetContact"
BIRTHDAY = {"year": 1980, "month": 5, "day": 3}
LIST = "/crm.contacts.v1.ContactsService/ListContacts"


@dataclass
class Firm:
    """Sales with two sellers and a team leader, Export below it with one seller; a head over both, an accountant."""

    company: Company
    roles: dict[str, str]
    seller: Person
    colleague: Person
    exporter: Person
    leader: Person
    head: Person
    accountant: Person
    contacts: dict[str, str]
    """Whose contact -> its id."""


@pytest.fixture(scope="module")
async def firm(crm: Crm) -> AsyncIterator[Firm]:
    """Shared by tests that leave everybody's rights as they were."""
    await crm.installation.settled()
    async with signed_up(crm.url) as company:
        yield await founded(company)


async def founded(company: Company) -> Firm:
    sales = await company.department()
    export = await company.department(sales)
    roles = {
        scope: await company.role(
            grants(("contact", "*", scope), ("request", "read", scope)), ("contact.birthday",)
        )
        for scope in ("own", "team", "subtree")
    }
    money = await company.role(grants(("company", "*", "all")))
    seller, colleague = (
        await company.person(roles["own"], sales),
        await company.person(roles["own"], sales),
    )
    exporter = await company.person(roles["own"], export)
    leader, head = (
        await company.person(roles["team"], sales),
        await company.person(roles["subtree"], sales),
    )
    accountant = await company.person(money, sales)
    owners = {
        "seller": seller,
        "colleague": colleague,
        "exporter": exporter,
        "admin": company.admin,
    }
    contacts = {
        name: str((await company.contact(ownerId=owner.id, birthday=BIRTHDAY))["id"])
        for name, owner in owners.items()
    }
    return Firm(company, roles, seller, colleague, exporter, leader, head, accountant, contacts)


def places(id: str) -> list[str]:
    """Every way to ask for one contact."""
    return [
        f"/v1/contacts/{id}",
        *(f"/v1/contacts/{id}/{part}" for part in ("card", "timeline", "history")),
    ]


async def sees(person: Person, firm: Firm) -> set[str]:
    """Whose contacts the person gets: by list, search and id alike, or the test fails."""
    listed = await person.ids("/v1/contacts")
    searched = await person.ids("/v1/contacts", q="Ana")
    counted: set[str] = set()
    for id in firm.contacts.values():
        answers = [await person.http.get(place) for place in places(id)]
        assert len({answer.status_code for answer in answers}) == 1, [a.text for a in answers]
        counted |= {id} if answers[0].status_code == 200 else set()
    assert listed == searched == counted
    return {name for name, id in firm.contacts.items() if id in listed}


async def test_each_sees_what_the_scope_says(firm: Firm) -> None:
    assert await sees(firm.seller, firm) == {"seller"}
    assert await sees(firm.leader, firm) == {"seller", "colleague"}
    assert await sees(firm.head, firm) == {"seller", "colleague", "exporter"}
    assert await sees(firm.company.admin, firm) == {"seller", "colleague", "exporter", "admin"}


async def test_the_accountant_gets_money_matters_only(firm: Firm) -> None:
    buyer = ok(await firm.accountant.http.post("/v1/companies", json={"name": "Budowa Sp. z o.o."}))

    assert await firm.accountant.ids("/v1/companies") == {buyer["id"]}
    refused(await firm.accountant.http.get("/v1/contacts"), 403, "PERMISSION_DENIED")
    refused(
        await firm.accountant.http.get(f"/v1/contacts/{firm.contacts['seller']}"),
        403,
        "PERMISSION_DENIED",
    )
    refused(await firm.seller.http.get("/v1/companies"), 403, "PERMISSION_DENIED")


async def test_what_one_may_not_change_stays_as_it_was(firm: Firm) -> None:
    path = f"/v1/contacts/{firm.contacts['colleague']}"
    before = ok(await firm.company.admin.http.get(path))

    refused(await firm.seller.http.patch(path, json={"position": "mine"}), 404, "NOT_FOUND")
    refused(await firm.seller.http.delete(path), 404, "NOT_FOUND")

    assert ok(await firm.company.admin.http.get(path)) == before
    assert len(ok(await firm.company.admin.http.get(f"{path}/history"))["revisions"]) == 1
    assert ok(await firm.leader.http.patch(path, json={"position": "Buyer"}))["position"] == "Buyer"


async def test_a_hidden_field_is_nowhere_and_cannot_be_asked_about(firm: Firm) -> None:
    id = firm.contacts["seller"]

    for place in places(id):
        assert "1980" not in (await firm.seller.http.get(place)).text
        assert "1980" in (await firm.company.admin.http.get(place)).text or place.endswith(
            "timeline"
        )
    for query in (
        {"filter": 'birthday > "1970-01-01"'},
        {"orderBy": "birthday"},
        {"fields": "birthday"},
    ):
        answer = await firm.seller.http.get("/v1/contacts", params=query)
        assert answer.status_code != 200 or "birthday" not in answer.text, answer.text


async def test_another_company_gets_not_found_word_for_word(firm: Firm, stranger: Company) -> None:
    id, nobody = firm.contacts["admin"], uuid7()

    async def asked(method: str, id: str) -> list[tuple[int, Any]]:
        body = {"json": {"position": "x"}} if method == "PATCH" else {}
        found = []
        for place in places(id) if method == "GET" else [f"/v1/contacts/{id}"]:
            answer = await stranger.admin.http.request(method, place, **body)  # type: ignore[arg-type]
            problem = answer.json() | {"traceId": ""}
            found.append(
                (answer.status_code, {k: str(v).replace(id, "ID") for k, v in problem.items()})
            )
        return found

    for method in ("GET", "PATCH", "DELETE"):
        assert await asked(method, id) == await asked(method, nobody)
        assert {status for status, _ in await asked(method, id)} == {404}
    assert await stranger.admin.ids("/v1/contacts") == set()


async def test_a_program_gets_two_methods_and_the_fields_it_was_given(firm: Firm) -> None:
    limited = await firm.company.token(
        methods=[GET, LIST],
        readable={"contact": {"fields": ["id", "display_name"]}},
        writable={"contact": {"fields": ["position"]}},
    )
    program = await firm.company.open(limited["secret"])
    path = f"/v1/contacts/{firm.contacts['seller']}"

    record = ok(await program.get(path))

    assert set(record) <= {"id", "etag", "displayName", "can"}
    assert record["displayName"] == ok(await firm.company.admin.http.get(path))["displayName"]
    rows = ok(await program.get("/v1/contacts"))["contacts"]
    assert {row["id"] for row in rows} == set(firm.contacts.values())
    assert all(set(row) <= {"id", "etag", "displayName", "can"} for row in rows)
    for method, place in (
        ("PATCH", path),
        ("DELETE", path),
        ("GET", f"{path}/history"),
        ("GET", "/v1/companies"),
    ):
        body = {"json": {"position": "x"}} if method == "PATCH" else {}
        refused(await program.request(method, place, **body), 403, "METHOD_NOT_GRANTED")  # type: ignore[arg-type]


async def test_a_program_never_may_do_more_than_its_user(firm: Firm) -> None:
    token = await firm.company.token(ownerId=firm.seller.id)
    program = await firm.company.open(token["secret"])

    assert {row["id"] for row in ok(await program.get("/v1/contacts"))["contacts"]} == {
        firm.contacts["seller"]
    }


async def test_changed_rights_are_effective_at_once(company: Company) -> None:
    """Role and owner: each change shows in list and live stream without a new sign-in."""
    admin, sales = company.admin.http, await company.department()
    own, team = [
        await company.role(grants(("contact", "read", scope))) for scope in ("own", "team")
    ]
    seller, colleague = await company.person(own, sales), await company.person(own, sales)
    mine, theirs = [
        (await company.contact(ownerId=person.id))["id"] for person in (seller, colleague)
    ]

    async def listed() -> set[str]:
        return await seller.ids("/v1/contacts")

    async with opened(seller.http) as stream:
        ok(await admin.patch(f"/v1/users/{seller.id}", json={"roleIds": [team]}))
        assert await becomes(listed, {mine, theirs}, "the team's contacts are seen") < 5
        ok(await admin.patch(f"/v1/contacts/{theirs}", json={"position": "Buyer"}))
        assert (await stream.until(theirs))["data"]["contact"]["position"] == "Buyer"

        ok(await admin.patch(f"/v1/users/{seller.id}", json={"roleIds": [own]}))
        assert await becomes(listed, {mine}, "the team's contacts are gone") < 5
        ok(await admin.patch(f"/v1/contacts/{theirs}", json={"position": "Owner"}))
        ok(await admin.patch(f"/v1/contacts/{mine}", json={"position": "mine"}))
        assert await stream.subject() == mine  # the colleague's change did not come before it

    ok(await admin.patch(f"/v1/contacts/{mine}", json={"ownerId": colleague.id}))
    assert await listed() == set()


async def test_a_deactivated_user_is_out_at_once(company: Company) -> None:
    seller = await company.person(await company.role(grants(("contact", "read", "own"))))

    async def status() -> int:
        return (await seller.http.get("/v1/me")).status_code

    assert await status() == 200
    ok(await company.admin.http.post(f"/v1/users/{seller.id}:deactivate", json={}))
    assert await becomes(status, 401, "the session has ended") < 5
    async with client(company.url) as http:
        refused(
            await http.post("/v1/auth:login", json={"email": seller.email, "password": PASSWORD}),
            401,
            "WRONG_CREDENTIALS",
        )
