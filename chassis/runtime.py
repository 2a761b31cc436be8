"""What one service has at hand in one process; the process's parts are shared by all its services."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

from chassis import running
from chassis import settings as settings_
from chassis.authentication import Authentication
from chassis.blobs import BlobStore, LocalBlobStore
from chassis.call import Cause
from chassis.clock import Clock
from chassis.contracts import service_of
from chassis.db.names import database_of, roles_of
from chassis.db.pool import Pools
from chassis.directory import Directory
from chassis.events import inbox
from chassis.events.nats import Nats
from chassis.events.outbox import Wake
from chassis.events.turns import Batch
from chassis.kit import as_of_file
from chassis.kit.custom import Schemas
from chassis.kit.page_token import PageTokens
from chassis.kit.republish import republishers
from chassis.operation_runs import OperationRuns
from chassis.operations import Operations
from chassis.service import Service
from chassis.timers import Timers
from chassis.tx import EventMeta, Tx

if TYPE_CHECKING:
    from chassis.kit.resource import Resource
    from chassis.process import Process
    from chassis.rpc.channel import Channel


class Runtime:
    """Handed to servicers, loops and start hooks of one service."""

    inbox = inbox

    def __init__(
        self,
        service: Service,
        settings: settings_.Settings,
        *,
        pools: Pools,
        nats: Nats,
        directory: Directory,
        clock: Clock,
        authentication: Authentication,
        channel: Callable[[str], "Channel"],
        process: "Process",
    ) -> None:
        self.service, self.settings = service, settings
        self.service_settings: Any = settings_.read(service.settings)
        self.pools, self.nats, self.directory, self.clock = pools, nats, directory, clock
        self.authentication, self.channel, self.process = authentication, channel, process
        _, role, background = roles_of(service.name)
        self.database_url = settings.database_url(database_of(service.name), role)
        self.background_url = settings.database_url(database_of(service.name), background)
        self.page_tokens = PageTokens(settings.derived("page-tokens"))
        self.blobs: BlobStore = LocalBlobStore(settings.data_dir / "blobs")
        self.wake = Wake(nats, service.name)
        self.timers = Timers(
            service.name, _by(service.timers, "timer_kind"), self.run_system, clock
        )
        tables = service.metadata.tables.values() if service.metadata is not None else ()
        self.resources: dict[str, Resource[Any]] = {
            t.info["resource"].message.DESCRIPTOR.full_name: t.info["resource"]
            for t in tables
            if "resource" in t.info
        }
        bodies = {
            **republishers(service),
            **as_of_file.bodies(self),
            **_by(service.operations, "operation_kind"),
        }
        self.operations = Operations(service.name, frozenset(bodies))
        self.operation_runs = OperationRuns(
            service.name, bodies, self.run_system, self.fetch_in_background, nats=nats
        )
        self.schemas = Schemas(
            service.metadata.info.get("custom_fields") if service.metadata is not None else None
        )

    async def run_system(
        self, tenant: str, cause: Cause, work: Callable[[Tx], Awaitable[Any]]
    ) -> Any:
        """Runs `work(tx)` as the system itself in one transaction of this tenant, again on conflicts."""
        return await running.run_system(self, tenant, cause, work)

    async def run_event(
        self,
        durable: str,
        body: Callable[[Any, Tx], Awaitable[None]],
        event: Message,
        meta: EventMeta,
    ) -> str:
        """Runs a consumer's body for an event: "done" or "duplicate"."""
        return await running.run_event(self, durable, body, event, meta)

    async def run_events(
        self, durable: str, body: Callable[[Any, Tx], Awaitable[None]], batch: Batch
    ) -> list[str]:
        """Runs a consumer's body for several events of one tenant in one transaction; as `run_event` for each."""
        return await running.run_events(self, durable, body, batch)

    async def fetch_in_background(self, sql: str, *arguments: Any) -> list[Any]:
        """Rows of a statement as the background role, which may touch the plumbing tables only."""
        connection = await self.pools.take(self.background_url, None)
        certain = False
        try:
            rows = await connection.raw.fetch(sql, *arguments)
            certain = True
        finally:
            self.pools.give(connection, certain=certain)
        return rows

    def outbox_written(self) -> None:
        """Called when rows of the outbox have become visible: wakes the relay."""
        self.wake.ring()

    def committed(self) -> None:
        """Called after each real transaction: wakes whoever waits for timers and operations."""
        self.timers.wake()
        self.operation_runs.wake()

    def stub(self, stub_class: Any) -> Any:
        """A generated stub of another service, over the way that leads there."""
        name = service_of(stub_class.__module__)
        return stub_class(self.channel(name))


def _by(bodies: Sequence[Any], mark: str) -> dict[str, Any]:
    """The marked functions by their kind; two of one kind refuse the start."""
    found = {getattr(body, mark): body for body in bodies}
    if len(found) != len(bodies):
        raise LookupError(f"two bodies have the same {mark}: {sorted(found)}")
    return found
