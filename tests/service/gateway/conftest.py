"""The whole installation in one process, reached over HTTP as anybody would."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from chassis.keys import uuid7
from chassis.testing.installation import Installation, Tenant, installation
from chassis.testing.servers import free_port

PASSWORD = "kaca-jendela-9"


@dataclass
class Crm:
    """A running installation and its HTTP address."""

    installation: Installation
    url: str

    def client(self, token: str = "", **headers: str) -> httpx.AsyncClient:
        """A client that speaks as the holder of the token."""
        sent = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(base_url=self.url, headers=sent | headers, timeout=30)


@contextlib.asynccontextmanager
async def running(
    names: tuple[str, ...] = ("identity", "contacts", "gateway"),
    *,
    past: bool = False,
    **changes: Any,
) -> AsyncIterator[Crm]:
    """An installation of these services with HTTP on a free port."""
    port = free_port()
    async with installation(names, past=past, port=port, **changes) as made:
        yield Crm(made, f"http://127.0.0.1:{port}")


@pytest.fixture(scope="package")
async def crm() -> AsyncIterator[Crm]:
    async with running() as made:
        yield made


@pytest.fixture
async def tenant(crm: Crm) -> Tenant:
    return await crm.installation.tenant()


@pytest.fixture
async def http(crm: Crm, tenant: Tenant) -> AsyncIterator[httpx.AsyncClient]:
    """The administrator of a fresh tenant."""
    async with crm.client(tenant.admin.token) as client:
        yield client


def unique(name: str = "Ana") -> str:
    """A name that no other test uses."""
    return f"{name} {uuid7()[-8:]}"
