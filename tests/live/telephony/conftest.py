"""One Asterisk and its phones for all tests of this folder."""

from collections.abc import AsyncIterator

import pytest

from tests.live.telephony.asterisk import Asterisk, asterisk
from tests.live.telephony.phones import Phone, phones
from tests.live.telephony.scenes import Scene, scene


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Why nothing was tried is said once, at the end."""
    skipped = terminalreporter.stats.get("skipped", [])
    for reason in {report.longrepr[2] for report in skipped}:
        terminalreporter.write_line(reason)


@pytest.fixture(scope="session")
async def real(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asterisk]:
    async with asterisk(tmp_path_factory.mktemp("live")) as made:
        yield made


@pytest.fixture(scope="session")
async def parties(real: Asterisk) -> AsyncIterator[dict[str, Phone]]:
    async with phones(real) as made:
        yield made


@pytest.fixture(params=[True, False], ids=["led by us", "led by the dialplan"])
async def played(
    request: pytest.FixtureRequest, real: Asterisk, parties: dict[str, Phone]
) -> AsyncIterator[Scene]:
    async with scene(real, parties, led=request.param) as made:
        yield made


@pytest.fixture
async def led(real: Asterisk, parties: dict[str, Phone]) -> AsyncIterator[Scene]:
    async with scene(real, parties, led=True) as made:
        yield made


@pytest.fixture
async def watched(real: Asterisk, parties: dict[str, Phone]) -> AsyncIterator[Scene]:
    async with scene(real, parties, led=False) as made:
        yield made
