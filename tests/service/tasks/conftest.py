"""One running process with tasks for all tests of this folder; each test makes its own tenant."""

from collections.abc import AsyncIterator

import pytest_asyncio

from chassis.testing.installation import Installation, Tenant, installation
from tests.service.tasks.world import World


@pytest_asyncio.fixture(scope="package")
async def running() -> AsyncIterator[Installation]:
    async with installation(["tasks"], past=False) as made:
        yield made


@pytest_asyncio.fixture
async def tenant(running: Installation) -> Tenant:
    return await running.tenant()


@pytest_asyncio.fixture
async def world(running: Installation, tenant: Tenant) -> World:
    return World(running, tenant)
