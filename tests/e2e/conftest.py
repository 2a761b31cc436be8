"""One installation in the test's own process, where companies may sign up; each test signs up its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.company import Company, signed_up
from tests.service.gateway.conftest import Crm, running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Who asks for a `machine` starts a whole installation: that is `make large`."""
    for item in items:
        here = item.path.is_relative_to(Path(__file__).parent)
        if here and "machine" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.large)


@pytest.fixture(scope="package")
async def crm() -> AsyncIterator[Crm]:
    """identity, contacts and the gateway with HTTP on a free port."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CRM_SIGNUP", "1")
        async with running() as made:
            yield made


@pytest.fixture
async def company(crm: Crm) -> AsyncIterator[Company]:
    await crm.installation.settled()
    async with signed_up(crm.url) as made:
        yield made


@pytest.fixture
async def stranger(crm: Crm) -> AsyncIterator[Company]:
    """Another company of the same installation."""
    async with signed_up(crm.url) as made:
        yield made
