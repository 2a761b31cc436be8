"""A unique value that is taken: the refusal names who has it, to those who may know (BLUEPRINT section 6)."""

from collections.abc import Awaitable

import pytest

from chassis import errors
from chassis.call import Cause
from chassis.testing.installation import Installation, Tenant
from chassis.tx import Tx
from crm.common.v1 import common_pb2 as common
from crm.contacts.v1 import contact_pb2 as pb
from crm.contacts.v1 import customization_pb2 as customization
from crm.contacts.v1 import label_pb2, source_pb2
from services.contacts import store
from tests.service.kit.support import Desk, unchanged


async def refused(
    desk: Desk, write: Awaitable[object], reason: str, holder_id: str
) -> errors.AlreadyExists:
    """The refusal of a write that names the holder and changes nothing."""
    async with unchanged(desk.crm, desk.tenant):
        with pytest.raises(errors.AlreadyExists) as refusal:
            await write
    assert refusal.value.reason == reason
    assert refusal.value.metadata.get("holder_id", "") == holder_id
    assert holder_id in refusal.value.message
    assert all(holder_id in violation.description for violation in refusal.value.violations)
    return refusal.value


async def test_undelete_after_the_key_was_reused_names_the_other(desk: Desk) -> None:
    old = await desk.source("site")
    await desk.stub.DeleteSource(source_pb2.DeleteSourceRequest(id=old.id))
    new = await desk.source("site")

    write = desk.stub.UndeleteSource(source_pb2.UndeleteSourceRequest(id=old.id))

    assert [v.field for v in (await refused(desk, write, "KEY_TAKEN", new.id)).violations] == ["key"]  # fmt: skip


async def test_undelete_after_the_external_id_was_reused_names_the_other(desk: Desk) -> None:
    old = await desk.create("Old", external_ids=[{"system": "erp", "id": "7"}])
    await desk.delete(old.id)
    new = await desk.create("New", external_ids=[{"system": "erp", "id": "7"}])

    await refused(desk, desk.undelete(old.id), "EXTERNAL_ID_TAKEN", new.id)


async def test_undelete_of_a_custom_field_whose_key_was_reused_names_the_other(desk: Desk) -> None:
    old = await desk.custom_field("shoe")
    request = customization.DeleteCustomFieldRequest(id=old.id, resource="contacts")
    await desk.heard_of(await desk.stub.DeleteCustomField(request))
    new = await desk.custom_field("shoe")

    back = customization.UndeleteCustomFieldRequest(id=old.id, resource="contacts")

    await refused(desk, desk.stub.UndeleteCustomField(back), "ALREADY_EXISTS", new.id)


@pytest.mark.parametrize("request_id", ["", "once"])
async def test_creation_with_a_taken_key_names_the_holder(desk: Desk, request_id: str) -> None:
    made = await desk.source("site")

    await refused(desk, desk.source("site", request_id=request_id), "KEY_TAKEN", made.id)


async def test_change_to_a_taken_name_names_the_holder(desk: Desk) -> None:
    vip, other = [
        await desk.stub.CreateLabel(
            label_pb2.CreateLabelRequest(label=label_pb2.Label(name=name, color="#00ff00"))
        )
        for name in ("VIP", "Other")
    ]
    request = label_pb2.UpdateLabelRequest(label=label_pb2.Label(id=other.id, name="vip"))
    request.update_mask.paths.append("name")

    await refused(desk, desk.stub.UpdateLabel(request), "KEY_TAKEN", vip.id)


async def test_refusal_within_a_transaction_names_the_holder(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    made = await desk.source("site")

    async def two(tx: Tx) -> None:
        store.sources.save(tx, source_pb2.Source(key="fair", name="Fair"))
        store.sources.save(tx, source_pb2.Source(key="site", name="Site"))

    write = crm.process.runtimes["contacts"].run_system(tenant.id, Cause("import"), two)

    await refused(desk, write, "KEY_TAKEN", made.id)


async def test_each_refusal_names_its_own_holder(desk: Desk) -> None:
    """The declared refusal of custom fields is one object for all requests."""
    shoe, hat = [await desk.custom_field(key) for key in ("shoe", "hat")]

    for field in (shoe, hat, shoe):
        again = common.CustomField(resource="contacts", key=field.key, label="x", type=field.type)
        write = desk.stub.CreateCustomField(
            customization.CreateCustomFieldRequest(custom_field=again)
        )
        await refused(desk, write, "ALREADY_EXISTS", field.id)


async def test_who_may_not_read_learns_no_id(tenant: Tenant, desk: Desk) -> None:
    await desk.source("site")
    grants = [{"object": "source", "action": "create", "scope": "all"}]
    clerk = Desk(tenant, await tenant.person(grants))

    await refused(desk, clerk.source("site"), "KEY_TAKEN", "")


async def test_taken_id_is_refused_by_itself(desk: Desk) -> None:
    made = await desk.create()
    request = pb.CreateContactRequest(contact=pb.Contact(id=made.id, display_name="Again"))

    await refused(desk, desk.stub.CreateContact(request), "ALREADY_EXISTS", "")
