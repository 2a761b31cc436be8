"""Lists as of an instant that are too large for a page: an operation that leaves a file (M4)."""

import json
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf import json_format

from chassis import errors
from chassis.blobs import Blob
from chassis.call import Actor
from chassis.kit import exported
from chassis.testing.installation import Installation, Tenant
from chassis.times import to_datetime, to_timestamp
from crm.common.v1 import common_pb2 as common
from crm.contacts.v1 import contact_pb2 as pb
from crm.contacts.v1 import operation_pb2
from tests.contract.test_hidden_fields import token
from tests.service.gateway.conftest import running
from tests.service.kit.support import Desk, finished, multiply, unchanged, until

EVERYTHING = [{"object": "*", "action": "*", "scope": "all"}]
_FIRST_VERSIONS = """
INSERT INTO contacts_history SELECT tenant_id, id, version, create_time, NULL, 'created', '{}', '{}', '{}', doc
FROM contacts WHERE tenant_id = $1 ON CONFLICT DO NOTHING
"""


def asked(then: datetime, resource: str = "contacts", **more: Any) -> Any:
    return operation_pb2.ListAsOfRequest(resource=resource, as_of=to_timestamp(then), **more)


async def file_of(desk: Desk, request: Any) -> tuple[Blob, list[pb.Contact]]:
    """The file that the operation leaves, and the records in it."""
    operation = await finished(desk, (await desk.stub.ListAsOf(request)).name)
    assert not operation.HasField("error"), operation.error
    told = common.ListedFile()
    assert operation.response.Unpack(told)
    store = desk.crm.process.runtimes["contacts"].blobs
    content = b"".join([chunk async for chunk in store.read(desk.tenant.id, told.file_id)])
    records = [json_format.Parse(line, pb.Contact()) for line in content.splitlines()]
    assert told.record_count == len(records)
    return await store.get(desk.tenant.id, told.file_id), records


async def pages(desk: Desk, then: datetime, **more: Any) -> list[pb.Contact]:
    found: list[pb.Contact] = []
    token = ""
    while True:
        page = await desk.page(as_of=then, page_size=200, page_token=token, **more)
        found += page.contacts
        if not (token := page.next_page_token):
            return found


