"""Every resource of this service through every standard RPC."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from google.longrunning import operations_pb2
from google.protobuf.field_mask_pb2 import FieldMask

from chassis import contracts, errors
from chassis.keys import uuid7
from chassis.testing.events import eventually
from crm.contacts.v1 import (
    company_pb2,
    contact_pb2,
    form_pb2,
    label_pb2,
    need_pb2,
    operation_pb2,
    request_pb2,
    source_pb2,
)
from tests.service.contacts.world import QUESTIONS, Refused, World


@dataclass(frozen=True)
class Kind:
    """A resource: its messages, a way to make one, and a field of text to change."""

    pb2: Any
    name: str
    plural: str
    make: Callable[[str], Any]
    field: str
    created: str = ""

    @property
    def key(self) -> str:
        return self.name.lower()

    def message(self, name: str, **values: Any) -> Any:
        return getattr(self.pb2, name)(**values)


KINDS = [
    Kind(
        contact_pb2,
        "Contact",
        "Contacts",
        lambda t: contact_pb2.Contact(display_name=t),
        "display_name",
    ),
    Kind(company_pb2, "Company", "Companies", lambda t: company_pb2.Company(name=t), "name"),
    Kind(
        request_pb2,
        "Request",
        "Requests",
        lambda t: request_pb2.Request(text=t),
        "text",
        "RequestReceived",
    ),
    Kind(form_pb2, "Form", "Forms", lambda t: form_pb2.Form(name=t, fields=QUESTIONS), "name"),
    Kind(
        source_pb2, "Source", "Sources", lambda t: source_pb2.Source(key=t.lower(), name=t), "name"
    ),
    Kind(need_pb2, "Need", "Needs", lambda t: need_pb2.Need(key=t.lower(), name=t), "name"),
    Kind(label_pb2, "Label", "Labels", lambda t: label_pb2.Label(name=t), "name"),
]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


async def create(world: World, kind: Kind, text: str = "First", **request: Any) -> Any:
    message = kind.message(f"Create{kind.name}Request", **{kind.key: kind.make(text)}, **request)
    return await getattr(world.admin, f"Create{kind.name}")(message)


async def call(world: World, kind: Kind, method: str, **values: Any) -> Any:
    return await getattr(world.admin, method)(kind.message(f"{method}Request", **values))


async def get(world: World, kind: Kind, id: str, **values: Any) -> Any:
    return await call(world, kind, f"Get{kind.name}", id=id, **values)


async def update(world: World, kind: Kind, id: str, text: str, **request: Any) -> Any:
    changed = getattr(kind.pb2, kind.name)(**{"id": id, kind.field: text})
    mask = FieldMask(paths=[kind.field])
    return await call(
        world, kind, f"Update{kind.name}", **{kind.key: changed}, update_mask=mask, **request
    )


@each_kind
async def test_created_read_listed_and_told(world: World, kind: Kind) -> None:
    made, second = await create(world, kind), await create(world, kind, "Second")
    assert getattr(await get(world, kind, made.id), kind.field) == "First"
    batch = await call(
        world, kind, f"BatchGet{kind.plural}", ids=[second.id, (nobody := uuid7()), made.id]
    )
    field = batch.DESCRIPTOR.fields[0].name
    assert [item.id for item in getattr(batch, field)] == [second.id, made.id]
    assert list(batch.missing_ids) == [nobody]
    listed = await call(world, kind, f"List{kind.plural}", order_by="create_time", page_size=1)
    rest = await call(
        world, kind, f"List{kind.plural}", order_by="create_time", page_token=listed.next_page_token
    )
    assert [item.id for page in (listed, rest) for item in getattr(page, field)] == [
        made.id,
        second.id,
    ]
    events = await world.running.events(
        world.tenant, kind.created or f"{kind.name}Created", count=2
    )
    assert [event[kind.key]["id"] for event in events] == [made.id, second.id]


@each_kind
async def test_changed_deleted_and_brought_back_with_history(world: World, kind: Kind) -> None:
    made = await create(world, kind)
    changed = await update(world, kind, made.id, "Other", etag=made.etag)
    assert (getattr(changed, kind.field), changed.etag) == ("Other", "2")
    await call(world, kind, f"Delete{kind.name}", id=made.id, etag="2")
    with pytest.raises(errors.NotFound):
        await get(world, kind, made.id)
    back = await call(world, kind, f"Undelete{kind.name}", id=made.id)
    assert (back.HasField("delete_time"), back.etag) == (False, "4")

    history = await call(world, kind, f"List{kind.name}History", id=made.id)
    assert [revision.action for revision in history.revisions] == [
        "undeleted",
        "deleted",
        "updated",
        "created",
    ]
    before = await get(world, kind, made.id, as_of=made.create_time)
    assert getattr(before, kind.field) == "First"
    for name in ("Updated", "Deleted", "Undeleted"):
        (event,) = await world.running.events(world.tenant, f"{kind.name}{name}")
        assert event[kind.key]["id"] == made.id


@each_kind
async def test_one_key_makes_one_and_another_tenants_is_nobodys(world: World, kind: Kind) -> None:
    key = uuid7()
    assert (await create(world, kind, request_id=key)).id == (
        await create(world, kind, request_id=key)
    ).id
    made = await create(world, kind, "Second")
    stranger = World(world.running, await world.running.tenant())
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await get(stranger, kind, made.id)
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await update(stranger, kind, made.id, "x")


@each_kind
async def test_everything_can_be_sent_again(world: World, kind: Kind) -> None:
    made = await create(world, kind)
    running = await call(world, kind, f"Republish{kind.plural}")
    id = running.name.rpartition("/")[2]

    async def operation() -> operations_pb2.Operation:
        return await world.admin.GetOperation(operation_pb2.GetOperationRequest(id=id))

    async def done() -> bool:
        return (await operation()).done

    await eventually(done, "the operation has ended")
    assert not (await operation()).HasField("error")
    (event,) = await world.running.events(world.tenant, f"{kind.name}Updated")
    assert (event[kind.key]["id"], event["change"]["republished"]) == (made.id, True)
    listed = await world.admin.ListOperations(operation_pb2.ListOperationsRequest())
    assert [o.name for o in listed.operations] == [running.name]
    async with Refused(world, errors.FailedPrecondition, "OPERATION_OVER"):
        await world.admin.CancelOperation(operation_pb2.CancelOperationRequest(id=id))


def test_every_rpc_of_the_contract_is_served(world: World) -> None:
    service = next(
        s for s in contracts.services() if s.full_name == "crm.contacts.v1.ContactsService"
    )
    endpoints = world.running.process.endpoints
    missing = [m.name for m in service.methods if f"/{service.full_name}/{m.name}" not in endpoints]
    assert missing == []
