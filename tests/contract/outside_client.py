"""A stranger's program: generated code, gRPC, NATS, and nothing of this repository.

Run in the folder where protoc put the generated code, with AKRAB_ADDRESS (host:port of gRPC) and AKRAB_TOKEN (a user's access
token). It makes a form, sends it as a visitor would, creates a contact, finds it in a list, and receives both facts as live
events with a NATS token of its own. Prints what it saw as JSON.
"""

import asyncio
import importlib.util
import json
import os
import sys
import uuid
from typing import Any

import grpc
import nats
from google.protobuf.struct_pb2 import Value
from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError

from crm.contacts.v1 import contact_pb2, contacts_service_pb2_grpc, form_pb2, intake_pb2, party_pb2
from crm.identity.v1 import api_token_pb2, identity_service_pb2_grpc

DEADLINE_S = 30.0


class Program:
    """What the stranger does, step by step."""

    def __init__(self, address: str, token: str) -> None:
        channel = grpc.insecure_channel(address)
        self.contacts = contacts_service_pb2_grpc.ContactsServiceStub(channel)
        self.identity = identity_service_pb2_grpc.IdentityServiceStub(channel)
        self.signed_in = (("authorization", f"Bearer {token}"),)
        self.name = f"Ewa {uuid.uuid4().hex[:8]}"

    def nats_access(self) -> Any:
        """A NATS token that begins with the next event."""
        token = api_token_pb2.ApiToken(name="outside program", nats=True)
        request = api_token_pb2.CreateApiTokenRequest(api_token=token, request_id=str(uuid.uuid4()))
        return self.identity.CreateApiToken(
            request, metadata=self.signed_in, timeout=DEADLINE_S
        ).nats

    def intake(self) -> str:
        """The receipt of a form that a visitor sent; it is the id of the request."""
        name = form_pb2.FormField(key="name", label="Name", meaning=form_pb2.FormField.MEANING_NAME)
        request = form_pb2.CreateFormRequest(form=form_pb2.Form(name="Order", fields=[name]))
        form = self.contacts.CreateForm(request, metadata=self.signed_in, timeout=DEADLINE_S)
        sent = intake_pb2.SubmitFormRequest(
            form_key=form.key, fields={"name": Value(string_value="Jan")}
        )
        return str(self.contacts.SubmitForm(sent, timeout=DEADLINE_S).receipt_id)

    def create(self) -> str:
        """The id of a new contact; repeated with the same request_id it is the same contact."""
        contact = contact_pb2.Contact(
            display_name=self.name, phones=[party_pb2.Phone(number="+48601234567")]
        )
        request = contact_pb2.CreateContactRequest(contact=contact, request_id=str(uuid.uuid4()))
        made = [
            self.contacts.CreateContact(request, metadata=self.signed_in, timeout=DEADLINE_S)
            for _ in range(2)
        ]
        assert made[0] == made[1]
        return str(made[0].id)

    def listed(self) -> list[str]:
        """The ids of the contacts of our name."""
        request = contact_pb2.ListContactsRequest(q=self.name, page_size=10)
        return [
            c.id
            for c in self.contacts.ListContacts(
                request, metadata=self.signed_in, timeout=DEADLINE_S
            ).contacts
        ]

    def refused(self) -> str:
        """The status of a call without a token."""
        try:
            self.contacts.ListContacts(contact_pb2.ListContactsRequest(), timeout=DEADLINE_S)
        except grpc.RpcError as error:
            return str(error.code().name)
        return "OK"


async def live(access: Any, wanted: set[str]) -> dict[str, dict[str, Any]]:
    """Event type -> headers and body of the first event of each wanted type in the stream CONTACTS."""
    client = await nats.connect(
        access.server,
        user=access.user,
        password=access.password,
        inbox_prefix=access.inbox_prefix.encode(),
    )
    found: dict[str, dict[str, Any]] = {}
    try:
        async with asyncio.timeout(DEADLINE_S):
            subscription = await standing(client, access.consumer)
            while wanted - found.keys():
                for message in await subscription.fetch(10, timeout=DEADLINE_S):
                    await message.ack()
                    event = {"headers": dict(message.headers), "body": json.loads(message.data)}
                    found.setdefault(message.headers["ce-type"], event)
    finally:
        await client.close()
    return {name: found[name] for name in sorted(wanted)}


async def standing(client: nats.NATS, consumer: str) -> Any:
    """The durable consumer, which identity makes a moment after the token."""
    while True:
        try:
            return await client.jetstream().pull_subscribe_bind(consumer, "CONTACTS")
        except (NatsError, JetStreamError):
            await asyncio.sleep(0.1)  # allow sleep-in-test: nothing tells a stranger


def main() -> None:
    program = Program(os.environ["AKRAB_ADDRESS"], os.environ["AKRAB_TOKEN"])
    access = program.nats_access()
    seen = {
        "request": program.intake(),
        "contact": program.create(),
        "listed": program.listed(),
        "refused": program.refused(),
        "events": asyncio.run(
            live(access, {"crm.contacts.v1.RequestReceived", "crm.contacts.v1.ContactCreated"})
        ),
        "chassis": importlib.util.find_spec("chassis") is not None,
        "generated_in": sorted({os.path.dirname(module.__file__ or "") for module in generated()}),
    }
    print(json.dumps(seen))


def generated() -> list[Any]:
    return [
        module
        for name, module in sys.modules.items()
        if name.startswith(("crm.", "google.api.")) and module.__file__
    ]


if __name__ == "__main__":
    main()
