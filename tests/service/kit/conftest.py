"""contacts in one real process: its standard resources show what the resource kit does."""

from collections.abc import AsyncIterator

import pytest

from chassis.testing.installation import Installation, Tenant, installation
from tests.service.kit.support import Desk


@pytest.fixture(scope="package")
async def crm() -> AsyncIterator[Installation]:
    async with installation(["contacts"], past=False) as running:
        yield running


@pytest.fixture
async def tenant(crm: Installation) -> Tenant:
    return await crm.tenant()


@pytest.fixture
async def desk(tenant: Tenant) -> Desk:
    """The administrator's desk."""
    return Desk(tenant, tenant.admin)
