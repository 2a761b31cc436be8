"""One running process with telephony for all tests of this folder; each test makes its own tenant."""

from collections.abc import AsyncIterator

import pytest_asyncio

from chassis.testing.installation import Installation, Tenant, installation
from tests.service.telephony.conformance import Stage
from tests.service.telephony.fake_ari import FakeAri
from tests.service.telephony.world import World


@pytest_asyncio.fixture(scope="session")
async def running() -> AsyncIterator[Installation]:
    async with installation(["telephony"], past=False) as made:
        yield made


@pytest_asyncio.fixture
async def tenant(running: Installation) -> Tenant:
    return await running.tenant()


@pytest_asyncio.fixture
async def world(running: Installation, tenant: Tenant) -> World:
    return World(running, tenant)


@pytest_asyncio.fixture
async def exchange() -> FakeAri:
    """An exchange with a REST interface, as its own tests play it."""
    return FakeAri()


@pytest_asyncio.fixture
async def stage(exchange: FakeAri) -> AsyncIterator[Stage]:
    made = Stage(exchange, await exchange.open())
    await made.begin()
    yield made
    await made.end()
