"""One installation for the whole set; each test breaks it in its own way and finds it whole."""

import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chaos.machine import Machine, free_port
from tests.e2e.company import Company, signed_up
from tests.e2e.runtime.harness import processes_of, until

SETTINGS = {
    "CRM_PROCESSES": "2",
    "CRM_SIGNUP": "1",
    "CRM_TEST_CLOCK": "1",  # ladders climb for half an hour
    "CRM_PUSH_PRIVATE": "1",  # the tests' push service is on 127.0.0.1
}


@pytest.fixture(scope="session")
async def installed() -> AsyncIterator[Machine]:
    folder = Path(tempfile.mkdtemp(prefix="akrab-chaos-"))
    os.chmod(folder, 0o711)  # PostgreSQL does not run as root and must pass
    machine = Machine(folder / "data", free_port(), settings=SETTINGS)
    try:
        await machine.up()
        async with signed_up(machine.url, machine.setup_token):
            pass  # the first company; every test has one of its own
        yield machine
    finally:
        machine.end(signal.SIGTERM)
        until(lambda: not processes_of(machine.data), "the tests left processes", 20)
        shutil.rmtree(folder)


@pytest.fixture
async def machine(installed: Machine) -> Machine:
    """The installation, whole again after the test before."""
    assert installed.process is not None
    if installed.process.poll() is not None:
        await installed.up()
    await installed.whole()
    return installed


@pytest.fixture
async def company(machine: Machine) -> AsyncIterator[Company]:
    async with signed_up(machine.url) as made:
        yield made
