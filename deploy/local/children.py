"""Starting, watching and ending processes, so that none outlives its supervisor."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deploy.local.privilege import User, die_with_parent

KILLED_EXIT_S = 10.0
"""How long a process may take to vanish after SIGKILL (it may sit in a write to a slow disk)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A process the supervisor runs: all it needs to know, as data."""

    name: str
    """Its name on screen, in run.json and of its log."""
    argv: tuple[str, ...]
    env: Mapping[str, str]
    log: Path
    """Where its output goes (appended)."""
    cwd: Path = Path("/")
    ready: Callable[[], Awaitable[bool]] | None = None
    """Asked again and again until it answers True; None = ready once started."""
    ready_within_s: float = 120.0
    stop_signal: int = signal.SIGTERM
    stop_within_s: float = 20.0
    """After this long the process is killed."""
    hurry_signal: int = signal.SIGKILL
    """Sent when the person at the screen does not want to wait."""
    death_signal: int = signal.SIGKILL
    """Sent by the kernel when the supervisor dies."""
    user: User | None = None
    """Who it runs as; None = whoever we are."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A process, told from a later one of the same number by its start (clock ticks since boot)."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """The process `pid`, or None when there is none (or only a zombie)."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return None
        # The name in brackets may hold brackets: fields count from the last one (proc(5)).
        fields = stat[stat.rindex(")") + 2 :].split()
        return None if fields[0] in "ZX" else cls(pid, int(fields[19]))

    def alive(self) -> bool:
        return Identity.of(self.pid) == self


class Process:
    """A started child. `exited` completes with its exit code (negative: a signal's number)."""

    def __init__(self, child: Child) -> None:
        """Start `child`; call it in the event loop's thread (PR_SET_PDEATHSIG watches one)."""
        loop = asyncio.get_running_loop()
        self.child = child
        self.began = time.monotonic()
        self.exited: asyncio.Future[int] = loop.create_future()
        parent = os.getpid()

        def before_exec() -> None:
            if child.user is not None:
                child.user.become()
            die_with_parent(parent, child.death_signal)

        child.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(child.log, "ab", opener=_private) as log:
            # A session of its own: Ctrl-C reaches the supervisor only, which ends things in order.
            self._popen = subprocess.Popen(
                child.argv,
                env=dict(child.env),
                cwd=child.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=before_exec,
            )
        self.identity = Identity.of(self._popen.pid) or Identity(self._popen.pid, 0)
        self._pidfd = os.pidfd_open(self._popen.pid)
        loop.add_reader(self._pidfd, self._on_exit)

    def _on_exit(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self.exited.set_result(self._popen.wait())

    def send(self, number: int) -> None:
        """Send a signal, unless it has ended (unreaped, so its number is nobody else's)."""
        if not self.exited.done():
            self._popen.send_signal(number)

    async def wait(self, timeout_s: float) -> bool:
        """Whether it ended within `timeout_s`."""
        return bool((await asyncio.wait([self.exited], timeout=timeout_s))[0])

    async def stop(self, hurry: asyncio.Event | None = None) -> None:
        """End it: stop signal, hurry signal once `hurry` is set, SIGKILL when time is up."""
        self.send(self.child.stop_signal)
        hurried = asyncio.create_task(hurry.wait()) if hurry is not None else None
        try:
            waiting = {self.exited} | ({hurried} if hurried else set())
            await asyncio.wait(
                waiting, timeout=self.child.stop_within_s, return_when=asyncio.FIRST_COMPLETED
            )
            if hurried is not None and hurried.done() and not self.exited.done():
                self.send(self.child.hurry_signal)
                await self.wait(KILLED_EXIT_S)
            if not self.exited.done():
                self.send(signal.SIGKILL)
                await self.wait(KILLED_EXIT_S)
        finally:
            if hurried is not None:
                hurried.cancel()


async def run_to_end(child: Child) -> int:
    """Run `child` until it ends by itself and answer its exit code; cancelled, it is ended too."""
    process = Process(child)
    try:
        return await asyncio.shield(process.exited)
    finally:
        if not process.exited.done():
            await process.stop()


async def end_leftover(identity: Identity, *signals: tuple[int, float]) -> bool:
    """End a process that is not our child, each signal in turn with its patience: is it gone?"""
    try:
        pidfd = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return True
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    loop.add_reader(pidfd, gone.set)  # a process that ended makes its descriptor readable
    try:
        if not identity.alive():
            return True
        for number, patience_s in signals:
            with suppress(ProcessLookupError):
                # To the descriptor, not the number: it cannot hit a process that took the number.
                signal.pidfd_send_signal(pidfd, number)
            with suppress(TimeoutError):
                await asyncio.wait_for(gone.wait(), patience_s)
                return True
        return False
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
