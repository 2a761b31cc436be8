"""Starts the runtime as a program, as `make run` does, and looks at it from outside."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tests.e2e.bare_servers import quiet_environment

CHECKOUT = Path(__file__).resolve().parents[3]
DEADLINE_S = 60.0
T = TypeVar("T")


def until(found: Callable[[], T], what: str, deadline_s: float = DEADLINE_S) -> T:
    """The first true answer of `found`; fails the test after `deadline_s`."""
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        if answer := found():
            return answer
        select.select([], [], [], 0.02)
    raise AssertionError(f"{what}: not within {deadline_s:.0f} s")


def free_ports() -> int:
    """A port that is free together with the next one."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def alive(pid: int) -> bool:
    """Whether the process exists and is not merely waiting to be reaped."""
    try:
        return re.search(r"\) [ZX] ", Path(f"/proc/{pid}/stat").read_text()) is None
    except OSError:
        return False


def processes_of(data: Path) -> list[int]:
    """Every live process whose arguments or environment name the data directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid() and alive(int(entry.name)):
            try:
                told = (entry / "cmdline").read_bytes() + b"\0" + (entry / "environ").read_bytes()
            except OSError:
                continue
            if os.fsencode(data) in told:
                found.append(int(entry.name))
    return found


@dataclass
class Runtime:
    """One data directory and the supervisor that runs, or ran, on it."""

    data: Path
    port: int = field(default_factory=free_ports)
    settings: dict[str, str] = field(default_factory=dict)
    before: list[str] = field(default_factory=list)
    """A program in front of the interpreter, such as setpriv."""
    python: str = sys.executable
    process: subprocess.Popen[bytes] | None = None

    @property
    def screen(self) -> Path:
        return self.data.with_name(f"{self.data.name}.screen")

    @property
    def printed(self) -> str:
        """What the last supervisor said so far."""
        return self.screen.read_text()

    def environment(self) -> dict[str, str]:
        told = {"CRM_DATA_DIR": str(self.data), "CRM_PORT": str(self.port)} | {
            "CRM_PROCESSES": "1",
            "DEMO": "0",
        }
        return quiet_environment() | told | {"PYTHONUNBUFFERED": "1"} | self.settings

    def command(self, *words: str) -> list[str]:
        return [*self.before, self.python, "-m", "tests.e2e.runtime.supervise", *words]

    def spawn(self) -> None:
        """Start the supervisor, not waiting for anything."""
        with open(self.screen, "wb") as screen:
            self.process = subprocess.Popen(
                self.command("run"),
                env=self.environment(),
                cwd=CHECKOUT,
                stdout=screen,
                stderr=screen,
                start_new_session=True,
            )

    def start(self) -> "Runtime":
        """Start the supervisor and wait until it says that everything runs."""
        self.spawn()
        self.wait_for("Akrab runs at")
        self.wait_for("Ctrl-C stops it")
        return self

    def wait_for(self, words: str) -> str:
        """Wait until it says `words`; the line that holds them."""

        def found() -> str:
            assert self.process is not None
            ended = self.process.poll() is not None
            lines = [line for line in self.printed.splitlines() if words in line]
            assert lines or not ended, f"it ended without saying {words!r}:\n{self.printed}"
            return lines[0] if lines else ""

        return until(found, f"words {words!r} on screen")

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=DEADLINE_S)

    def refused(self) -> str:
        """Start a supervisor that must refuse: the sentence it says, checked to be one line."""
        done = self.verb("run")
        lines = [line for line in done.stderr.splitlines() if line]
        assert done.returncode == 1, done
        assert [line[:7] for line in lines] == ["akrab: "], done
        return lines[0]

    def verb(
        self, *words: str, settings: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `python -m deploy.local <words>` to its end."""
        return subprocess.run(
            self.command(*words),
            env=self.environment() | (settings or {}),
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )

    def run_json(self) -> dict[str, Any]:
        return dict(json.loads((self.data / "run.json").read_text()))

    def pids(self) -> dict[str, int]:
        return {name: one["pid"] for name, one in self.run_json()["pids"].items()}

    def answering(self) -> str:
        """The number of the application process that answers a request, or "" when none does."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as client:
                client.sendall(b"GET / HTTP/1.1\r\n\r\n")
                return client.makefile().read()[-1:]
        except OSError:
            return ""
