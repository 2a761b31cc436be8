"""Personal links: what a customer sees and says, and how it is approved (S180)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.struct_pb2 import Value

from chassis import errors
from chassis.keys import new_key, uuid7
from chassis.testing.installation import Person
from chassis.times import to_timestamp
from crm.common.v1 import common_pb2
from crm.contacts.v1 import consent_pb2, contact_pb2
from crm.contacts.v1 import customization_pb2 as custom
from crm.contacts.v1 import data_link_pb2 as pb
from crm.contacts.v1 import data_page_pb2 as page
from crm.contacts.v1.contact_pb2 import Contact
from crm.contacts.v1.data_link_pb2 import DataChange, DataChangeItem, DataLink, DataLinkField
from crm.contacts.v1.data_links_service_pb2_grpc import DataLinksServiceStub
from tests.service.contacts.test_consents import desk as consents_of
from tests.service.contacts.test_consents import purpose, states
from tests.service.contacts.test_notes import until
from tests.service.contacts.world import Refused, World

SEE, COMPLETE, CORRECT = DataLink.MODE_SEE, DataLink.MODE_COMPLETE, DataLink.MODE_CORRECT


def desk(person: Person, **metadata: str) -> Any:
    return person.stub(DataLinksServiceStub, **metadata)


def visitor(world: World, peer: str = "203.0.113.7") -> Any:
    return desk(world.running.stranger, **{"crm-peer": peer})


async def issue(world: World, contact: Contact, **values: Any) -> pb.IssueDataLinkResponse:
    """A link; `fields` as name -> mode."""
    modes = values.pop("fields", {"given_name": SEE, "phones": CORRECT, "emails": COMPLETE})
    fields = [DataLinkField(field=field, mode=mode) for field, mode in modes.items()]
    who = values.pop("by", world.tenant.admin)
    return await desk(who).IssueDataLink(
        pb.IssueDataLinkRequest(id=contact.id, data_link=DataLink(fields=fields, **values))
    )


async def ana(world: World, **values: Any) -> Contact:
    made = {"given_name": "Ana", "phones": [{"number": "+48601234567", "kind": "KIND_WORK"}]}
    return await world.contact(**{**made, **values})


async def propose(
    world: World, key: str, consents: Any = (), peer: str = "203.0.113.7", **values: Any
) -> page.ProposeDataChangeResponse:
    mask = FieldMask(paths=values.pop("mask", []))
    sent = page.ProposeDataChangeRequest(
        key=key, contact=Contact(**values), update_mask=mask, consents=consents,
        request_id=uuid7(),
    )  # fmt: skip
    return await visitor(world, peer).ProposeDataChange(sent)


async def is_open(world: World, key: str) -> bool:
    try:
        await visitor(world).GetPublicData(page.GetPublicDataRequest(key=key))
    except errors.NotFound:
        return False
    return True


async def only_change(world: World) -> DataChange:
    listed = await desk(world.tenant.admin).ListDataChanges(pb.ListDataChangesRequest())
    (change,) = listed.data_changes
    return change


async def values_of(person: Person, change: DataChange) -> dict[str, tuple[Any, Any]]:
    """(before, after) by field, as the person sees them."""
    asked = pb.GetDataChangeValuesRequest(id=change.id)
    found = (await desk(person).GetDataChangeValues(asked)).values
    plain = json_format.MessageToDict
    return {each.field: (plain(each.before), plain(each.after)) for each in found}


def states_of(change: DataChange) -> dict[str, str]:
    return {
        item.field: DataChangeItem.State.Name(item.state).removeprefix("STATE_")
        for item in change.items
    }


# -- the link ----------------------------------------------------------------------------------------------------------------


async def test_a_links_key_is_told_once_and_kept_as_a_hash(world: World) -> None:
    contact = await ana(world)
    request = pb.IssueDataLinkRequest(
        id=contact.id, request_id="once",
        data_link=DataLink(fields=[DataLinkField(field="phones", mode=CORRECT)]),
    )  # fmt: skip
    made = await desk(world.tenant.admin).IssueDataLink(request)

    assert made.path == f"/v1/public/data/{made.key}"
    assert made.data_link.author_id == world.tenant.admin.id
    life = made.data_link.expire_time.ToDatetime(UTC) - datetime.now(UTC)
    assert timedelta(days=29) < life < timedelta(days=31)
    with pytest.raises(errors.AlreadyExists) as refusal:
        await desk(world.tenant.admin).IssueDataLink(request)
    assert refusal.value.reason == "SECRET_SHOWN_ONCE"
    got = await desk(world.tenant.admin).GetDataLink(pb.GetDataLinkRequest(id=made.data_link.id))
    (fact,) = await world.running.events(world.tenant, "DataLinkIssued")
    assert made.key not in f"{got}{fact}"
    for table in ("data_link_keys", "data_links", "data_links_history", "answers"):
        rows = await world.running.rows(
            "contacts", f"SELECT * FROM {table} WHERE tenant_id = $1", world.tenant.id
        )
        assert made.key not in str([dict(row) for row in rows])


async def test_what_is_no_business_of_customers_cannot_be_offered(world: World) -> None:
    contact = await ana(world)
    async with Refused(
        world, errors.InvalidArgument, "DATA_LINK_INVALID",
        "data_link.fields[0].field", "data_link.fields[1].field", "data_link.purposes[0]", "data_link.expire_time",
    ):  # fmt: skip
        await issue(
            world, contact, fields={"owner_id": SEE, "custom.debt": SEE}, purposes=["newsletter"],
            expire_time=to_timestamp(datetime.now(UTC) + timedelta(days=400)),
        )  # fmt: skip
    async with Refused(world, errors.InvalidArgument, "DATA_LINK_INVALID", "data_link.fields"):
        await issue(world, contact, fields={})
    everything = [{"object": "*", "action": "*", "scope": "all"}]
    clerk = await world.tenant.person(everything, hidden=["contact.phones"])
    async with Refused(world, errors.PermissionDenied, "FIELD_HIDDEN", "phones"):
        await issue(world, contact, fields={"phones": SEE}, by=clerk)


async def test_a_link_takes_the_right_to_change_the_contact(world: World) -> None:
    grants = [
        {"object": "contact", "action": "read", "scope": "all"},
        {"object": "data_link", "action": "create", "scope": "all"},
    ]
    reader = await world.tenant.person(grants)
    contact = await ana(world)
    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await issue(world, contact, by=reader)


async def test_wrong_ended_revoked_and_foreign_keys_are_alike(world: World) -> None:
    contact = await ana(world)
    soon = to_timestamp(datetime.now(UTC) + timedelta(seconds=1))
    ended = await issue(world, contact, expire_time=soon)
    revoked = await issue(world, contact)
    await desk(world.tenant.admin).RevokeDataLink(pb.RevokeDataLinkRequest(id=revoked.data_link.id))
    deleted = await issue(world, await ana(world, phones=[]))
    await world.admin.DeleteContact(
        contact_pb2.DeleteContactRequest(id=deleted.data_link.contact_id)
    )
    works = await issue(world, contact)
    await until(lambda: is_open(world, ended.key), False)
    keys = [
        "nonsense", "x" * 300, new_key(world.tenant.id), new_key(uuid7()), ended.key, revoked.key, deleted.key,
    ]  # fmt: skip
    told = set()
    for key in keys:
        for call in (
            visitor(world).GetPublicData(page.GetPublicDataRequest(key=key)),
            propose(world, key, given_name="X"),
        ):
            with pytest.raises(errors.NotFound) as refusal:
                await call
            told.add((refusal.value.reason, refusal.value.message))

    assert len(told) == 1
    assert await is_open(world, works.key)
    async with Refused(world, errors.FailedPrecondition, "DATA_LINK_OVER"):
        await desk(world.tenant.admin).RevokeDataLink(
            pb.RevokeDataLinkRequest(id=revoked.data_link.id)
        )


# -- what the customer sees and says -----------------------------------------------------------------------------------------


async def test_the_customer_sees_what_the_link_offers_and_nothing_else(world: World) -> None:
    contact = await ana(world, emails=[{"address": "ana@example.com"}], family_name="Nowak")
    await purpose(world, texts={"en": "Offers", "pl": "Oferty"})
    made = await issue(world, contact, purposes=["marketing"], language="pl")

    shown = await visitor(world).GetPublicData(page.GetPublicDataRequest(key=made.key))

    values = {each.field: json_format.MessageToDict(each.value) for each in shown.fields}
    # The e-mail may only be completed and is there already, so it is neither shown nor asked for.
    assert values == {
        "given_name": "Ana",
        "phones": [{"number": "+48601234567", "kind": "KIND_WORK"}],
    }
    assert (shown.asked_by, shown.language) == ("Test", "pl")
    assert [(c.purpose, c.text, c.text_version, c.given) for c in shown.consents] == [
        ("marketing", "Oferty", 1, False)
    ]
    assert "Nowak" not in str(shown)
    assert "ana@example.com" not in str(shown)


async def test_a_proposal_changes_nothing_before_it_is_approved(world: World) -> None:
    contact = await ana(world)
    made = await issue(world, contact)

    taken = await propose(
        world, made.key, phones=[{"number": "512 345 678"}], emails=[{"address": "ANA@example.com"}]
    )

    assert list(taken.waiting_fields) == ["phones", "emails"]
    change = await only_change(world)
    assert (change.contact_id, change.data_link_id) == (contact.id, made.data_link.id)
    assert await values_of(world.tenant.admin, change) == {
        "phones": ([{"number": "+48601234567", "kind": "KIND_WORK"}], [{"number": "+48512345678"}]),
        "emails": (None, [{"address": "ana@example.com"}]),
    }
    assert await world.contact(contact.id) == contact
    (fact,) = await world.running.events(world.tenant, "DataChangeProposed")
    assert fact["change"]["actor"] == {"kind": "link", "id": made.data_link.id}
    assert "512345678" not in str(fact)


async def test_nothing_new_makes_no_proposal(world: World) -> None:
    contact = await ana(world)
    made = await issue(world, contact)
    taken = await propose(world, made.key, phones=[{"number": "601234567", "kind": "KIND_WORK"}])
    assert (list(taken.waiting_fields), await world.count("data_changes")) == ([], 0)


async def test_a_field_that_is_only_shown_or_filled_in_cannot_be_changed(world: World) -> None:
    contact = await ana(world, emails=[{"address": "ana@example.com"}])
    made = await issue(world, contact)
    for field, value in (
        ("given_name", "Eve"), ("emails", [{"address": "eve@example.com"}]), ("owner_id", uuid7()),
    ):  # fmt: skip
        async with Refused(world, errors.InvalidArgument, "FIELD_NOT_OFFERED", field):
            await propose(world, made.key, **{field: value})
    async with Refused(world, errors.InvalidArgument, "FIELD_NOT_OFFERED", "consents.marketing"):
        await propose(world, made.key, [page.PublicDataChoice(purpose="marketing", given=True)])
    assert await world.count("data_changes") == 0


async def test_the_customer_is_told_what_cannot_be(world: World) -> None:
    contact = await ana(world)
    made = await issue(world, contact)
    async with Refused(world, errors.InvalidArgument, "PHONE_INVALID", "phones[0].number"):
        await propose(world, made.key, phones=[{"number": "12"}])
    assert await world.count("data_changes") == 0


async def test_custom_fields_are_offered_too(world: World) -> None:
    field = common_pb2.CustomField(
        resource="contacts", key="size", label="Size", type="CUSTOM_FIELD_TYPE_CHOICE", choices=["S", "M"]
    )  # fmt: skip
    await world.admin.CreateCustomField(custom.CreateCustomFieldRequest(custom_field=field))
    contact = await ana(world)
    made = await issue(world, contact, fields={"custom.size": CORRECT})

    taken = await propose(world, made.key, custom={"size": Value(string_value="M")})
    change = await only_change(world)
    await desk(world.tenant.admin).ApproveDataChange(pb.ApproveDataChangeRequest(id=change.id))

    assert list(taken.waiting_fields) == ["custom.size"]
    assert (await world.contact(contact.id)).custom["size"].string_value == "M"
    async with Refused(world, errors.InvalidArgument, "CUSTOM_FIELD_INVALID", "custom.size"):
        await propose(world, made.key, custom={"size": Value(string_value="XL")})


async def test_consents_hold_at_once_and_are_the_persons_own_act(world: World) -> None:
    await purpose(world)
    contact = await ana(world)
    made = await issue(world, contact, fields={}, purposes=["marketing"])
    admin = consents_of(world.tenant.admin)
    gone = consent_pb2.Consent(
        purpose="marketing", channel=consent_pb2.CONSENT_CHANNEL_ANY, withdrawn=True
    )
    await admin.RecordConsent(consent_pb2.RecordConsentRequest(contact_id=contact.id, consent=gone))

    taken = await propose(world, made.key, [page.PublicDataChoice(purpose="marketing", given=True)])

    assert (taken.consent_count, list(taken.waiting_fields)) == (1, [])
    assert set((await states(world.tenant.admin, contact.id)).values()) == {True}
    ledger = await admin.ListConsents(consent_pb2.ListConsentsRequest(contact_id=contact.id))
    last = ledger.consents[0]
    assert (last.source, last.text_version) == (consent_pb2.CONSENT_SOURCE_LINK, 1)
    assert last.proof.startswith(f"data_link {made.data_link.id}")
    assert "203.0.113.7" not in last.proof
    ended = await propose(world, made.key, [page.PublicDataChoice(purpose="marketing")])
    assert ended.consent_count == 1
    assert set((await states(world.tenant.admin, contact.id)).values()) == {False}


async def test_proposals_are_limited_by_address_and_by_what_waits(world: World) -> None:
    contact = await ana(world)
    made = await issue(world, contact)
    for n in range(10):
        await propose(world, made.key, phones=[{"number": f"+4860123450{n}"}])
    async with Refused(world, errors.ResourceExhausted, "FORM_RATE_LIMITED"):
        await propose(world, made.key, phones=[{"number": "+48601234599"}])
    for n in range(10):
        peer = f"203.0.113.{100 + n}"
        await propose(world, made.key, peer=peer, phones=[{"number": f"+4860123451{n}"}])
    async with Refused(world, errors.ResourceExhausted, "PROPOSALS_TOO_MANY"):
        await propose(world, made.key, peer="203.0.113.99", phones=[{"number": "+48601234599"}])
    assert await world.count("data_changes") == 20
