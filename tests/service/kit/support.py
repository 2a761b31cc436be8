"""How the kit's tests call contacts and look at what was written."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any

from chassis import errors
from chassis.keys import uuid7
from chassis.settling import settled
from chassis.testing.installation import Installation, Person, Tenant
from chassis.times import to_timestamp
from chassis.waits import first_of
from crm.common.v1 import common_pb2 as common
from crm.contacts.v1 import contact_pb2 as pb
from crm.contacts.v1 import contacts_service_pb2_grpc as grpc
from crm.contacts.v1 import customization_pb2 as customization
from crm.contacts.v1 import operation_pb2, source_pb2

TABLES = (
    "contacts", "contacts_history", "companies", "companies_history", "sources", "sources_history", "custom_fields",
    "custom_fields_history", "saved_views", "saved_views_history", "answers", "operations",
)  # fmt: skip


class Desk:
    """Somebody at work with contacts: short names for the RPCs that the tests need."""

    def __init__(self, tenant: Tenant, person: Person, *, remote: bool = True) -> None:
        self.tenant, self.person, self.crm = tenant, person, tenant.installation
        self.stub: Any = person.stub(grpc.ContactsServiceStub, remote=remote)

    async def create(self, name: str = "Ana", *, request_id: str = "", **fields: Any) -> pb.Contact:
        contact = pb.Contact(display_name=name, **fields)
        return await self.stub.CreateContact(
            pb.CreateContactRequest(contact=contact, request_id=request_id)
        )

    async def get(self, id: str, *fields: str, as_of: datetime | None = None) -> pb.Contact:
        request = pb.GetContactRequest(id=id)
        if fields:
            request.fields.paths.extend(fields)
        if as_of is not None:
            request.as_of.CopyFrom(to_timestamp(as_of))
        return await self.stub.GetContact(request)

    async def update(
        self, id: str, *paths: str, etag: str = "", request_id: str = "", **fields: Any
    ) -> pb.Contact:
        """An update of `paths`; without them, of the fields given."""
        request = pb.UpdateContactRequest(
            contact=pb.Contact(id=id, **fields), etag=etag, request_id=request_id
        )
        request.update_mask.paths.extend(paths or fields)
        return await self.stub.UpdateContact(request)

    async def delete(self, id: str, *, etag: str = "", request_id: str = "") -> pb.Contact:
        return await self.stub.DeleteContact(
            pb.DeleteContactRequest(id=id, etag=etag, request_id=request_id)
        )

    async def undelete(self, id: str) -> pb.Contact:
        return await self.stub.UndeleteContact(pb.UndeleteContactRequest(id=id))

    async def page(self, *, as_of: datetime | None = None, **asked: Any) -> pb.ListContactsResponse:
        request = pb.ListContactsRequest(**asked)
        if as_of is not None:
            request.as_of.CopyFrom(to_timestamp(as_of))
        return await self.stub.ListContacts(request)

    async def names(self, **asked: Any) -> list[str]:
        return [contact.display_name for contact in (await self.page(**asked)).contacts]

    async def get_nothing(self) -> None:
        """Asks for a contact that is not there: afterwards schemas are loaded and a connection is at hand."""
        with contextlib.suppress(errors.NotFound):
            await self.get(uuid7())

    async def history(self, id: str) -> list[common.Revision]:
        answer = await self.stub.ListContactHistory(pb.ListContactHistoryRequest(id=id))
        return list(answer.revisions)

    async def source(self, key: str, name: str = "", request_id: str = "") -> source_pb2.Source:
        source = source_pb2.Source(key=key, name=name or key)
        return await self.stub.CreateSource(
            source_pb2.CreateSourceRequest(source=source, request_id=request_id)
        )

    async def custom_field(self, key: str, type: str = "TEXT", **rest: Any) -> common.CustomField:
        """A custom field of contacts, once this process has heard of it."""
        field = common.CustomField(
            resource="contacts", key=key, label=key, type=f"CUSTOM_FIELD_TYPE_{type}", **rest
        )
        made = await self.stub.CreateCustomField(
            customization.CreateCustomFieldRequest(custom_field=field)
        )
        await self.heard_of(made)
        return made

    async def heard_of(self, field: common.CustomField) -> None:
        """Returns when the directory tells of the last change of the field."""
        directory = self.crm.process.directory
        told = field.update_time.ToDatetime().isoformat()

        def known() -> bool:
            entry = directory.of(self.tenant.id).entry(
                "custom_field", f"{field.resource}-{field.key}"
            )
            return entry is not None and entry["changed"].removesuffix("+00:00") >= told

        await directory.until(known)


async def until(condition: Callable[[], Awaitable[Any]], timeout_s: float = 10.0) -> Any:
    """The first true answer of an async condition; TimeoutError after the time."""
    async with asyncio.timeout(timeout_s):
        while not (answer := await condition()):
            await first_of(asyncio.Event(), timeout_s=0.02)
        return answer


async def finished(desk: Desk, name: str) -> Any:
    """The operation of this name, once it is over."""
    request = operation_pb2.GetOperationRequest(id=name.rpartition("/")[2])

    async def done() -> Any:
        operation = await desk.stub.GetOperation(request)
        return operation if operation.done else None

    return await until(done)


async def written(crm: Installation, tenant: Tenant) -> dict[str, Any]:
    """A fingerprint of each of the tenant's tables, and how many events of each kind were published."""
    await settled(crm.process)  # consumers of what happened before may still tell more
    parts = " UNION ALL ".join(
        f"SELECT '{table}' AS name, md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) AS sum"
        f" FROM {table} t WHERE tenant_id = $1"
        for table in TABLES
    )
    found = {row["name"]: row["sum"] for row in await crm.rows("contacts", parts, tenant.id)}
    return {**found, "events": await event_counts(crm, tenant)}


async def event_counts(crm: Installation, tenant: Tenant) -> dict[str, int]:
    """How many events of each type the tenant has in the stream."""
    info = await crm.process.nats.js.stream_info("CONTACTS", subjects_filter=f"crm.{tenant.id}.>")
    return {
        subject.rpartition(".")[2]: count for subject, count in (info.state.subjects or {}).items()
    }


_MULTIPLY = """
INSERT INTO contacts
SELECT copy.* FROM contacts c
CROSS JOIN LATERAL (SELECT gen_random_uuid() AS id FROM generate_series(1, $2)) AS fresh
CROSS JOIN LATERAL jsonb_populate_record(c, jsonb_build_object(
    'id', fresh.id, 'json', replace(c.json, c.id::text, fresh.id::text),
    'doc', overlay(c.doc PLACING convert_to(fresh.id::text, 'UTF8') FROM position(convert_to(c.id::text, 'UTF8') IN c.doc))::text
)) AS copy
WHERE c.tenant_id = $1
"""


async def multiply(crm: Installation, tenant: Tenant, copies: int) -> None:
    """Adds copies of each of the tenant's contacts, alike but for their ids; without history or events."""
    await crm.rows("contacts", _MULTIPLY, tenant.id, copies)


@contextlib.asynccontextmanager
async def unchanged(crm: Installation, tenant: Tenant) -> AsyncIterator[None]:
    """What happens inside leaves every row, version, history, stored answer and event as it was."""
    before = await written(crm, tenant)
    yield
    assert await written(crm, tenant) == before


async def versions(crm: Installation, table: str, id: str) -> list[int]:
    """The versions in the history of a record, in order."""
    rows = await crm.rows(
        "contacts", f"SELECT version FROM {table}_history WHERE id = $1 ORDER BY version", id
    )
    return [row["version"] for row in rows]
