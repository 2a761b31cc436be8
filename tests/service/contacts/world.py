"""What the tests of contacts share: a tenant with its stubs, forms and counts."""

from typing import Any

from google.protobuf.struct_pb2 import Value

from chassis.testing.installation import Person
from crm.contacts.v1 import contact_pb2, form_pb2, intake_pb2, request_pb2
from crm.contacts.v1.contacts_service_pb2_grpc import ContactsServiceStub
from tests.service.worlds import BaseWorld
from tests.service.worlds import Refused as Refused

FormField, Assignment = form_pb2.FormField, form_pb2.Assignment
QUESTIONS = [
    FormField(key="name", label="Name", meaning=FormField.MEANING_NAME),
    FormField(key="phone", label="Phone", meaning=FormField.MEANING_PHONE),
    FormField(key="email", label="E-mail", meaning=FormField.MEANING_EMAIL),
    FormField(key="text", label="What can we do?", meaning=FormField.MEANING_TEXT),
]


class World(BaseWorld):
    """A tenant of one test."""

    service = "contacts"
    tables = ("contacts_history", "companies_history", "requests_history", "forms_history")

    @property
    def admin(self) -> Any:
        return self.stub(self.tenant.admin)

    def stub(self, person: Person, **metadata: str) -> Any:
        return person.stub(ContactsServiceStub, **metadata)

    def visitor(self, **metadata: str) -> Any:
        """Somebody on the internet."""
        return self.stub(self.running.stranger, **metadata)

    async def form(self, *, assignment: Assignment | None = None, **values: Any) -> form_pb2.Form:
        form = form_pb2.Form(name="Order", fields=QUESTIONS, rate_limit_per_minute=1000, **values)
        if assignment is not None:
            form.assignment.CopyFrom(assignment)
        return await self.admin.CreateForm(form_pb2.CreateFormRequest(form=form))

    async def submit(
        self,
        form: form_pb2.Form,
        *,
        peer: str = "203.0.113.7",
        origin: str = "",
        request: dict[str, Any] | None = None,
        **answers: str,
    ) -> intake_pb2.SubmitFormResponse:
        """What a visitor sends; `request` adds to the message beside the answers."""
        sent = intake_pb2.SubmitFormRequest(form_key=form.key, **(request or {}))
        for key, text in answers.items():
            sent.fields[key].CopyFrom(Value(string_value=text))
        metadata = {"crm-peer": peer, **({"origin": origin} if origin else {})}
        return await self.visitor(**metadata).SubmitForm(sent)

    async def submitted(self, form: form_pb2.Form, **answers: Any) -> request_pb2.Request:
        """The request that a submission made."""
        receipt = await self.submit(form, **answers)
        return await self.request(receipt.receipt_id)

    async def request(self, id: str) -> request_pb2.Request:
        return await self.admin.GetRequest(request_pb2.GetRequestRequest(id=id))

    async def contact(self, id: str = "", **values: Any) -> contact_pb2.Contact:
        """The contact of this id, or a new one with these values."""
        if id:
            return await self.admin.GetContact(contact_pb2.GetContactRequest(id=id))
        contact = contact_pb2.Contact(**values)
        return await self.admin.CreateContact(contact_pb2.CreateContactRequest(contact=contact))
