"""One process: the services it serves, started in order and drained in reverse.

SIGTERM: not ready -> no new RPCs and events -> what runs is finished -> connections closed.
"""

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from chassis import settings as settings_
from chassis import starting, telemetry
from chassis.answers import purge_answers
from chassis.authentication import Authentication
from chassis.clock import Clock, TestClock
from chassis.contracts import service_of
from chassis.db.pool import Pools
from chassis.directory import Directory
from chassis.events import inbox
from chassis.events.consumer import Consumers
from chassis.events.leader import Leader
from chassis.events.nats import Nats
from chassis.events.precedence import Precedence
from chassis.events.relay import Relay
from chassis.handlers import consumer_of
from chassis.hours import free_days
from chassis.kit import retention
from chassis.metrics_http import MetricsHttp
from chassis.rpc.channel import Channel, InProcessChannel, RemoteChannel
from chassis.rpc.endpoint import Endpoint, endpoints_of
from chassis.rpc.server import Server
from chassis.runtime import Runtime
from chassis.service import Service
from chassis.settings import Settings

log = logging.getLogger(__name__)


class Process:
    """The parts that all services of a process share, and the services' runtimes."""

    def __init__(self, settings: Settings, services: Sequence[Service]) -> None:
        self.settings, self.services = settings, services
        self.stop, self.ready = asyncio.Event(), False
        self._drained = (
            asyncio.Event()
        )  # no RPC runs any more: the relay may end, nothing is committed after it
        self.pools = Pools(settings.connections)
        self.nats = Nats(settings.nats_url, f"akrab-{settings.process}")
        self.precedence = Precedence()
        self.directory = Directory(self.nats)
        self.clock: Clock = TestClock(self.directory) if settings.test_clock else Clock()
        self.authentication = Authentication(self.directory, self.clock)
        self.endpoints: dict[str, Endpoint] = {}
        self.runtimes: dict[str, Runtime] = {}
        self._remote: dict[str, RemoteChannel] = {}
        self._local = InProcessChannel(self.endpoints)
        self._server: Server | None = None
        self.grpc_port = 0
        for service in services:
            self._add(service)

    def _add(self, service: Service) -> None:
        runtime = Runtime(
            service,
            self.settings,
            pools=self.pools,
            nats=self.nats,
            directory=self.directory,
            clock=self.clock,
            authentication=self.authentication,
            channel=self.channel,
            process=self,
        )
        self.runtimes[service.name] = runtime
        for servicer in service.servicers:
            self.endpoints.update(endpoints_of(runtime, servicer))

    def channel(self, service: str) -> Channel:
        """The way to a service: within this process if it is served here, else over gRPC."""
        if any(service_of(name[1:]) == service for name in self.endpoints):
            return self._local
        if service not in self._remote:
            self._remote[service] = RemoteChannel(settings_.address_of(service))
        return self._remote[service]

    async def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Serves until `stop` is set; returns when everything is closed. ServerRefused if PostgreSQL or NATS keep us out."""
        # First of all: who waits for a server is alive, and not ready.
        metrics = await self._serve_metrics()
        try:
            databases = [runtime.database_url for runtime in self._with_database()]
            if await starting.reached(self.settings.nats_url, databases, self.stop):
                await self._run(on_ready)
        finally:
            if metrics is not None:
                await metrics.stop()

    async def _run(self, on_ready: Callable[[], None]) -> None:
        await self.nats.connect()
        await self.nats.ensure_streams([s.name for s in self.services])
        await self.nats.ensure_bucket("DIRECTORY")
        loops_end = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            follow = group.create_task(self.directory.run(loops_end))
            group.create_task(self.pools.close_idle(loops_end))
            await self.directory.ready()
            for runtime in self.runtimes.values():
                if runtime.service.on_start is not None:
                    await runtime.service.on_start(runtime)
            own = [group.create_task(loop) for loop in self._own_loops()]
            leading = [group.create_task(loop) for loop in self._leading_loops()]
            await self._serve()
            self.ready = True
            log.info("ready", extra={"services": ",".join(self.runtimes)})
            on_ready()
            group.create_task(asyncio.to_thread(free_days.load))
            await self.stop.wait()
            await self._drain()
            if own:
                await asyncio.wait(own, timeout=self.settings.drain_s)
            self._drained.set()
            if leading:
                await asyncio.wait(leading, timeout=self.settings.drain_s)
            loops_end.set()
            await asyncio.wait([follow], timeout=2)
            for task in (*own, *leading, follow):
                task.cancel()
        for channel in self._remote.values():
            await channel.close()
        await self.nats.close()
        await self.pools.close()

    async def _serve(self) -> None:
        if self.settings.grpc_port and self.endpoints:
            self._server = Server(self.endpoints)
            self.grpc_port = await self._server.start(
                f"{self.settings.bind}:{max(0, self.settings.grpc_port)}"
            )
            await self._server.set_ready(True)

    async def _serve_metrics(self) -> MetricsHttp | None:
        if not self.settings.metrics_port:
            return None
        metrics = MetricsHttp(lambda: self.ready)
        await metrics.start(self.settings.bind, self.settings.metrics_port)
        return metrics

    async def _drain(self) -> None:
        self.ready = False
        log.info("draining")
        if self._server is not None:
            await self._server.set_ready(False)
            await self._server.stop(self.settings.drain_s)

    def _own_loops(self) -> list[Coroutine[Any, Any, None]]:
        """What every process runs beside the RPCs until it is told to stop; the gateway's HTTP is one of them."""
        loops = [
            work(r, self.stop) for r in self.runtimes.values() for work in r.service.background
        ]
        return loops + [r.operation_runs.run(self.stop) for r in self._with_database()]

    def _leading_loops(self) -> list[Coroutine[Any, Any, None]]:
        """The loops that end only when nothing is committed any more."""
        loops = []
        for runtime in self._with_database():
            leader = Leader(runtime.background_url, f"{runtime.service.name}-relay")
            loops += [
                runtime.wake.run(self._drained),
                leader.run(self._led(runtime), self._drained),
            ]
        return loops

    def _with_database(self) -> list[Runtime]:
        return [
            runtime for runtime in self.runtimes.values() if runtime.service.metadata is not None
        ]

    def _led(self, runtime: Runtime) -> list[Callable[..., Awaitable[None]]]:
        """The loops of which a database has one: relay, consumers, timers, operations, cleaning."""
        service = runtime.service
        works: list[Callable[..., Awaitable[None]]] = [
            Relay(self.nats, runtime.wake, service.name, precedence=self.precedence).run,
            inbox.purge,
            purge_answers,
            runtime.timers.run,
            runtime.operation_runs.sweep,
            retention.nightly(runtime),
        ]
        marked = [consumer_of(body) for body in service.consumers]
        if marked:
            consumers = Consumers(
                self.nats,
                service.name,
                marked,
                runtime.run_event,
                many=runtime.run_events,
                precedence=self.precedence,
            )
            works.append(consumers.run)
        return works


async def serve(settings: Settings, services: Sequence[Service]) -> None:
    """Runs a process until SIGTERM or SIGINT; SystemExit with one sentence where a server keeps it out."""
    telemetry.start(settings.otlp_endpoint, "+".join(s.name for s in services), settings.process)
    process = Process(settings, services)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, process.stop.set)
    try:
        # What was made until now stays for good too (see __main__): codecs, routes, prepared connections.
        await process.run(gc.freeze)
    except starting.ServerRefused as refusal:
        raise SystemExit(f"akrab: {refusal}") from None  # exit code 1
    finally:
        telemetry.stop()


def reuse_port_socket(host: str, port: int) -> socket.socket:
    """A listening socket that several processes may share (SO_REUSEPORT); OSError if somebody else has the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, because asyncio switches Nagle off only where it is: an answer in two parts took 40 ms longer.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.setblocking(False)
    listening.bind((host, port))
    listening.listen(1024)
    return listening


__all__ = ["Process", "reuse_port_socket", "serve"]
