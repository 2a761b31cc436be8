"""Republish as an operation, and the re-index command, both while the service is in use."""

import asyncio
from typing import Any

import pytest
from google.protobuf import struct_pb2

from chassis import errors
from chassis.db.migrate import database_of, roles_of
from chassis.db.pool import connect
from chassis.keys import uuid7
from chassis.kit import reindex
from chassis.testing.installation import Installation, Tenant
from crm.contacts.v1 import contact_pb2 as pb
from crm.contacts.v1 import operation_pb2
from tests.service.kit.support import Desk, event_counts, multiply, unchanged, until, written

OWN = [
    {"object": "contact", "action": "*", "scope": "all"}, {"object": "operation", "action": "*", "scope": "own"},
]  # fmt: skip


async def finished(desk: Desk, name: str) -> Any:
    request = operation_pb2.GetOperationRequest(id=name.rpartition("/")[2])

    async def done() -> Any:
        operation = await desk.stub.GetOperation(request)
        return operation if operation.done else None

    return await until(done)


def facts(operation: Any) -> dict[str, Any]:
    found = struct_pb2.Struct()
    operation.metadata.Unpack(found)
    return dict(found)


async def test_republish_tells_every_living_record_again_and_changes_nothing(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    await desk.create()
    await multiply(crm, tenant, 249)  # more than one batch
    gone = await desk.create("Gone")
    await desk.delete(gone.id)
    before = await written(crm, tenant)

    operation = await finished(desk, (await desk.stub.RepublishContacts(pb.RepublishContactsRequest())).name)

    after = await written(crm, tenant)
    assert not operation.HasField("error")
    assert (facts(operation)["done"], facts(operation)["total"]) == (250, 250)
    assert after["contacts"] == before["contacts"]
    assert after["contacts_history"] == before["contacts_history"]
    assert after["events"]["ContactUpdated"] == 250
    told = await crm.events(tenant, "ContactUpdated", count=250)
    assert {event["change"]["republished"] for event in told} == {True}
    assert {event["change"]["cause"]["kind"] for event in told} == {"republish"}
    assert len({event["contact"]["id"] for event in told}) == 250
    assert {event["change"]["version"] for event in told} == {"1"}


async def test_replayed_republish_is_the_same_operation(crm: Installation, tenant: Tenant, desk: Desk) -> None:
    await desk.create()
    request = pb.RepublishContactsRequest(request_id="again")
    first = await desk.stub.RepublishContacts(request)
    await finished(desk, first.name)
    await written(crm, tenant)

    async with unchanged(crm, tenant):
        assert (await desk.stub.RepublishContacts(request)).name == first.name
    assert (await event_counts(crm, tenant))["ContactUpdated"] == 1


async def test_operations_are_ones_own_or_all_with_the_scope_all(tenant: Tenant, desk: Desk) -> None:
    ana, budi = [Desk(tenant, await tenant.person(OWN)) for _ in range(2)]
    own = (await ana.stub.RepublishContacts(pb.RepublishContactsRequest())).name
    id = own.rpartition("/")[2]

    async def names(who: Desk) -> list[str]:
        answer = await who.stub.ListOperations(operation_pb2.ListOperationsRequest())
        return [operation.name for operation in answer.operations]

    assert (await names(ana), await names(budi), await names(desk)) == ([own], [], [own])
    for refused in (
        budi.stub.GetOperation(operation_pb2.GetOperationRequest(id=id)),
        budi.stub.CancelOperation(operation_pb2.CancelOperationRequest(id=id)),
    ):
        with pytest.raises(errors.NotFound):
            await refused
    await finished(ana, own)
    with pytest.raises(errors.FailedPrecondition) as refusal:
        await ana.stub.CancelOperation(operation_pb2.CancelOperationRequest(id=id))
    assert refusal.value.reason == "OPERATION_OVER"


async def test_operations_are_paged_newest_first(desk: Desk) -> None:
    names = [(await desk.stub.RepublishContacts(pb.RepublishContactsRequest())).name for _ in range(3)]

    seen, token = [], ""
    for _ in range(2):
        request = operation_pb2.ListOperationsRequest(page_size=2, page_token=token)
        answer = await desk.stub.ListOperations(request)
        seen += [operation.name for operation in answer.operations]
        token = answer.next_page_token

    assert seen == names[::-1]
    assert token == ""
    with pytest.raises(errors.CrmError) as refusal:
        await desk.stub.ListOperations(operation_pb2.ListOperationsRequest(page_token="x"))
    assert refusal.value.reason != "INTERNAL"


async def test_unknown_operation_is_not_found(desk: Desk) -> None:
    with pytest.raises(errors.NotFound):
        await desk.stub.GetOperation(operation_pb2.GetOperationRequest(id=uuid7()))


async def test_reindex_mends_columns_and_json_and_touches_neither_version_nor_etag(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    made = await desk.create("Łukasz Żak", custom={})
    await written(crm, tenant)
    good = await rows_of(crm, tenant)
    spoil = "UPDATE contacts SET search = 'x', name_key = 'x', json = '{}', custom = '{\"a\": 1}' WHERE tenant_id = $1"
    await crm.rows("contacts", spoil, tenant.id)

    resource = reindex.find("contacts.contacts")
    raw = await connect(crm.process.settings.database_url(database_of("contacts"), roles_of("contacts")[0]))
    try:
        assert await reindex.reindex(raw, resource) >= 1
    finally:
        await raw.close()

    assert await rows_of(crm, tenant) == good
    assert (await desk.get(made.id)).etag == "1"
    assert [r.version for r in await desk.history(made.id)] == [1]


async def test_reindex_in_use_loses_no_update(crm: Installation, tenant: Tenant, desk: Desk) -> None:
    made = [await desk.create(f"N{n}") for n in range(20)]
    resource = reindex.find("contacts.contacts")
    raw = await connect(crm.process.settings.database_url(database_of("contacts"), roles_of("contacts")[0]))

    async def write() -> None:
        for round in range(3):
            await asyncio.gather(*(desk.update(c.id, display_name=f"R{round} {c.display_name}") for c in made))

    try:
        writing = asyncio.create_task(write())
        while not writing.done():
            await reindex.reindex(raw, resource)
        await writing
    finally:
        await raw.close()

    assert sorted(await desk.names(page_size=200)) == sorted(f"R2 {c.display_name}" for c in made)
    assert {c.etag for c in (await desk.page(page_size=200)).contacts} == {"4"}
    assert await desk.names(q="R2 N7") == ["R2 N7"]


async def rows_of(crm: Installation, tenant: Tenant) -> list[Any]:
    return await crm.rows("contacts", "SELECT * FROM contacts WHERE tenant_id = $1 ORDER BY id", tenant.id)


async def test_unknown_resource_of_reindex_is_named() -> None:
    for name in ("contacts.unicorns", "nothing.contacts", "contacts"):
        with pytest.raises(reindex.UnknownResource, match="service.table"):
            reindex.find(name)
