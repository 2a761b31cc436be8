"""One request_id is one write: replays get the stored answer, another request under it is refused."""

import asyncio

import pytest

from chassis import errors
from chassis.testing.installation import Installation, Tenant, installation
from crm.contacts.v1 import request_pb2
from crm.identity.v1 import api_token_pb2
from tests.service.identity.conftest import sign_up
from tests.service.kit.support import Desk, event_counts, unchanged, versions, written


async def test_replayed_creation_answers_the_same_and_creates_nothing(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    first = await desk.create("Ana", request_id="r-1")

    async with unchanged(crm, tenant):
        assert await desk.create("Ana", request_id="r-1") == first


async def test_replay_answers_as_then_even_after_later_changes(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    made = await desk.create("Ana")
    first = await desk.update(made.id, salutation="Dr", request_id="u-1")
    await desk.update(made.id, salutation="Prof")

    async with unchanged(crm, tenant):
        assert await desk.update(made.id, salutation="Dr", request_id="u-1") == first


async def test_replayed_update_that_changed_nothing_still_changes_nothing(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    made = await desk.create("Ana", salutation="Dr")
    await desk.update(made.id, salutation="Dr", request_id="u-1")
    await desk.update(made.id, salutation="Prof")

    async with unchanged(crm, tenant):
        await desk.update(made.id, salutation="Dr", request_id="u-1")


async def test_replayed_deletion_answers_though_the_record_is_gone(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    made = await desk.create("Ana")
    first = await desk.delete(made.id, request_id="d-1")

    async with unchanged(crm, tenant):
        assert await desk.delete(made.id, request_id="d-1") == first
        with pytest.raises(errors.NotFound):
            await desk.delete(made.id, request_id="d-2")


async def test_replayed_verb_answers_the_same(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    inquiry = request_pb2.Request(text="Two windows, please", phone="+48 512 345 678")
    request = request_pb2.CreateRequestRequest(request=inquiry, request_id="q-1")
    first = await desk.stub.CreateRequest(request)

    async with unchanged(crm, tenant):
        assert await desk.stub.CreateRequest(request) == first
    assert (
        len(await crm.rows("contacts", "SELECT FROM requests WHERE tenant_id = $1", tenant.id)) == 1
    )


async def test_key_of_another_request_is_refused(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    await desk.create("Ana", request_id="r-1")

    async with unchanged(crm, tenant):
        with pytest.raises(errors.AlreadyExists) as refusal:
            await desk.create("Budi", request_id="r-1")
    assert refusal.value.reason == "REQUEST_ID_REUSED"
    assert refusal.value.violations[0].field == "request_id"


async def test_key_belongs_to_caller_method_and_tenant(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    colleague = Desk(tenant, await tenant.person([{"object": "*", "action": "*", "scope": "all"}]))
    elsewhere = await crm.tenant()
    stranger = Desk(elsewhere, elsewhere.admin)

    ids = {(await each.create("Ana", request_id="same")).id for each in (desk, colleague, stranger)}
    source = await desk.source("site", request_id="same")

    assert len(ids) == 3
    assert source.key == "site"


async def test_refused_request_keeps_its_key_free(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    async with unchanged(crm, tenant):
        with pytest.raises(errors.InvalidArgument):
            await desk.create("", request_id="r-1")

    assert (await desk.create("Ana", request_id="r-1")).etag == "1"


async def test_twenty_callers_with_one_key_make_one_record_and_one_event(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    answers = await asyncio.gather(*(desk.create("Ana", request_id="once") for _ in range(20)))

    assert {answer.id for answer in answers} == {answers[0].id}
    assert (
        len(await crm.rows("contacts", "SELECT FROM contacts WHERE tenant_id = $1", tenant.id)) == 1
    )
    state = await written(crm, tenant)
    assert state["events"] == {"ContactCreated": 1}


async def test_twenty_callers_with_one_key_claim_one_unique_name(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    """The body itself writes (a claim of an external id), so the loser's twin is what refuses it."""
    external = [{"system": "erp", "id": "42"}]
    answers = await asyncio.gather(
        *(desk.create("Ana", request_id="once", external_ids=external) for _ in range(20))
    )

    assert {answer.id for answer in answers} == {answers[0].id}
    assert (
        len(await crm.rows("contacts", "SELECT FROM contacts WHERE tenant_id = $1", tenant.id)) == 1
    )


async def test_twenty_updates_with_one_key_are_one_version(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    made = await desk.create("Ana")

    await asyncio.gather(
        *(desk.update(made.id, salutation="Dr", request_id="once") for _ in range(20))
    )

    assert await versions(crm, "contacts", made.id) == [1, 2]
    await written(crm, tenant)
    assert (await event_counts(crm, tenant))["ContactUpdated"] == 1


async def test_stored_answer_expires(crm: Installation, tenant: Tenant, desk: Desk) -> None:
    first = await desk.create("Ana", request_id="r-1")
    await crm.rows(
        "contacts",
        "UPDATE answers SET expire_time = now() - interval '1 s' WHERE tenant_id = $1",
        tenant.id,
    )

    second = await desk.create("Budi", request_id="r-1")

    assert second.id != first.id
    assert await desk.create("Budi", request_id="r-1") == second


async def test_replay_shows_only_what_the_caller_may_see_now(tenant: Tenant, desk: Desk) -> None:
    grants = [{"object": "contact", "action": "*", "scope": "all"}]
    person = await tenant.person(grants)
    seller = Desk(tenant, person)
    assert (await seller.create("Ana", salutation="Pani", request_id="r-1")).salutation == "Pani"
    (role_id,) = tenant.installation.process.directory.of(tenant.id).user(person.id)["role_ids"]
    await tenant.put(
        "role", role_id, {"name": "role", "grants": grants, "hidden": ["contact.salutation"]}
    )

    replayed = await seller.create("Ana", salutation="Pani", request_id="r-1")

    assert (replayed.display_name, replayed.salutation) == ("Ana", "")


@pytest.mark.large
async def test_secret_is_answered_once_and_a_replay_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CRM_SIGNUP", "1")
    async with installation(["identity"]) as identity:
        company = await sign_up(identity)
        token = api_token_pb2.ApiToken(name="shop", methods=["/crm.contacts.v1.ContactsService/*"])
        request = api_token_pb2.CreateApiTokenRequest(api_token=token, request_id="t-1")

        assert (await company.stub.CreateApiToken(request)).secret

        with pytest.raises(errors.AlreadyExists) as refusal:
            await company.stub.CreateApiToken(request)
        assert refusal.value.reason == "SECRET_SHOWN_ONCE"
        stored = "SELECT answer FROM answers WHERE tenant_id = $1 AND request_id = 't-1'"
        assert [
            bytes(row["answer"]) for row in await identity.rows("identity", stored, company.id)
        ] == [b""]
