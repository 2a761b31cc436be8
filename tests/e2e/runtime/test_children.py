"""Processes end when they should, and only those that are meant."""

import asyncio
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.children import Child, Identity, Process, end_leftover, run_to_end
from tests.e2e.runtime.harness import until

pytestmark = pytest.mark.large  # starts whole installations

SAY_READY = "import pathlib, sys; pathlib.Path(sys.argv[1]).touch(); "
PATIENT = SAY_READY + "import signal; signal.pause()"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + PATIENT


def child(tmp_path: Path, code: str) -> Child:
    return Child(
        name="child",
        argv=(sys.executable, "-c", code, str(tmp_path / "ready")),
        env=os.environ,
        log=tmp_path / "child.log",
    )


async def started(tmp_path: Path, one: Child) -> Process:
    process = Process(one)
    until((tmp_path / "ready").exists, "the child's first sign")
    return process


def test_stop_signal_ends_a_process_that_listens(tmp_path: Path) -> None:
    async def run() -> int:
        process = await started(tmp_path, child(tmp_path, PATIENT))
        await process.stop()
        return process.exited.result()

    assert asyncio.run(run()) == -signal.SIGTERM


def test_process_that_does_not_listen_is_killed_when_its_time_is_up(tmp_path: Path) -> None:
    async def run() -> tuple[int, float]:
        one = replace(child(tmp_path, DEAF), stop_within_s=0.3)
        process = await started(tmp_path, one)
        began = time.monotonic()
        await process.stop()
        return process.exited.result(), time.monotonic() - began

    code, seconds = asyncio.run(run())
    assert code == -signal.SIGKILL
    assert 0.3 <= seconds < 5


def test_hurry_cuts_the_wait_short(tmp_path: Path) -> None:
    async def run() -> tuple[int, float]:
        process = await started(tmp_path, child(tmp_path, DEAF))
        hurry, began = asyncio.Event(), time.monotonic()
        hurry.set()
        await process.stop(hurry)
        return process.exited.result(), time.monotonic() - began

    code, seconds = asyncio.run(run())
    assert code == -signal.SIGKILL
    assert seconds < 10


def test_exit_code_and_output_of_a_program_that_ends_by_itself(tmp_path: Path) -> None:
    one = child(tmp_path, "import sys; print('said'); sys.exit(7)")

    assert asyncio.run(run_to_end(one)) == 7
    assert one.log.read_text() == "said\n"
    assert one.log.stat().st_mode & 0o777 == 0o600


def test_cancelled_run_leaves_no_process(tmp_path: Path) -> None:
    told = (
        "import os, pathlib, sys; pathlib.Path(sys.argv[1] + '.pid').write_text(str(os.getpid())); "
    )

    async def run() -> None:
        task = asyncio.create_task(run_to_end(child(tmp_path, told + PATIENT)))
        await asyncio.wait({task}, timeout=0)  # it starts the process and waits
        until((tmp_path / "ready").exists, "the child's first sign")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "ready.pid").read_text()), 0)


def test_process_is_known_by_number_and_start_time() -> None:
    ourselves = Identity.of(os.getpid())

    assert ourselves is not None
    assert ourselves.alive()
    assert not Identity(os.getpid(), ourselves.started - 1).alive()
    assert Identity.of(2**22 + 1) is None  # above the largest process number Linux gives


def test_leftover_meets_each_signal_in_turn(tmp_path: Path) -> None:
    async def run() -> tuple[bool, int]:
        process = await started(tmp_path, child(tmp_path, DEAF))
        gone = await end_leftover(process.identity, (signal.SIGTERM, 0.1), (signal.SIGKILL, 5.0))
        return gone, await process.exited

    assert asyncio.run(run()) == (True, -signal.SIGKILL)


def test_stranger_with_a_leftovers_number_is_let_live(tmp_path: Path) -> None:
    async def run() -> bool:
        process = await started(tmp_path, child(tmp_path, PATIENT))
        other = Identity(process.identity.pid, process.identity.started - 1)
        gone = await end_leftover(other, (signal.SIGKILL, 1.0))
        lives = not process.exited.done() and process.identity.alive()
        await process.stop()
        return gone and lives

    assert asyncio.run(run())
