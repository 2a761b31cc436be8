"""M21 over HTTP: what an explanation says is what a GET answers, for every role and record; and who is allowed to ask."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from chassis.keys import uuid7
from tests.e2e.company import Company, Person, becomes, grants, ok, refused, signed_up
from tests.service.gateway.conftest import Crm

KINDS = {"contact": "contacts", "company": "companies", "request": "requests"}
CONTACTS = "/crm.contacts.v1.ContactsService"


@dataclass
class Firm:
    """Sales with Export below it and an office beside; somebody in each built-in role and scope; records of all sorts."""

    company: Company
    people: dict[str, Person]
    sales: str
    export: str
    records: dict[str, list[str]]
    """object -> ids."""


@pytest.fixture(scope="module")
async def firm(crm: Crm) -> AsyncIterator[Firm]:
    """Shared by tests that leave everybody's rights as they were."""
    await crm.installation.settled()
    async with signed_up(crm.url) as company:
        yield await founded(company)


async def founded(company: Company) -> Firm:
    sales = await company.department()
    export, office = await company.department(sales), await company.department()
    listed = ok(await company.admin.http.get("/v1/roles", params={"pageSize": 200}))["roles"]
    roles = {role["builtIn"]: role["id"] for role in listed if role.get("builtIn")}
    team = await company.role(
        grants(("contact", "read", "team"), ("request", "*", "team")), ("contact.birthday",)
    )
    people = {
        name: await company.person(roles[name], department)
        for name, department in (
            ("head", sales),
            ("salesperson", sales),
            ("accountant", office),
            ("observer", ""),
        )
    }
    people["exporter"] = await company.person(roles["salesperson"], export)
    people["leader"] = await company.person(team, sales)
    people["nobody"] = await company.person(await company.role([]), sales)
    made = Firm(company, {"admin": company.admin, **people}, sales, export, {})
    for object, plural in KINDS.items():
        made.records[object] = [await record(made, plural, body) for body in bodies(made, object)]
    return made


def bodies(firm: Firm, object: str) -> list[dict[str, Any]]:
    """Records of every sort: owned by each, waiting in each queue, followed."""
    about: dict[str, Any] = {
        "contact": {"givenName": "Ana", "familyName": "K"},
        "company": {"name": "Okna"},
        "request": {"text": "How much?"},
    }[object]
    people = firm.people
    owned = [{"ownerId": people[name].id} for name in ("admin", "salesperson", "exporter")]
    queued = [{"departmentId": id} for id in (firm.sales, firm.export)]
    followed = [{"ownerId": people["admin"].id, "followerIds": [people["leader"].id]}]
    return [
        about | whose for whose in (*owned, *queued, *(followed if object != "request" else ()))
    ]


async def record(firm: Firm, plural: str, body: dict[str, Any]) -> str:
    """A record that is whose the body says: creating it, the administrator would own what nobody else does."""
    admin = firm.company.admin.http
    made = ok(await admin.post(f"/v1/{plural}", json=body))
    whose = {"ownerId": None, **{k: v for k, v in body.items() if k.endswith(("Id", "Ids"))}}
    if plural == "requests":
        if "ownerId" in body:
            ok(
                await admin.post(
                    f"/v1/requests/{made['id']}:assign", json={"ownerId": body["ownerId"]}
                )
            )
    else:
        ok(await admin.patch(f"/v1/{plural}/{made['id']}", json=whose))
    return str(made["id"])


def question(object: str, id: str = "", *, user: str = "", action: str = "read") -> dict[str, str]:
    asked = {"object": object, "action": action, "recordId": id, "userId": user}
    return {name: value for name, value in asked.items() if value}


async def explained(asker: Person, **asked: str) -> dict[str, Any]:
    return ok(await asker.http.get("/v1/explain", params=asked))


@pytest.mark.large
async def test_an_explanation_says_what_a_get_answers_for_every_role_and_record(firm: Firm) -> None:
    reasons = set()
    for object, ids in firm.records.items():
        for person in firm.people.values():
            for id in ids:
                answer = await person.http.get(f"/v1/{KINDS[object]}/{id}")
                told = await explained(firm.company.admin, **question(object, id, user=person.id))
                assert told["allowed"] == (answer.status_code == 200), (told["text"], answer.text)
                denied = told["reason"] == "ACCESS_REASON_NOT_GRANTED"
                assert answer.status_code == (200 if told["allowed"] else 403 if denied else 404)
                assert told["recordId"] == id
                reasons.add(told["reason"].removeprefix("ACCESS_REASON_"))
    assert reasons == {
        "EVERYTHING", "OWNER", "COLLEAGUE", "QUEUE", "FOLLOWER", "NOT_GRANTED", "OUT_OF_SCOPE"
    }  # fmt: skip


