"""What customers proposed by their links, approved or refused (S180)."""

from google.protobuf.field_mask_pb2 import FieldMask

from chassis import errors
from crm.contacts.v1 import contact_pb2
from crm.contacts.v1 import data_link_pb2 as pb
from crm.contacts.v1.contact_pb2 import Contact
from crm.contacts.v1.data_link_pb2 import DataChange
from tests.service.contacts.test_data_links import (
    ana,
    desk,
    issue,
    only_change,
    propose,
    states_of,
    values_of,
)
from tests.service.contacts.world import Refused, World


async def test_an_approved_proposal_is_an_update_by_the_link(world: World) -> None:
    contact = await ana(world)
    made = await issue(world, contact)
    await propose(world, made.key, phones=[{"number": "512345678"}])
    change = await only_change(world)

    decided = await desk(world.tenant.admin).ApproveDataChange(
        pb.ApproveDataChangeRequest(id=change.id, etag=change.etag)
    )

    assert (decided.state, states_of(decided)) == (
        DataChange.STATE_APPROVED,
        {"phones": "APPROVED"},
    )
    assert decided.decider_id == world.tenant.admin.id
    assert [p.number for p in (await world.contact(contact.id)).phones] == ["+48512345678"]
    (fact,) = await world.running.events(world.tenant, "ContactUpdated")
    assert fact["change"]["cause"] == {"kind": "link", "id": made.data_link.id}
    assert fact["change"]["changedFields"] == ["phones"]
    (told,) = await world.running.events(world.tenant, "DataChangeApproved")
    assert told["approvedFields"] == ["phones"]


async def test_fields_are_decided_one_by_one(world: World) -> None:
    contact = await ana(world)
    made = await issue(world, contact)
    await propose(
        world, made.key, phones=[{"number": "512345678"}], emails=[{"address": "a@example.com"}]
    )
    change = await only_change(world)
    admin = desk(world.tenant.admin)

    half = await admin.ApproveDataChange(
        pb.ApproveDataChangeRequest(id=change.id, fields=["emails"])
    )
    whole = await admin.RejectDataChange(pb.RejectDataChangeRequest(id=change.id))

    assert (half.state, half.HasField("decide_time")) == (DataChange.STATE_PROPOSED, False)
    assert states_of(whole) == {"phones": "REJECTED", "emails": "APPROVED"}
    assert (whole.state, whole.HasField("decide_time")) == (DataChange.STATE_APPROVED, True)
    now = await world.contact(contact.id)
    assert (now.phones, now.emails[0].address) == (contact.phones, "a@example.com")
    for fields in (["emails"], ["birthday"], []):
        async with Refused(world, errors.FailedPrecondition, "DATA_CHANGE_DECIDED"):
            await admin.ApproveDataChange(pb.ApproveDataChangeRequest(id=change.id, fields=fields))


async def test_what_changed_since_is_refused_field_by_field(world: World) -> None:
    contact = await ana(world)
    made = await issue(world, contact)
    await propose(
        world, made.key, phones=[{"number": "512345678"}], emails=[{"address": "a@example.com"}]
    )
    change = await only_change(world)
    await world.admin.UpdateContact(
        contact_pb2.UpdateContactRequest(
            contact=Contact(id=contact.id, phones=[{"number": "+48700700700"}]),
            update_mask=FieldMask(paths=["phones"]),
        )
    )

    decided = await desk(world.tenant.admin).ApproveDataChange(
        pb.ApproveDataChangeRequest(id=change.id)
    )

    assert states_of(decided) == {"phones": "OUTDATED", "emails": "APPROVED"}
    now = await world.contact(contact.id)
    assert [p.number for p in now.phones] == ["+48700700700"]
    assert [e.address for e in now.emails] == ["a@example.com"]


async def test_a_value_that_the_customer_took_away_is_taken_away(world: World) -> None:
    contact = await ana(world)
    made = await issue(world, contact)
    await propose(world, made.key, mask=["phones"])
    change = await only_change(world)
    await desk(world.tenant.admin).ApproveDataChange(pb.ApproveDataChangeRequest(id=change.id))
    assert list((await world.contact(contact.id)).phones) == []


async def test_approving_takes_the_right_to_change_the_contact(world: World) -> None:
    grants = [{"object": o, "action": "read", "scope": "own"} for o in ("contact", "data_change")]
    grants.append({"object": "data_change", "action": "approve", "scope": "all"})
    clerk = await world.tenant.person(grants)
    stranger = await world.tenant.person(grants)
    contact = await ana(world, owner_id=clerk.id)
    made = await issue(world, contact)
    await propose(world, made.key, phones=[{"number": "512345678"}])
    change = await only_change(world)
    asked = pb.ApproveDataChangeRequest(id=change.id)

    async with Refused(world, errors.PermissionDenied, "PERMISSION_DENIED"):
        await desk(clerk).ApproveDataChange(asked)
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await desk(stranger).ApproveDataChange(asked)
    assert states_of(await only_change(world)) == {"phones": "WAITING"}


async def test_a_field_hidden_from_the_colleague_cannot_be_approved_by_him(world: World) -> None:
    everything = [{"object": "*", "action": "*", "scope": "all"}]
    clerk = await world.tenant.person(everything, hidden=["contact.phones"])
    contact = await ana(world)
    made = await issue(world, contact)
    await propose(world, made.key, phones=[{"number": "512345678"}])
    change = await only_change(world)
    async with Refused(world, errors.PermissionDenied, "FIELD_HIDDEN", "phones"):
        await desk(clerk).ApproveDataChange(pb.ApproveDataChangeRequest(id=change.id))
    assert list(await values_of(world.tenant.admin, change)) == ["phones"]
    assert await values_of(clerk, change) == {}
