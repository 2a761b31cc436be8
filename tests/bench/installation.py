"""An installation that the bench starts with `deploy.local`, exactly as `make run` does, and ends."""

import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from chassis.waits import first_of
from deploy.local import application
from deploy.local.installation import reading
from deploy.local.privilege import die_with_parent
from deploy.local.servers import Endpoints
from deploy.local.settings import CHECKOUT
from deploy.local.settings import Settings as LocalSettings
from tests.bench import machine

_DEADLINE_S, _LONGEST_S = 180.0, 1_800.0
T = TypeVar("T")


def until(
    found: Callable[[], T], what: str, deadline_s: float = _DEADLINE_S, every_s: float = 0.01
) -> T:
    """The first true answer of `found`; raises TimeoutError after `deadline_s`."""
    deadline = time.monotonic() + deadline_s
    while not (answer := found()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {deadline_s:.0f} s")
        select.select([], [], [], every_s)
    return answer


async def moment(seconds: float = 0.1) -> None:
    """Between two looks at what other processes do."""
    await first_of(asyncio.Event(), timeout_s=seconds)


def free_ports() -> int:
    """A port that is free together with the next one (HTTP and gRPC)."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


def is_ready(port: int) -> bool:
    """Whether a gateway there says that it is ready."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
            return connection.recv(64).split()[1:2] == [b"200"]
    except OSError:
        return False


@dataclass
class Installation:
    """A data directory with the supervisor that runs on it."""

    data: Path
    settings: dict[str, str] = field(default_factory=lambda: {"DEMO": "0"})
    """What differs from `make run`'s defaults, beside data directory and ports."""
    port: int = field(default_factory=free_ports)
    ready_s: float = 0.0
    """Seconds from the start of the program until /readyz said 200."""
    welcome_s: float = 0.0
    """Seconds until it had printed its address."""
    _process: subprocess.Popen[bytes] | None = None

    def environment(self) -> dict[str, str]:
        quiet = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CRM_", "DEMO", "PG"))
        }
        return (
            quiet
            | {"CRM_DATA_DIR": str(self.data), "CRM_PORT": str(self.port), "PYTHONUNBUFFERED": "1"}
            | self.settings
        )

    def start(self) -> "Installation":
        """Starts it and waits until it has printed its address."""
        self.data.parent.mkdir(parents=True, exist_ok=True)
        screen, parent, began = (
            self.data.with_name(f"{self.data.name}.screen"),
            os.getpid(),
            time.monotonic(),
        )
        self.ready_s = 0.0
        with open(screen, "wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "deploy.local", "run"], env=self.environment(), cwd=CHECKOUT, stdout=file,
                stderr=file, start_new_session=True, preexec_fn=lambda: die_with_parent(parent, signal.SIGTERM),
            )  # fmt: skip

        def welcomed() -> bool:
            assert self._process is not None
            if not self.ready_s and is_ready(self.port):
                self.ready_s = time.monotonic() - began
            printed = screen.read_text()
            if self._process.poll() is not None:
                raise RuntimeError(f"the installation ended while it was started:\n{printed}")
            return bool(self.ready_s) and "Ctrl-C stops it" in printed

        until(welcomed, "the start of the installation")
        self.welcome_s = time.monotonic() - began
        return self

    def stop(self) -> None:
        """Ends it in order."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=_DEADLINE_S)
            self._process = None

    @contextmanager
    def running(self) -> Iterator["Installation"]:
        """Runs it for a while."""
        try:
            yield self.start()
        finally:
            self.stop()

    def until_idle(self) -> None:
        """Waits until its processes have nothing to do: what came before is no part of the next measurement."""
        apps = self.app_pids

        def idle() -> bool:
            before, end = machine.cpu_s(apps), time.monotonic() + 1.0
            until(lambda: time.monotonic() > end, "a second", every_s=0.1)
            return machine.cpu_s(apps) - before < 0.1

        until(idle, "the application being idle", _LONGEST_S)

    # -- what runs ---------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run_json(self) -> dict[str, Any]:
        return dict(json.loads((self.data / "run.json").read_text()))

    def pids(self) -> dict[str, int]:
        """name -> process id: supervisor, postgres, nats, app-0 ..."""
        return {name: one["pid"] for name, one in self.run_json()["pids"].items()}

    @property
    def app_pids(self) -> list[int]:
        return [pid for name, pid in self.pids().items() if name.startswith("app-")]

    def all_pids(self) -> list[int]:
        """Every process of the installation, PostgreSQL's sessions included."""
        named = self.pids()
        return [*named.values(), *machine.children(named["postgres"])]

    def told(self) -> dict[str, str]:
        """What its application processes are told: addresses and secrets."""
        running = self.run_json()
        endpoints = Endpoints(postgres=running["postgres"], nats=running["nats"])
        return application.environment(
            reading(LocalSettings.from_environment(self.environment())), endpoints
        )

    @property
    def nats_url(self) -> str:
        return str(self.run_json()["nats"])

    def database_url(self, database: str = "crm_contacts") -> str:
        """The database, for the administrator, whom no policy hides anything from."""
        return str(self.run_json()["postgres"]).rpartition("/")[0] + f"/{database}"
