"""Starts everything in order, keeps it running, ends it in order.

    PostgreSQL -> NATS -> migrations -> application processes -> demo company -> (keep) -> and back

Whatever ends on its own is started again, with a growing delay. What runs is written to run.json.
"""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from deploy.local import application, checks, screen
from deploy.local.children import Child, Identity, Process, end_leftover
from deploy.local.errors import Refusal
from deploy.local.files import last_line, read_json, write_private_json
from deploy.local.installation import Installation, opened
from deploy.local.servers import Endpoints, Servers
from deploy.local.settings import Settings

FIRST_DELAY_S, LONGEST_DELAY_S = 0.5, 30.0
STEADY_S = 60.0
"""A process that lived this long starts again with the shortest delay."""
READY_POLL_S = 0.05
ROUND_S = 10.0
"""How often disk space and the size of logs are looked at."""

Children = Callable[[Settings, Installation, Endpoints], list[Child]]
Migration = Callable[[Installation, Endpoints], Awaitable[None]]


class Supervised:
    """One child that is started again whenever it ends, until `stop`."""

    def __init__(self, child: Child, changed: Callable[[], None]) -> None:
        self.child = child
        self.process: Process | None = None
        self._changed = changed
        self._keeper: asyncio.Task[None] | None = None

    @property
    def identity(self) -> Identity | None:
        running = self.process is not None and not self.process.exited.done()
        return self.process.identity if self.process is not None and running else None

    def start(self) -> Process:
        """Start it now."""
        self.process = Process(self.child)
        self._changed()
        return self.process

    async def ready(self) -> None:
        """Wait until it is ready, and keep it running from then on.

        Raises Refusal when it ends before, or takes too long.
        """
        await self._wait_until_ready()
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self, hurry: asyncio.Event) -> None:
        """End it for good; quickly once `hurry` is set."""
        if self._keeper is not None:
            self._keeper.cancel()
        if self.process is not None:
            await self.process.stop(hurry)

    async def _wait_until_ready(self) -> None:
        assert self.process is not None
        child, deadline = self.child, time.monotonic() + self.child.ready_within_s
        while not self.process.exited.done():
            if child.ready is None or await child.ready():
                return
            if time.monotonic() > deadline:
                raise Refusal(
                    f"{child.name} was not ready within {child.ready_within_s:.0f} s; its log is {child.log}."
                )
            await self.process.wait(READY_POLL_S)
        reason = _cause(child) or f"exit code {self.process.exited.result()}"
        raise Refusal(f"{child.name} ended while it was started: {reason} (log: {child.log}).")

    async def _keep(self) -> None:
        delay = FIRST_DELAY_S
        while self.process is not None:
            code = await asyncio.shield(self.process.exited)
            self._changed()
            if time.monotonic() - self.process.began > STEADY_S:
                delay = FIRST_DELAY_S
            screen.say(
                f"  {self.child.name} ended ({_ending(code)}) and starts again in {delay:.1f} s. {_cause(self.child)}"
            )
            delay = await self._start_again(delay)

    async def _start_again(self, delay: float) -> float:
        """Start it after `delay`, as often as the system needs to allow it; the delay to use next."""
        while True:
            await asyncio.sleep(delay)  # a program that always dies must not spin
            delay = min(delay * 2, LONGEST_DELAY_S)
            try:
                self.start()
                return delay
            except OSError as error:
                screen.say(
                    f"  {self.child.name} could not be started ({error.strerror}): tried again in {delay:.1f} s."
                )