@pytest.mark.large
async def test_an_explanation_of_a_verb_says_what_the_record_itself_offers(firm: Firm) -> None:
    for object, ids in firm.records.items():
        for person in firm.people.values():
            for id in ids:
                answer = await person.http.get(f"/v1/{KINDS[object]}/{id}")
                can = answer.json().get("can", []) if answer.status_code == 200 else []
                for action in ("update", "delete"):
                    told = await explained(
                        firm.company.admin, **question(object, id, user=person.id, action=action)
                    )
                    assert told["allowed"] == (action in can), told["text"]


async def test_who_names_exactly_those_who_get_it(firm: Firm) -> None:
    for object, ids in firm.records.items():
        for id in ids:
            answers = await asyncio.gather(
                *(p.http.get(f"/v1/{KINDS[object]}/{id}") for p in firm.people.values())
            )
            readers = {
                person.id
                for person, answer in zip(firm.people.values(), answers, strict=True)
                if answer.status_code == 200
            }
            found, token = [], ""
            while True:
                asked = {**question(object, id), "pageSize": "2", "pageToken": token}
                page = ok(await firm.company.admin.http.get("/v1/explain:who", params=asked))
                found += page.get("explanations", [])
                assert len(page.get("explanations", [])) <= 2
                if not (token := page.get("nextPageToken", "")):
                    break
            assert [told["userId"] for told in found] == sorted(readers)
            assert all(told["allowed"] and told["text"] for told in found)


async def test_the_way_through_the_departments_the_role_and_the_hidden_fields_are_named(
    firm: Firm,
) -> None:
    head, exporter = firm.people["head"], firm.people["exporter"]
    told = await explained(
        firm.company.admin, **question("contact", firm.records["contact"][2], user=head.id)
    )
    assert told["reason"] == "ACCESS_REASON_COLLEAGUE"
    assert [step["id"] for step in told["departmentPath"]] == [firm.export, firm.sales]
    (grant,) = told["grants"]
    assert (grant["roleName"], grant["object"], grant["action"], grant["scope"]) == (
        "Head of department",
        "contact",
        "*",
        "SCOPE_SUBTREE",
    )
    names = [step["name"] for step in told["departmentPath"]]
    exporter_name = ok(await firm.company.admin.http.get(f"/v1/users/{exporter.id}"))["name"]
    assert f"its owner {exporter_name} is in {names[0]} in {names[1]}" in told["text"]

    leader = firm.people["leader"]
    told = await explained(firm.company.admin, **question("contact", user=leader.id))
    assert told["reason"] == "ACCESS_REASON_GRANTED"
    assert [field["path"] for field in told["hiddenFields"]] == ["birthday"]
    assert len(told["hiddenFields"][0]["roleIds"]) == 1


async def test_a_custom_field_for_other_roles_is_named_as_hidden(firm: Firm) -> None:
    admin, leader = firm.company.admin, firm.people["leader"]
    roles = ok(await admin.http.get(f"/v1/users/{admin.id}"))["roleIds"]
    field = {
        "resource": "contacts",
        "key": "margin",
        "label": "Margin",
        "type": "CUSTOM_FIELD_TYPE_NUMBER",
        "roleIds": roles,
    }
    made = ok(await admin.http.post("/v1/customFields", json=field))
    id = firm.records["contact"][1]

    async def hidden() -> list[str]:
        told = await explained(admin, **question("contact", id, user=leader.id))
        return [field["path"] for field in told["hiddenFields"]]

    await becomes(hidden, ["birthday", "custom.margin"], "the custom field is hidden")
    own = await explained(admin, **question("contact", id))
    assert own.get("hiddenFields", []) == []
    ok(await admin.http.delete(f"/v1/customFields/{made['id']}", params={"resource": "contacts"}))


async def test_everybody_may_ask_about_himself_where_he_reads_the_record_and_not_about_others(
    firm: Firm,
) -> None:
    seller, own = firm.people["salesperson"], firm.records["contact"][1]
    foreign = firm.records["contact"][2]
    told = await explained(seller, **question("contact", own, action="delete"))
    assert (told["allowed"], told["reason"], told["userId"]) == (
        False,
        "ACCESS_REASON_NOT_GRANTED",
        seller.id,
    )
    get = seller.http.get
    refused(await get("/v1/explain", params=question("contact", foreign)), 404, "NOT_FOUND")
    refused(await get("/v1/explain", params=question("contact", uuid7())), 404, "NOT_FOUND")
    other = question("contact", own, user=firm.people["head"].id)
    refused(await get("/v1/explain", params=other), 403, "PERMISSION_DENIED")
    refused(await get("/v1/explain:who", params=question("contact", own)), 403, "PERMISSION_DENIED")
    nobody = firm.people["nobody"].http
    refused(
        await nobody.get("/v1/explain", params=question("contact", own)), 403, "PERMISSION_DENIED"
    )


