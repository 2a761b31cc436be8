"""X-View-As through the whole installation: another service shows what that user would see, and no more."""

from chassis.keys import uuid7
from chassis.testing.installation import Person, Tenant, access_token
from tests.service.gateway.conftest import Crm, unique

READ_OWN = [{"object": "contact", "action": "read", "scope": "own"}]
EVERYTHING = [{"object": "*", "action": "*", "scope": "all"}]


async def viewer_of(tenant: Tenant, user: Person, grants: list[dict[str, str]]) -> str:
    """The token of somebody with these grants whose session looks as the user."""
    person, session = await tenant.person(grants), uuid7()
    await tenant.put("viewing", f"{session}.{user.id}", {"since": 0})
    return access_token(tenant.id, person.id, session)


async def test_a_list_of_another_service_is_the_users_own(crm: Crm, tenant: Tenant) -> None:
    user = await tenant.person(READ_OWN, hidden=["contact.salutation"])
    token = await viewer_of(tenant, user, EVERYTHING)
    mine, others = unique("Ana"), unique("Eva")
    async with crm.client(token) as admin:
        for name, owner in ((mine, user.id), (others, tenant.admin.id)):
            body = {"displayName": name, "ownerId": owner, "salutation": "Pani"}
            made = await admin.post("/v1/contacts", json=body)
            assert made.status_code == 200, made.text
        header = {"x-view-as": user.id}

        seen = await admin.get("/v1/contacts", headers=header)
        card = await admin.get(f"/v1/contacts/{made.json()['id']}/card", headers=header)
        found = await admin.get("/v1/search", params={"q": others}, headers=header)
        change = await admin.delete(f"/v1/contacts/{made.json()['id']}", headers=header)
        whole = await admin.get("/v1/contacts")

    assert [c["displayName"] for c in seen.json()["contacts"]] == [mine]
    assert "salutation" not in seen.json()["contacts"][0]
    assert card.status_code == 404
    assert others not in found.text
    assert (change.status_code, change.json()["reason"]) == (403, "VIEWING_CHANGES_NOTHING")
    assert {c["displayName"] for c in whole.json()["contacts"]} == {mine, others}


async def test_a_viewer_with_a_narrower_right_sees_nothing_of_it(crm: Crm, tenant: Tenant) -> None:
    grants = [*READ_OWN, {"object": "user", "action": "view_as", "scope": "all"}]
    token = await viewer_of(tenant, tenant.admin, grants)

    async with crm.client(token) as viewer:
        refused = await viewer.get("/v1/contacts", headers={"x-view-as": tenant.admin.id})

    assert (refused.status_code, refused.json()["reason"]) == (403, "PERMISSION_DENIED")


async def test_a_wider_right_than_the_viewers_is_not_lent(crm: Crm, tenant: Tenant) -> None:
    """The right to look as others may itself reach only some of them."""
    stranger = await tenant.person(READ_OWN)
    own_only = [{"object": "user", "action": "view_as", "scope": "own"}]
    token = await viewer_of(tenant, stranger, own_only)

    async with crm.client(token) as viewer:
        refused = await viewer.get("/v1/contacts", headers={"x-view-as": stranger.id})

    assert (refused.status_code, refused.json()["reason"]) == (403, "VIEWING_NOT_BEGUN")
