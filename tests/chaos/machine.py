"""A real one-machine installation, started as `make run` does, to be broken from outside."""

import asyncio
import os
import random
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from chassis.testing.events import eventually
from deploy.local import nats
from tests.e2e.company import client
from tests.e2e.runtime.harness import Runtime, alive, processes_of

PORTS = range(10_000, 20_000)
"""Below what Linux gives to outgoing connections: clients that try again and again could connect to themselves."""
START_S = 300.0
"""The longest start: a machine that also runs other things, after a crash of everything."""


def free_port() -> int:
    """A port where nobody listens, nor on the next one."""
    for port in random.sample(PORTS, len(PORTS)):
        if all(listenable(one) for one in (port, port + 1)):
            return port
    raise AssertionError("no port is free")


def listenable(port: int) -> bool:
    """Whether nobody listens there; finished connections that linger do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return True
    return False


class Machine(Runtime):
    """The installation with two application processes, over its own servers."""

    def command(self, *words: str) -> list[str]:
        return [self.python, "-m", "deploy.local", *words]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def up(self) -> None:
        """Start the supervisor and wait until it says that everything runs."""
        self.spawn()
        await self.said("Ctrl-C stops it", START_S)
        await self.whole()

    async def said(self, words: str, timeout_s: float) -> str:
        """The line on the screen that holds these words, once it is there."""

        def found() -> bool:
            assert self.process is not None
            assert words in self.printed or self.process.poll() is None, (
                f"it ended:\n{self.printed}"
            )
            return words in self.printed

        await eventually(found, f"{words!r} on screen", timeout_s)
        return next(line for line in self.printed.splitlines() if words in line)

    @property
    def setup_token(self) -> str:
        """What the first start printed for setting up the first company."""
        return (
            next(line for line in self.printed.splitlines() if "/setup#" in line)
            .partition("#")[2]
            .strip()
        )

    def apps(self) -> list[int]:
        """The application processes that live."""
        return [pid for name, pid in self.pids().items() if name.startswith("app-") and alive(pid)]

    async def whole(self, timeout_s: float = START_S) -> None:
        """Return when everything runs and each application process answers."""
        wanted = {"supervisor", "postgres", "nats", "app-0", "app-1"}

        def running() -> bool:
            return wanted == {name for name, pid in self.pids().items() if alive(pid)}

        await eventually(running, "all processes run", timeout_s)
        for face in await self.faces(timeout_s):
            await face.aclose()

    async def gone(self, timeout_s: float = 20.0) -> None:
        """Return when no process of this installation is left and its ports are free."""
        await eventually(lambda: not processes_of(self.data), "nothing is left running", timeout_s)
        ports = (
            self.port,
            self.port + 1,
        )  # the kernel closes what a killed process had open after its memory
        await eventually(lambda: all(map(listenable, ports)), f"{ports} are free", timeout_s)

    def kill(self, pid: int) -> None:
        self.send(pid, signal.SIGKILL)

    def send(self, pid: int, number: int) -> None:
        """A signal to one of this installation's processes."""
        assert pid in processes_of(self.data) or pid in self.pids().values(), f"{pid} is not ours"
        os.kill(pid, number)

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """A process that is there and does nothing (SIGSTOP), for as long as the block."""
        pid = self.pids()[name]
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    async def restarted(self, name: str, dead: int, timeout_s: float = 60.0) -> None:
        """Return when another process has taken the place of the dead one and serves."""

        async def there() -> bool:
            pid = self.pids().get(name, dead)
            return pid != dead and alive(pid) and await self._serves(name)

        await eventually(there, f"{name} runs again", timeout_s)

    async def _serves(self, name: str) -> bool:
        if name == "nats":
            return await nats.answers(self.run_json()["nats"])
        with suppress(OSError, asyncpg.PostgresError):
            return bool(await self.sql("SELECT 1"))
        return False

    async def killed_all(self) -> None:
        """kill -9 of everything at once: supervisor, servers and application."""
        for pid in set(self.pids().values()) | set(processes_of(self.data)):
            with suppress(ProcessLookupError):  # died with its parent
                os.kill(pid, signal.SIGKILL)
        assert self.process is not None
        await asyncio.to_thread(self.process.wait, 20)
        await self.gone()

    async def killed(self, victim: str) -> None:
        """kill -9 of `apps` (both application processes), `postgres`, `nats` or `supervisor`; returns when all runs again."""
        if victim == "supervisor":
            self.kill(self.pids()[victim])
            await self.gone()  # nothing outlives it
            await self.up()
            return
        dead = self.apps() if victim == "apps" else [self.pids()[victim]]
        for pid in dead:
            self.kill(pid)
        if victim != "apps":
            await self.restarted(victim, dead[0])
        await self.whole()

    async def faces(self, timeout_s: float = 60.0, token: str = "") -> list[httpx.AsyncClient]:
        """A client for each application process: its one connection stays with that process."""
        found: dict[int, httpx.AsyncClient] = {}

        async def one_more() -> bool:
            face = client(self.url, token, one=True)
            pid = await self._process_behind(face)
            if pid in found or pid not in self.apps():
                await face.aclose()
            else:
                found[pid] = face
            return len(found) == 2

        await eventually(one_more, "both processes answer", timeout_s)
        return list(found.values())

    async def _process_behind(self, face: httpx.AsyncClient) -> int:
        """The process that answers this client's connection; 0 if none does."""
        try:
            answer = await face.get("/readyz")
        except httpx.TransportError:
            return 0
        port = answer.extensions["network_stream"].get_extra_info("client_addr")[1]
        return process_at(self.port, port, self.apps()) if answer.status_code == 200 else 0

    async def sql(
        self, statement: str, *arguments: Any, database: str = "crm_contacts"
    ) -> list[asyncpg.Record]:
        """Rows as the administrator finds them."""
        connection = await asyncpg.connect(
            self.run_json()["postgres"], database=database, timeout=10
        )
        try:
            return list(await connection.fetch(statement, *arguments))
        finally:
            await connection.close()

    async def leader(self, service: str = "contacts") -> int:
        """The application process that consumes and relays for a service."""
        rows = await self.sql(
            "SELECT a.client_port FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory'"
            " AND l.granted AND a.application_name = 'akrab leader' AND a.datname = $1",
            f"crm_{service}",
        )
        server = int(self.run_json()["postgres"].rpartition(":")[2].partition("/")[0])
        return process_at(rows[0]["client_port"], server, self.apps()) if rows else 0


def process_at(local_port: int, remote_port: int, pids: list[int]) -> int:
    """Which of the processes holds the TCP socket between these two loopback ports; 0 if none."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    inodes = {
        row[9] for row in rows if row[1].endswith(f":{local_port:04X}") and row[2].endswith(f":{remote_port:04X}")
    }  # fmt: skip
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for pid in pids:
        for descriptor in _descriptors(pid):
            try:
                if os.readlink(descriptor) in wanted:
                    return pid
            except OSError:
                continue  # closed meanwhile
    return 0


def _descriptors(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return []  # it has just died
