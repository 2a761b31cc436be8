"""A field that a role hides, or a token may not read, is nowhere: in no answer, filter, order, mask, search or history."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chassis import errors, keys
from chassis.testing.installation import Installation, Person, Tenant, installation
from chassis.times import to_datetime
from crm.contacts.v1 import contact_pb2 as pb
from crm.contacts.v1 import contacts_service_pb2_grpc as grpc
from crm.contacts.v1 import timeline_pb2
from tests.service.kit.support import Desk, unchanged, until

EVERYTHING = [{"object": "*", "action": "*", "scope": "all"}]
HIDDEN = ["contact.birthday", "contact.phones", "contact.addresses"]
SECRETS = ("600100200", "1990", "Lipowa")


@pytest.fixture(scope="module")
async def crm() -> AsyncIterator[Installation]:
    async with installation(["contacts"], past=False) as running:
        yield running


@pytest.fixture
async def tenant(crm: Installation) -> Tenant:
    return await crm.tenant()


async def ana(desk: Desk) -> pb.Contact:
    return await desk.create(
        "Ana Nowak", phones=[{"number": "+48600100200"}], birthday={"year": 1990, "month": 5, "day": 17},
        addresses=[{"lines": ["Lipowa 3"], "city": "Kraków", "country": "PL"}], salutation="Pani",
    )  # fmt: skip


def tells(answer: Any) -> list[str]:
    """The secrets that an answer holds."""
    return [secret for secret in SECRETS if secret in str(answer)]


async def answers(desk: Desk, made: pb.Contact) -> dict[str, Any]:
    """Every way in which contacts itself shows the record."""
    then = to_datetime(made.update_time)
    id = made.id
    found = {
        "get": await desk.get(id), "fields": await desk.get(id, "display_name"), "as_of": await desk.get(id, as_of=then),
        "list": await desk.page(), "list as_of": await desk.page(as_of=then), "search": await desk.page(q="Nowak"),
        "batch": await desk.stub.BatchGetContacts(pb.BatchGetContactsRequest(ids=[id])),
        "history": await desk.stub.ListContactHistory(pb.ListContactHistoryRequest(id=id)),
        "update": await desk.update(id, display_name="Ana N."), "same": await desk.update(id, display_name="Ana N."),
        "delete": await desk.delete(id), "undelete": await desk.undelete(id),
        "replay": await desk.update(id, salutation="Pani dr", request_id="r"),
        "replayed": await desk.update(id, salutation="Pani dr", request_id="r"),
    }  # fmt: skip
    assert all(answer.ByteSize() for answer in found.values())
    return found


@pytest.mark.large
async def test_hidden_field_is_in_no_answer(tenant: Tenant) -> None:
    desk = Desk(tenant, tenant.admin)
    clerk = Desk(tenant, await tenant.person(EVERYTHING, hidden=HIDDEN))
    chief = Desk(tenant, await tenant.person(EVERYTHING))

    hidden, seen = await answers(clerk, await ana(desk)), await answers(chief, await ana(desk))

    assert {way: tells(answer) for way, answer in hidden.items() if tells(answer)} == {}
    assert {way for way, answer in seen.items() if len(tells(answer)) == len(SECRETS)} == set(
        seen
    ) - {"fields"}


async def test_stored_json_of_a_hidden_field_is_not_passed_through(
    crm: Installation, tenant: Tenant
) -> None:
    made = await ana(Desk(tenant, tenant.admin))
    clerk = await tenant.person(EVERYTHING, hidden=HIDDEN)
    metadata = {"authorization": f"Bearer {clerk.token}", "crm-accept": "json"}

    for rpc, request in (
        ("GetContact", pb.GetContactRequest(id=made.id)), ("ListContacts", pb.ListContactsRequest()),
        ("BatchGetContacts", pb.BatchGetContactsRequest(ids=[made.id])),
        ("ListContactHistory", pb.ListContactHistoryRequest(id=made.id)),
        ("UpdateContact", pb.UpdateContactRequest(contact=pb.Contact(id=made.id, salutation="Dr"), update_mask={"paths": ["salutation"]})),
    ):  # fmt: skip
        data, _ = await crm.local.unary(
            f"/crm.contacts.v1.ContactsService/{rpc}", request.SerializeToString(), metadata
        )
        assert b"Ana Nowak" in data or rpc == "ListContactHistory"
        assert not [secret for secret in SECRETS if secret.encode() in data], rpc


async def test_hidden_field_may_be_named_nowhere(crm: Installation, tenant: Tenant) -> None:
    made = await ana(Desk(tenant, tenant.admin))
    clerk = Desk(tenant, await tenant.person(EVERYTHING, hidden=[*HIDDEN, "contact.display_name"]))

    async with unchanged(crm, tenant):
        for refused in (
            clerk.page(filter='phones:"600100200"'), clerk.page(filter='birthday > "1980-01-01"'),
            clerk.page(filter="birthday.day_of_year > 100"), clerk.page(filter='addresses.city:"Kraków"'),
            clerk.page(filter="NOT addresses.country:PL"),
            clerk.page(order_by="display_name"), clerk.page(order_by="create_time, display_name"),
            clerk.page(filter='phones:"1"', as_of=to_datetime(made.update_time)), clerk.get(made.id, "phones"),
            clerk.get(made.id, "birthday.year"), clerk.page(fields={"paths": ["addresses.city"]}),
            clerk.update(made.id, "birthday"), clerk.update(made.id, "birthday.year", birthday={"year": 1991}),
            clerk.update(made.id, phones=[]), clerk.update(made.id, "phones"), clerk.create("New", phones=[{"number": "+48600100201"}]),
        ):  # fmt: skip
            with pytest.raises(errors.PermissionDenied) as refusal:
                await refused
            assert refusal.value.reason == "FIELD_HIDDEN"


async def test_text_search_finds_nothing_by_a_hidden_field(tenant: Tenant) -> None:
    desk = Desk(tenant, tenant.admin)
    await ana(desk)
    clerk = Desk(tenant, await tenant.person(EVERYTHING, hidden=HIDDEN))

    assert await desk.names(q="100 200") == ["Ana Nowak"]
    assert await clerk.names(q="100 200") == []
    assert await clerk.names(q="nowak") == ["Ana Nowak"]


async def test_update_of_others_fields_keeps_the_hidden_ones(tenant: Tenant) -> None:
    desk = Desk(tenant, tenant.admin)
    made = await ana(desk)
    clerk = Desk(tenant, await tenant.person(EVERYTHING, hidden=HIDDEN))

    await clerk.update(made.id, salutation="Dr")

    got = await desk.get(made.id)
    assert (got.phones[0].number, got.birthday.year, got.salutation) == ("+48600100200", 1990, "Dr")


async def test_timeline_names_no_hidden_field(tenant: Tenant) -> None:
    desk = Desk(tenant, tenant.admin)
    made = await ana(desk)
    await desk.update(made.id, phones=[{"number": "+48600100201"}], salutation="Dr")
    clerk = Desk(tenant, await tenant.person(EVERYTHING, hidden=[*HIDDEN, "contact.display_name"]))
    request = timeline_pb2.ListContactTimelineRequest(id=made.id)

    async def told() -> Any:
        entries = (await clerk.stub.ListContactTimeline(request)).entries
        return list(entries) if len(entries) >= 2 else None

    entries = await until(told)
    assert {path for entry in entries for path in entry.changed_fields} == {"salutation"}
    assert {entry.headline for entry in entries} == {""}


# -- API tokens: never more than their user, and only the fields they name (U18) -------------------------


async def token(tenant: Tenant, user: Person, **limits: Any) -> Desk:
    """The desk of a program with an API token of the user."""
    id = keys.uuid7()
    text, digest = keys.new_api_token(tenant.id, id)
    entry = {
        "hash": digest,
        "user_id": user.id,
        "methods": ["*"],
        "grants": None,
        "readable": None,
        "writable": None,
        **limits,
    }
    await tenant.put("token", id, entry)
    return Desk(tenant, Person(tenant.installation, tenant.id, user.id, text))


async def test_token_reads_only_its_readable_fields(tenant: Tenant) -> None:
    made = await ana(Desk(tenant, tenant.admin))
    shop = await token(tenant, tenant.admin, readable={"contact": ["display_name", "salutation"]})

    got = await shop.get(made.id)

    assert {f.name for f, _ in got.ListFields()} == {"id", "etag", "display_name", "salutation"}
    assert {
        way: tells(answer) for way, answer in (await answers(shop, made)).items() if tells(answer)
    } == {}
    assert await shop.names(q="100 200") == []
    for refused in (
        shop.page(filter='phones:"600100200"'),
        shop.page(filter='owner_id = "x"'),
        shop.page(order_by="position"),
    ):
        with pytest.raises(errors.CrmError) as refusal:
            await refused
        assert refusal.value.reason in ("FIELD_HIDDEN", "BAD_LIST")
    with pytest.raises(errors.PermissionDenied):
        await shop.page(filter='phones:"600100200"')
    assert await shop.names(filter='display_name = "Ana N."', order_by="display_name") == ["Ana N."]


async def test_token_writes_only_its_writable_fields(crm: Installation, tenant: Tenant) -> None:
    made = await ana(Desk(tenant, tenant.admin))
    shop = await token(tenant, tenant.admin, writable={"contact": ["salutation", "birthday"]})

    assert (await shop.update(made.id, salutation="Dr")).salutation == "Dr"
    assert (await shop.update(made.id, "birthday.day", birthday={"day": 18})).birthday.day == 18
    async with unchanged(crm, tenant):
        for refused in (
            shop.update(made.id, display_name="X"),
            shop.update(made.id, "salutation", "phones"),
            shop.create("New"),
        ):
            with pytest.raises(errors.PermissionDenied) as refusal:
                await refused
            assert refusal.value.reason == "FIELD_NOT_WRITABLE"


async def test_token_has_at_most_its_users_rights(tenant: Tenant) -> None:
    desk = Desk(tenant, tenant.admin)
    theirs = await ana(desk)
    seller = await tenant.person(
        [{"object": "contact", "action": a, "scope": "own"} for a in ("read", "create", "update")]
    )
    own = await Desk(tenant, seller).create("Own")
    wide = await token(tenant, seller, grants=EVERYTHING)
    narrow = await token(
        tenant, tenant.admin, grants=[{"object": "contact", "action": "read", "scope": "all"}]
    )

    assert await wide.names() == ["Own"]
    with pytest.raises(errors.NotFound):
        await wide.get(theirs.id)
    with pytest.raises(errors.PermissionDenied):
        await wide.delete(own.id)
    assert len(await narrow.names()) == 2
    with pytest.raises(errors.PermissionDenied):
        await narrow.update(own.id, display_name="X")


async def test_token_is_limited_to_its_methods_and_its_time(tenant: Tenant) -> None:
    made = await ana(Desk(tenant, tenant.admin))
    reader = await token(
        tenant, tenant.admin, methods=["/crm.contacts.v1.ContactsService/GetContact"]
    )
    every = await token(tenant, tenant.admin, methods=["/crm.contacts.v1.ContactsService/*"])
    old = await token(tenant, tenant.admin, expires=time.time() - 1)

    assert (await reader.get(made.id)).id == made.id
    with pytest.raises(errors.PermissionDenied) as refusal:
        await reader.page()
    assert refusal.value.reason == "METHOD_NOT_GRANTED"
    assert await every.names() == ["Ana Nowak"]
    with pytest.raises(errors.Unauthenticated):
        await old.get(made.id)


@pytest.mark.large
async def test_token_of_a_wrong_secret_tenant_or_shape_is_refused(
    crm: Installation, tenant: Tenant
) -> None:
    elsewhere = await crm.tenant()
    id = keys.uuid7()
    forged, _ = keys.new_api_token(tenant.id, id)
    _, digest = keys.new_api_token(tenant.id, id)
    await tenant.put(
        "token", id, {"hash": digest, "user_id": tenant.admin.id, "methods": ["*"], "grants": None}
    )

    for text in (
        forged,
        keys.new_api_token(elsewhere.id, id)[0],
        "akt_",
        "akt_%%%",
        "x.y.z",
        "",
        " ",
        "é",
    ):
        person = Person(crm, tenant.id, tenant.admin.id, text)
        stub: Any = person.stub(grpc.ContactsServiceStub, remote=False)
        with pytest.raises(errors.Unauthenticated):
            await stub.ListContacts(pb.ListContactsRequest())