async def test_a_head_may_ask_about_the_own_people_only(firm: Firm) -> None:
    head, id = firm.people["head"], firm.records["contact"][1]
    told = await explained(head, **question("contact", id, user=firm.people["leader"].id))
    assert told["reason"] == "ACCESS_REASON_COLLEAGUE"
    other = question("contact", id, user=firm.people["accountant"].id)
    refused(await head.http.get("/v1/explain", params=other), 403, "PERMISSION_DENIED")
    page = ok(await head.http.get("/v1/explain:who", params=question("contact", id)))
    mine = {firm.people[name].id for name in ("head", "salesperson", "leader", "exporter")}
    assert {told["userId"] for told in page["explanations"]} <= mine
    assert head.id in {told["userId"] for told in page["explanations"]}


async def test_questions_that_mean_nothing_are_refused(firm: Firm) -> None:
    get = firm.company.admin.http.get
    id = firm.records["contact"][0]
    for asked, reason in (
        (question("unicorn"), "RIGHT_UNKNOWN"),
        (question("contact", action="fly"), "RIGHT_UNKNOWN"),
        (question("unicorn", id), "INVALID_ARGUMENT"),
        ({**question("contact"), "pageSize": "many"}, "INVALID_ARGUMENT"),
    ):
        path = "/v1/explain:who" if "pageSize" in asked else "/v1/explain"
        problem = refused(await get(path, params=asked), 400, reason)
        assert problem["violations"][0]["description"]
    refused(await (await firm.company.open()).get("/v1/explain"), 401, "UNAUTHENTICATED")
    strange = question("contact", id, user=uuid7())
    refused(await get("/v1/explain", params=strange), 404, "NOT_FOUND")


async def test_records_of_every_service_and_of_shared_kinds_can_be_asked_about(firm: Firm) -> None:
    admin, seller = firm.company.admin, firm.people["salesperson"]
    told = await explained(admin, **question("department", firm.sales, user=seller.id))
    assert (told["allowed"], told["reason"]) == (True, "ACCESS_REASON_GRANTED")
    view = ok(
        await admin.http.post(
            "/v1/views", json={"label": "All", "resource": "contacts", "shared": True}
        )
    )
    told = await explained(admin, **question("saved_view", view["id"], user=seller.id))
    assert told["allowed"]
    listed = await seller.http.get(f"/v1/views/{view['id']}", params={"resource": "contacts"})
    assert listed.status_code == 200


async def test_a_switch_a_token_and_a_deactivation_that_decide_are_told(crm: Crm) -> None:
    await crm.installation.settled()
    async with signed_up(crm.url) as company:
        admin = company.admin
        role = await company.role(
            grants(("contact", "*", "all"), ("user", "read", "all"), ("tenant", "read", "all"))
        )
        person = await company.person(role)
        id = str((await company.contact())["id"])
        path = f"/v1/contacts/{id}"

        methods = await company.token(ownerId=person.id, methods=[f"{CONTACTS}/GetCompany"])
        granted = await company.token(ownerId=person.id, grants=grants(("company", "read", "all")))
        for token, reason in ((methods, "TOKEN_METHODS"), (granted, "TOKEN_GRANTS")):
            program = await company.open(token["secret"])
            assert (await program.get(path)).status_code == 403
            asked = question("contact", id, user=person.id)
            asked["apiTokenId"] = token["apiToken"]["id"]
            told = await explained(admin, **asked)
            assert (told["allowed"], told["reason"]) == (False, f"ACCESS_REASON_{reason}")
        refused(
            await admin.http.get(
                "/v1/explain",
                params={**question("contact", id), "apiTokenId": methods["apiToken"]["id"]},
            ),
            404,
            "NOT_FOUND",
        )

        async def reason() -> tuple[str, str, int]:
            told = await explained(admin, **question("contact", id, user=person.id))
            return (
                told["reason"],
                told.get("feature", ""),
                (await person.http.get(path)).status_code,
            )

        assert await reason() == ("ACCESS_REASON_EVERYTHING", "", 200)
        ok(await admin.http.patch("/v1/tenant", json={"featuresOff": ["contacts"]}))
        await becomes(reason, ("ACCESS_REASON_FEATURE_OFF", "contacts", 422), "the switch is told")
        ok(await admin.http.patch("/v1/tenant", json={"featuresOff": []}))
        await becomes(reason, ("ACCESS_REASON_EVERYTHING", "", 200), "the switch is on again")
        ok(await admin.http.post(f"/v1/users/{person.id}:deactivate", json={}))
        await becomes(reason, ("ACCESS_REASON_NOT_ACTIVE", "", 401), "the deactivation is told")