async def test_page_over_too_many_records_names_the_operation(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    made = await desk.create()
    more = (
        "INSERT INTO contacts_history SELECT tenant_id, id, n, valid_from, NULL, action, actor, cause, changed, doc"
        " FROM contacts_history, generate_series(2, 20001) AS n WHERE tenant_id = $1"
    )
    await crm.rows("contacts", more, tenant.id)

    async with unchanged(crm, tenant):
        with pytest.raises(errors.FailedPrecondition) as refusal:
            await desk.page(as_of=to_datetime(made.update_time))

    assert refusal.value.reason == "AS_OF_TOO_LARGE"
    assert "20000" in refusal.value.message
    assert "POST /v1/operations/contacts:listAsOf" in refusal.value.message
    assert [v.field for v in refusal.value.violations] == ["as_of"]


@pytest.mark.parametrize(
    "more",
    [{}, {"order_by": "display_name desc"}, {"filter": 'position = "chief"'}, {"q": "budi"},
     {"fields": {"paths": ["display_name"]}}],
    ids=["all", "order", "filter", "q", "fields"],
)  # fmt: skip
async def test_file_holds_what_the_pages_hold(
    crm: Installation, tenant: Tenant, desk: Desk, more: dict[str, Any]
) -> None:
    await desk.create("Ana", position="chief")
    budi = await desk.create("Budi")
    await multiply(crm, tenant, 110)  # more than two batches
    await crm.rows("contacts", _FIRST_VERSIONS, tenant.id)
    gone = await desk.create("Gone", position="chief")
    then = to_datetime(gone.create_time)
    await desk.delete(gone.id)
    await desk.update(budi.id, display_name="Later")

    blob, records = await file_of(desk, asked(then, **more))

    assert records == await pages(desk, then, **more)
    assert len(records) in (223, 112, 111)
    assert (blob.owner_id, blob.type) == (desk.person.id, "application/x-ndjson")
    assert blob.name == f"contacts-{then:%Y%m%dT%H%M%SZ}.jsonl"


async def test_file_obeys_scopes_and_hidden_fields(tenant: Tenant, desk: Desk) -> None:
    own = [
        {"object": "contact", "action": "*", "scope": "own"}, {"object": "operation", "action": "*", "scope": "own"},
    ]  # fmt: skip
    clerk = Desk(tenant, await tenant.person(own, hidden=["contact.phones"]))
    await desk.create("Not the clerk's")
    mine = await clerk.create("Mine", salutation="Pani")
    late = await desk.create("Phoned", owner_id=clerk.person.id, phones=[{"number": "+48600100200"}])  # fmt: skip
    then = to_datetime(late.create_time)

    blob, records = await file_of(clerk, asked(then, order_by="display_name"))

    assert [record.display_name for record in records] == ["Mine", "Phoned"]
    assert [list(record.phones) for record in records] == [[], []]
    assert records[0].salutation == mine.salutation
    assert blob.owner_id == clerk.person.id


async def test_audit_learns_of_the_file_once_and_no_value_of_it(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    await desk.create("Ana")
    last = await desk.create("Budi")
    then = to_datetime(last.create_time)

    request = asked(
        then, filter='display_name = "Ana"', q="ana", fields={"paths": ["display_name"]}
    )
    await file_of(desk, request)

    (event,) = await crm.events(tenant, "RecordsExported")
    assert event["change"]["actor"]["userId"] == desk.person.id
    assert (event["object"], event["recordCount"]) == ("contact", "1")
    assert event["audited"] == {
        "action": "export", "object": "contact",
        "details": {
            "rows": "1", "format": "jsonl", "columns": "display_name", "filtered_by": "display_name", "searched": "yes",
            "as_of": f"{then:%Y-%m-%dT%H:%M:%SZ}",
        },
    }  # fmt: skip


def test_a_contract_without_its_event_for_the_audit_is_refused_at_the_start() -> None:
    resource: Any = SimpleNamespace(package="crm.gateway.v1")
    with pytest.raises(LookupError, match=r"crm\.gateway\.v1\.RecordsExported is not declared"):
        exported.event_of(resource)


async def test_what_the_list_refuses_starts_no_operation(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    stranger = Desk(tenant, await tenant.person([]))
    clerk = Desk(tenant, await tenant.person(EVERYTHING, hidden=["contact.birthday"]))
    then = to_datetime((await desk.create()).create_time)
    future = then + timedelta(days=1)

    async with unchanged(crm, tenant):
        for who, request, reason in (
            (stranger, asked(then), "PERMISSION_DENIED"),
            (clerk, asked(then, filter='birthday = "2000-01-01"'), "FIELD_HIDDEN"),
            (clerk, asked(then, fields={"paths": ["birthday"]}), "FIELD_HIDDEN"),
            (desk, asked(then, filter="nothing = 1"), "BAD_LIST"),
            (desk, asked(then, order_by="nothing"), "BAD_LIST"),
            (desk, asked(then, resource="unicorns"), "INVALID_ARGUMENT"),
            (desk, asked(future), "AS_OF_OUT_OF_REACH"),
        ):
            with pytest.raises(errors.CrmError) as refusal:
                await who.stub.ListAsOf(request)
            assert refusal.value.reason == reason, request


async def test_switched_off_feature_starts_no_operation(crm: Installation) -> None:
    tenant = await crm.tenant(features_off=["contacts"])
    desk = Desk(tenant, tenant.admin)

    with pytest.raises(errors.FailedPrecondition) as refusal:
        await desk.stub.ListAsOf(asked(datetime(2026, 1, 1).astimezone()))

    assert refusal.value.reason == "FEATURE_OFF"


async def test_replayed_request_is_the_same_operation(tenant: Tenant, desk: Desk) -> None:
    then = to_datetime((await desk.create()).create_time)
    request = asked(then, request_id="once")

    names = {(await desk.stub.ListAsOf(request)).name for _ in range(2)}

    assert len(names) == 1
    await finished(desk, names.pop())
    blobs = desk.crm.process.runtimes["contacts"].blobs
    assert len([blob async for blob in blobs.list(tenant.id)]) == 1


async def test_token_gets_a_file_of_its_own_fields_and_no_other_result(
    tenant: Tenant, desk: Desk
) -> None:
    limits = {"readable": {"contact": ["display_name"]}}
    shop, other = [await token(tenant, tenant.admin, **limits) for _ in range(2)]
    made = await desk.create("Ana", salutation="Pani")
    then = to_datetime(made.create_time)

    _, records = await file_of(shop, asked(then))
    mine = await finished(desk, (await desk.stub.ListAsOf(asked(then))).name)
    listed = await shop.stub.ListOperations(operation_pb2.ListOperationsRequest())

    assert [(r.display_name, r.salutation) for r in records] == [("Ana", "")]
    assert mine.HasField("response")
    assert [operation.HasField("response") for operation in listed.operations] == [False, True]
    for who, one, told in ((shop, 0, False), (shop, 1, True), (other, 1, False), (desk, 1, True)):
        seen = await finished(who, listed.operations[one].name)
        assert (seen.done, seen.HasField("response")) == (True, told)


async def test_rights_of_who_left_are_no_more(crm: Installation, tenant: Tenant) -> None:
    person = await tenant.person(EVERYTHING)
    actor = Actor("user", person.id, person.id)
    authentication = crm.process.authentication
    assert authentication.rights_of(tenant.id, actor).may("contact", "read")
    user = crm.process.directory.of(tenant.id).user(person.id) or {}

    await tenant.put("user", person.id, {**user, "state": "deactivated"})

    with pytest.raises(errors.Unauthenticated):
        authentication.rights_of(tenant.id, actor)
    with pytest.raises(errors.Unauthenticated):
        authentication.rights_of(tenant.id, Actor("token", "unknown", tenant.admin.id))


@pytest.mark.large
async def test_file_is_read_over_http_by_the_asker_alone() -> None:
    async with running(("contacts", "gateway")) as served:
        tenant = await served.installation.tenant()
        colleague = await tenant.person(EVERYTHING)
        made = await Desk(tenant, tenant.admin).create("Ana")
        async with (
            served.client(tenant.admin.token) as mine,
            served.client(colleague.token) as theirs,
        ):
            body = {"resource": "contacts", "asOf": made.create_time.ToJsonString()}
            started = await mine.post("/v1/operations/contacts:listAsOf", json=body)
            assert started.status_code == 200, started.text

            async def over() -> dict[str, Any] | None:
                answer = (await mine.get(f"/v1/{started.json()['name']}")).json()
                return answer if answer.get("done") else None

            told = (await until(over))["response"]
            path = f"/v1/files/{told['fileId']}"
            got, refused = await mine.get(path), await theirs.get(path)

    assert told["@type"] == "type.googleapis.com/crm.common.v1.ListedFile"
    assert told["recordCount"] == "1"
    assert got.status_code == 200, got.text
    assert [json.loads(line)["displayName"] for line in got.text.splitlines()] == ["Ana"]
    assert got.headers["content-type"] == "application/x-ndjson"
    assert refused.status_code == 404
