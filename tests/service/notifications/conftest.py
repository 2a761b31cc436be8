"""One running process with notifications for all tests of this folder; each test makes its own tenant."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from chassis.testing.installation import Installation, Tenant, installation
from tests.service.notifications.world import World


@pytest_asyncio.fixture(scope="package")
async def running() -> AsyncIterator[Installation]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CRM_PUSH_PRIVATE", "1")  # the tests' push service is on 127.0.0.1
        async with installation(["notifications"], past=False, test_clock=True) as made:
            await made.process.nats.ensure_streams(["tasks", "contacts", "identity", "telephony"])
            yield made


@pytest_asyncio.fixture
async def tenant(running: Installation) -> Tenant:
    return await running.tenant()


@pytest_asyncio.fixture
async def world(running: Installation, tenant: Tenant) -> World:
    return World(running, tenant)
