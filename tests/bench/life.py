"""B11, B12, B13: how soon it is ready, how much memory it takes, and how many live readers one process holds."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chassis import keys
from deploy.local.settings import CHECKOUT
from tests.bench import machine
from tests.bench.company import Company
from tests.bench.installation import Installation, free_ports, is_ready, until
from tests.bench.report import Result, at_most, told

_WARM = 100


def starts(data: Path, wanted: set[str], idle_s: float, *, demo: bool) -> list[Result]:
    """B11 with B12: first start with the demo company, stop, start again, be idle. Nothing differs from `make run`, but
    that the visitors of the demo company stay away the second time: with them it is not idle."""
    found: list[Result] = []
    first = Installation(data, settings={} if demo else {"DEMO": "0"})
    with first.running():
        pass
    again = Installation(data, settings={"DEMO_TRAFFIC": "0"}, port=first.port)
    with again.running():
        if "B11" in wanted:
            found += [
                at_most("B11", "ready again (data exists)", again.ready_s, "s", 6),
                at_most("B11", "first start, without installing: ready", first.ready_s, "s", 20),
                told(
                    "B11",
                    "first start, with the demo company made and the address printed",
                    first.welcome_s,
                    "s",
                ),
            ]
        if "B12" in wanted:
            found += _memory(again, idle_s)
    return found


def _memory(installation: Installation, idle_s: float) -> list[Result]:
    _idle(installation, idle_s)
    each = {name: machine.memory_mib(pid) for name, pid in installation.pids().items()}
    sessions = [
        machine.memory_mib(pid) for pid in machine.children(installation.pids()["postgres"])
    ]
    pss = sum(one[0] for one in (*each.values(), *sessions))
    with _alone(installation, "contacts") as pid:
        _idle(installation, idle_s)
        alone = machine.memory_mib(pid)
    return [
        at_most("B12", "idle memory of everything, PSS", pss, "MiB", 700),
        at_most("B12", "one service alone (contacts), RSS", alone[1], "MiB", 130),
        told("B12", "one service alone (contacts), PSS", alone[0], "MiB"),
        *(told("B12", f"{name}, PSS", one[0], "MiB") for name, one in each.items()),
        told("B12", f"{len(sessions)} processes of PostgreSQL, PSS", sum(one[0] for one in sessions), "MiB"),
        told("B12", "everything, RSS (shared pages counted again and again)",
             sum(one[1] for one in (*each.values(), *sessions)), "MiB"),
    ]  # fmt: skip


def _idle(installation: Installation, idle_s: float) -> None:
    """Leaves it alone for so long, and sees that it stays ready."""
    end = time.monotonic() + idle_s
    until(lambda: time.monotonic() > end, "being idle", every_s=0.5)
    if not is_ready(installation.port):
        raise RuntimeError("the installation is not ready any more")


@contextmanager
def _alone(installation: Installation, service: str) -> Iterator[int]:
    """A process that serves one service only, beside the installation, with its servers; its pid."""
    port = free_ports()
    env = (
        installation.environment()
        | installation.told()
        | {"CRM_GRPC_PORT": "-1", "CRM_METRICS_PORT": str(port)}
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "chassis", f"--target={service}"],
        env=env,
        cwd=CHECKOUT,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: is_ready(port) or process.poll() is not None, f"{service} alone", 60)
        yield process.pid
    finally:
        process.terminate()
        process.wait(timeout=60)


def readers(data: Path, company: Company, count: int) -> list[Result]:
    """B13: idle SSE clients on one gateway process; reported, not a gate."""
    with Installation(data, settings={"DEMO": "0", "CRM_PROCESSES": "1"}).running() as installation:
        admin = company.sign_in(installation)
        (pid,) = installation.app_pids
        with _listeners(installation.port, admin.token) as tell:
            tell(f"open {_WARM}", "open")
            before = machine.memory_mib(pid)[0]
            tell(f"open {count}", "open")
            each_kib = (machine.memory_mib(pid)[0] - before) / (count - _WARM) * 1024
            id = keys.uuid7()
            tell(f"watch {id}", "watching")
            admin.post("/v1/contacts", {"id": id, "givenName": "Live"})
            answered = time.monotonic()
            last = float(tell("", ""))
    return [
        told(
            "B13",
            f"{count:,} idle SSE clients on one gateway process (<= 40 each)",
            each_kib,
            "KiB",
        ),
        told("B13", "an event reaches all of them (<= 1)", max(0.0, last - answered), "s"),
    ]


@contextmanager
def _listeners(port: int, token: str) -> Iterator[Any]:
    """A function that sends a line and returns the answer, which must be the expected one if one is."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.listeners", str(port), token], cwd=CHECKOUT, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def tell(line: str, expected: str) -> str:
        if line:
            stdin.write(line + "\n")
            stdin.flush()
        answer = stdout.readline().strip()
        if not answer or (expected and answer != expected):
            raise RuntimeError(f"the listeners answered {answer!r}")
        return answer

    try:
        yield tell
    finally:
        stdin.close()
        process.wait(timeout=30)
