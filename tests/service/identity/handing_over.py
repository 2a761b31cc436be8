"""What the tests of handovers share: a company whose contacts run too, and what is really in their tables."""

import contextlib
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.db.names import database_of
from chassis.testing import servers
from chassis.testing.installation import Installation, Person, installation
from crm.contacts.v1 import (
    agreement_pb2,
    company_pb2,
    contact_pb2,
    label_pb2,
    note_pb2,
    request_pb2,
)
from crm.contacts.v1 import request_verbs_pb2 as verbs
from crm.contacts.v1.contacts_service_pb2_grpc import ContactsServiceStub
from crm.contacts.v1.notes_service_pb2_grpc import NotesServiceStub
from crm.identity.v1 import absence_pb2, department_pb2, handover_pb2
from crm.identity.v1.absences_service_pb2_grpc import AbsencesServiceStub
from crm.identity.v1.handovers_service_pb2_grpc import HandoversServiceStub
from tests.service.identity.conftest import Company, until

Handover = handover_pb2.Handover
TABLES = ("contacts", "companies", "requests", "agreements", "notes")


@contextlib.asynccontextmanager
async def both_running() -> AsyncIterator[Installation]:
    """identity and contacts in one process; companies may sign up."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CRM_SIGNUP", "1")
        environment.setenv("CRM_HANDOVER_SERVICES", "contacts")  # the others do not run here
        async with installation(["identity", "contacts"], past=False) as running:
            yield running


def everything_to(*user_ids: str) -> dict[str, Any]:
    """The rules that give everything to these, each in turn."""
    return {"rules": [{"user_ids": user_ids}]}


def in_hours(hours: float) -> Timestamp:
    moment = Timestamp()
    moment.FromDatetime(datetime.now(UTC) + timedelta(hours=hours))
    return moment


@dataclass
class Firm:
    """A company of which contacts knows too."""

    company: Company

    @property
    def admin(self) -> Person:
        return self.company.admin

    @property
    def contacts(self) -> Any:
        return self.admin.stub(ContactsServiceStub)

    @property
    def handovers(self) -> Any:
        return self.admin.stub(HandoversServiceStub)

    # -- records ---------------------------------------------------------------------------------

    async def contact(self, owner_id: str, **values: Any) -> contact_pb2.Contact:
        contact = contact_pb2.Contact(**{"given_name": "Ana", "owner_id": owner_id, **values})
        made: contact_pb2.Contact = await self.contacts.CreateContact(
            contact_pb2.CreateContactRequest(contact=contact)
        )
        return made

    async def firm(self, owner_id: str, **values: Any) -> company_pb2.Company:
        company = company_pb2.Company(**{"name": "Okna", "owner_id": owner_id, **values})
        made: company_pb2.Company = await self.contacts.CreateCompany(
            company_pb2.CreateCompanyRequest(company=company)
        )
        return made

    async def request(self, owner_id: str, **values: Any) -> request_pb2.Request:
        made = await self.contacts.CreateRequest(
            request_pb2.CreateRequestRequest(
                request=request_pb2.Request(text="How much?", **values)
            )
        )
        given: request_pb2.Request = await self.contacts.AssignRequest(
            verbs.AssignRequestRequest(id=made.id, owner_id=owner_id)
        )
        return given

    async def close(self, id: str) -> None:
        reason = request_pb2.Request.CLOSE_REASON_DUPLICATE
        await self.contacts.CloseRequest(verbs.CloseRequestRequest(id=id, reason=reason))

    async def agreement(self, assignee_id: str, contact_id: str) -> agreement_pb2.Agreement:
        one = agreement_pb2.Agreement(
            contact_id=contact_id, assignee_id=assignee_id, subject="Call back", date={"year": 2099, "month": 1, "day": 2}
        )  # fmt: skip
        made: agreement_pb2.Agreement = await self.admin.stub(NotesServiceStub).CreateAgreement(
            agreement_pb2.CreateAgreementRequest(agreement=one)
        )
        return made

    async def note(self, contact_id: str) -> note_pb2.Note:
        made: note_pb2.Note = await self.admin.stub(NotesServiceStub).CreateNote(
            note_pb2.CreateNoteRequest(note=note_pb2.Note(contact_id=contact_id, text="Likes oak"))
        )
        return made

    async def label(self, name: str) -> str:
        made = await self.contacts.CreateLabel(
            label_pb2.CreateLabelRequest(label=label_pb2.Label(name=name, color="#112233"))
        )
        return str(made.id)

    # -- what is there ----------------------------------------------------------------------------

    async def rows(self, sql: str, *arguments: Any) -> list[Any]:
        return await self.company.crm.rows("contacts", sql, self.company.id, *arguments)

    async def owner(self, table: str, id: str, column: str = "owner_id") -> str:
        (row,) = await self.rows(
            f"SELECT {column} AS it FROM {table} WHERE tenant_id = $1 AND id = $2", id
        )
        return str(row["it"])

    async def owners(self, table: str) -> dict[str, str]:
        rows = await self.rows(f"SELECT id, owner_id FROM {table} WHERE tenant_id = $1")
        return {str(row["id"]): str(row["owner_id"]) for row in rows}

    async def picture(self) -> str:
        """A hash of what every record says, its version and time apart."""
        digest = hashlib.sha256()
        for table in TABLES:
            digest.update(table.encode())
            for row in await self.rows(
                f"SELECT (json::jsonb - 'etag' - 'updateTime')::text AS it FROM {table} WHERE tenant_id = $1 ORDER BY id"
            ):
                digest.update(row["it"].encode())
        return digest.hexdigest()

    async def versions(self) -> dict[str, int]:
        """How many versions of each kind of record there are."""
        found = {}
        for table in TABLES:
            (row,) = await self.rows(
                f"SELECT count(*) AS n FROM {table}_history WHERE tenant_id = $1"
            )
            found[table] = row["n"]
        return found

    @contextlib.asynccontextmanager
    async def contacts_down(self) -> AsyncIterator[None]:
        """contacts cannot do anything about handovers for as long as the block."""
        raw = await asyncpg.connect(servers.postgres_url(database_of("contacts")))
        try:
            await raw.execute("BEGIN; LOCK TABLE handover_stages IN ACCESS EXCLUSIVE MODE")
            yield
        finally:
            await raw.close()

    # -- handovers ----------------------------------------------------------------------------------

    async def propose(
        self, owner_id: str, *, wait: bool = True, kind: int = Handover.KIND_LEAVER, by: Person | None = None,
        **values: Any,
    ) -> Handover:  # fmt: skip
        one = Handover(owner_id=owner_id, kind=kind, **values)
        stub: Any = (by or self.admin).stub(HandoversServiceStub)
        made: Handover = await stub.CreateHandover(handover_pb2.CreateHandoverRequest(handover=one))
        return await self.becomes(made.id, Handover.STATE_PREVIEWED) if wait else made

    async def confirm(self, id: str, *, wait: bool = True, **values: Any) -> Handover:
        one: Handover = await self.handovers.ConfirmHandover(
            handover_pb2.ConfirmHandoverRequest(id=id, **values)
        )
        return await self.becomes(id, Handover.STATE_DONE) if wait else one

    async def revert(self, id: str) -> Handover:
        await self.handovers.RevertHandover(handover_pb2.RevertHandoverRequest(id=id))
        return await self.becomes(id, Handover.STATE_RETURNED)

    async def get(self, id: str) -> Handover:
        found: Handover = await self.handovers.GetHandover(handover_pb2.GetHandoverRequest(id=id))
        return found

    async def becomes(self, id: str, state: int, timeout_s: float = 30.0) -> Handover:
        async def there() -> Handover | None:
            found = await self.get(id)
            return found if found.state == state else None

        try:
            reached: Handover = await until(there, timeout_s)
        except AssertionError:
            raise AssertionError(f"it is {await self.get(id)}") from None
        return reached

    async def absent(
        self, owner_id: str, *, start: float = -1, **values: Any
    ) -> absence_pb2.Absence:
        one = absence_pb2.Absence(
            owner_id=owner_id,
            kind=absence_pb2.Absence.KIND_SICK,
            start_time=in_hours(start),
            **values,
        )
        made: absence_pb2.Absence = await self.admin.stub(AbsencesServiceStub).CreateAbsence(
            absence_pb2.CreateAbsenceRequest(absence=one)
        )
        ids = {made.id}

        def told() -> bool:
            user = self.company.directory.user(owner_id) or {}
            return ids <= {a["id"] for a in user.get("absences", ())}

        await self.company.crm.process.directory.until(told)
        return made

    async def back(self, absence_id: str) -> None:
        await self.admin.stub(AbsencesServiceStub).EndAbsence(
            absence_pb2.EndAbsenceRequest(id=absence_id)
        )


def part(one: Handover, service: str = "contacts") -> Any:
    """What a service said last."""
    (found,) = [part for part in one.parts if part.service == service]
    return found


def counted(one: Handover, service: str = "contacts") -> dict[tuple[str, str], dict[str, int]]:
    """(object, field) -> recipient -> how many, "" for taken from lists."""
    return {
        (count.object, count.field): {s.user_id: s.count for s in count.shares} or {"": count.count}
        for count in part(one, service).counts
    }


async def customers(firm: Firm, owner_id: str) -> list[str]:
    """A contact with a note, a request and an agreement; a company; a request that is closed; ids of contact and the rest."""
    contact = await firm.contact(owner_id)
    await firm.note(contact.id)
    request = await firm.request(owner_id, contact_id=contact.id)
    closed = await firm.request(owner_id)
    await firm.close(closed.id)
    agreement = await firm.agreement(owner_id, contact.id)
    company = await firm.firm(owner_id)
    return [contact.id, request.id, closed.id, agreement.id, company.id]


async def new_department(firm: Firm, name: str, **values: Any) -> str:
    made = await firm.company.stub.CreateDepartment(
        department_pb2.CreateDepartmentRequest(
            department=department_pb2.Department(name=name, **values)
        )
    )
    await firm.company.known("department", made.id)
    return str(made.id)


async def members(firm: Firm, department_id: str, count: int) -> None:
    view = firm.company.directory
    await firm.company.crm.process.directory.until(
        lambda: len(view.members(department_id)) == count
    )