class Supervisor:
    """One run of the installation in `installation`, from the first start to the last stop."""

    def __init__(
        self, installation: Installation, children: Children, migration: Migration
    ) -> None:
        self._migrate = migration
        self._installation = installation
        self._settings = installation.settings
        self._children = children
        self._running: list[list[Supervised]] = []
        self._endpoints: Endpoints | None = None
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()

    async def run(self) -> None:
        """Start, run until a signal asks to stop, stop. Raises Refusal when it cannot start."""
        with _signals(self._on_signal):
            work = asyncio.create_task(self._start_and_watch())
            stopping = asyncio.create_task(self._stop.wait())
            try:
                await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                work.cancel()
                stopping.cancel()
                await asyncio.wait({work, stopping})
                await self._end_all()
            if not work.cancelled():
                work.result()

    async def _start_and_watch(self) -> None:
        await end_leftovers(self._settings)
        checks.port_free(self._settings.port, "CRM_PORT")
        checks.port_free(self._settings.grpc_port, "CRM_GRPC_PORT")
        servers = Servers(self._installation)
        async for child in servers.children():
            await self._begin(f"Starting {child.name}", [child])
        self._endpoints = await servers.endpoints()
        await self._start_application(self._endpoints)
        await self._watch()

    async def _start_application(self, endpoints: Endpoints) -> None:
        async with screen.step("Preparing the databases"):
            await self._migrate(self._installation, endpoints)
        await self._begin(
            "Starting the application",
            self._children(self._settings, self._installation, endpoints),
        )
        await application.first_start(self._installation, endpoints)
        traffic = application.traffic(self._installation, endpoints)
        if traffic is not None:
            await self._begin("Starting the demo company's visitors", [traffic])
        self._write_run_file()
        application.say_welcome(self._installation)

    async def _begin(self, title: str, children: list[Child]) -> None:
        group = [Supervised(child, self._write_run_file) for child in children]
        self._running.append(group)
        async with screen.step(title):
            for one in group:
                one.start()
            for one in group:
                await one.ready()

    async def _watch(self) -> None:
        """Keep an eye on the disk and the logs for as long as the installation runs."""
        was_low = False
        while True:
            await asyncio.sleep(ROUND_S)  # a pace: disks and logs do not tell
            low = checks.free_bytes(self._settings.data)[1] < checks.LOW_BYTES
            if low and not was_low:
                screen.say(
                    f"  The disk is almost full: under {checks.LOW_BYTES // 2**20} MB free "
                    f"for {self._settings.data}. Free some space, or PostgreSQL stops."
                )
            was_low = low
            for log in self._settings.logs.glob("*.log"):
                shorten(log)

    def _on_signal(self) -> None:
        if self._stop.is_set():
            self._hurry.set()
            return
        screen.say("\nStopping: work in progress is finished first (Ctrl-C again hurries).")
        self._stop.set()

    async def _end_all(self) -> None:
        """The last started ends first: application, then NATS, then PostgreSQL."""
        for group in reversed(self._running):
            await asyncio.gather(*(one.stop(self._hurry) for one in group))
        if self._running:
            self._settings.run_file.unlink(missing_ok=True)

    def _write_run_file(self) -> None:
        pids = {"supervisor": Identity.of(os.getpid())} | {
            one.child.name: one.identity for group in self._running for one in group
        }
        content: dict[str, Any] = {
            "http": self._settings.url,
            "grpc": f"127.0.0.1:{self._settings.grpc_port}",
            "nats": self._endpoints.nats if self._endpoints else None,
            "postgres": self._endpoints.postgres if self._endpoints else None,
            "pids": {
                name: {"pid": identity.pid, "started": identity.started}
                for name, identity in pids.items()
                if identity is not None
            },
        }
        demo = self._settings.data / "demo.json"
        if demo.exists():
            content["demo"] = read_json(demo)
        try:
            write_private_json(self._settings.run_file, content)
        except OSError as error:
            # A full disk must not keep us from starting again what it ended.
            screen.say(f"  {self._settings.run_file} could not be written ({error.strerror}).")


async def supervise(
    settings: Settings,
    children: Children = application.processes,
    migration: Migration = application.prepare,
) -> int:
    """Run the installation of `settings` until a signal ends it, and answer exit code 0.

    `children` and `migration` say what the application is. Raises Refusal when it cannot run.
    """
    checks.disk(settings.data)
    with opened(settings) as installation:
        await Supervisor(installation, children, migration).run()
    return 0


async def end_leftovers(settings: Settings) -> None:
    """End what an earlier supervisor of this directory left behind, known by pid and start time."""
    if not settings.run_file.exists():
        return
    pids = read_json(settings.run_file).get("pids", {})
    left = {name: Identity(one["pid"], one["started"]) for name, one in pids.items()}
    alive = {name: one for name, one in left.items() if one.alive() and name != "supervisor"}
    if alive:
        async with screen.step(f"Ending what an earlier run left ({', '.join(sorted(alive))})"):
            await asyncio.gather(*(_end(name, one) for name, one in alive.items()))
    settings.run_file.unlink(missing_ok=True)


async def _end(name: str, identity: Identity) -> None:
    if name == "postgres":
        signals = [(signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)]
    else:
        signals = [(signal.SIGTERM, 5.0), (signal.SIGKILL, 10.0)]
    if not await end_leftover(identity, *signals):
        raise Refusal(
            f"{name} of an earlier run (process {identity.pid}) does not end: end it by hand."
        )


def shorten(log: Path, *, limit: int = 20 * 2**20) -> None:
    """Keep the last `limit` bytes or so of a log: what is there moves to <log>.1, writers go on."""
    if log.stat().st_size > limit:
        # Writers append (O_APPEND), so a file cut to nothing simply grows again from its start.
        # Without room for the copy the room matters more.
        with suppress(OSError):
            shutil.copyfile(log, log.with_name(log.name + ".1"))
        os.truncate(log, 0)


@contextmanager
def _signals(handle: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # ignored under nohup: stay up then
        numbers.append(signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, handle)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _cause(child: Child) -> str:
    """The most telling line of a log, for the screen."""
    full = last_line(child.log, "No space left on device")
    if full:
        return f"The disk is full: free some space for {child.log.parent.parent}."
    return last_line(child.log, "FATAL", "PANIC", "[FTL]", "rror") or last_line(child.log)


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
