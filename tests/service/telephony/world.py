"""What the tests of telephony share: a tenant with an exchange, a line and colleagues with extensions."""

import asyncio
from typing import Any

from chassis.call import Cause
from chassis.events.reading import read as read_stream
from chassis.testing.installation import Person
from chassis.waits import first_of
from crm.telephony.v1 import (
    call_messages_pb2,
    call_pb2,
    connection_pb2,
    disposition_pb2,
    extension_pb2,
    line_pb2,
)
from crm.telephony.v1.calls_service_pb2_grpc import CallsServiceStub
from crm.telephony.v1.connections_service_pb2_grpc import ConnectionsServiceStub
from crm.telephony.v1.lines_service_pb2_grpc import LinesServiceStub
from services.telephony import store
from tests.service.worlds import BaseWorld

Connection = connection_pb2.Connection
Extension = extension_pb2.Extension
Line = line_pb2.Line

AGENT = [
    *({"object": "call", "action": a, "scope": "own"} for a in ("read", "update", "dial")),
    {"object": "recording", "action": "read", "scope": "own"},
    *({"object": o, "action": "read", "scope": "all"} for o in ("line", "extension", "disposition")),
]  # fmt: skip
"""What a salesperson may do with calls."""


class World(BaseWorld):
    service = "telephony"
    tables = ("calls_history", "lines_history", "extensions_history", "connections_history", "dispositions_history", "timers")  # fmt: skip

    async def system(self, work: Any) -> Any:
        """What `work(tx)` gives, done as the service itself does things."""
        return await self.running.process.runtimes["telephony"].run_system(
            self.tenant.id, Cause("test"), work
        )

    def stub(self, person: Person, kind: Any = LinesServiceStub, **metadata: Any) -> Any:
        return person.stub(kind, **metadata)

    @property
    def lines(self) -> Any:
        return self.stub(self.tenant.admin)

    @property
    def exchanges(self) -> Any:
        return self.stub(self.tenant.admin, ConnectionsServiceStub)

    async def agent(self, department_id: str = "", **user: Any) -> Person:
        """A colleague who takes calls."""
        return await self.tenant.person(AGENT, department_id=department_id, **user)

    async def exchange(self, **given: Any) -> Connection:
        """A simulated exchange, or another."""
        connection = Connection(**{"name": "Office", "kind": Connection.KIND_SIMULATOR, **given})
        made = await self.exchanges.CreateConnection(
            connection_pb2.CreateConnectionRequest(connection=connection)
        )
        return made.connection

    async def line(self, **given: Any) -> Line:
        line = Line(**{"name": "Windows", "number": "+48300000101", **given})
        return await self.lines.CreateLine(line_pb2.CreateLineRequest(line=line))

    async def extension(self, connection_id: str, **given: Any) -> Extension:
        extension = Extension(**{"number": "101", "connection_id": connection_id, **given})
        return await self.lines.CreateExtension(
            extension_pb2.CreateExtensionRequest(extension=extension)
        )

    async def disposition(self, **given: Any) -> disposition_pb2.Disposition:
        disposition = disposition_pb2.Disposition(**{"key": "interested", "name": "Interested", **given})  # fmt: skip
        return await self.lines.CreateDisposition(
            disposition_pb2.CreateDispositionRequest(disposition=disposition)
        )

    async def call(self, id: str) -> Any:
        """The call as it is."""
        return await self.system(lambda tx: store.calls.calls.find(tx, id))

    async def set_password(self, connection: Connection, password: str) -> None:
        request = connection_pb2.SetConnectionPasswordRequest(id=connection.id, password=password)
        await self.exchanges.SetConnectionPassword(request)

    async def ended_call(self) -> Any:
        """The tenant's only call, once it is over."""
        calls = self.tenant.admin.stub(CallsServiceStub)
        async with asyncio.timeout(20):
            while True:
                found = (await calls.ListCalls(call_messages_pb2.ListCallsRequest())).calls
                if found and found[0].state == call_pb2.Call.STATE_ENDED:
                    (call,) = found
                    return call
                await first_of(asyncio.Event(), timeout_s=0.05)

    async def told(self) -> list[str]:
        """The names of everything that telephony has published for this tenant, in its order."""
        await self.published()
        nats = self.running.process.nats
        subjects = [f"crm.{self.tenant.id}.>"]
        return [m.subject.rpartition(".")[2] async for m in read_stream(nats, "TELEPHONY", subjects=subjects)]  # fmt: skip
