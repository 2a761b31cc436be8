"""Republish as an operation, and the re-index command, both while the service is in use."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from google.protobuf import struct_pb2

from chassis import errors
from chassis.db.migrate import database_of, roles_of
from chassis.db.pool import connect
from chassis.keys import uuid7
from chassis.kit import reindex
from chassis.testing.installation import Installation, Tenant
from crm.contacts.v1 import company_pb2, operation_pb2
from crm.contacts.v1 import contact_pb2 as pb
from tests.service.kit.support import Desk, event_counts, finished, multiply, unchanged, written

OWN = [
    {"object": "contact", "action": "*", "scope": "all"}, {"object": "operation", "action": "*", "scope": "own"},
]  # fmt: skip


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

    operation = await finished(
        desk, (await desk.stub.RepublishContacts(pb.RepublishContactsRequest())).name
    )

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


async def test_replayed_republish_is_the_same_operation(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    await desk.create()
    request = pb.RepublishContactsRequest(request_id="again")
    first = await desk.stub.RepublishContacts(request)
    await finished(desk, first.name)
    await written(crm, tenant)

    async with unchanged(crm, tenant):
        assert (await desk.stub.RepublishContacts(request)).name == first.name
    assert (await event_counts(crm, tenant))["ContactUpdated"] == 1


async def test_operations_are_ones_own_or_all_with_the_scope_all(
    tenant: Tenant, desk: Desk
) -> None:
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
    names = [
        (await desk.stub.RepublishContacts(pb.RepublishContactsRequest())).name for _ in range(3)
    ]

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


@pytest.fixture
async def owner(crm: Installation) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the role that owns the tables and that re-indexing uses."""
    raw = await connect(
        crm.process.settings.database_url(database_of("contacts"), roles_of("contacts")[0])
    )
    yield raw
    await raw.close()


async def create(desk: Desk, name: str) -> company_pb2.Company:
    return await desk.stub.CreateCompany(
        company_pb2.CreateCompanyRequest(company=company_pb2.Company(name=name))
    )


async def rename(desk: Desk, id: str, name: str) -> company_pb2.Company:
    request = company_pb2.UpdateCompanyRequest(company=company_pb2.Company(id=id, name=name))
    request.update_mask.paths.append("name")
    return await desk.stub.UpdateCompany(request)


async def test_reindex_mends_columns_and_json_and_touches_neither_version_nor_etag(
    crm: Installation, tenant: Tenant, desk: Desk, owner: asyncpg.Connection
) -> None:
    made = await create(desk, "Łukasz Żak Okna")
    rows = "SELECT * FROM companies WHERE tenant_id = $1"
    good = await crm.rows("contacts", rows, tenant.id)
    spoil = "UPDATE companies SET search = 'x', name_key = 'x', json = '{}', custom = '{\"a\": 1}' WHERE tenant_id = $1"
    await crm.rows("contacts", spoil, tenant.id)

    assert await reindex.reindex(owner, reindex.find("contacts.companies")) >= 1

    assert await crm.rows("contacts", rows, tenant.id) == good
    assert (await desk.stub.GetCompany(company_pb2.GetCompanyRequest(id=made.id))).etag == "1"
    history = await desk.stub.ListCompanyHistory(company_pb2.ListCompanyHistoryRequest(id=made.id))
    assert [revision.version for revision in history.revisions] == [1]


@pytest.mark.large
async def test_reindex_mends_every_row_of_several_batches(
    crm: Installation, tenant: Tenant, desk: Desk, owner: asyncpg.Connection
) -> None:
    made = await desk.create("Łukasz Żak", phones=[{"number": "+48600100200"}])
    await multiply(crm, tenant, 1_100)
    rows = "SELECT * FROM contacts WHERE tenant_id = $1 ORDER BY id"
    good = await crm.rows("contacts", rows, tenant.id)
    spoil = (
        "UPDATE contacts SET search = 'x', phone_digits = '{}', json = '{}' WHERE tenant_id = $1"
    )
    await crm.rows("contacts", spoil, tenant.id)

    assert await reindex.reindex(owner, reindex.find("contacts.contacts")) >= 1_101

    assert await crm.rows("contacts", rows, tenant.id) == good
    assert (await desk.get(made.id)).etag == "1"


@pytest.mark.large
async def test_reindex_in_use_loses_no_update(desk: Desk, owner: asyncpg.Connection) -> None:
    made = [await create(desk, f"N{n}") for n in range(20)]

    async def write() -> None:
        for round in range(3):
            await asyncio.gather(*(rename(desk, each.id, f"R{round} {each.name}") for each in made))

    writing = asyncio.create_task(write())
    passes = 0
    while not writing.done():
        await reindex.reindex(owner, reindex.find("contacts.companies"))
        passes += 1
    await writing

    listed = (
        await desk.stub.ListCompanies(company_pb2.ListCompaniesRequest(page_size=200))
    ).companies
    found = (await desk.stub.ListCompanies(company_pb2.ListCompaniesRequest(q="R2 N7"))).companies
    assert passes
    assert sorted(each.name for each in listed) == sorted(f"R2 {each.name}" for each in made)
    assert {each.etag for each in listed} == {"4"}
    assert [each.name for each in found] == ["R2 N7"]


async def test_unknown_resource_of_reindex_is_named() -> None:
    for name in ("contacts.unicorns", "nothing.contacts", "contacts"):
        with pytest.raises(reindex.UnknownResource, match=r"service\.table"):
            reindex.find(name)
